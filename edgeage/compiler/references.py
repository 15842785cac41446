"""The trained network's own answers, which a compiled one is compared with.

OpenCV's Caffe importer (``cv2.dnn``) is always there and shares no code with the compiler; where
the Movidius tools are, real Caffe answers.
"""

from __future__ import annotations

import dataclasses
import logging
from typing import TYPE_CHECKING

import numpy as np

from edgeage.errors import ModelError, ToolchainError, one_line
from edgeage.movidius.networks import run_caffe
from edgeage.runtime.openvino import graph_mean

if TYPE_CHECKING:
    from edgeage.compiler.sources import TrainedModel
    from edgeage.movidius.toolchain import Toolchain

__all__ = ["Reference", "caffe_reference", "opencv_reference", "reference_answers"]

_LOGGER = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Reference:
    """What the trained network answers, and who says so.

    Attributes:
        engine: name and version, for example ``"caffe 1.0.0"``.
        answers: float32 probabilities of shape (n, labels).
    """

    engine: str
    answers: np.ndarray


def caffe_reference(trained: TrainedModel, batch: np.ndarray, toolchain: Toolchain) -> Reference:
    """Run the trained network with real Caffe, or with OpenCV where the toolchain has no Caffe.

    Args:
        trained: the trained network.
        batch: uint8 of shape (n, 3, height, width), BGR.
        toolchain: the Movidius tools.

    Raises:
        ToolchainError: when Caffe is there and fails.
        ModelError: when the answers are no probabilities.
    """
    try:
        answers, version = run_caffe(
            toolchain,
            trained.prototxt,
            trained.caffemodel,
            _prepared(trained, batch),
            trained.manifest.output_name,
        )
    except ToolchainError as error:
        if error.kind != "no-caffe":
            raise
        _LOGGER.info("%s; the reference is OpenCV's Caffe importer", error)
        return opencv_reference(trained, batch)
    return Reference(f"caffe {version}", _checked(trained, answers.reshape(len(batch), -1)))


def opencv_reference(trained: TrainedModel, batch: np.ndarray) -> Reference:
    """Run the trained network with OpenCV; see :func:`reference_answers`."""
    import cv2

    return Reference(f"cv2.dnn {cv2.__version__}", reference_answers(trained, batch))


def reference_answers(trained: TrainedModel, batch: np.ndarray) -> np.ndarray:
    """Run the trained network with OpenCV.

    Args:
        trained: the trained network.
        batch: uint8 of shape (n, 3, height, width), BGR.

    Returns:
        float32 probabilities of shape (n, labels).

    Raises:
        ModelError: when OpenCV cannot read or run it, or a row does not sum to 1.
    """
    import cv2

    rows = []
    try:
        net = cv2.dnn.readNetFromCaffe(str(trained.prototxt), str(trained.caffemodel))
        for pixels in batch:
            net.setInput(_prepared(trained, pixels[None]))
            rows.append(net.forward(trained.manifest.output_name).reshape(-1).copy())
    except cv2.error as error:
        raise ModelError(f"OpenCV cannot run {trained.caffemodel}: {one_line(error)}") from None
    return _checked(trained, np.stack(rows))


def _prepared(trained: TrainedModel, batch: np.ndarray) -> np.ndarray:
    """Return (pixel − mean) · scale in float32, which is what the trained network takes."""
    spec = trained.manifest.input
    mean = np.float32(0) if trained.mean is None else graph_mean(trained.mean, spec.input_hw)
    prepared: np.ndarray = ((batch - mean) * np.float32(spec.scale)).astype(np.float32)
    return prepared


def _checked(trained: TrainedModel, answers: np.ndarray) -> np.ndarray:
    labels = len(trained.manifest.labels)
    if answers.shape[1] != labels or not np.allclose(answers.sum(axis=1), 1, atol=1e-3):
        raise ModelError(
            f"blob «{trained.manifest.output_name}» of {trained.prototxt} is not {labels} "
            f"probabilities; expected a Softmax over the {labels} labels of task "
            f"«{trained.manifest.task}»"
        )
    return answers
