"""Every label in the frame, by its face, and on no other label."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from edgeage.labelling import Rect, are_well_placed, place_labels

FRAME = (200, 120)


@st.composite
def rectangles(draw):
    left, top = draw(st.integers(0, 190)), draw(st.integers(0, 110))
    return Rect(left, top, draw(st.integers(left, 200)), draw(st.integers(top, 120)))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    st.lists(
        st.tuples(rectangles(), st.tuples(st.integers(1, 90), st.integers(1, 40))), max_size=12
    )
)
def test_places_are_in_the_frame_and_apart(wanted):
    boxes, sizes = [box for box, _ in wanted], [size for _, size in wanted]
    spots = place_labels(boxes, sizes, FRAME)
    assert len(spots) == len(boxes)
    kept = [spot for spot in spots if spot is not None]
    for number, spot in enumerate(kept):
        assert 0 <= spot.left < spot.right <= FRAME[0]
        assert 0 <= spot.top < spot.bottom <= FRAME[1]
        for other in kept[:number]:
            across = spot.left < other.right and other.left < spot.right
            assert not (across and spot.top < other.bottom and other.top < spot.bottom)
    assert all(s is None or s.size_wh == size for s, size in zip(spots, sizes, strict=True))


def test_the_order_of_places():
    size, box = [(30, 10)], Rect(50, 40, 90, 80)
    assert place_labels([box], size, FRAME) == [Rect(50, 30, 80, 40)]
    assert place_labels([Rect(50, 5, 90, 80)], size, FRAME) == [Rect(50, 80, 80, 90)]
    assert place_labels([Rect(50, 5, 90, 115)], size, FRAME) == [Rect(90, 5, 120, 15)]
    assert place_labels([Rect(0, 5, 199, 115)], size, FRAME) == [Rect(0, 5, 30, 15)]
    assert place_labels([Rect(190, 40, 199, 80)], size, FRAME) == [Rect(170, 30, 200, 40)]


def test_what_is_larger_than_the_frame_has_no_place():
    assert place_labels([Rect(0, 0, 9, 9)], [(201, 10)], FRAME) == [None]
    assert place_labels([Rect(0, 0, 9, 9)], [(10, 121)], FRAME) == [None]


def test_what_is_well_placed():
    box, above = Rect(50, 40, 90, 80), Rect(50, 30, 80, 40)
    assert are_well_placed([above], [box], FRAME)
    assert not are_well_placed([None], [box], FRAME)
    assert not are_well_placed([Rect(0, 0, 30, 10)], [box], FRAME)
    assert not are_well_placed([Rect(50, 40, 80, 50)], [box], FRAME)
    assert are_well_placed([Rect(0, 0, 30, 10)], [Rect(0, 0, 200, 120)], FRAME)
