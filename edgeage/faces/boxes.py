"""What detectors do with boxes: arrays of shape (n, 4), left, top, right and bottom edge."""

from __future__ import annotations

import numpy as np

__all__ = ["covered_by_better", "overlap", "refined", "squared", "suppressed"]


def squared(boxes_xyxy: np.ndarray) -> np.ndarray:
    """Return the squares of the longer side about the boxes' centres, float64 (n, 4).

    >>> squared(np.array([[0, 0, 2, 4]])).tolist()
    [[-1.0, 0.0, 3.0, 4.0]]
    """
    low, high = boxes_xyxy[:, :2], boxes_xyxy[:, 2:]
    half = (high - low).max(axis=1, keepdims=True) / 2
    centre = (low + high) / 2
    return np.hstack([centre - half, centre + half])


def refined(boxes_xyxy: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Move the edges by fractions of the box's size, as MTCNN's networks tell them.

    Args:
        boxes_xyxy: (n, 4).
        offsets: (n, 4), of left, top, right and bottom edge in widths and heights of the box.
    """
    size = boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]
    moved: np.ndarray = boxes_xyxy + offsets * np.hstack([size, size])
    return moved


def suppressed(
    boxes_xyxy: np.ndarray, scores: np.ndarray, threshold: float, owners: np.ndarray | None = None
) -> np.ndarray:
    """Leave out every box that overlaps a surer kept one of its owner too much.

    Args:
        boxes_xyxy: (n, 4).
        scores: (n,), above 0.
        threshold: largest intersection over union that is kept.
        owners: (n,) integers; boxes of different owners (pictures, scales) leave each other
            alone. None when all have the same.

    Returns:
        int64 indices of the kept boxes, the surest first.
    """
    import cv2

    if not len(boxes_xyxy):
        return np.empty(0, np.int64)
    corners = boxes_xyxy[:, :2] - boxes_xyxy[:, :2].min(axis=0)
    size = boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]
    if owners is not None:
        corners[:, 0] += owners * ((corners + size)[:, 0].max() + 1)
    rectangles = np.hstack([corners, size]).astype(np.float64)
    kept = cv2.dnn.NMSBoxes(rectangles.tolist(), scores.tolist(), 0.0, threshold)
    return np.asarray(kept, np.int64).reshape(-1)


def overlap(boxes_xyxy: np.ndarray, others_xyxy: np.ndarray, *, of_smaller: bool) -> np.ndarray:
    """Return how far boxes overlap: (n, m) of 0 to 1.

    Args:
        boxes_xyxy: (n, 4).
        others_xyxy: (m, 4).
        of_smaller: divide the intersection by the smaller area instead of the union.
    """
    low = np.maximum(boxes_xyxy[:, None, :2], others_xyxy[None, :, :2])
    high = np.minimum(boxes_xyxy[:, None, 2:], others_xyxy[None, :, 2:])
    shared = (high - low).clip(min=0).prod(axis=2)
    area = (boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]).prod(axis=1)[:, None]
    other_area = (others_xyxy[:, 2:] - others_xyxy[:, :2]).prod(axis=1)[None]
    whole = np.minimum(area, other_area) if of_smaller else area + other_area - shared
    ratio: np.ndarray = shared / np.maximum(whole, 1e-12)
    return ratio


def covered_by_better(boxes_xyxy: np.ndarray, scores: np.ndarray, threshold: float) -> np.ndarray:
    """Tell which boxes greedy suppression by the smaller area leaves out.

    Args:
        boxes_xyxy: (n, 4), of one picture.
        scores: (n,).
        threshold: largest intersection over the smaller area that is kept.

    Returns:
        bool (n,), true for a box that a surer kept one covers.
    """
    order = np.argsort(-scores, kind="stable")
    boxes = boxes_xyxy[order]
    clash = np.tril(overlap(boxes, boxes, of_smaller=True) > threshold, -1)
    # A box goes when a surer one that stays clashes with it; each round settles at least one more.
    kept: np.ndarray = np.ones(len(boxes), bool)
    settled = False
    while not settled:
        staying = np.logical_not((clash & kept).any(axis=1))
        settled, kept = np.array_equal(staying, kept), staying
    covered = np.empty(len(boxes), bool)
    covered[order] = ~kept
    return covered
