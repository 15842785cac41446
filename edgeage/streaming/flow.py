"""How far faces move from one frame to the next, by their pixels.

Sixteen points a face are followed by pyramidal Lucas–Kanade (J.-Y. Bouguet, «Pyramidal
Implementation of the Lucas Kanade Feature Tracker», 2000) through grey frames of less than 640
pixels. A point counts if it is found back from where it went; a face has moved as the median of its
points (Z. Kalal et al., «Forward-Backward Error», ICPR 2010).
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Flow"]

_LONGEST = 640
_POINTS = 4
# The middle of a box, which has less of what is behind the face.
_STEPS = 0.15 + 0.7 * (np.arange(_POINTS) + 0.5) / _POINTS
_GRID = np.stack(np.meshgrid(_STEPS, _STEPS), axis=-1).reshape(-1, 2)
_WINDOW, _HALVINGS = 11, 3
_BACK = 0.5
"""Pixels that a point found back may be off."""
_ENOUGH = len(_GRID) // 3


class Flow:
    """Compares each frame with the one before."""

    def __init__(self) -> None:
        self._frames: list[_Frame] = []

    def take(self, picture_bgr: np.ndarray) -> None:
        """Take the next frame in, which costs nothing yet.

        Args:
            picture_bgr: uint8 array of shape (height, width, 3), BGR; not to be changed.
        """
        self._frames = [*self._frames[-1:], _Frame(picture_bgr)]

    def moved(
        self, boxes: Sequence[tuple[float, float, float, float]]
    ) -> list[tuple[float, float] | None]:
        """Tell how far faces have moved from the frame before the last to the last.

        Args:
            boxes: of faces in the frame before the last: left, top, right and bottom edge in
                pixels.

        Returns:
            For each how far it moved to the right and down, in pixels; None where that cannot be
            seen.
        """
        if len(self._frames) < 2 or not boxes:
            return [None] * len(boxes)
        last, grey = (frame.grey for frame in self._frames)
        if last.shape != grey.shape:
            return [None] * len(boxes)
        scale = np.array(grey.shape[::-1]) / self._frames[-1].picture.shape[1::-1]
        corners = np.array(boxes).reshape(-1, 2, 2) * scale
        points = corners[:, :1] + (corners[:, 1:] - corners[:, :1]) * _GRID
        there, found = _followed(last, grey, points)
        back, found_back = _followed(grey, last, there)
        good = found & found_back & (np.abs(back - points).max(axis=2) < _BACK)
        good &= _own(points, corners)
        return [
            tuple((np.median((end - start)[kept], axis=0) / scale).tolist())
            if kept.sum() >= _ENOUGH
            else None
            for start, end, kept in zip(points, there, good, strict=True)
        ]


class _Frame:
    """A frame and, once it is asked for, its small grey copy."""

    def __init__(self, picture_bgr: np.ndarray) -> None:
        self.picture = picture_bgr

    @functools.cached_property
    def grey(self) -> np.ndarray:
        return _shrunk(self.picture)


def _own(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Tell which points (faces, n, 2) are in one box only: of two, the nearer face hides one."""
    low, high = corners[:, 0], corners[:, 1]
    inside = ((points[:, :, None] > low) & (points[:, :, None] < high)).all(axis=3)
    own: np.ndarray = inside.sum(axis=2) == 1
    return own


def _followed(
    one: np.ndarray, other: np.ndarray, points: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return where points (faces, n, 2) of one frame are in the other, and which were found."""
    import cv2

    ends, found, _ = cv2.calcOpticalFlowPyrLK(
        one,
        other,
        points.reshape(-1, 1, 2).astype(np.float32),
        None,
        winSize=(_WINDOW, _WINDOW),
        maxLevel=_HALVINGS,
    )
    return ends.reshape(points.shape), found.reshape(points.shape[:2]) > 0


def _shrunk(picture_bgr: np.ndarray) -> np.ndarray:
    """Return a frame in grey, halved until it is less than 640 pixels long."""
    import cv2

    while max(picture_bgr.shape[:2]) >= _LONGEST:
        size = max(1, picture_bgr.shape[1] // 2), max(1, picture_bgr.shape[0] // 2)
        picture_bgr = cv2.resize(picture_bgr, size, interpolation=cv2.INTER_AREA)
    grey: np.ndarray = cv2.cvtColor(picture_bgr, cv2.COLOR_BGR2GRAY)
    return grey
