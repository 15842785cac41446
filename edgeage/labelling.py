"""Where the labels of a picture's faces go: beside their boxes, in the frame, each by itself."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Rect", "are_well_placed", "place_labels"]

_STEPS = 4


class Rect(NamedTuple):
    """A rectangle in pixels; right and bottom excluded."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def size_wh(self) -> tuple[int, int]:
        """Width and height."""
        return self.right - self.left, self.bottom - self.top

    def touches(self, other: Rect) -> bool:
        """Tell whether two rectangles share an edge or more."""
        apart = other.right < self.left or self.right < other.left
        return not (apart or other.bottom < self.top or self.bottom < other.top)

    def moved_to(self, x: int, y: int) -> Rect:
        """Return a rectangle of this size with its upper left corner there."""
        return Rect(x, y, x + self.right - self.left, y + self.bottom - self.top)


def place_labels(
    boxes: Sequence[Rect], sizes_wh: Sequence[tuple[int, int]], frame_wh: tuple[int, int]
) -> list[Rect | None]:
    """Find a place for every label.

    In the boxes' order, each label takes the first of these places that is in the frame, free of
    the labels before it and, if there is one, of every face: above its box, below, beside, inside
    at the top or the bottom, then a little away from it.

    Args:
        boxes: the faces, in pixels.
        sizes_wh: the labels' widths and heights.
        frame_wh: the picture's width and height.

    Returns:
        A rectangle a label, inside the frame; None where no place is left.

    >>> place_labels([Rect(10, 50, 40, 90)], [(30, 12)], (100, 100))
    [Rect(left=10, top=38, right=40, bottom=50)]
    """
    faces = np.array(boxes, np.int64).reshape(-1, 4)
    placed: list[Rect | None] = []
    taken = np.empty((0, 4), np.int64)
    for box, size_wh in zip(boxes, sizes_wh, strict=True):
        near = list(_near(box, size_wh, frame_wh))
        away = list(_away(box, size_wh, frame_wh))
        spot = _first_free(near, taken, faces) or _first_free(near + away, taken)
        placed.append(spot)
        if spot is not None:
            taken = np.vstack([taken, spot])
    return placed


def are_well_placed(
    spots: Sequence[Rect | None], boxes: Sequence[Rect], frame_wh: tuple[int, int]
) -> bool:
    """Tell whether every label is at its box and covers no face that it need not cover."""
    faces = np.array(boxes, np.int64).reshape(-1, 4)
    return all(
        spot is not None
        and spot.touches(box)
        and (not _overlaps(spot, faces) or _fills(box, spot.size_wh, frame_wh))
        for spot, box in zip(spots, boxes, strict=True)
    )


def _fills(box: Rect, size_wh: tuple[int, int], frame_wh: tuple[int, int]) -> bool:
    """Tell whether a face leaves no room for a label on any side."""
    across = max(box.left, frame_wh[0] - box.right)
    down = max(box.top, frame_wh[1] - box.bottom)
    return across < size_wh[0] and down < size_wh[1]


def _first_free(spots: Sequence[Rect], *obstacles: np.ndarray) -> Rect | None:
    rectangles = np.vstack(obstacles)
    return next((spot for spot in spots if not _overlaps(spot, rectangles)), None)


def _near(box: Rect, size_wh: tuple[int, int], frame_wh: tuple[int, int]) -> Iterator[Rect]:
    """Yield places that touch the box, slid along its edges where the frame ends."""
    width, height = size_wh
    left, top, right, bottom = box
    along_x = (left, right - width, (left + right - width) // 2)
    along_y = (top, bottom - height, (top + bottom - height) // 2)
    beside = itertools.product((right, left - width), along_y)
    corners = itertools.chain(
        itertools.product((left,), (top - height, bottom)),
        itertools.product(along_x[1:], (top - height, bottom)),
        ((x, y) for x, y in beside if 0 <= x <= frame_wh[0] - width),
        itertools.product(along_x, (top, bottom - height)),
    )
    for x, y in corners:
        spot = _slid(Rect(x, y, x + width, y + height), frame_wh)
        if spot is not None and spot.touches(box):
            yield spot


def _away(box: Rect, size_wh: tuple[int, int], frame_wh: tuple[int, int]) -> Iterator[Rect]:
    """Yield places around the box, a few labels' heights away at most, the nearest first."""
    width, height = size_wh
    for step in range(1, _STEPS + 1):
        gap = step * height
        for y in (box.top - height - gap, box.bottom + gap):
            for x in (box.left, box.right - width, box.left - width, box.right):
                spot = _slid(Rect(x, y, x + width, y + height), frame_wh)
                if spot is not None:
                    yield spot


def _slid(spot: Rect, frame_wh: tuple[int, int]) -> Rect | None:
    """Move a place sideways into the frame; None where it ends above, below, or is too large."""
    width, height = spot.size_wh
    if width > frame_wh[0] or spot.top < 0 or spot.bottom > frame_wh[1] or height > frame_wh[1]:
        return None
    return spot.moved_to(min(max(spot.left, 0), frame_wh[0] - width), spot.top)


def _overlaps(spot: Rect, rectangles: np.ndarray) -> bool:
    left, top, right, bottom = rectangles.T
    across = (left < spot.right) & (spot.left < right)
    return bool((across & (top < spot.bottom) & (spot.top < bottom)).any())
