"""What the detectors of libraries that serve one thread at a time have in common."""

from __future__ import annotations

import abc
import threading
from typing import TYPE_CHECKING

from edgeage.errors import DeviceError, EdgeageError, UsageError, one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from edgeage.faces.detection import Detection

__all__ = ["SerialDetector", "shrunk"]


class SerialDetector(abc.ABC):
    """Looks at one picture after the other; see :class:`edgeage.faces.Detector`."""

    name = ""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open = True

    def detect(self, pictures: Sequence[np.ndarray]) -> list[list[Detection]]:
        """Find the faces of several pictures; see :meth:`edgeage.faces.Detector.detect`.

        Raises:
            DeviceError: when the library fails.
            UsageError: after :meth:`close`.
        """
        return [self._sorted(picture) for picture in pictures]

    def close(self) -> None:
        """End it; closing twice is harmless."""
        with self._lock:
            self._open = False

    def _sorted(self, picture_bgr: np.ndarray) -> list[Detection]:
        with self._lock:
            if not self._open:
                raise UsageError("this detector is closed; make a new one")
            try:
                found = self._find(picture_bgr)
            except EdgeageError:
                raise
            # OpenCV and dlib raise whatever they like.
            except Exception as error:
                raise DeviceError(
                    f"the face detector {self.name} failed: {one_line(error)}"
                ) from error
        return sorted(found, key=lambda face: -face.score)

    @abc.abstractmethod
    def _find(self, picture_bgr: np.ndarray) -> list[Detection]:
        """Find one picture's faces, in any order."""


def shrunk(picture_bgr: np.ndarray, scale: float) -> tuple[np.ndarray, tuple[float, float]]:
    """Make a picture smaller, never larger.

    Args:
        picture_bgr: uint8 array of shape (height, width, 3), BGR.
        scale: wanted size of a pixel; 1 and more leave the picture as it is.

    Returns:
        The smaller picture, and how many pixels of the picture one of its pixels is wide and high.
    """
    from edgeage.images import resize

    height, width = picture_bgr.shape[:2]
    if scale >= 1:
        return picture_bgr, (1.0, 1.0)
    size_hw = max(1, round(height * scale)), max(1, round(width * scale))
    return resize(picture_bgr, size_hw), (width / size_hw[1], height / size_hw[0])
