"""Single-shot face detectors as OpenVINO's DetectionOutput answers them.

W. Liu et al.: SSD: Single Shot MultiBox Detector, ECCV 2016. Open Model Zoo's
``face-detection-retail-0005`` and its kin are of this form: a picture of any proportions is
stretched to the input, and each row of the output is [picture, label, score, left, top, right,
bottom], the edges as fractions of the picture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edgeage.faces.detection import Detection
from edgeage.faces.network import Network, byte_input, input_layout

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgeage.runtime.options import RuntimeOptions

__all__ = ["SsdDetector", "is_ssd"]

_SIDE = 300


def is_ssd(model: Any) -> bool:
    """Tell whether an ``openvino.Model`` answers as a single-shot detector does."""
    return len(model.outputs) == 1 and _rows(model.outputs[0].get_partial_shape())


def _rows(shape: Any) -> bool:
    return len(shape) == 4 and shape[3].is_static and shape[3].get_length() == 7


class SsdDetector:
    """A single-shot detector; see :class:`edgeage.faces.Detector`.

    Args:
        model: an ``openvino.Model`` that :func:`is_ssd` knows.
        path: what to call it in an error.
        device: an OpenVINO device.
        options: how to use it; None for the defaults.
        min_score: faces of a lower score are left out; None for 0.5.
        min_size: faces whose box has no side so long, in pixels, are left out; None for none.

    Raises:
        DeviceError: when the device is not there or refuses the network.
    """

    name = "ssd"

    def __init__(
        self,
        model: Any,
        path: str,
        device: str = "CPU",
        options: RuntimeOptions | None = None,
        *,
        min_score: float | None = None,
        min_size: int | None = None,
    ) -> None:
        layout, self._input_hw = input_layout(model, _SIDE)
        self._network = Network(byte_input(model, layout), path, device, options)
        self._min_score = 0.5 if min_score is None else min_score
        self._min_size = min_size or 0

    def detect(self, pictures: Sequence[np.ndarray]) -> list[list[Detection]]:
        """Find the faces of several pictures; see :meth:`edgeage.faces.Detector.detect`.

        Raises:
            DeviceError: when the device fails.
            UsageError: after :meth:`close`.
        """
        from edgeage.images import resize

        inputs = [resize(picture, self._input_hw)[None] for picture in pictures]
        answers = self._network.infer([np.ascontiguousarray(array) for array in inputs])
        return [
            self._read(outputs[0].reshape(-1, 7), picture.shape[:2])
            for outputs, picture in zip(answers, pictures, strict=True)
        ]

    def close(self) -> None:
        """Give the device and its memory back; closing twice is harmless."""
        self._network.close()

    def _read(self, rows: np.ndarray, size_hw: tuple[int, int]) -> list[Detection]:
        # A picture's number below 0 ends the rows; what follows is whatever was in memory.
        ended = np.flatnonzero(rows[:, 0] < 0)
        rows = rows[: ended[0]] if len(ended) else rows
        rows = rows[np.isfinite(rows).all(axis=1) & (rows[:, 2] >= self._min_score)]
        boxes = rows[:, 3:].astype(np.float64) * (size_hw[::-1] * 2)
        sides = (boxes[:, 2:] - boxes[:, :2]).reshape(-1, 2)
        sound = (sides > 0).all(axis=1)
        kept = np.flatnonzero(sound & (sides >= self._min_size).any(axis=1))
        return [
            Detection(tuple(boxes[i].tolist()), min(1.0, float(rows[i, 2])), detector=self.name)
            for i in kept[np.argsort(-rows[kept, 2], kind="stable")]
        ]
