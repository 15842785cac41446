"""Use a face detector of your own, and models you have compiled.

Usage: python examples/own_detector.py PICTURE [MODELS]

MODELS is a folder made by «edgeage compile»; the released models are used without. The detector
here finds faces seen from the side, with the cascade that OpenCV brings along.
"""

import sys
import threading
from collections.abc import Sequence

import cv2
import numpy as np

from edgeage import Predictor
from edgeage.faces import Detection


class ProfileDetector:
    """Finds faces seen from the side; whatever has these three members is a detector."""

    name = "profile"

    def __init__(self) -> None:
        self._cascade = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_profileface.xml")
        # A detector is asked by several threads, and OpenCV's cascades stand only one.
        self._lock = threading.Lock()

    def detect(self, pictures: Sequence[np.ndarray]) -> list[list[Detection]]:
        """Return the faces of each picture, uint8 (height, width, 3) BGR, the surest first."""
        return [self._faces(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)) for picture in pictures]

    def close(self) -> None:
        """Nothing is held."""

    def _faces(self, grey: np.ndarray) -> list[Detection]:
        with self._lock:
            boxes, _, weights = self._cascade.detectMultiScale3(grey, outputRejectLevels=True)
        found = [
            Detection((x, y, x + width, y + height), float(1 / (1 + np.exp(-weight))))
            for (x, y, width, height), weight in zip(boxes, weights, strict=True)
        ]
        return sorted(found, key=lambda face: -face.score)


def main(picture: str, models: str | None = None) -> None:
    """Print the faces of a picture."""
    with Predictor(models, detector=ProfileDetector(), detect="always") as predictor:
        for face in predictor.predict(picture):
            print(f"{face.box} ({face.score:.2f}): {face.gender}, {face.age:.0f} years")


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 3:
        sys.exit("expected a picture: python examples/own_detector.py PICTURE [MODELS]")
    main(*sys.argv[1:])
