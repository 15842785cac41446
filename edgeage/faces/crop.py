"""Cutting a face out of a picture as the network was trained on it.

The standard face square is what a margin of 0 cuts out: the crop of UTKFace's chips, from above
the brows to below the chin, upright by the eyes. Landmarks are laid on those of the training
crops by the similarity transform of the least squared distance (S. Umeyama: Least-squares
estimation of transformation parameters between two point patterns, IEEE PAMI 13(4), 1991).
"""

from __future__ import annotations

import cmath
import dataclasses
import math
from typing import TYPE_CHECKING

import numpy as np

from edgeage.errors import UsageError

if TYPE_CHECKING:
    from edgeage.faces.detection import Detection
    from edgeage.inputspec import InputSpec

__all__ = [
    "LEAST_MARGIN",
    "MOST_MARGIN",
    "FaceSquare",
    "check_margin",
    "cut_face",
    "face_square",
    "is_face_crop",
]

LEAST_MARGIN, MOST_MARGIN = -0.5, 10.0
"""What a margin must be above, as nothing would be left of the face, and may be at most."""

_FARTHEST = 1.5
_SAME_CROP = 0.6
_WELL_SAMPLED = 2


@dataclasses.dataclass(frozen=True)
class FaceSquare:
    """A square in a picture, possibly turned and reaching beyond it.

    Attributes:
        center: x and y in pixels of the picture.
        side: in pixels, above 0.
        angle_degrees: how far it is turned, clockwise as one sees it: the angle of the eyes' line.

    Raises:
        UsageError: for numbers that are not finite, or a side of 0.
    """

    center: tuple[float, float]
    side: float
    angle_degrees: float = 0.0

    def __post_init__(self) -> None:
        numbers = (*self.center, self.side, self.angle_degrees)
        if not all(map(math.isfinite, numbers)) or self.side <= 0:
            raise UsageError(f"expected a finite square with a side above 0, got {numbers}")

    @property
    def corners(self) -> tuple[tuple[float, float], ...]:
        """Its corners in pixels: top left, top right, bottom right, bottom left as it is turned.

        >>> FaceSquare((10, 10), 4).corners
        ((8.0, 8.0), (12.0, 8.0), (12.0, 12.0), (8.0, 12.0))
        """
        turn = cmath.rect(self.side / 2, math.radians(self.angle_degrees))
        middle = complex(*self.center)
        points = (middle + turn * way for way in (-1 - 1j, 1 - 1j, 1 + 1j, -1 + 1j))
        return tuple((point.real, point.imag) for point in points)


@dataclasses.dataclass(frozen=True)
class _BoxFit:
    """How the standard face square stands to a detector's box, in parts of the root of its area.

    Attributes:
        side: of the square.
        right: how far its centre is to the right of the box's.
        down: how far it is below.
    """

    side: float
    right: float = 0.0
    down: float = 0.0


# Measured by benchmarks/crop_geometry.py; of dlib, whose boxes lie on a coarse grid, without what
# the chips' own place on that grid adds to the right and below.
_BOXES = {
    "mtcnn": _BoxFit(0.996, 0.022, 0.106),
    "haar": _BoxFit(0.971, 0.005, 0.085),
    "dlib": _BoxFit(1.05, 0.0, 0.03),
    "yunet": _BoxFit(1.01, 0.004, 0.132),
    "ssd": _BoxFit(1.005, 0.009, 0.122),
}
_OTHER_BOX = _BoxFit(1.0, 0.0, 0.12)


def check_margin(margin: float) -> None:
    """Refuse a margin that leaves nothing of a face, or next to nothing but what is around it.

    Raises:
        UsageError: unless it is above :data:`LEAST_MARGIN` and at most :data:`MOST_MARGIN`.
    """
    if not LEAST_MARGIN < margin <= MOST_MARGIN:
        raise UsageError(
            f"expected a margin above {LEAST_MARGIN:g} and up to {MOST_MARGIN:g}, got {margin:g}"
        )


def face_square(
    detection: Detection, spec: InputSpec, margin: float | None = None, align: bool = True
) -> FaceSquare:
    """Tell which square of the picture is cut out for a network.

    With landmarks of both the face and the training crops it is the square that brings the
    face's onto the training's; else the detector's box made a standard face square, turned by
    the eyes' line where there is one. Landmarks that ask for a square of quite another size than
    the box are not believed: those of a profile lie on a line.

    Args:
        detection: the face.
        spec: the network's input, with the crop it was trained on.
        margin: what to add on every side, as a fraction of the standard face square; None for
            the margin the network was trained on.
        align: turn the square with the face.

    Returns:
        The square, in pixels of the picture; it may reach beyond its edges.

    Raises:
        UsageError: when :func:`check_margin` refuses ``margin``.
    """
    margin = spec.margin if margin is None else margin
    check_margin(margin)
    center, arrow = _from_box(detection)
    if detection.landmarks and spec.landmarks:
        fitted_center, fitted = _from_landmarks(detection, spec.landmarks)
        if 1 / _FARTHEST < abs(fitted) / abs(arrow) < _FARTHEST:
            center, arrow = fitted_center, fitted
    side = abs(arrow) * (1 + 2 * margin)
    angle = math.degrees(cmath.phase(arrow)) if align else 0.0
    return FaceSquare((center.real, center.imag), side, angle)


def cut_face(
    picture_bgr: np.ndarray,
    detection: Detection,
    spec: InputSpec,
    *,
    margin: float | None = None,
    align: bool = True,
) -> np.ndarray:
    """Cut out a face as a network was trained on it; see :func:`face_square`.

    What lies beyond the picture repeats its edge. A large face is averaged down, a small one
    interpolated.

    Args:
        picture_bgr: uint8 array of shape (height, width, 3), BGR.
        detection: the face in it.
        spec: the network's input.
        margin: instead of the margin the network was trained on.
        align: turn the face upright.

    Returns:
        uint8 array of shape (*spec.resize_hw, 3), BGR.

    Raises:
        UsageError: when :func:`check_margin` refuses ``margin``.
    """
    return cut_square(picture_bgr, face_square(detection, spec, margin, align), spec.resize_hw)


def cut_square(picture_bgr: np.ndarray, square: FaceSquare, size_hw: tuple[int, int]) -> np.ndarray:
    """Cut out a square of a picture and resize it; what lies beyond the picture repeats its edge.

    Args:
        picture_bgr: uint8 array of shape (height, width, 3), BGR.
        square: what to cut out.
        size_hw: wanted height and width in pixels.

    Returns:
        uint8 array of shape (*size_hw, 3), BGR.
    """
    import cv2

    # Averaged down first, by a whole number, to about twice the wanted size: what is then sampled
    # by a few samples a pixel and averaged again misses nothing and costs little.
    factor = max(1, int(square.side / (_WELL_SAMPLED * max(size_hw))))
    pixels, origin = _around(picture_bgr, square, factor)
    samples = max(1, math.ceil(square.side / factor / min(size_hw)))
    rows, columns = (side * samples for side in size_hw)
    turn = cmath.rect(square.side / factor, math.radians(square.angle_degrees))
    corner = (complex(*square.center) - origin) / factor - turn * (0.5 + 0.5j)
    right, down = turn / columns, turn * 1j / rows
    # A pixel's centre lies half a pixel inside it, on both sides of the map.
    start = corner + (right + down) / 2 - (0.5 + 0.5j)
    matrix = np.array([[right.real, down.real, start.real], [right.imag, down.imag, start.imag]])
    method = cv2.INTER_CUBIC if samples == 1 else cv2.INTER_LINEAR
    cut: np.ndarray = cv2.warpAffine(
        pixels,
        matrix,
        (columns, rows),
        flags=method | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    if samples > 1:
        cut = cv2.resize(cut, (size_hw[1], size_hw[0]), interpolation=cv2.INTER_AREA)
    return cut


def is_face_crop(picture_hw: tuple[int, int], square: FaceSquare) -> bool:
    """Tell whether a picture is already about what would be cut out of it.

    Args:
        picture_hw: the picture's height and width in pixels.
        square: what would be cut out.

    Returns:
        Whether picture and square, taken upright, have an intersection over union above 0.6.

    >>> is_face_crop((200, 200), FaceSquare((100, 98), 190))
    True
    >>> is_face_crop((600, 800), FaceSquare((400, 300), 200))
    False
    """
    height, width = picture_hw
    (x, y), half = square.center, square.side / 2
    across = min(width, x + half) - max(0.0, x - half)
    down = min(height, y + half) - max(0.0, y - half)
    shared = max(0.0, across) * max(0.0, down)
    return shared > _SAME_CROP * (height * width + square.side**2 - shared)


def _from_box(detection: Detection) -> tuple[complex, complex]:
    """Return the standard square's centre, and its upper edge as a vector, by the box."""
    fit = _BOXES.get(detection.detector, _OTHER_BOX)
    left, top, right, bottom = detection.box
    turn = 1 + 0j
    if detection.landmarks:
        eyes = complex(*detection.landmarks[1]) - complex(*detection.landmarks[0])
        turn = eyes / abs(eyes) if eyes else turn
    middle = complex((left + right) / 2, (top + bottom) / 2)
    size = math.sqrt(detection.width * detection.height)
    return middle + turn * size * complex(fit.right, fit.down), turn * size * fit.side


def _from_landmarks(
    detection: Detection, template: tuple[tuple[float, float], ...]
) -> tuple[complex, complex]:
    """Fit ``point = a · template + b`` in the complex plane; see :func:`_from_box`."""
    points = np.array([complex(*point) for point in detection.landmarks])
    wanted = np.array([complex(*point) for point in template])
    middle = wanted.mean()
    a = np.vdot(wanted - middle, points) / np.vdot(wanted - middle, wanted - middle).real
    center = points.mean() + a * (0.5 + 0.5j - middle)
    return complex(center), complex(a)


def _around(picture_bgr: np.ndarray, square: FaceSquare, factor: int) -> tuple[np.ndarray, complex]:
    """Average down the part of a picture that a square needs.

    Returns:
        The part, smaller by ``factor``, and the place of its corner in the picture.
    """
    import cv2

    if factor == 1:
        return picture_bgr, 0j
    height, width = picture_bgr.shape[:2]
    corners = np.array(square.corners)
    low = np.floor(corners.min(axis=0)).astype(int) - 2 * factor
    high = np.ceil(corners.max(axis=0)).astype(int) + 2 * factor
    left, top = (int(value) for value in low.clip(0, (width - 1, height - 1)))
    right, bottom = (int(value) for value in high.clip((left + 1, top + 1), (width, height)))
    part = picture_bgr[top:bottom, left:right]
    # Whole blocks only, or a pixel would stand for another width at the far edges.
    pad = [-side % factor for side in part.shape[:2]]
    if any(pad):
        part = cv2.copyMakeBorder(part, 0, pad[0], 0, pad[1], cv2.BORDER_REPLICATE)
    size = part.shape[1] // factor, part.shape[0] // factor
    return cv2.resize(part, size, interpolation=cv2.INTER_AREA), complex(left, top)
