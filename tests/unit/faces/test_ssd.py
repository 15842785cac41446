from __future__ import annotations

import numpy as np
import pytest

from edgeage.errors import UsageError
from edgeage.faces.opening import open_detector
from edgeage.runtime.options import RuntimeOptions

UNCACHED = RuntimeOptions(cache=False)
ROWS = np.array(
    [
        [0, 1, 0.6, 0.1, 0.2, 0.3, 0.6],
        [0, 1, 0.9, -0.1, 0.0, 0.5, 1.1],
        [0, 1, 0.4, 0.5, 0.5, 0.9, 0.9],
        [0, 1, 0.8, 0.5, 0.5, 0.5, 0.9],
        [0, 1, np.nan, 0.5, 0.5, 0.6, 0.9],
        [-1, 0, 0, 0, 0, 0, 0],
        [0, 1, 0.99, 0.0, 0.0, 0.5, 0.5],
    ]
).reshape(1, 1, 7, 7)
PICTURE = np.zeros((100, 200, 3), np.uint8)


@pytest.mark.parametrize("shape", [[1, 3, 30, 40], [1, 30, 40, 3], [-1, 3, -1, -1]])
def test_rows_become_faces_in_pixels_the_surest_first(shape, answering):
    detector = open_detector(answering(ROWS, shape), options=UNCACHED)
    first, other = detector.detect([PICTURE, PICTURE[:50]])
    assert detector.name == "ssd"
    assert [face.score for face in first] == pytest.approx([0.9, 0.6])
    assert first[0].box == pytest.approx((-20, 0, 100, 110))
    assert first[1].box == pytest.approx((20, 20, 60, 60))
    assert other[1].box == pytest.approx((20, 10, 60, 30))
    assert {(face.detector, face.landmarks) for face in first} == {("ssd", ())}


@pytest.mark.parametrize(
    ("limits", "scores"),
    [({"min_score": 0.3}, [0.9, 0.6, 0.4]), ({"min_score": 0.7}, [0.9]), ({"min_size": 50}, [0.9])],
)
def test_limits_leave_faces_out(limits, scores, answering):
    detector = open_detector(answering(ROWS, [1, 3, 30, 40]), options=UNCACHED, **limits)
    assert [face.score for face in detector.detect([PICTURE])[0]] == pytest.approx(scores)


def test_a_closed_detector_says_so(answering):
    detector = open_detector(answering(ROWS, [1, 3, 30, 40]), options=UNCACHED)
    detector.close()
    detector.close()
    with pytest.raises(UsageError, match="this detector is closed"):
        detector.detect([PICTURE])
