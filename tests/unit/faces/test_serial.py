from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from edgeage.errors import DeviceError, UsageError
from edgeage.faces.detection import Detection
from edgeage.faces.serial import SerialDetector, shrunk

PICTURE = np.zeros((40, 60, 3), np.uint8)


class Counting(SerialDetector):
    name = "counting"

    def __init__(self, error: Exception | None = None):
        super().__init__()
        self.error, self.inside, self.most = error, 0, 0
        self.lock = threading.Lock()

    def _find(self, picture_bgr):
        if self.error:
            raise self.error
        with self.lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        time.sleep(0.001)
        with self.lock:
            self.inside -= 1
        return [Detection((0, 0, 1, 1), 0.2), Detection((0, 0, 2, 2), 0.7)]


def test_one_thread_at_a_time_and_the_surest_first():
    detector = Counting()
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda _: detector.detect([PICTURE] * 2), range(12)))
    assert detector.most == 1
    assert [[face.score for face in faces] for faces in found[0]] == [[0.7, 0.2]] * 2


def test_a_librarys_own_errors_are_translated():
    with pytest.raises(DeviceError, match="the face detector counting failed: two lines"):
        Counting(RuntimeError("two\nlines")).detect([PICTURE])
    with pytest.raises(UsageError, match="ours"):
        Counting(UsageError("ours")).detect([PICTURE])


def test_a_closed_detector_says_so():
    detector = Counting()
    detector.close()
    detector.close()
    with pytest.raises(UsageError, match="this detector is closed"):
        detector.detect([PICTURE])


@pytest.mark.parametrize(
    ("scale", "shape", "factors"),
    [(1.7, (40, 60), (1, 1)), (0.5, (20, 30), (2, 2)), (0.001, (1, 1), (60, 40))],
)
def test_pictures_are_only_made_smaller(scale, shape, factors):
    small, found = shrunk(PICTURE, scale)
    assert small.shape[:2] == shape
    assert found == factors
