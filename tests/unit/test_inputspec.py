"""The one description of a network's input."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest

from edgeage.errors import ImageError, ModelError
from edgeage.images import resize
from edgeage.inputspec import InputSpec, center_crop


def test_the_default_is_agenets() -> None:
    spec = InputSpec()
    assert (spec.input_hw, spec.channel_order, spec.mean) == ((227, 227), "BGR", "image")


@pytest.mark.parametrize(
    ("mean", "shape"), [("image", (3, 40, 30)), ("channel", (3,)), ("none", None)]
)
def test_the_mean_belongs_to_the_stored_size(mean: str, shape: tuple[int, ...] | None) -> None:
    assert InputSpec(resize_hw=(40, 30), input_hw=(20, 20), mean=mean).mean_shape == shape


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"resize_hw": (227,)}, "expected resize_hw as \\(height, width\\)"),
        ({"input_hw": (0, 227)}, "expected input_hw as \\(height, width\\)"),
        ({"resize_hw": (200, 227)}, "expected input_hw within resize_hw, got \\(227, 227\\)"),
        ({"channel_order": "RGB"}, "expected channel_order «BGR», got «RGB»"),
        ({"mean": "median"}, "expected mean «image», «channel» or «none», got «median»"),
        ({"scale": "big"}, "expected scale as a finite number, got 'big'"),
        ({"margin": float("nan")}, "expected margin as a finite number"),
        ({"input_hv": (227, 227)}, "unknown input field «input_hv»; did you mean «input_hw»"),
        ({"input_hw": 227}, "bad input description"),
        ({"input_hw": ["tall", "wide"]}, "bad input description"),
    ],
)
def test_an_impossible_description_is_refused(fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(ModelError, match=reason):
        InputSpec.from_dict(fields)


def test_a_spec_survives_json() -> None:
    spec = InputSpec((256, 250), (227, 220), scale=0.5, margin=0.2, mean="channel", mean_sha256="0")
    assert InputSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec


def test_a_face_is_equalised_where_that_is_wanted(astronaut_face: np.ndarray) -> None:
    dull = (astronaut_face // 4 + 60).astype(np.uint8)
    plain, spec = (InputSpec((64, 64), (60, 60), equalise=wanted) for wanted in (False, True))
    assert InputSpec.from_dict(spec.to_dict()) == spec
    assert "equalise" not in plain.to_dict()
    spread = [np.ptp(one.prepare(dull).mean(axis=0)) for one in (plain, spec)]
    assert spread[0] < 80
    assert spread[1] > 200
    # Equalised, the dull face is nearly the bright one again.
    np.testing.assert_allclose(
        spec.prepare(dull).mean(axis=0), spec.prepare(astronaut_face).mean(axis=0), atol=20
    )
    with pytest.raises(ModelError, match="equalise as true or false, got 'yes'"):
        InputSpec(equalise="yes")


def test_a_spec_is_frozen_and_hashable() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        InputSpec().scale = 2.0  # type: ignore[misc]
    assert len({InputSpec(), InputSpec(scale=2.0), InputSpec()}) == 2


def test_prepare_resizes_then_cuts_the_centre(astronaut_face: np.ndarray) -> None:
    spec = InputSpec(resize_hw=(60, 50), input_hw=(41, 32))
    prepared = spec.prepare(astronaut_face)
    assert prepared.dtype == np.uint8
    assert prepared.flags.c_contiguous
    resized = resize(astronaut_face, (60, 50))
    np.testing.assert_array_equal(prepared, resized[9:50, 9:41].transpose(2, 0, 1))


def test_prepare_keeps_blue_first() -> None:
    blue = np.zeros((20, 20, 3), np.uint8)
    blue[:, :, 0] = 255
    assert InputSpec().prepare(blue)[:, 0, 0].tolist() == [255, 0, 0]


def test_prepare_refuses_what_is_no_picture() -> None:
    with pytest.raises(ImageError, match="expected a uint8 array"):
        InputSpec().prepare(np.zeros((227, 227, 3), np.float32))


@pytest.mark.parametrize(("side", "crop", "first"), [(10, 4, 3), (10, 5, 2), (11, 4, 3), (4, 4, 0)])
def test_the_centre_is_caffes(side: int, crop: int, first: int) -> None:
    row = np.arange(side)
    cut = center_crop(np.stack([np.tile(row, (side, 1))] * 2), (crop, crop))
    assert cut.shape == (2, crop, crop)
    assert cut[0, 0].tolist() == list(range(first, first + crop))


POINTS = ((0.3, 0.3), (0.7, 0.3), (0.5, 0.5), (0.35, 0.7), (0.65, 0.7))


def test_landmarks_of_the_training_crops_are_kept():
    spec = InputSpec(landmarks=[list(point) for point in POINTS])
    assert spec.landmarks == POINTS
    assert hash(spec) == hash(InputSpec(landmarks=POINTS))
    stored = json.loads(json.dumps(spec.to_dict()))
    assert stored["landmarks"][0] == [0.3, 0.3]
    assert InputSpec.from_dict(stored) == spec


def test_a_manifest_of_before_landmarks_were_kept_is_read():
    fields = InputSpec().to_dict()
    del fields["landmarks"]
    assert InputSpec.from_dict(fields).landmarks is None


@pytest.mark.parametrize(
    "points",
    [
        POINTS[:4],
        [(0.7, 0.3), (0.3, 0.3), *POINTS[2:]],
        [*POINTS[:4], (0.5, float("nan"))],
        [*POINTS[:4], (65, 70)],
        [*POINTS[:4], "ab"],
        7,
    ],
    ids=["four", "right eye first", "not a number", "pixels", "text", "no list"],
)
def test_impossible_landmarks_are_refused(points):
    with pytest.raises(ModelError, match="expected landmarks as five pairs"):
        InputSpec.from_dict({"landmarks": points})
