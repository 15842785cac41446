"""Predict age and gender frame by frame: a webcam, a video, a network camera.

Usage: python examples/predict_video.py SOURCE [--show]

SOURCE is a camera's number (0 is the first), a video file or an rtsp:// or http:// address.
"""

import sys
from collections.abc import Iterator

import cv2
import numpy as np

from edgeage import Predictor
from edgeage.drawing import draw_faces


def frames(source: str) -> Iterator[np.ndarray]:
    """Yield the frames of a source, uint8 (height, width, 3) BGR, until it ends."""
    capture = cv2.VideoCapture(int(source) if source.isdigit() else source)
    if not capture.isOpened():
        raise SystemExit(f"{source} cannot be opened as a camera or a video")
    try:
        while (grabbed := capture.read())[0]:
            yield grabbed[1]
    finally:
        capture.release()


def main(source: str, *, show: bool = False) -> None:
    """Print every frame's faces; draw them in a window if wanted, until a key is pressed."""
    with Predictor(detect="always") as predictor:
        # A few frames ahead keep all steps busy; 1 would be for the least delay.
        results = predictor.stream(frames(source), ahead=4, keep_pictures=True)
        for number, result in enumerate(results):
            said = [f"{face.gender} {face.age:.0f} at {face.box[:2]}" for face in result.faces]
            print(f"frame {number}: {'; '.join(said) or 'no face'}")
            if show:
                cv2.imshow(source, draw_faces(result.picture, result.faces))
                if cv2.waitKey(1) >= 0:
                    break


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("expected a source: python examples/predict_video.py 0|VIDEO|URL [--show]")
    main(sys.argv[1], show="--show" in sys.argv[2:])
