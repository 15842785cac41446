from __future__ import annotations

import numpy as np
import pytest

from edgeage.faces.opening import open_detector
from edgeage.faces.yolo import letterbox
from edgeage.runtime.options import RuntimeOptions

UNCACHED = RuntimeOptions(cache=False)
# A picture of 100×200 in a letterbox of 64×64: a pixel of it is 3.125 wide, 16 rows are above.
PICTURE = np.zeros((100, 200, 3), np.uint8)
FACES = [(32, 32, 16, 8, 0.9), (33, 32, 16, 8, 0.8), (10, 40, 8, 8, 0.6), (50, 30, 8, 8, 0.3)]
POINTS = [(30, 30), (34, 30), (32, 32), (30, 34), (34, 34)]


def v5() -> np.ndarray:
    flat = [number for point in POINTS for number in point]
    rows = [[x, y, w, h, 1.0, *flat, score] for x, y, w, h, score in FACES]
    return np.array([rows])


def v8(points: bool) -> np.ndarray:
    flat = [number for x, y in POINTS for number in (x, y, 0.5)] if points else []
    return np.array([[[x, y, w, h, score, *flat] for x, y, w, h, score in FACES]]).transpose(
        0, 2, 1
    )


@pytest.mark.parametrize(
    ("answer", "landmarks"),
    [(v5(), True), (v8(points=True), True), (v8(points=False), False)],
    ids=["v5", "v8 with points", "v8"],
)
@pytest.mark.parametrize("element", ["f32", "f16"])
def test_answers_become_faces_in_pixels(answer, landmarks, element, answering):
    detector = open_detector(answering(answer, [1, 3, 64, 64], element), options=UNCACHED)
    faces = detector.detect([PICTURE])[0]
    assert detector.name == "yolo"
    assert [face.score for face in faces] == pytest.approx([0.9, 0.6])
    assert faces[0].box == pytest.approx((75, 37.5, 125, 62.5))
    assert len(faces[0].landmarks) == (5 if landmarks else 0)
    if landmarks:
        assert faces[0].landmarks[1] == pytest.approx((34 * 3.125, 14 * 3.125))


def test_each_picture_has_its_own_letterbox(answering):
    detector = open_detector(answering(v5(), [1, 3, 64, 64]), options=UNCACHED)
    wide, square = detector.detect([PICTURE, np.zeros((64, 64, 3), np.uint8)])
    assert wide[0].box != square[0].box
    assert square[0].box == pytest.approx((24, 28, 40, 36))


def test_limits_leave_faces_out(answering):
    path = answering(v5(), [1, 3, 64, 64])
    sure = open_detector(path, options=UNCACHED, min_score=0.7).detect([PICTURE])[0]
    assert [face.score for face in sure] == pytest.approx([0.9])
    large = open_detector(path, options=UNCACHED, min_size=51).detect([PICTURE])[0]
    assert large == []


def test_an_open_size_is_set(answering):
    detector = open_detector(answering(v5(), [-1, 3, -1, -1]), options=UNCACHED)
    assert detector.detect([np.zeros((640, 640, 3), np.uint8)])[0][0].box == (24, 28, 40, 36)


@pytest.mark.parametrize("size_hw", [(100, 200), (200, 100), (64, 64), (1, 500), (8, 9)])
def test_a_letterbox_keeps_proportions_and_centres(size_hw):
    pixels, scale, (left, top) = letterbox(np.full((*size_hw, 3), 255, np.uint8), (64, 48))
    inside = pixels[:, :, 0] == 255
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    assert (rows[0], columns[0]) == (top, left)
    assert (len(rows), len(columns)) == pytest.approx(
        [max(1, side / scale) for side in size_hw], abs=0.51
    )
    assert abs(top - (63 - rows[-1])) <= 1
    assert np.unique(pixels[~inside]).tolist() in ([], [114])
