"""A picture at several sizes: what MTCNN's networks look at.

Halved copies of the picture are the source of everything else, so that a large photograph is
read at full size once.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["CELL", "STRIDE", "Canvas", "Halves", "Placed", "level_scales", "make_canvas"]

CELL = 12
"""Side in pixels of what one answer of the first network looks at."""

STRIDE = 2
"""Pixels between two of its answers."""

_FACTOR = 0.709
_WIDTHS = (64, 96, 128, 160, 192, 256, 320, 384, 512, 640, 768, 1024, 1280, 1536)
_EMPTY = 127
_REMAP_SIDE = 32766


class Halves:
    """A picture, halved again and again, each time once it is asked for.

    Args:
        picture_bgr: uint8 array of shape (height, width, 3), BGR.
        scale: the largest copy that is needed, as a part of the picture; 1 for the picture itself.
    """

    def __init__(self, picture_bgr: np.ndarray, scale: float = 1.0) -> None:
        self.size_hw = picture_bgr.shape[:2]
        largest = np.ascontiguousarray(picture_bgr)
        while scale <= 0.5 or max(largest.shape) > _REMAP_SIDE:
            largest, scale = _halved(largest), scale * 2
        self._copies = [largest]
        self._sizes = [largest.shape[:2]]
        while min(self._sizes[-1]) >= 2 * CELL:
            self._sizes.append((self._sizes[-1][0] // 2, self._sizes[-1][1] // 2))

    def resized(self, size_hw: tuple[int, int]) -> np.ndarray:
        """Return the picture in another size, from the smallest copy that is at least as large."""
        fitting = [n for n, size in enumerate(self._sizes) if min(np.subtract(size, size_hw)) >= 0]
        return _resized(self._copy(fitting[-1] if fitting else 0), size_hw)

    def cut(self, boxes_xyxy: np.ndarray, side: int) -> np.ndarray:
        """Cut out squares and resize them, black outside the picture.

        Each is sampled from the copy in which a pixel of the cut is two to four pixels wide, twice
        as densely as needed, and averaged.

        Args:
            boxes_xyxy: (n, 4) squares in pixels of the picture.
            side: wanted height and width.

        Returns:
            uint8 array of shape (n, side, side, 3), BGR.
        """
        cuts = np.empty((len(boxes_xyxy), side, side, 3), np.uint8)
        shrink = self._sizes[0][1] / self.size_hw[1]
        ratio = (boxes_xyxy[:, 2] - boxes_xyxy[:, 0]) * shrink / side
        steps = np.floor(np.log2(np.maximum(ratio / 2, 1))).astype(int)
        copies = np.minimum(steps, len(self._sizes) - 1)
        at_once = _REMAP_SIDE // (2 * side)
        for copy in np.unique(copies):
            members = np.flatnonzero(copies == copy)
            for start in range(0, len(members), at_once):
                part = members[start : start + at_once]
                cuts[part] = self._sampled(self._copy(copy), boxes_xyxy[part], side)
        return cuts

    def _copy(self, number: int) -> np.ndarray:
        while len(self._copies) <= number:
            self._copies.append(_halved(self._copies[-1]))
        return self._copies[number]

    def _sampled(self, copy: np.ndarray, boxes_xyxy: np.ndarray, side: int) -> np.ndarray:
        import cv2

        count, dense = len(boxes_xyxy), 2 * side
        factors = [copy.shape[1] / self.size_hw[1], copy.shape[0] / self.size_hw[0]]
        steps = (np.arange(dense) + 0.5) / dense
        low, high = boxes_xyxy[:, :2] * factors, boxes_xyxy[:, 2:] * factors
        # (n, axis, dense); a pixel's centre is at its coordinate plus a half
        points = low[:, :, None] + (high - low)[:, :, None] * steps - 0.5
        places = np.empty((count, dense, dense, 2), np.float32)
        places[..., 0] = points[:, 0, None, :]
        places[..., 1] = points[:, 1, :, None]
        sampled = cv2.remap(copy, places.reshape(-1, dense, 2), None, cv2.INTER_LINEAR)
        averaged = cv2.resize(sampled, (side, count * side), interpolation=cv2.INTER_AREA)
        found: np.ndarray = averaged.reshape(count, side, side, 3)
        return found


@dataclasses.dataclass(frozen=True)
class Placed:
    """One size of the picture on a canvas.

    Attributes:
        left: its first column.
        top: its first row.
        size_hw: its height and width in pixels.
    """

    left: int
    top: int
    size_hw: tuple[int, int]


@dataclasses.dataclass(frozen=True)
class Canvas:
    """All sizes of one picture side by side, so that one run of the first network sees them all.

    Attributes:
        pixels: uint8 array of shape (1, height, width, 3), BGR.
        levels: where each size is, the largest first.
        size_hw: height and width of the picture itself.
    """

    pixels: np.ndarray
    levels: tuple[Placed, ...]
    size_hw: tuple[int, int]

    def candidates(self, found: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Tell what in the picture the cells of the first network's answer look at.

        Args:
            found: bool array of shape (rows, columns), true for the cells that are wanted.

        Returns:
            float64 squares (n, 4) in pixels of the picture; the cells, int64 (n, 2), row and
            column; and the number of each one's level, int64 (n,).
        """
        squares, cells, numbers = [], [], []
        for number, level in enumerate(self.levels):
            top, left = level.top // STRIDE, level.left // STRIDE
            rows, columns = (max(0, (side - CELL + 1) // STRIDE + 1) for side in level.size_hw)
            inside = np.argwhere(found[top : top + rows, left : left + columns])
            pixels = [
                self.size_hw[1] / level.size_hw[1],
                self.size_hw[0] / level.size_hw[0],
            ]
            corners = inside[:, ::-1] * STRIDE
            squares.append(np.hstack([corners * pixels, (corners + CELL) * pixels]))
            cells.append(inside + np.array([top, left]))
            numbers.append(np.full(len(inside), number))
        return np.vstack(squares), np.vstack(cells), np.concatenate(numbers)


def level_scales(size_hw: tuple[int, int], min_size: float) -> list[float]:
    """Return the scales at which faces of ``min_size`` pixels and more fill the first network.

    >>> [round(scale, 2) for scale in level_scales((60, 80), 20)]
    [0.6, 0.43, 0.3, 0.21]
    """
    scales, scale = [], CELL / min_size
    while min(size_hw) * scale >= CELL:
        scales.append(scale)
        scale *= _FACTOR
    return scales


def make_canvas(halves: Halves, scales: Sequence[float]) -> Canvas:
    """Lay a picture's sizes on shelves, each on the first that has room.

    The canvas has one of a few widths and heights, since a runtime prepares itself for every
    shape it meets.

    Args:
        halves: the picture.
        scales: of each size, the largest first.
    """
    sizes = [_scaled(halves.size_hw, scale) for scale in scales]
    widest = sizes[0][1] + sizes[0][1] % 2
    width = next((w for w in _WIDTHS if w >= widest), -(-widest // 256) * 256)
    levels, height = _on_shelves(sizes, width)
    step = max(32, width // 8)
    pixels = np.full((1, -(-height // step) * step, width, 3), _EMPTY, np.uint8)
    for level in levels:
        rows, columns = level.size_hw
        area = pixels[0, level.top : level.top + rows, level.left : level.left + columns]
        area[:] = halves.resized(level.size_hw)
    return Canvas(pixels, tuple(levels), halves.size_hw)


def _on_shelves(sizes: Sequence[tuple[int, int]], width: int) -> tuple[list[Placed], int]:
    """Return each size's place, at even pixels, and the height that all take together."""
    shelves: list[list[int]] = []
    levels, height = [], 0
    for rows, columns in sizes:
        across = columns + columns % 2
        shelf = next((shelf for shelf in shelves if shelf[1] + across <= width), None)
        if shelf is None:
            shelf = [height, 0]
            shelves.append(shelf)
            height += rows + rows % 2
        levels.append(Placed(shelf[1], shelf[0], (rows, columns)))
        shelf[1] += across
    return levels, height


def _halved(picture: np.ndarray) -> np.ndarray:
    return _resized(picture, (max(1, picture.shape[0] // 2), max(1, picture.shape[1] // 2)))


def _scaled(size_hw: tuple[int, int], scale: float) -> tuple[int, int]:
    return math.ceil(size_hw[0] * scale), math.ceil(size_hw[1] * scale)


def _resized(picture: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    import cv2

    if picture.shape[:2] == size_hw:
        return picture
    resized: np.ndarray = cv2.resize(
        picture, (size_hw[1], size_hw[0]), interpolation=cv2.INTER_AREA
    )
    return resized
