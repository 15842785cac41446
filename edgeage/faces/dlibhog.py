"""dlib's frontal face detector: histograms of oriented gradients and a linear classifier.

N. Dalal, B. Triggs: Histograms of Oriented Gradients for Human Detection, CVPR 2005; D. King:
Max-Margin Object Detection, arXiv:1502.00046.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from edgeage.errors import require
from edgeage.faces.detection import Detection
from edgeage.faces.serial import SerialDetector, shrunk

if TYPE_CHECKING:
    import numpy as np

__all__ = ["DlibDetector"]

_WINDOW = 80


class DlibDetector(SerialDetector):
    """Upright frontal faces, no landmarks; few false alarms.

    Its score is the logistic function of the distance from the classifier's plane: 0.5 and more.

    Args:
        min_score: faces of a lower score are left out; None for none.
        min_size: side in pixels of the smallest face to look for; None for a 20th of the
            picture's shorter side, at least 40.

    Raises:
        MissingDependencyError: when dlib is not installed.
    """

    name = "dlib"

    def __init__(self, *, min_score: float | None = None, min_size: int | None = None) -> None:
        super().__init__()
        dlib: Any = require("dlib", extra="dlib", purpose="find faces with dlib")
        self._detector = dlib.get_frontal_face_detector()
        self._min_score, self._min_size = min_score or 0.0, min_size

    def _find(self, picture_bgr: np.ndarray) -> list[Detection]:
        import numpy as np

        smallest = self._min_size or max(40.0, min(picture_bgr.shape[:2]) / 20)
        doublings = max(0, math.ceil(math.log2(_WINDOW / smallest)))
        small, (across, down) = shrunk(picture_bgr, _WINDOW / smallest / 2**doublings)
        rgb = np.ascontiguousarray(small[:, :, ::-1])
        boxes, distances, _ = self._detector.run(rgb, doublings, 0.0)
        found = []
        for box, distance in zip(boxes, distances, strict=True):
            score = 1 / (1 + math.exp(-distance))
            edges = (box.left(), box.top(), box.right() + 1, box.bottom() + 1)
            if score >= self._min_score:
                scaled = tuple(
                    edge * factor for edge, factor in zip(edges, (across, down) * 2, strict=True)
                )
                found.append(Detection(scaled, score, detector=self.name))
        return found
