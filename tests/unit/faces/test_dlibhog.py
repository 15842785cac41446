"""dlib's detector through a stand-in that answers as dlib does; and with dlib, where it is."""

from __future__ import annotations

import sys
import types

import numpy as np
import pytest

from edgeage.errors import MissingDependencyError
from edgeage.faces import open_detector


class Rectangle:
    def __init__(self, *edges: int):
        self.edges = edges

    def left(self):
        return self.edges[0]

    def top(self):
        return self.edges[1]

    def right(self):
        return self.edges[2]

    def bottom(self):
        return self.edges[3]


class StandIn(types.ModuleType):
    def __init__(self):
        super().__init__("dlib")
        self.seen: list[tuple[np.ndarray, int]] = []

    def get_frontal_face_detector(self):
        return self

    def run(self, rgb, doublings, threshold):
        self.seen.append((rgb, doublings))
        found = [(Rectangle(1, 2, 10, 21), 0.0), (Rectangle(5, 5, 9, 9), 2.0)]
        return [box for box, _ in found], [score for _, score in found], [0, 0]


@pytest.fixture
def dlib(monkeypatch):
    module = StandIn()
    monkeypatch.setitem(sys.modules, "dlib", module)
    return module


def test_distances_become_scores_and_edges_are_inclusive(dlib):
    faces = open_detector("dlib", min_size=40).detect([np.zeros((50, 60, 3), np.uint8)])[0]
    assert [face.score for face in faces] == pytest.approx([0.8808, 0.5], abs=1e-4)
    assert faces[1].box == (1, 2, 11, 22)
    assert dlib.seen[0][1] == 1


def test_it_sees_red_first_and_large_pictures_smaller(dlib):
    picture = np.zeros((2000, 4000, 3), np.uint8)
    picture[:, :, 2] = 200
    faces = open_detector("dlib").detect([picture])[0]
    rgb, doublings = dlib.seen[0]
    assert rgb.shape == (1600, 3200, 3)
    assert rgb[0, 0].tolist() == [200, 0, 0]
    assert doublings == 0
    assert faces[1].box == pytest.approx((1.25, 2.5, 13.75, 27.5))


def test_unsure_faces_are_left_out(dlib):
    detector = open_detector("dlib", min_score=0.6)
    assert len(detector.detect([np.zeros((50, 60, 3), np.uint8)])[0]) == 1


def test_without_dlib_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "dlib", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'edgeage\[dlib\]'"):
        open_detector("dlib")


def test_dlib_itself_finds_the_face(astronaut):
    pytest.importorskip("dlib")
    face = open_detector("dlib").detect([astronaut])[0][0]
    assert face.box == pytest.approx((175, 76, 266, 167), abs=10)
