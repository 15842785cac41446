from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeage.faces.boxes import covered_by_better, overlap, refined, squared, suppressed

BOXES = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [30, 0, 40, 10], [2, 2, 5, 5]], float)
SCORES = np.array([0.7, 0.9, 0.8, 0.95])


def test_the_surest_of_boxes_that_overlap_is_kept():
    assert suppressed(BOXES, SCORES, 0.5).tolist() == [3, 1, 2]


def test_boxes_of_different_owners_leave_each_other_alone():
    kept = suppressed(BOXES - 100, SCORES, 0.5, np.array([0, 1, 1, 1]))
    assert kept.tolist() == [3, 1, 2, 0]


def test_no_boxes_are_kept_of_none():
    assert suppressed(np.empty((0, 4)), np.empty(0), 0.5).shape == (0,)


@pytest.mark.parametrize(("of_smaller", "expected"), [(True, 1.0), (False, 0.09)])
def test_overlap_is_of_the_union_or_the_smaller(of_smaller, expected):
    assert overlap(BOXES[:1], BOXES[3:], of_smaller=of_smaller) == pytest.approx(expected)


def test_boxes_that_only_touch_do_not_overlap():
    touching = np.array([[0, 0, 1, 1], [1, 0, 2, 1]], float)
    assert overlap(touching, touching, of_smaller=False).tolist() == [[1, 0], [0, 1]]


def test_edges_move_by_parts_of_the_box():
    moved = refined(np.array([[10, 20, 30, 60]], float), np.array([[0.1, -0.25, 0, 0.5]]))
    assert moved.tolist() == [[12, 10, 30, 80]]


def test_squares_keep_the_centre():
    assert squared(np.array([[0, 0, 10, 4]], float)).tolist() == [[0, -3, 10, 7]]


def greedy(boxes: np.ndarray, scores: np.ndarray, threshold: float) -> list[bool]:
    """Suppression as it is told in words: one after the other, the surest first."""
    covered = [False] * len(boxes)
    order = np.argsort(-scores, kind="stable")
    for place, i in enumerate(order):
        for j in order[:place]:
            clash = overlap(boxes[[i]], boxes[[j]], of_smaller=True)[0, 0] > threshold
            covered[i] = covered[i] or (clash and not covered[j])
    return covered


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 12), st.integers(0, 2**32 - 1))
def test_suppression_by_the_smaller_area_is_greedy(count, seed):
    rng = np.random.default_rng(seed)
    low = rng.integers(0, 20, (count, 2))
    boxes = np.hstack([low, low + rng.integers(1, 20, (count, 2))]).astype(float)
    scores = rng.integers(1, 5, count) / 5
    assert covered_by_better(boxes, scores, 0.4).tolist() == greedy(boxes, scores, 0.4)
