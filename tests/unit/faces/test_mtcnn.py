from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from edgeage import Predictor
from edgeage.errors import NoFaceError, UsageError
from edgeage.faces import open_detector
from edgeage.faces.mtcnn import smallest_face
from edgeage.runtime.options import RuntimeOptions
from edgeage.testing import FakeBackend

EYES_NOSE_MOUTH = [(204, 101), (246, 103), (224, 129), (201, 140), (245, 142)]


@pytest.fixture(scope="module")
def mtcnn():
    detector = open_detector("mtcnn", options=RuntimeOptions(cache=False))
    yield detector
    detector.close()


@pytest.fixture(scope="module")
def crowd(astronaut):
    """Five faces of three sizes."""
    small = [
        cv2.resize(astronaut, (side, side), interpolation=cv2.INTER_AREA) for side in (256, 200)
    ]
    picture = np.full((520, 1080, 3), 90, np.uint8)
    picture[:512, :512] = astronaut
    for column, row, part in ((520, 0, 0), (800, 0, 0), (520, 260, 0), (780, 300, 1)):
        side = len(small[part])
        picture[row : row + side, column : column + side] = small[part]
    return picture


def test_the_face_and_its_landmarks(mtcnn, astronaut):
    (face,) = mtcnn.detect([astronaut])[0]
    assert face.detector == "mtcnn"
    assert face.score > 0.95
    assert face.box == pytest.approx((180, 63, 267, 173), abs=6)
    for point, expected in zip(face.landmarks, EYES_NOSE_MOUTH, strict=True):
        assert point == pytest.approx(expected, abs=4)


def test_pictures_of_any_size_together_are_as_each_alone(mtcnn, astronaut, crowd):
    """Batches of the later networks mix the pictures' candidates."""
    blank = np.zeros((9, 200, 3), np.uint8)
    pictures = [astronaut, blank, crowd, astronaut[40:220, 100:330], astronaut[:, ::-1]]
    together = mtcnn.detect(pictures)
    assert [len(faces) for faces in together] == [1, 0, 5, 1, 1]
    for picture, faces in zip(pictures, together, strict=True):
        alone = mtcnn.detect([picture])[0]
        assert len(alone) == len(faces)
        for one, other in zip(alone, faces, strict=True):
            assert one.box == pytest.approx(other.box, abs=0.5)


@pytest.mark.parametrize("shift", [(0, 0), (12, -9), (-10, 12)], ids=str)
def test_a_face_is_found_again_where_it_is_expected(mtcnn, astronaut, crowd, shift):
    for picture in (astronaut, crowd):
        (found,) = mtcnn.detect([picture])
        moves = [np.array(shift * 2) * face.width / 87 for face in found]
        expected = [tuple(face.box + move) for face, move in zip(found, moves, strict=True)]
        nowhere = (0, 0, 60, 60)
        *again, none = mtcnn.look_again(picture, [*expected, nowhere])
        assert none is None
        for before, now in zip(found, again, strict=True):
            assert now.detector == "mtcnn"
            assert now.box == pytest.approx(before.box, abs=0.12 * before.width)
            for point, other in zip(now.landmarks, before.landmarks, strict=True):
                assert point == pytest.approx(other, abs=0.06 * before.width)
    assert mtcnn.look_again(astronaut, []) == []


def test_the_surest_come_first(mtcnn, crowd):
    scores = [face.score for face in mtcnn.detect([crowd])[0]]
    assert scores == sorted(scores, reverse=True)


def test_the_last_network_looks_at_few_squares_a_face(mtcnn, crowd, monkeypatch):
    """It is the dearest by far; a face of a good size has dozens of candidates."""
    last, seen = mtcnn._networks[2], []

    def infer(batches):
        seen.extend(cuts.any(axis=(1, 2, 3)).sum() for cuts in batches)
        return type(last).infer(last, batches)

    monkeypatch.setattr(last, "infer", infer)
    assert len(mtcnn.detect([crowd])[0]) == 5
    assert 5 <= sum(seen) <= 15


def test_a_face_at_the_edge_is_found(mtcnn, astronaut):
    (face,) = mtcnn.detect([astronaut[80:, 195:]])[0]
    assert face.landmarks[1] == pytest.approx((51, 23), abs=5)


def test_a_large_picture_is_answered_in_its_pixels(mtcnn, astronaut):
    large = cv2.resize(astronaut, (2048, 2048), interpolation=cv2.INTER_CUBIC)
    face = max(mtcnn.detect([large])[0], key=lambda found: found.width)
    assert np.array(face.landmarks) == pytest.approx(np.array(EYES_NOSE_MOUTH) * 4, abs=16)


def test_nothing_and_no_pictures(mtcnn):
    assert mtcnn.detect([]) == []
    noise = np.random.default_rng(0).integers(0, 256, (150, 200, 3), dtype=np.uint8)
    assert mtcnn.detect([noise]) == [[]]


def test_smaller_faces_are_found_where_they_are_wanted(mtcnn, astronaut):
    """The face is 17 pixels wide."""
    small = cv2.resize(astronaut, (96, 96), interpolation=cv2.INTER_AREA)
    finer = open_detector("mtcnn", options=RuntimeOptions(cache=False), min_size=15)
    (face,) = finer.detect([small])[0]
    assert np.array(face.landmarks) == pytest.approx(np.array(EYES_NOSE_MOUTH) * 96 / 512, abs=2)
    assert mtcnn.detect([small]) == [[]]
    finer.close()


def test_limits_leave_faces_out(mtcnn, astronaut, crowd):
    options = RuntimeOptions(cache=False)
    boxes = [face.box for face in mtcnn.detect([crowd])[0]]
    large = open_detector("mtcnn", options=options, min_size=100)
    assert len(large.detect([crowd])[0]) == 1
    assert len([face for face in large.look_again(crowd, boxes) if face]) == 1
    sure = open_detector("mtcnn", options=options, min_score=1.0)
    assert sure.detect([astronaut]) == [[]]
    assert not any(sure.look_again(crowd, boxes))


def test_a_predictor_hands_the_smallest_face_on(astronaut):
    """The face is 113 pixels high."""
    given = {"backend": FakeBackend(), "detect": "always", "cache": False}
    with Predictor(min_face=100, **given) as predictor:
        assert len(predictor.predict(astronaut)) == 1
    with Predictor(min_face=130, **given) as predictor, pytest.raises(NoFaceError):
        predictor.predict(astronaut)


def test_many_threads_find_the_same(mtcnn, astronaut):
    expected = mtcnn.detect([astronaut])
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: mtcnn.detect([astronaut]), range(8))) == [expected] * 8


def test_a_closed_detector_says_so(astronaut):
    detector = open_detector("mtcnn", options=RuntimeOptions(cache=False))
    detector.close()
    detector.close()
    with pytest.raises(UsageError, match="this detector is closed"):
        detector.detect([astronaut])


@pytest.mark.parametrize(
    ("size_hw", "expected"),
    [((480, 640), 40), ((2160, 3840), 60), ((3000, 4000), 83.33), ((200, 25600), 200)],
)
def test_the_smallest_face_grows_with_the_picture(size_hw, expected):
    assert smallest_face(size_hw) == pytest.approx(expected, abs=0.01)
