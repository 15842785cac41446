"""A measurement as bars."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edgeage.errors import UsageError
from edgeage.speed.bench import Bench, BenchOptions, Row
from edgeage.speed.plot import plot_bench
from edgeage.speed.timing import Figures


def bench(*milliseconds):
    rows = [
        Row("agenet", "CPU", precision, 1, "CPU", Figures(9, each, each, each, 1000 / each))
        for precision, each in zip(("FP32", "FP16"), milliseconds, strict=True)
    ]
    gone = Row("agenet", "GPU", "FP16", 1, reason="it is not here")
    return Bench((*rows, gone), BenchOptions())


def blue(path):
    """Count the pixels of matplotlib's first colour, BGR (180, 119, 31), in either half."""
    picture = cv2.imread(str(path)).astype(int)
    hits = np.abs(picture - [180, 119, 31]).max(axis=2) < 8
    middle = hits.shape[1] * 55 // 100
    return hits[:, :middle].sum(), hits[:, middle:].sum()


def test_bars_are_as_long_as_the_figures(tmp_path):
    plot_bench(bench(10, 10), tmp_path / "even.png")
    plot_bench(bench(10, 40), tmp_path / "faster.png")
    even, faster = blue(tmp_path / "even.png"), blue(tmp_path / "faster.png")
    # Against one four times as slow the first's latency is short and its rate as long as before.
    assert faster[0] < even[0] / 3
    assert abs(faster[1] - even[1]) < even[1] / 10


def test_another_suffix_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"\.png, \.svg, \.pdf"):
        plot_bench(bench(1, 1), tmp_path / "bars.gif")
