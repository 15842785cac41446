"""How far textured squares move from frame to frame."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edgeage.streaming.flow import Flow

SIDE = 80


def frame(*places, size_hw=(240, 320), seed=1):
    """Squares of coarse noise, each its own, on grey; later ones hide earlier ones."""
    picture = np.full((*size_hw, 3), 128, np.uint8)
    for number, (x, y) in enumerate(places):
        rng = np.random.default_rng((seed, number))
        coarse = rng.integers(0, 255, (10, 10, 3), dtype=np.uint8)
        picture[y : y + SIDE, x : x + SIDE] = cv2.resize(
            coarse, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC
        )
    return picture


def moved(flow, picture, before):
    flow.take(picture)
    return flow.moved(before)


def boxes(*places):
    return [(x, y, x + SIDE, y + SIDE) for x, y in places]


@pytest.mark.parametrize("size_hw", [(240, 320), (720, 1281)], ids=["as it is", "shrunk, odd"])
@pytest.mark.parametrize("way", [(0, 0), (3, -2), (-24, 16)], ids=str)
def test_each_face_moves_its_own_way(size_hw, way):
    flow, before = Flow(), [(40, 60), (200, 120)]
    after = [(40 + way[0], 60 + way[1]), (196, 124)]
    assert moved(flow, frame(*before, size_hw=size_hw), boxes(*before)) == [None, None]
    one, other = moved(flow, frame(*after, size_hw=size_hw), boxes(*before))
    assert one == pytest.approx(way, abs=0.5)
    assert other == pytest.approx((-4, 4), abs=0.5)
    # The next step is counted from the last frame.
    assert moved(flow, frame(*after, size_hw=size_hw), boxes(*after))[0] == pytest.approx(
        (0, 0), abs=0.01
    )


def test_a_hidden_face_does_not_go_along_with_the_one_before_it():
    flow, before, after = Flow(), [(100, 80), (110, 84)], [(100, 80), (118, 84)]
    moved(flow, frame(*before), [])
    hidden, _ = moved(flow, frame(*after), boxes(*before))
    assert hidden is None


def test_points_beside_another_face_still_tell():
    flow, before, after = Flow(), [(100, 80), (150, 80)], [(97, 80), (156, 80)]
    moved(flow, frame(*before), [])
    behind, nearer = moved(flow, frame(*after), boxes(*before))
    assert behind == pytest.approx((-3, 0), abs=0.5)
    assert nearer == pytest.approx((6, 0), abs=0.5)


@pytest.mark.parametrize(
    "then",
    [frame(), frame((40, 60), seed=2), frame((40, 60), size_hw=(200, 320))],
    ids=["gone", "another", "another size"],
)
def test_what_cannot_be_seen_is_not_guessed(then):
    flow = Flow()
    moved(flow, frame((40, 60)), [])
    assert moved(flow, then, boxes((40, 60))) == [None]


@pytest.mark.parametrize("size_hw", [(1, 1), (9, 9), (3, 1500)], ids=str)
def test_any_picture_and_any_box_will_do(size_hw):
    flow, picture = Flow(), np.full((*size_hw, 3), 7, np.uint8)
    for _ in range(3):
        assert moved(flow, picture, [(-900, 2, -800, 90), (0, 0, 1, 1)]) == [None, None]
        assert moved(flow, picture, []) == []
