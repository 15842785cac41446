"""When a detector is opened and asked, and what is made of its answer."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from edgeage import faces
from edgeage.errors import MissingDependencyError, UsageError
from edgeage.faces import Detection, FaceSquare
from edgeage.prediction.finder import FaceFinder
from edgeage.runtime.options import RuntimeOptions
from edgeage.testing import FakeDetector


def squares(detection):
    return [FaceSquare((30.0, 30.0), 2 * detection.width)]


PICTURE = np.zeros((100, 200, 3), np.uint8)
FACE = Detection((20, 20, 40, 40), 0.9)


@pytest.fixture
def opened(monkeypatch):
    """What ``open_detector`` was called with, and the detector each call gave."""
    calls = []

    def open_detector(detector, *, device, options, min_size):
        calls.append((detector, device, options, FakeDetector([FACE])))
        return calls[-1][-1]

    monkeypatch.setattr(faces, "open_detector", open_detector)
    return calls


def test_a_detector_is_opened_when_a_picture_needs_it_once(opened):
    options, start = RuntimeOptions(threads=2), threading.Barrier(8)
    finder = FaceFinder("mtcnn", "auto", device="GPU", options=options)
    assert opened == []

    def find(_):
        start.wait(10)
        return finder.find([PICTURE], squares)

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(find, range(8)))
    assert [call[:3] for call in opened] == [("mtcnn", "GPU", options)]
    assert {faces[0].box for (faces,) in found} == {(20, 20, 40, 40)}


def test_it_is_not_opened_where_no_picture_needs_it(opened):
    finder = FaceFinder("mtcnn", "never")
    ((face,),) = finder.find([PICTURE], squares)
    assert (face.box, face.is_whole, opened) == ((0, 0, 200, 100), True, [])


def test_what_was_opened_here_is_closed_here(opened):
    finder = FaceFinder("mtcnn", "auto")
    finder.find([PICTURE], squares)
    finder.close()
    finder.close()
    with pytest.raises(UsageError, match="closed"):
        opened[0][-1].detect([PICTURE])
    with pytest.raises(UsageError, match="closed"):
        finder.find([PICTURE], squares)
    assert len(opened) == 1


def test_one_that_cannot_be_opened_is_tried_again(monkeypatch):
    def fail(*_, **__):
        raise MissingDependencyError("not installed")

    finder = FaceFinder("dlib", "auto")
    monkeypatch.setattr(faces, "open_detector", fail)
    with pytest.raises(MissingDependencyError):
        finder.find([PICTURE], squares)
    monkeypatch.setattr(faces, "open_detector", lambda *_, **__: FakeDetector([FACE]))
    assert finder.find([PICTURE], squares)[0][0].detection is FACE


def test_a_networks_file_is_a_detector(tmp_path):
    (tmp_path / "faces.onnx").touch()
    for path in (tmp_path / "faces.onnx", str(tmp_path / "faces.onnx")):
        assert FaceFinder(path, "always").detect == "always"
    with pytest.raises(UsageError, match="unknown detector"):
        FaceFinder(str(tmp_path / "none.onnx"), "always")


def test_each_picture_gets_its_own():
    detector = FakeDetector(lambda picture: [FACE] if picture.max() else [])
    dark, light = FaceFinder(detector, "auto").find([PICTURE, PICTURE + 1], squares)
    assert [(face.is_whole, face.detection) for face in (*dark, *light)] == [
        (True, None), (False, FACE),
    ]  # fmt: skip
    assert FaceFinder(detector, "always").find([PICTURE], squares) == [[]]


@pytest.mark.parametrize(
    ("sides", "is_whole"), [((90, 90), True), ((90, 20), False), ((20, 20), False)], ids=str
)
def test_a_picture_that_is_what_would_be_cut_for_every_network_is_taken_whole(sides, is_whole):
    picture = np.zeros((100, 100, 3), np.uint8)
    finder = FaceFinder(FakeDetector([FACE]), "auto")
    ((face,),) = finder.find([picture], lambda _: [FaceSquare((50.0, 50.0), n) for n in sides])
    assert (face.is_whole, face.detection) == (is_whole, FACE)
    always = FaceFinder(FakeDetector([FACE]), "always")
    ((face,),) = always.find([picture], lambda _: [FaceSquare((50.0, 50.0), n) for n in sides])
    assert not face.is_whole
