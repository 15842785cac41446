"""What a face looks like in a frame: how well it can be judged, and its colours.

Neither tells who a person is: no template of a face is computed or kept.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgeage.prediction.finder import FoundFace

__all__ = ["Look", "frontalness", "likeness", "look_at", "sharpness"]

_SIDE = 64
_WELL_SIZED = 112.0
_WELL_FOCUSED = 0.05
_BINS = (12, 6)
_UNKNOWN_POSE = 0.8


@dataclasses.dataclass(frozen=True)
class Look:
    """One face in one frame.

    Attributes:
        quality: how well its age and gender can be told, 0 to 1: the product of how large it is,
            how sharp and how frontal.
        colours: float32 histogram of hue and saturation with an entry for the dark, summing to 1.
    """

    quality: float
    colours: np.ndarray

    def blended(self, other: Look, share: float) -> Look:
        """Return a look with this one's quality and colours mixed with another's."""
        return Look(self.quality, (1 - share) * self.colours + share * other.colours)


def look_at(picture_bgr: np.ndarray, face: FoundFace) -> Look:
    """Judge a face.

    Args:
        picture_bgr: uint8 array of shape (height, width, 3), BGR.
        face: where it is in the picture.
    """
    import cv2

    left, top, right, bottom = face.box
    pixels = picture_bgr[top:bottom, left:right]
    shrunk = max(pixels.shape[:2]) > _SIDE
    method = cv2.INTER_AREA if shrunk else cv2.INTER_LINEAR
    thumbnail = cv2.resize(pixels, (_SIDE, _SIDE), interpolation=method)
    size = min(1.0, math.sqrt((right - left) * (bottom - top)) / _WELL_SIZED)
    points = face.detection.landmarks if face.detection else ()
    quality = size * sharpness(thumbnail) * frontalness(points)
    return Look(quality, _colours(thumbnail))


def likeness(looks: Sequence[Look], others: Sequence[Look]) -> np.ndarray:
    """Return how alike the colours of looks are: the Bhattacharyya coefficients.

    Returns:
        float array of shape (looks, others), 0 to 1.
    """
    one, other = (np.sqrt([look.colours for look in part]) for part in (looks, others))
    alike: np.ndarray = one @ other.T
    return alike


def sharpness(thumbnail_bgr: np.ndarray) -> float:
    """Return how sharp a face is, 0 to 1.

    The energy of the Laplacian (J. L. Pech-Pacheco et al., ICPR 2000) in parts of the picture's
    contrast, so that dim light is not taken for blur.

    Args:
        thumbnail_bgr: uint8 array of shape (64, 64, 3), BGR.
    """
    import cv2

    # Noise is no sharpness.
    grey = cv2.GaussianBlur(cv2.cvtColor(thumbnail_bgr, cv2.COLOR_BGR2GRAY), (3, 3), 0)
    contrast = float(grey.var())
    if contrast < 1:
        return 0.0
    detail = float(cv2.Laplacian(grey, cv2.CV_32F).var())
    return min(1.0, math.sqrt(detail / contrast / _WELL_FOCUSED))


def frontalness(landmarks: tuple[tuple[float, float], ...]) -> float:
    """Return how straight a face looks into the camera, 0 to 1, by five landmarks.

    On a frontal face the tip of the nose lies midway between the eyes' and the mouth's centres
    along the line of the eyes; the more it is turned, the nearer it comes to one side, and the
    narrower the eyes stand against the distance to the mouth.

    >>> round(frontalness(((30, 40), (70, 40), (50, 60), (35, 80), (65, 80))), 2)
    1.0
    >>> round(frontalness(((30, 40), (70, 40), (66, 60), (35, 80), (65, 80))), 2)
    0.2
    """
    if len(landmarks) != 5:
        return _UNKNOWN_POSE
    left_eye, right_eye, nose, left_mouth, right_mouth = (complex(*point) for point in landmarks)
    eyes = right_eye - left_eye
    if abs(eyes) < 1e-6:
        return 0.0
    # In a frame whose first axis is the line of the eyes, in parts of their distance.
    middle = (left_eye + right_eye + left_mouth + right_mouth) / 4
    aside = abs(((nose - middle) / eyes).real)
    long = abs((((left_mouth + right_mouth) - (left_eye + right_eye)) / 2 / eyes).imag)
    narrow = max(0.0, long - 1.25)
    return max(0.0, 1 - 2 * aside - narrow)


def _colours(thumbnail_bgr: np.ndarray) -> np.ndarray:
    import cv2

    hue, saturation, value = cv2.split(cv2.cvtColor(thumbnail_bgr, cv2.COLOR_BGR2HSV))
    bright = (value > 40).astype(np.uint8)
    ranges = [0, 180, 0, 256]
    table = cv2.calcHist([cv2.merge([hue, saturation])], [0, 1], bright, list(_BINS), ranges)
    dark = thumbnail_bgr.shape[0] * thumbnail_bgr.shape[1] - float(table.sum())
    histogram = np.append(table.ravel(), np.float32(dark))
    result: np.ndarray = histogram / histogram.sum()
    return result
