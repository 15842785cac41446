"""The face detectors that OpenCV has: the Haar cascade it ships, and YuNet.

P. Viola, M. Jones: Rapid Object Detection using a Boosted Cascade of Simple Features, CVPR 2001.
W. Wu, H. Peng, S. Yu: YuNet: A Tiny Millisecond-level Face Detector, Machine Intelligence
Research 20, 2023.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2

from edgeage.errors import MissingDependencyError, ModelError
from edgeage.faces.detection import Detection
from edgeage.faces.serial import SerialDetector, shrunk

if TYPE_CHECKING:
    import numpy as np

__all__ = ["HaarDetector", "YunetDetector"]

_CASCADE = "haarcascade_frontalface_default.xml"
_CASCADE_WINDOW = 24
_WEIGHT_SCALE = 3.0
_YUNET_LONGER_SIDE = 640
_YUNET_SMALLEST = 20


class HaarDetector(SerialDetector):
    """OpenCV's Haar cascade: upright frontal faces, no landmarks, no network.

    Its score only orders faces: ``1 − exp(−weight / 3)`` of the cascade's last stage.

    Args:
        min_score: faces of a lower score are left out; None for none.
        min_size: side in pixels of the smallest face to look for; None for a 20th of the
            picture's shorter side, at least 30.

    Raises:
        MissingDependencyError: when this OpenCV comes without its cascades.
    """

    name = "haar"

    def __init__(self, *, min_score: float | None = None, min_size: int | None = None) -> None:
        super().__init__()
        self._min_score, self._min_size = min_score or 0.0, min_size
        folder = getattr(getattr(cv2, "data", None), "haarcascades", "")
        self._cascade = cv2.CascadeClassifier()
        if not (folder and self._cascade.load(str(Path(folder) / _CASCADE))):
            raise MissingDependencyError(
                f"this OpenCV comes without {_CASCADE}; install one that has it with: "
                "pip install 'opencv-python<5'"
            )

    def _find(self, picture_bgr: np.ndarray) -> list[Detection]:
        smallest = self._min_size or max(30.0, min(picture_bgr.shape[:2]) / 20)
        small, (across, down) = shrunk(picture_bgr, 1.25 * _CASCADE_WINDOW / smallest)
        side = max(_CASCADE_WINDOW, round(smallest / across))
        boxes, _, weights = self._cascade.detectMultiScale3(
            cv2.cvtColor(small, cv2.COLOR_BGR2GRAY),
            scaleFactor=1.1,
            minNeighbors=5,
            minSize=(side, side),
            outputRejectLevels=True,
        )
        found = []
        for (left, top, width, height), weight in zip(boxes, weights, strict=True):
            score = 1 - math.exp(-max(0.0, float(weight)) / _WEIGHT_SCALE)
            box = (left * across, top * down, (left + width) * across, (top + height) * down)
            if score >= self._min_score:
                found.append(Detection(box, score, detector=self.name))
        return found


class YunetDetector(SerialDetector):
    """YuNet in OpenCV's ``FaceDetectorYN``: boxes and five landmarks.

    Args:
        path: its ``.onnx`` file, of 2023 or later.
        min_score: faces of a lower score are left out; None for 0.7.
        min_size: faces whose box has no side so long, in pixels, are left out; None for none.
            Pictures are looked at with their longer side made 640 pixels, or larger where
            ``min_size`` would be less than 20 pixels then.

    Raises:
        ModelError: when OpenCV cannot read the file.
    """

    name = "yunet"

    def __init__(
        self, path: Path, *, min_score: float | None = None, min_size: int | None = None
    ) -> None:
        super().__init__()
        self._min_size = min_size or 0
        try:
            self._network: Any = cv2.FaceDetectorYN.create(
                str(path), "", (320, 320), 0.7 if min_score is None else min_score
            )
        except cv2.error as error:
            raise ModelError(f"{path} is no YuNet that OpenCV reads: {error.err}") from error

    def _find(self, picture_bgr: np.ndarray) -> list[Detection]:
        scale = _YUNET_LONGER_SIDE / max(picture_bgr.shape[:2])
        if self._min_size:
            scale = max(scale, _YUNET_SMALLEST / self._min_size)
        small, (across, down) = shrunk(picture_bgr, scale)
        self._network.setInputSize(small.shape[1::-1])
        _, rows = self._network.detect(small)
        faces = [] if rows is None else [_from_row(row, across, down) for row in rows]
        return [face for face in faces if max(face.width, face.height) >= self._min_size]


def _from_row(row: np.ndarray, across: float, down: float) -> Detection:
    """Read left, top, width, height, five points and the score, as OpenCV lays them out."""
    left, top, width, height = row[:4].tolist()
    box = (left * across, top * down, (left + width) * across, (top + height) * down)
    points = tuple((x * across, y * down) for x, y in row[4:14].reshape(5, 2).tolist())
    return Detection(box, min(1.0, float(row[14])), points, detector=YunetDetector.name)
