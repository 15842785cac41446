from __future__ import annotations

import cv2
import numpy as np
import pytest

from edgeage.errors import MissingDependencyError, ModelError
from edgeage.faces.opencv import HaarDetector, YunetDetector


@pytest.fixture(scope="module")
def haar():
    return HaarDetector()


def test_haar_finds_the_face(haar, astronaut):
    blank = np.full((90, 300, 3), 128, np.uint8)
    (face,), none = haar.detect([astronaut, blank])
    assert face.box == pytest.approx((177, 66, 272, 161), abs=8)
    assert 0.5 < face.score < 1
    assert none == []


def test_haar_finds_it_in_a_large_picture_in_its_pixels(haar, astronaut):
    large = cv2.resize(astronaut, (1536, 1536))
    faces = haar.detect([large])[0]
    assert faces[0].box == pytest.approx((531, 198, 816, 483), abs=60)


def test_limits_leave_faces_out(astronaut):
    assert HaarDetector(min_size=150).detect([astronaut]) == [[]]
    assert HaarDetector(min_score=0.999).detect([astronaut]) == [[]]


def test_an_opencv_without_cascades_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr("cv2.data.haarcascades", str(tmp_path))
    with pytest.raises(MissingDependencyError, match="pip install 'opencv-python<5'"):
        HaarDetector()


def test_yunet_refuses_what_is_none(tmp_path, capfd):
    path = tmp_path / "yunet.onnx"
    path.write_bytes(b"nothing")
    with pytest.raises(ModelError, match="is no YuNet that OpenCV reads"):
        YunetDetector(path)
    capfd.readouterr()
