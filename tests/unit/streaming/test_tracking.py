"""The parts of tracking: assignment, the filter, the tracker, by themselves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from edgeage.faces import Detection
from edgeage.prediction.finder import FoundFace
from edgeage.streaming.assignment import assign
from edgeage.streaming.boxfilter import BoxFilter
from edgeage.streaming.looks import Look
from edgeage.streaming.tracker import Memory, Tracker

COLOURS = np.eye(4, dtype=np.float32)


@given(st.integers(0, 9), st.integers(0, 9), st.integers(0, 10**6), st.booleans())
@settings(max_examples=200, deadline=None)
def test_assignment_costs_as_little_as_scipys(rows, columns, seed, whole):
    rng = np.random.default_rng(seed)
    cost = rng.integers(-3, 4, (rows, columns)) * 1.0 if whole else rng.normal(size=(rows, columns))
    pairs = assign(cost)
    assert len(pairs) == min(rows, columns) == len({r for r, _ in pairs}) == len(dict(pairs))
    assert len({column for _, column in pairs}) == len(pairs)
    if pairs:
        best = cost[linear_sum_assignment(cost)].sum()
        assert sum(cost[pair] for pair in pairs) == pytest.approx(best)


def full_filter(boxes):
    """SORT's filter with its matrices of seven dimensions, fed the same noise, one frame a box."""
    f, h = np.eye(7), np.eye(4, 7)
    f[0, 4] = f[1, 5] = f[2, 6] = 1

    def measures(box):
        width, height = box[2] - box[0], box[3] - box[1]
        return np.array(
            [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2, width * height, width / height]
        )

    x = np.append(measures(boxes[0]), [0, 0, 0])
    side, area = np.sqrt(x[2]), x[2]
    first = [0.04 * side, 0.04 * side, 0.08 * area, 0.04, 0.25 * side, 0.25 * side, area / 16]
    p = np.diag(np.square(first))
    for box in boxes[1:]:
        side, area = np.sqrt(x[2]), x[2]
        q = np.zeros((7, 7))
        for place, push in ((0, 0.012 * side), (1, 0.012 * side), (2, 0.008 * area)):
            q[np.ix_([place, place + 4], [place, place + 4])] = push**2 * np.array(
                [[1 / 3, 1 / 2], [1 / 2, 1]]
            )
        q[3, 3] = 0.01**2
        x, p = f @ x, f @ p @ f.T + q
        z = measures(box)
        side, area = np.sqrt(z[2]), z[2]
        r = np.diag(np.square([0.04 * side, 0.04 * side, 0.08 * area, 0.04]))
        gain = p @ h.T @ np.linalg.inv(h @ p @ h.T + r)
        x, p = x + gain @ (z - h @ x), (np.eye(7) - gain @ h) @ p
    return x


def test_the_filter_is_that_of_seven_dimensions():
    rng = np.random.default_rng(0)
    boxes = [
        np.array([5 * n, 3 * n, 5 * n + 40 + n, 3 * n + 50 + n]) + rng.normal(0, 1.5, 4)
        for n in range(15)
    ]
    follower = BoxFilter(boxes[0])
    for box in boxes[1:]:
        follower.predict(1)
        follower.update(box)
    wanted = full_filter(boxes)
    assert follower.centre == pytest.approx(wanted[:2], rel=1e-9)
    assert follower.side**2 == pytest.approx(wanted[2], rel=1e-9)
    left, top, right, bottom = follower.box
    assert (right - left) / (bottom - top) == pytest.approx(wanted[3], rel=1e-9)


def test_one_step_of_several_frames_is_as_many_steps_of_one():
    one, other = BoxFilter((0, 0, 40, 40)), BoxFilter((0, 0, 40, 40))
    for follower in (one, other):
        for n in range(1, 5):
            follower.predict(1)
            follower.update((4 * n, 2 * n, 4 * n + 40, 2 * n + 40))
    for _ in range(6):
        one.predict(1)
    other.predict(6)
    assert one.box == pytest.approx(other.box)
    one.update((60, 20, 100, 60))
    other.update((60, 20, 100, 60))
    assert one.box == pytest.approx(other.box, rel=1e-6)


def test_a_face_goes_where_it_is_seen_to_and_on_from_there():
    follower = BoxFilter((0, 0, 40, 40))
    for way in ((9, 2), (-12, 2)):
        follower.predict(1, way)
    assert follower.box == pytest.approx((-3, 4, 37, 44))
    follower.predict(2)
    assert follower.box == pytest.approx((-27, 8, 13, 48))
    follower.update((-23, 8, 17, 48))
    # A detection corrects the place, and the speed little.
    assert -27 < follower.box[0] < -23
    before = follower.box[0]
    follower.predict(1)
    assert follower.box[0] - before == pytest.approx(-12, abs=1)


def test_a_shrinking_face_keeps_an_area():
    follower = BoxFilter((0, 0, 100, 100))
    for side in (80, 60, 40):
        follower.predict(1)
        follower.update((0, 0, side, side))
    follower.predict(50)
    assert follower.side > 0


def face(x, y=50, side=40):
    box = (x, y, x + side, y + side)
    return FoundFace(tuple(map(round, box)), Detection(box, 0.9))


def step(tracker, frame, faces, colours=None):
    tracker.move(frame)
    places = range(len(faces)) if colours is None else colours
    tracker.update(faces, [Look(0.5, COLOURS[n]) for n in places])
    shown = {t.number: t.face.box[0] for t in tracker.tracks if t.is_shown}
    return dict(sorted(shown.items()))


def test_faces_keep_their_numbers_as_they_move():
    tracker = Tracker()
    for n in range(10):
        assert step(tracker, n, [face(10 + 6 * n), face(300 - 6 * n, 200)]) == {
            1: 10 + 6 * n,
            2: 300 - 6 * n,
        }
    assert tracker.count == 2


def test_a_face_is_believed_at_its_second_detection():
    tracker = Tracker()
    for n in range(3):
        assert step(tracker, n, [face(10)]) == {1: 10}
    assert step(tracker, 3, [face(10), face(200)], [0, 1]) == {1: 10}
    assert step(tracker, 4, [face(10)]) == {1: 10}
    assert step(tracker, 5, [face(10), face(200)], [0, 1]) == {1: 10}
    assert step(tracker, 6, [face(10), face(202)], [0, 1]) == {1: 10, 2: 202}


def test_a_hidden_face_is_taken_up_along_its_way_and_not_shown_meanwhile():
    tracker = Tracker()
    for n in range(6):
        step(tracker, n, [face(10 + 10 * n)])
    for n in range(6, 10):
        assert step(tracker, n, []) == {}
    assert step(tracker, 10, [face(110)]) == {1: 110}


@pytest.mark.parametrize(
    ("x", "colour", "frame", "number"),
    [
        (60, 0, 40, 1),  # near, soon, alike
        (60, 1, 40, 2),  # other colours
        (900, 0, 40, 2),  # too far
        (60, 0, 200, 2),  # too late
    ],
    ids=["comes back", "another's colours", "too far", "too late"],
)
def test_a_face_that_comes_back_has_its_number_again(x, colour, frame, number):
    tracker = Tracker(Memory(coast=10, remember=50))
    for n in range(4):
        step(tracker, n, [face(10)])
    for n in (15, 20, 30):
        step(tracker, n, [])
    step(tracker, frame, [face(x)], [colour])
    assert step(tracker, frame + 1, [face(x)], [colour]) == {number: x}
    assert tracker.is_known(1) == (frame < 100)


def test_a_small_fast_face_keeps_its_number():
    tracker = Tracker()
    for n in range(5):
        assert step(tracker, n, [face(10 + 32 * n)]) == {1: 10 + 32 * n}


def test_colours_decide_where_two_cross():
    tracker = Tracker()
    for n in range(4):
        step(tracker, n, [face(100), face(130)])
    assert step(tracker, 4, [face(114), face(116)], [1, 0]) == {1: 116, 2: 114}


def test_light_that_goes_on_makes_nobody_new():
    tracker = Tracker()
    for n in range(3):
        step(tracker, n, [face(10)], [0])
    assert step(tracker, 3, [face(12)], [1]) == {1: 12}


def test_another_in_the_place_of_one_who_is_hidden_is_new():
    tracker = Tracker()
    for n in range(3):
        step(tracker, n, [face(10)], [0])
    step(tracker, 3, [], [])
    for n in (4, 5):
        shown = step(tracker, n, [face(10)], [1])
    assert shown == {2: 10}
