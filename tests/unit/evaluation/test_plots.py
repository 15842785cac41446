"""Plots that go on a log scale, whatever the figures."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edgeage.errors import UsageError
from edgeage.evaluation.plots import check_plot_path, plot_headroom


def test_headroom_shows_what_overflows(tmp_path):
    """Red (BGR (40, 39, 214), matplotlib's tab:red) fills the bar of a layer that overflows."""
    sizes = {}
    for name, largest in (("sound", 60_000.0), ("overflow", 70_000.0)):
        path = tmp_path / f"{name}.png"
        plot_headroom({"conv1": 10.0, "norm1": largest}, {"norm1": 5e4}, path, name)
        picture = cv2.imread(str(path)).astype(int)
        sizes[name] = int((np.abs(picture - [40, 39, 214]).max(axis=2) < 8).sum())
    assert sizes["overflow"] > 5 * sizes["sound"]


def test_headroom_of_what_has_no_place_on_a_log_scale(tmp_path):
    plot_headroom({"a": 0.0, "b": float("nan"), "c": float("inf")}, {}, tmp_path / "p.svg", "x")
    assert (tmp_path / "p.svg").read_text().startswith("<?xml")


def test_a_name_that_cannot_be_drawn(tmp_path):
    with pytest.raises(UsageError, match=r"end in \.png, \.svg, \.pdf"):
        check_plot_path(tmp_path / "p.gif")
