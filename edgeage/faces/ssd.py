"""Single-shot face detectors as OpenVINO's DetectionOutput answers them.

W. Liu et al.: SSD: Single Shot MultiBox Detector, ECCV 2016. Open Model Zoo's
``face-detection-retail-0005`` and its kin are of this form: a picture of any proportions is
stretched to the input, and each row of the output is [picture, label, score, left, top, right,
bottom], the edges as fractions of the picture.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from edgeage.faces.detection import Detection
from edgeage.faces.onepass import OnePassDetector

__all__ = ["SsdDetector", "is_ssd"]


def is_ssd(model: Any) -> bool:
    """Tell whether an ``openvino.Model`` answers as a single-shot detector does."""
    return len(model.outputs) == 1 and _rows(model.outputs[0].get_partial_shape())


def _rows(shape: Any) -> bool:
    return len(shape) == 4 and shape[3].is_static and shape[3].get_length() == 7


class SsdDetector(OnePassDetector[tuple[int, int]]):
    """A single-shot detector, of a model that :func:`is_ssd` knows."""

    name = "ssd"
    side = 300

    def _fitted(self, picture_bgr: np.ndarray) -> tuple[np.ndarray, tuple[int, int]]:
        from edgeage.images import resize

        height, width = picture_bgr.shape[:2]
        return resize(picture_bgr, self._input_hw), (height, width)

    def _read(self, answer: np.ndarray, place: tuple[int, int]) -> list[Detection]:
        rows, size_hw = answer.reshape(-1, 7), place
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
