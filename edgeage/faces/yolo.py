"""YOLO networks trained on faces, in the two layouts they are exported in.

D. Qi et al.: YOLO5Face: Why Reinventing a Face Detector, arXiv:2105.12931: (1, n, 16), each row
centre x and y, width, height, objectness, five points, class score. The pose layout of
Ultralytics' YOLOv8: (1, 5, n) or (1, 20, n), each column centre, size, score and, with 20, five
points of x, y and visibility. Both want RGB of 0 to 1 in a letterbox, and answer in its pixels.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import numpy as np

from edgeage.faces.boxes import suppressed
from edgeage.faces.detection import Detection
from edgeage.faces.onepass import OnePassDetector

__all__ = ["YoloDetector", "yolo_layout"]

_PADDING = 114
_V5_COLUMNS = 16
_MOST_OVERLAP = 0.45


def yolo_layout(model: Any) -> str:
    """Return ``"v5"`` or ``"v8"`` for an ``openvino.Model`` of that layout, else ``""``."""
    shape = model.outputs[0].get_partial_shape()
    if len(model.outputs) != 1 or len(shape) != 3:
        return ""
    _, rows, columns = (side.get_length() if side.is_static else None for side in shape)
    if columns == _V5_COLUMNS:
        return "v5"
    return "v8" if rows in (5, 20) else ""


class YoloDetector(OnePassDetector[tuple[float, tuple[int, int]]]):
    """A YOLO face network, of a layout that :func:`yolo_layout` knows."""

    name = "yolo"
    side = 640
    takes = MappingProxyType({"rgb": True, "scale": 255.0})

    def _fitted(self, picture_bgr: np.ndarray) -> tuple[np.ndarray, tuple[float, tuple[int, int]]]:
        pixels, scale, corner = letterbox(picture_bgr, self._input_hw)
        return pixels, (scale, corner)

    def _read(self, answer: np.ndarray, place: tuple[float, tuple[int, int]]) -> list[Detection]:
        scale, corner = place
        fields = _v5_fields if answer.shape[2] == _V5_COLUMNS else _v8_fields
        boxes, scores, points = fields(answer[0])
        sides = boxes[:, 2:] * scale
        sound = (sides > 0).all(axis=1) & (sides >= self._min_size).any(axis=1)
        sure = sound & (scores >= max(self._min_score, 1e-6))
        boxes, scores, points = boxes[sure].astype(np.float64), scores[sure], points[sure]
        low = (boxes[:, :2] - boxes[:, 2:] / 2 - corner) * scale
        edges = np.hstack([low, low + boxes[:, 2:] * scale])
        points = (points - corner) * scale
        return [
            Detection(
                tuple(edges[i].tolist()),
                min(1.0, float(scores[i])),
                tuple(map(tuple, points[i].tolist())),
                detector=self.name,
            )
            for i in suppressed(edges, scores, _MOST_OVERLAP)
        ]


def _v5_fields(answer: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return answer[:, :4], answer[:, 4] * answer[:, 15], answer[:, 5:15].reshape(-1, 5, 2)


def _v8_fields(answer: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows = answer.T
    count = (rows.shape[1] - 5) // 3
    return rows[:, :4], rows[:, 4], rows[:, 5:].reshape(len(rows), count, 3)[:, :, :2]


def letterbox(
    picture_bgr: np.ndarray, size_hw: tuple[int, int]
) -> tuple[np.ndarray, float, tuple[int, int]]:
    """Fit a picture into a size with its proportions kept, grey around it.

    Args:
        picture_bgr: uint8 array of shape (height, width, 3), BGR.
        size_hw: wanted height and width.

    Returns:
        uint8 array (*size_hw, 3); how many pixels of the picture one of its pixels is; and where
        the picture's corner is in it, x and y.

    >>> pixels, scale, corner = letterbox(np.zeros((100, 200, 3), np.uint8), (50, 50))
    >>> pixels.shape, scale, corner
    ((50, 50, 3), 4.0, (0, 12))
    """
    from edgeage.images import resize

    height, width = picture_bgr.shape[:2]
    scale = max(height / size_hw[0], width / size_hw[1])
    rows, columns = max(1, round(height / scale)), max(1, round(width / scale))
    left, top = (size_hw[1] - columns) // 2, (size_hw[0] - rows) // 2
    pixels = np.full((*size_hw, 3), _PADDING, np.uint8)
    pixels[top : top + rows, left : left + columns] = resize(picture_bgr, (rows, columns))
    return pixels, scale, (left, top)
