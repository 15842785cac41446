"""Engines that agree, that do not, that fail, and that are not there."""

from __future__ import annotations

import dataclasses
import json
import sys

import cv2
import numpy as np
import pytest

from edgeage.errors import ModelError, ToolchainError, UsageError
from edgeage.verification import verify
from edgeage.verification.engines import TrainedEngine, make_engines
from edgeage.verification.local import OpenCVEngine
from edgeage.verification.text import format_verification

verify_module = sys.modules[verify.__module__]


class Crooked(OpenCVEngine):
    """Answers the groups in reverse and has a conv2 of twice the size."""

    key = "crooked"

    def layers(self, batch):
        found = super().layers(batch)
        return {**found, "prob": found["prob"][:, ::-1], "conv2": 2 * found["conv2"]}


class Second(OpenCVEngine):
    key = "second"


class Failing(TrainedEngine):
    key, name = "failing", "fails"
    error = ModelError("it broke")

    def layers(self, batch):
        raise self.error


class Toolless(Failing):
    key = "toolless"
    error = ToolchainError("this Python cannot import caffe", kind="no-caffe")


class Absent(TrainedEngine):
    key, name = "absent", "is not here"

    def tool_problem(self):
        return "it is not installed"

    def layers(self, batch):
        raise AssertionError("an engine that is not there must not be run")


@pytest.fixture
def use(monkeypatch):
    """Put engine classes in the place of the real ones."""

    def use(*kinds):
        monkeypatch.setattr(
            verify_module,
            "make_engines",
            lambda subject, folder, _: [k(subject, folder) for k in kinds],
        )

    return use


def test_two_that_agree(subject, pictures):
    found = verify(subject, pictures, engines=["openvino-fp32", "cv2"])
    assert found.reference == "cv2"
    assert [engine.key for engine in found.ran] == ["cv2", "openvino-fp32"]
    assert found.beyond == ()
    (pair,) = found.pairs
    assert 0 < pair.max_difference < 1e-4
    assert pair.changed == 0
    assert [layer.blob for layer in found.layers] == [point.blob for point in subject.points]
    for layer in found.layers:
        assert set(layer.max_error) == {"openvino-fp32"}
        assert layer.relative_error["openvino-fp32"] < 1e-5


def test_figures_are_those_of_the_arrays(subject, pictures, tmp_path):
    found = verify(subject, pictures, engines=["cv2", "fp16"])
    cv2, half = (
        engine.layers(pictures.batch) for engine in make_engines(subject, tmp_path, ["cv2", "fp16"])
    )
    by_blob = {layer.blob: layer for layer in found.layers}
    for blob in ("conv1", "norm1", "fc8"):
        assert by_blob[blob].largest == np.abs(cv2[blob]).max()
        assert by_blob[blob].headroom == pytest.approx(65504 / np.abs(cv2[blob]).max())
        difference = half[blob].astype(float).reshape(-1) - cv2[blob].reshape(-1)
        assert by_blob[blob].max_error["fp16"] == np.abs(difference).max()
    labels = pictures.labels
    accuracy = {engine.key: engine.accuracy for engine in found.engines}
    assert accuracy["cv2"] == (cv2["prob"].reshape(5, -1).argmax(axis=1) == labels).mean()


def test_chunks_change_nothing(subject, pictures, monkeypatch):
    whole = verify(subject, pictures, engines=["cv2", "openvino-fp16"]).to_dict()
    monkeypatch.setattr(verify_module, "CHUNK", 2)
    done = []
    parts = verify(
        subject, pictures, engines=["cv2", "openvino-fp16"],
        on_progress=lambda count, total: done.append((count, total)),
    ).to_dict()  # fmt: skip
    assert parts == whole
    assert done == [(2, 10), (4, 10), (6, 10), (8, 10), (9, 10), (10, 10)]


def test_one_that_disagrees(subject, pictures, use):
    use(OpenCVEngine, Crooked)
    found = verify(subject, pictures)
    assert [engine.key for engine in found.beyond] == ["crooked"]
    assert found.pairs[0].changed == 5
    errors = {layer.blob: layer.relative_error["crooked"] for layer in found.layers}
    assert errors["conv2"] == pytest.approx(1)
    assert errors["conv1"] == 0
    assert "BEYOND" in format_verification(found)
    assert found.to_dict()["within"] is False


def test_one_that_fails_is_no_agreement(subject, pictures, use):
    use(OpenCVEngine, Failing, Second)
    found = verify(subject, pictures)
    assert [(engine.key, engine.reason) for engine in found.beyond] == [("failing", "it broke")]
    assert "failing: failed: it broke" in format_verification(found)


def test_those_that_are_not_there_are_listed(subject, pictures, use):
    use(Toolless, Absent, OpenCVEngine, Crooked)
    found = verify(subject, pictures)
    assert found.reference == "cv2"
    text = format_verification(found)
    assert "absent: it is not installed" in text
    assert "toolless: this Python cannot import caffe" in text
    assert [engine.key for engine in found.beyond] == ["crooked"]


def test_fewer_than_two(subject, pictures, use):
    with pytest.raises(UsageError, match="at least two engines to compare, got 1"):
        verify(subject, pictures, engines=["cv2", "cv2"])
    use(Absent, OpenCVEngine)
    with pytest.raises(ModelError, match=r"only 1 of the engines run.*absent: it is not installed"):
        verify(subject, pictures)
    use(Failing, OpenCVEngine)
    with pytest.raises(ModelError, match="failing: it broke"):
        verify(subject, pictures)


def test_json_has_no_infinity(subject, pictures, use):
    class Overflowing(OpenCVEngine):
        key = "overflowing"

        def layers(self, batch):
            found = super().layers(batch)
            return {**found, "conv1": found["conv1"] * np.inf, "prob": found["prob"] * np.nan}

    use(OpenCVEngine, Overflowing)
    with np.errstate(invalid="ignore"):
        found = verify(subject, pictures)
    assert [engine.key for engine in found.beyond] == ["overflowing"]
    document = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert document["layers"][0]["max_error"]["overflowing"] is None


def test_sums_of_squares_beyond_half_precision_are_warned_of(subject, pictures):
    found = verify(subject, pictures, engines=["cv2", "fp16"])
    norm1 = next(layer for layer in found.layers if layer.blob == "norm1")
    assert norm1.inner is not None
    assert "sums of squares reach" not in format_verification(found)
    # As the graph for a Myriad X takes them, and what they are in another.
    assert norm1.inner_scale == 16
    assert norm1.inner_unscaled == pytest.approx(_largest_sum(subject, pictures), rel=1e-5)
    assert norm1.inner == norm1.inner_unscaled / 256
    conv1 = next(layer for layer in found.layers if layer.blob == "conv1")
    assert conv1.inner is conv1.inner_unscaled is None
    plain = dataclasses.replace(norm1, inner_scale=1.0)
    assert "divides" not in format_verification(dataclasses.replace(found, layers=(plain,)))
    worse = dataclasses.replace(norm1, inner=70_000.0, largest=66_000.0)
    text = format_verification(dataclasses.replace(found, layers=(worse,)))
    assert "norm1: its sums of squares reach 7e+04" in text
    assert "norm1 overflows half precision: 6.6e+04" in text
    assert "divides the values by 16 before it squares them; in one that does not, norm1's" in text
    assert "reach 1.79e+07" in text


def _largest_sum(subject, pictures):
    """By OpenCV's pool1, with the ends written out."""
    net = cv2.dnn.readNetFromCaffe(str(subject.trained.prototxt), str(subject.trained.caffemodel))
    net.setInput(subject.normalised(pictures.batch))
    squares = net.forward("pool1").astype(float) ** 2
    return max(squares[:, max(c - 2, 0) : c + 3].sum(axis=1).max() for c in range(96))
