"""The Predictor with a detector: whose faces they are, how they are cut, and wrong calls."""

from __future__ import annotations

import json
import threading

import numpy as np
import pytest

from edgeage import AGE_GROUPS, Predictor
from edgeage.errors import DeviceError, NoFaceError, UsageError
from edgeage.faces import Detection
from edgeage.inputspec import InputSpec
from edgeage.prediction.steps import NO_FACE
from edgeage.testing import FakeBackend, FakeDetector, FakeSession

FACE = Detection((20, 20, 40, 40), 0.9)


def grey(level: int, hw: tuple[int, int] = (40, 30)) -> np.ndarray:
    return np.full((*hw, 3), level, np.uint8)


def test_every_detection_is_a_face():
    picture = grey(0, (100, 100))
    picture[50:, 50:] = 255
    points = tuple((65.0 + n, 70.0 + n) for n in range(5))
    detector = FakeDetector(
        [Detection((0.4, 0, 40, 39.6), 0.9), Detection((60, 60, 100, 100), 0.8, points)]
    )
    with Predictor(backend=FakeBackend(), detector=detector, detect="always") as predictor:
        first, second = predictor.predict(picture)
    assert (first.box, second.box) == ((0, 0, 40, 40), (60, 60, 100, 100))
    assert (first.age_group, second.age_group) == (AGE_GROUPS[0], AGE_GROUPS[-1])
    assert (first.score, second.score) == (0.9, 0.8)
    assert (first.landmarks, second.landmarks) == ((), points)
    assert (first.detected, second.detected) == (True, True)
    assert json.loads(json.dumps(second.to_dict()))["landmarks"][1] == [66.0, 71.0]


def test_no_face_is_an_error_of_the_picture_where_one_must_be():
    backend = FakeBackend()
    detector = FakeDetector(lambda picture: [FACE] if picture.max() else [])
    with Predictor(backend=backend, detector=detector, detect="always") as predictor:
        dark, light = predictor.predict_batch([grey(0, (90, 90)), grey(1, (90, 90))])
        with pytest.raises(NoFaceError, match="<array> shows no face"):
            predictor.predict(grey(0))
    assert (dark.faces, type(dark.error)) == ((), NoFaceError)
    assert ([face.box for face in light.faces], light.error) == ([(20, 20, 40, 40)], None)
    assert sum(backend.batches) == 2


def test_no_face_is_the_whole_picture_otherwise_and_that_is_said():
    with Predictor(backend=FakeBackend(), detector=FakeDetector()) as predictor:
        (result,) = predictor.predict_batch([grey(255)])
    (face,) = result.faces
    assert (face.box, face.detected, face.score) == ((0, 0, 30, 40), False, None)
    assert face.age_group == AGE_GROUPS[-1]
    assert result.to_dict()["note"] == result.note == NO_FACE


def test_a_cropped_face_is_taken_whole():
    """Cut once more it would be tighter than anything the networks were trained on."""
    detector = FakeDetector([Detection((1, 2, 29, 39), 0.7)])
    with Predictor(backend=FakeBackend(), detector=detector) as predictor:
        (result,) = predictor.predict_batch([grey(9)])
    (face,) = result.faces
    assert (face.box, face.detected, face.score) == ((0, 0, 30, 40), False, 0.7)
    assert result.note == ""


@pytest.mark.parametrize("how", [{"detect": "never"}, {"detector": None}], ids=str)
def test_is_not_asked_where_every_picture_is_a_face(how):
    detector = FakeDetector([FACE])
    with Predictor(backend=FakeBackend(), **{"detector": detector, **how}) as predictor:
        (result,) = predictor.predict_batch([grey(9)])
    assert (result.faces[0].box, result.faces[0].detected) == ((0, 0, 30, 40), False)
    assert (result.note, detector.batches) == ("", [])


def test_boxes_are_clipped_and_those_beyond_the_picture_dropped():
    found = [Detection(box, 0.5) for box in [(-10, -10, 20, 500), (31, 5, 35, 9), (2, 40.2, 9, 50)]]
    with Predictor(
        backend=FakeBackend(), detector=FakeDetector(found), detect="always"
    ) as predictor:
        faces = predictor.predict(grey(1, (40, 30)))
    assert [face.box for face in faces] == [(0, 0, 20, 40)]


def test_the_faces_of_several_pictures_share_batches(monkeypatch):
    """The networks' first run lasts until all faces are cut."""
    backend, cut, all_cut = FakeBackend(), [], threading.Event()
    prepare, run = InputSpec.prepare, FakeSession.infer

    def counted(spec, face):
        cut.append(face)
        if len(cut) == 24:
            all_cut.set()
        return prepare(spec, face)

    found = [Detection((20 + n, 20, 40 + n, 40), 0.9) for n in range(3)]
    with Predictor(backend=backend, detector=FakeDetector(found)) as predictor:
        monkeypatch.setattr(InputSpec, "prepare", counted)
        monkeypatch.setattr(FakeSession, "infer", lambda *a: all_cut.wait(30) and run(*a))
        results = predictor.predict_batch([grey(n, (80, 80)) for n in range(8)])
    assert [len(result.faces) for result in results] == [3] * 8
    assert sum(backend.batches) == 2 * 24
    assert max(backend.batches) > 3


def test_a_failing_one_is_no_bad_picture_and_what_was_before_it_comes_out():
    detector = FakeDetector([FACE], faults=[None, None, DeviceError("GPU is lost")])
    with Predictor(backend=FakeBackend(), detector=detector) as predictor:
        stream = predictor.stream(iter([grey(1, (90, 90))] * 9), ahead=1)
        assert [len(next(stream).faces) for _ in range(2)] == [1, 1]
        with pytest.raises(DeviceError, match="GPU is lost"):
            next(stream)


def test_an_own_one_is_its_owners_to_close():
    detector = FakeDetector([FACE])
    with Predictor(backend=FakeBackend(), detector=detector) as predictor:
        predictor.predict(grey(1, (90, 90)))
    assert detector.detect([grey(1)]) == [[FACE]]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"margin": -0.5}, "expected a margin above -0.5 and up to 10, got -0.5"),
        ({"margin": 11}, "expected a margin above -0.5 and up to 10, got 11"),
        ({"min_face": 0}, "expected min_face of at least 1 pixel, got 0"),
        ({"min_face": 30, "detector": FakeDetector([FACE])}, "min_face is for a detector"),
        ({"min_confidence": 1.5}, "expected min_confidence of 0 to 1, got 1.5"),
        ({"detect": "allways"}, "unknown detect «allways»; did you mean «always»"),
        ({"detector": None, "detect": "always"}, "detect «always» needs a detector"),
        ({"detector": "mtcn"}, "unknown detector «mtcn»; did you mean «mtcnn»"),
        ({"mode": "fast"}, "unknown mode «fast»"),
        ({"threads": 0}, "expected threads of at least 1, got 0"),
    ],
    ids=lambda value: "" if isinstance(value, str) else "-".join(value),
)
def test_a_wrong_call_is_refused_before_any_work(options, reason):
    backend = FakeBackend(load_error=DeviceError("must not be loaded"))
    with pytest.raises(UsageError, match=reason):
        Predictor(backend=backend, **options)
