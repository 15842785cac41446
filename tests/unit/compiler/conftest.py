"""Small Caffe networks and their answers by OpenCV."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from edgeage import caffe

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HEAD = (
    'name: "small" layer {{ name: "data" type: "Input" top: "data" '
    "input_param {{ shape {{ dim: 1 dim: 3 dim: {height} dim: {width} }} }} }} "
)


@pytest.fixture
def write_net(tmp_path: Path) -> Callable[..., tuple[Path, Path | None]]:
    """Write a network: ``write_net(layers, weights, hw) → prototxt, caffemodel``.

    A caffemodel holds weights, so a network without any has None for it.
    """

    def write(
        layers: str, weights: dict[str, list[np.ndarray]], hw: tuple[int, int] = (9, 12)
    ) -> tuple[Path, Path | None]:
        text = HEAD.format(height=hw[0], width=hw[1]) + layers
        prototxt, caffemodel = tmp_path / "net.prototxt", tmp_path / "net.caffemodel"
        prototxt.write_text(text)
        if not weights:
            return prototxt, None
        caffe.write_weights(caffemodel, caffe.parse_net(text), weights)
        return prototxt, caffemodel

    return write


@pytest.fixture
def opencv_answer() -> Callable[..., np.ndarray]:
    """Run a Caffe network with OpenCV: ``opencv_answer(prototxt, caffemodel, float input)``."""
    import cv2

    def run(
        prototxt: Path, caffemodel: Path | None, blob: np.ndarray, output: str = "out"
    ) -> np.ndarray:
        net = cv2.dnn.readNetFromCaffe(*(str(path) for path in (prototxt, caffemodel) if path))
        net.setInput(np.ascontiguousarray(blob, np.float32))
        return np.array(net.forward(output))

    return run


@pytest.fixture
def graph_answer() -> Callable[..., np.ndarray]:
    """Build and run a network with the compiler's graph in float32."""
    from edgeage.compiler.graph import build_graph
    from edgeage.runtime.core import openvino_core

    def run(
        prototxt: Path, caffemodel: Path | None, pixels: np.ndarray, **options: object
    ) -> np.ndarray:
        options.setdefault("output_name", "out")
        weights = caffe.read_weights(caffemodel) if caffemodel else {}
        graph = build_graph(caffe.read_net(prototxt), weights, **options)
        exact = {"INFERENCE_PRECISION_HINT": "f32"}
        return np.array(openvino_core().compile_model(graph, "CPU", exact)([pixels])[0])

    return run
