from __future__ import annotations

import cmath
import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeage.errors import UsageError
from edgeage.faces.crop import FaceSquare, cut_face, cut_square, face_square, is_face_crop
from edgeage.faces.detection import Detection
from edgeage.inputspec import InputSpec

TEMPLATE = ((0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.35, 0.8), (0.65, 0.8))
SPEC = InputSpec((64, 64), (64, 64), landmarks=TEMPLATE)


def face_at(center, side, angle_degrees=0.0, box=None) -> Detection:
    """A face whose landmarks are the template's, laid into a square of the picture."""
    turn = cmath.rect(side, math.radians(angle_degrees))
    points = [complex(*center) + turn * (complex(*point) - 0.5 - 0.5j) for point in TEMPLATE]
    x, y = center
    half = side * 0.4
    return Detection(
        box or (x - half, y - half, x + half, y + half),
        1.0,
        tuple((point.real, point.imag) for point in points),
    )


@settings(max_examples=40, deadline=None)
@given(
    st.tuples(st.floats(-500, 500), st.floats(-500, 500)), st.floats(20, 900), st.floats(-179, 179)
)
def test_landmarks_are_laid_on_the_trainings(center, side, angle):
    square = face_square(face_at(center, side, angle), SPEC)
    assert square.center == pytest.approx(center, abs=1e-6 * side + 1e-6)
    assert square.side == pytest.approx(side)
    assert square.angle_degrees == pytest.approx(angle, abs=1e-6)


def test_noise_of_one_landmark_is_shared_by_all():
    face = face_at((100, 100), 100)
    moved = Detection(face.box, 1.0, ((face.landmarks[0][0] - 10, 90.0), *face.landmarks[1:]))
    square = face_square(moved, SPEC)
    assert square.center == pytest.approx((100, 100), abs=6)
    assert square.side == pytest.approx(100, rel=0.12)


def test_landmarks_of_a_profile_are_not_believed():
    """All on a line: the least-squares square is too small, the box's is taken."""
    face = face_at((100, 100), 100)
    line = tuple((130.0, y) for y in (84, 84.5, 100, 110, 111))
    by_box = face_square(Detection(face.box, 1.0), SPEC)
    square = face_square(Detection(face.box, 1.0, line), SPEC, align=False)
    assert square.side == pytest.approx(by_box.side)


def test_landmarks_that_coincide_leave_the_box():
    face = Detection((10, 10, 50, 60), 0.5, ((30, 30),) * 5)
    square = face_square(face, SPEC)
    assert square == face_square(Detection((10, 10, 50, 60), 0.5), SPEC)


@pytest.mark.parametrize(
    ("trained", "asked", "factor"),
    [(0.0, None, 1.0), (0.4, None, 1.8), (0.4, 0.0, 1.0), (0.0, 0.25, 1.5), (0.0, -0.1, 0.8)],
)
def test_a_margin_grows_the_square_on_every_side(trained, asked, factor):
    spec = InputSpec((64, 64), (64, 64), margin=trained, landmarks=TEMPLATE)
    square = face_square(face_at((100, 100), 100), spec, asked)
    assert square.side == pytest.approx(100 * factor)
    assert square.center == pytest.approx((100, 100))


@pytest.mark.parametrize("margin", [-0.5, -3, float("nan")])
def test_a_margin_that_leaves_nothing_is_refused(margin):
    with pytest.raises(UsageError, match="expected a margin above -0.5"):
        face_square(face_at((100, 100), 100), SPEC, margin)


def test_not_aligned_stands_upright():
    square = face_square(face_at((100, 100), 100, 25), SPEC, align=False)
    assert square.angle_degrees == 0
    assert square.side == pytest.approx(100)


def test_a_box_without_landmarks_makes_a_square_about_the_face():
    square = face_square(Detection((40, 30, 80, 80), 0.9), SPEC)
    assert 30 < square.side < 120
    assert 45 < square.center[0] < 75
    assert square.angle_degrees == 0


def test_eyes_turn_the_square_where_the_training_has_no_landmarks():
    plain = InputSpec((64, 64), (64, 64))
    assert face_square(face_at((100, 100), 100, 30), plain).angle_degrees == pytest.approx(30)


def test_a_cut_lays_the_eyes_where_the_training_has_them():
    picture = np.zeros((300, 300, 3), np.uint8)
    face = face_at((150, 140), 120, 20)
    for x, y in face.landmarks[:2]:
        cv2.circle(picture, (round(x), round(y)), 4, (255, 255, 255), -1)
    cut = cut_face(picture, face, SPEC)
    rows, columns = np.nonzero(cut[:, :, 0] > 100)
    left = columns < 32
    assert (columns[left].mean() + 0.5) / 64 == pytest.approx(0.3, abs=0.015)
    assert (columns[~left].mean() + 0.5) / 64 == pytest.approx(0.7, abs=0.015)
    assert (rows.mean() + 0.5) / 64 == pytest.approx(0.4, abs=0.015)


def test_a_square_of_whole_pixels_is_cut_out_unchanged(astronaut):
    cut = cut_square(astronaut, FaceSquare((222, 120), 100), (100, 100))
    assert np.array_equal(cut, astronaut[70:170, 172:272])


@pytest.mark.parametrize("angle", [0, 33])
@pytest.mark.parametrize("times", [3, 4, 7])
def test_a_large_face_is_averaged_not_skipped_through(astronaut, times, angle):
    """Single black and white pixels become grey: of nine, four or five are black."""
    checks = np.indices((1200, 1200)).sum(axis=0) % 2 * 255
    picture = np.repeat(checks[:, :, None], 3, axis=2).astype(np.uint8)
    cut = cut_square(picture, FaceSquare((600, 600), 90 * times, angle), (90, 90))
    assert np.abs(cut.astype(int) - 127).mean() < 16


@pytest.mark.parametrize("angle", [0, 33])
def test_a_large_picture_gives_the_same_cut_as_a_small_one(astronaut, angle):
    large = cv2.resize(astronaut, (2048, 2048), interpolation=cv2.INTER_CUBIC)
    small = cut_square(astronaut, FaceSquare((222, 117), 120, angle), (60, 60))
    same = cut_square(large, FaceSquare((888, 468), 480, angle), (60, 60))
    assert np.abs(small.astype(int) - same).mean() < 1


def test_beyond_the_picture_its_edge_is_repeated():
    picture = np.zeros((40, 40, 3), np.uint8)
    picture[:, :, 2] = 255
    cut = cut_square(picture, FaceSquare((0, 0), 80, 10), (32, 32))
    assert np.array_equal(np.unique(cut[:, :, 2]), [255])
    far = cut_square(picture, FaceSquare((-500, 900), 4000, 45), (32, 32))
    assert far.shape == (32, 32, 3)
    assert far[:, :, 2].min() == 255


def test_proportions_of_the_input_are_filled():
    picture = np.zeros((50, 50, 3), np.uint8)
    assert cut_square(picture, FaceSquare((25, 25), 30), (20, 10)).shape == (20, 10, 3)


@pytest.mark.parametrize(
    ("picture_hw", "square", "expected"),
    [
        ((200, 200), FaceSquare((100, 100), 200), True),
        ((200, 200), FaceSquare((100, 100), 160), True),
        ((200, 200), FaceSquare((100, 100), 150), False),
        ((200, 200), FaceSquare((100, 100), 250), True),
        ((200, 200), FaceSquare((160, 100), 200), False),
        ((200, 400), FaceSquare((100, 100), 200), False),
        ((200, 200), FaceSquare((900, 900), 200), False),
    ],
    ids=["same", "tighter", "much tighter", "looser", "aside", "half of it", "elsewhere"],
)
def test_a_picture_that_is_the_crop_is_known(picture_hw, square, expected):
    assert is_face_crop(picture_hw, square) is expected


@pytest.mark.parametrize("numbers", [((0, 0), 0.0), ((0, float("nan")), 1.0), ((0, 0), -3)])
def test_an_impossible_square_is_refused(numbers):
    with pytest.raises(UsageError, match="expected a finite square"):
        FaceSquare(*numbers)
