"""Run networks in the toolchain's Python: real Caffe, and the OpenVINO that drives the sticks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeage.movidius.jobs import run_job

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from edgeage.movidius.toolchain import Toolchain

__all__ = ["run_caffe", "run_ir"]


def run_caffe(
    toolchain: Toolchain, prototxt: Path, caffemodel: Path, batch: np.ndarray, blob: str
) -> tuple[np.ndarray, str]:
    """Run a deploy network with BVLC Caffe.

    Args:
        toolchain: a Python that can ``import caffe``.
        prototxt: the deploy network.
        caffemodel: its weights.
        batch: float32 of shape (n, 3, height, width), the mean already subtracted.
        blob: name of the blob wanted.

    Returns:
        The blob, float32 of shape (n, …), and Caffe's version.

    Raises:
        ToolchainError: when Caffe fails; of kind ``"no-caffe"`` when it cannot be imported.
    """
    request = {
        "prototxt": str(prototxt.resolve()),
        "caffemodel": str(caffemodel.resolve()),
        "blobs": [blob],
    }
    reply, arrays = run_job(toolchain, "run_caffe", request, {"batch": batch})
    return arrays["blob_0"], str(reply["version"])


def run_ir(
    toolchain: Toolchain, xml: Path, weights: Path, batch: np.ndarray, device: str = "CPU"
) -> tuple[np.ndarray, str]:
    """Run an IR with the toolchain's OpenVINO.

    Args:
        toolchain: a Python with OpenVINO.
        xml: the IR's structure.
        weights: its ``.bin``.
        batch: of shape (n, 3, height, width), in the dtype of the network's input.
        device: one of that OpenVINO's devices.

    Returns:
        The network's first output, of shape (n, …), and OpenVINO's version.

    Raises:
        ToolchainError: when OpenVINO cannot run it.
    """
    request = {
        "xml": str(xml.resolve()),
        "bin": str(weights.resolve()),
        "device": device,
        "outputs": None,
    }
    reply, arrays = run_job(toolchain, "run_ir", request, {"batch": batch})
    return arrays["blob_0"], str(reply["version"])
