"""What somebody else's network takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgeage.errors import ModelError
from edgeage.inputspec import InputSpec
from edgeage.networkinput import NetworkInput, input_from_dict, input_to_dict

IMAGENET = {"pixel_range": (0, 1), "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


def test_one_subtraction_and_one_division_do_what_range_mean_and_std_say() -> None:
    for low in (0, -1):
        takes = NetworkInput("RGB", **{**IMAGENET, "pixel_range": (low, 1)})
        mean, scale = takes.mean_scale
        for channel in range(3):
            pixels = np.array([0.0, 100.0, 255.0])
            seen = low + pixels / 255 * (1 - low)
            wanted = (seen - takes.mean[channel]) / takes.std[channel]
            np.testing.assert_allclose((pixels - mean[channel]) / scale[channel], wanted)
        assert not takes.takes_bytes


def test_one_number_is_for_all_channels() -> None:
    assert NetworkInput("BGR", mean=127.5, std=127.5).mean == (127.5,) * 3


def test_a_short_input_becomes_a_spec_and_what_the_network_takes() -> None:
    spec, takes = input_from_dict({"size": 62, "channel_order": "BGR"})
    assert spec == InputSpec((62, 62), (62, 62), mean="none")
    assert takes == NetworkInput("BGR")
    assert takes.takes_bytes


@pytest.mark.parametrize(
    "fields",
    [
        {"size": [62, 60], "channel_order": "BGR"},
        {"size": [224, 224], "resize": [256, 256], "margin": 0.4, "channel_order": "RGB"},
        {"size": [8, 8], "equalise": True, "channel_order": "RGB"},
        {"size": [8, 8], "channel_order": "RGB", "layout": "NHWC", "pixel_range": [-1.0, 1.0]},
        InputSpec().to_dict(),
    ],
    ids=["short", "cropped", "equalised", "all", "edgeage's own"],
)
def test_an_input_survives_its_fields(fields: dict[str, Any]) -> None:
    assert input_to_dict(*input_from_dict(fields)) == fields


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        pytest.param({}, "expected channel_order «BGR» or «RGB»", id="no order"),
        pytest.param({"channel_order": "BGR or RGB"}, "got «BGR or RGB»", id="a template's choice"),
        pytest.param({"channel_order": "RBG"}, "did you mean", id="order"),
        pytest.param({"layout": "HWC"}, "expected layout «NCHW» or «NHWC»", id="layout"),
        pytest.param({"chanel_order": "RGB"}, "did you mean «channel_order»", id="typo"),
        pytest.param({"mean": [1, 2]}, "expected mean as 3 numbers", id="two of three"),
        pytest.param({"mean": "mean.npy"}, "expected mean as 3 numbers", id="a file"),
        pytest.param({"std": [1, 2, "3"]}, "expected std as 3 finite", id="a word"),
        pytest.param({"std": 0}, "std above 0", id="division by zero"),
        pytest.param({"pixel_range": [1, 0]}, "low < high", id="range upside down"),
        pytest.param({"mean": IMAGENET["mean"]}, r'write "pixel_range": \[0, 1\]', id="no range"),
        pytest.param({"size": [62]}, r"expected a size as \[height, width\]", id="one side"),
        pytest.param({"size": [62, 0]}, "expected a size", id="no width"),
        pytest.param({"size": "62x62"}, "expected a size", id="size in words"),
        pytest.param({"resize": [30, 30]}, "expected input_hw within resize_hw", id="too small"),
        pytest.param({"margin": "wide"}, "expected margin", id="margin"),
    ],
)
def test_a_wrong_input_is_refused(fields: dict[str, Any], reason: str) -> None:
    order = {} if not fields or "chanel_order" in fields else {"channel_order": "RGB"}
    with pytest.raises(ModelError, match=reason):
        input_from_dict({"size": [62, 62], **order, **fields})


def test_edgeages_own_networks_are_bgr_always() -> None:
    with pytest.raises(ModelError, match="expected channel_order «BGR», got «RGB»"):
        input_from_dict({"channel_order": "RGB"})
    with pytest.raises(ModelError, match="to have a size beside «layout»"):
        input_from_dict({"layout": "NHWC"})
