"""Other crops of the same faces: as a face detector gives them, and with a border around."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeage.datasets.seeds import fraction
from edgeage.faces.crop import FaceSquare, cut_square

if TYPE_CHECKING:
    import numpy as np

__all__ = ["CROPS", "cropped", "loose_crop", "loose_square"]

CROPS = ("tight", "loose", "wide")
"""The crops a face can be scored in: as it is stored, :func:`loose_crop` of it, and with a border
of :data:`BORDER`."""

BORDER = 0.4
"""Share of a face's side that is added on every side of it, as SSR-Net was trained."""

_SEED = 230
_MARGIN, _SHIFT, _TURN_DEGREES = 0.2, 0.12, 12.0


def cropped(picture: np.ndarray, name: str, crop: str) -> np.ndarray:
    """Return a face's stored picture in one of :data:`CROPS`; beyond it its edge is repeated.

    Args:
        picture: uint8 (side, side, 3), BGR.
        name: the face's file name.
        crop: which one.

    Returns:
        uint8 array of the same shape.
    """
    if crop == "loose":
        return loose_crop(picture, name)
    if crop == "wide":
        height, width = picture.shape[:2]
        side = min(height, width)
        square = FaceSquare((side / 2, side / 2), side * (1 + 2 * BORDER), 0.0)
        return cut_square(picture, square, (height, width))
    return picture


def loose_square(side: float, name: str) -> FaceSquare:
    """Return the looser square of a face that is stored as a square of ``side`` pixels.

    With numbers that depend on the face's name alone, so a face always gets the same: a margin on
    every side drawn evenly from 0 to 0.2 of the side; the centre moved along each axis by up to
    0.12 of the side, and the square turned by up to 12° either way, each the sum of two even
    draws, so that small ones are more common (standard deviations 0.05 and 5°).

    The median overlap with the stored square is an intersection over union of about 0.67, which
    is that of the worst tenth of the detectors' boxes (``benchmarks/results/crop_geometry.json``).

    Args:
        side: of the stored picture, in pixels.
        name: the face's file name.

    >>> loose_square(100, "a.jpg") == loose_square(100, "a.jpg") != loose_square(100, "b.jpg")
    True
    """
    across, down, turn = (_tent(name, what) for what in ("across", "down", "turn"))
    margin = _MARGIN * fraction(_SEED, "loose crop", "margin", name)
    centre = side * (0.5 + _SHIFT * across), side * (0.5 + _SHIFT * down)
    return FaceSquare(centre, side * (1 + 2 * margin), _TURN_DEGREES * turn)


def loose_crop(picture: np.ndarray, name: str) -> np.ndarray:
    """Cut a face's looser square out of its stored picture, whose edge is repeated beyond it.

    Args:
        picture: uint8 (side, side, 3), BGR.
        name: the face's file name.

    Returns:
        uint8 array of the same shape.
    """
    height, width = picture.shape[:2]
    return cut_square(picture, loose_square(min(height, width), name), (height, width))


def _tent(name: str, what: str) -> float:
    """Return a number from −1 to 1 with a density like a tent."""
    return sum(fraction(_SEED, "loose crop", what, turn, name) for turn in (1, 2)) - 1
