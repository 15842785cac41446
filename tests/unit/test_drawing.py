from __future__ import annotations

import cv2
import numpy as np
import pytest

from edgeage import drawing
from edgeage.drawing import DRAWN_SUFFIXES, draw_faces, label_lines, write_image
from edgeage.errors import ImageError
from edgeage.faceresult import Face
from edgeage.labelling import Rect


def face(width: int, height: int) -> Face:
    return Face(
        (0, 0, width, height),
        age=34.2,
        age_group="30-39",
        age_group_probability=0.82,
        gender="Female",
        gender_probability=0.97,
    )


@pytest.mark.parametrize(
    "size", [(8, 8), (8, 300), (300, 8), (64, 64), (227, 227), (720, 1280), (3000, 2000)], ids=str
)
def test_the_label_can_be_read_at_any_size_and_the_picture_is_untouched(size):
    picture = np.full((*size, 3), 128, np.uint8)
    drawn = draw_faces(picture, [face(size[1], size[0])])
    assert (picture == 128).all()
    factor = drawn.shape[0] // size[0]
    assert drawn.shape[:2] == (size[0] * factor, size[1] * factor)
    assert min(drawn.shape[:2]) >= 227
    assert factor == 1 or min(drawn.shape[:2]) < 480
    rows, columns = np.nonzero((drawn > 200).all(axis=2))
    assert 0.08 < (rows.max() - rows.min()) / min(drawn.shape[:2]) < 0.25
    assert rows.max() - rows.min() >= 20
    assert columns.max() < drawn.shape[1] - 1


def test_a_very_narrow_picture_is_not_enlarged_beyond_memory():
    assert draw_faces(np.zeros((100_000, 8, 3), np.uint8), [face(8, 100_000)]).size < 50_000_000


def test_a_picture_of_fifty_megapixels():
    picture = np.full((6000, 8400, 3), 128, np.uint8)
    drawn = draw_faces(picture, [Face((4000, 3000, 4300, 3300), gender="Male",
                                      gender_probability=0.9)])  # fmt: skip
    assert drawn.shape == picture.shape
    rows, columns = np.nonzero((drawn > 200).all(axis=2))
    # A tenth of an inch where the whole picture is seen six inches high.
    assert rows.max() - rows.min() > 6000 / 100
    assert 2400 < rows.min() < rows.max() < 3000
    assert 3900 < columns.min() < columns.max() < 5400


@pytest.mark.parametrize("ground", [0, 60, 128, 255])
def test_box_and_text_show_on_any_ground(ground):
    picture = np.full((400, 400, 3), ground, np.uint8)
    drawn = draw_faces(picture, [Face((100, 200, 300, 380), age=5.0)]).astype(int)
    edge = np.abs(drawn[200:380, 95:110] - ground).max(axis=(1, 2))
    assert edge.min() > 60
    text = drawn[150:200, 100:220]
    assert text.max() > 240
    assert text.min() < 60


def _labels(picture, faces):
    """The rectangles that draw_faces makes for labels."""
    drawn = draw_faces(picture, faces)
    boxes = [Rect(*face.box) for face in faces]
    labels, spots = drawing._layout(faces, boxes, drawn)
    return [(label, spot) for label, spot in zip(labels, spots, strict=True) if spot]


def test_faces_side_by_side_have_labels_of_their_own():
    faces = [
        Face((140 * n + 16, 190, 140 * n + 124, 310), age=9.0 * n, gender="Female",
             gender_probability=0.5, age_group="30-39", age_group_probability=0.5)
        for n in range(8)
    ]  # fmt: skip
    found = _labels(np.zeros((440, 1120, 3), np.uint8), faces)
    spots = [spot for _, spot in found]
    assert len(spots) == 8
    assert all(label.lines[-1] == "30-39 (50 %)" for label, _ in found)
    for one, spot in enumerate(spots):
        others = [Rect(*f.box) for f in faces] + spots[:one]
        assert not any(_overlap(spot, other) for other in others)


def test_a_crowd_gets_short_labels_that_do_not_overlap():
    faces = [
        Face((x * 40 + 4, y * 40 + 4, x * 40 + 36, y * 40 + 36), age=34.0, gender="Female",
             gender_probability=0.5)
        for x in range(12) for y in range(10)
    ]  # fmt: skip
    found = _labels(np.zeros((400, 480, 3), np.uint8), faces)
    assert len(found) > 100
    assert {tuple(label.lines) for label, _ in found} == {("F 34",)}
    spots = [spot for _, spot in found]
    assert not any(_overlap(a, b) for n, a in enumerate(spots) for b in spots[:n])


def _overlap(a, b):
    return a.left < b.right and b.left < a.right and a.top < b.bottom and b.top < a.bottom


@pytest.mark.parametrize(
    "box", [(0, 0, 0, 0), (5, 5, 6, 6), (-50, -50, 900, 900), (90, 90, 100, 100), (200, 0, 300, 9)]
)
def test_odd_boxes_are_drawn_in_the_frame(box):
    picture = np.zeros((100, 100, 3), np.uint8)
    assert draw_faces(picture, [Face(box, age=3.0), Face(box, age=4.0)]).any()


def test_the_box_is_where_the_face_is():
    picture = np.zeros((600, 600, 3), np.uint8)
    drawn = draw_faces(picture, [Face((200, 300, 400, 500))])
    green = (drawn[:, :, 1] > 150) & (drawn[:, :, 2] < 100)
    rows, columns = np.nonzero(green)
    assert (rows.min(), columns.min()) == pytest.approx((300, 200), abs=2)
    assert (rows.max(), columns.max()) == pytest.approx((499, 399), abs=2)


def test_a_label_stands_above_its_box_where_there_is_room():
    picture = np.zeros((600, 600, 3), np.uint8)
    small = Face((200, 300, 400, 500), gender="Male", gender_probability=0.9)
    drawn = draw_faces(picture, [small])
    rows = np.nonzero((drawn > 200).all(axis=2))[0]
    assert rows.max() < 300


@pytest.mark.parametrize(
    ("fields", "lines"),
    [
        ({}, []),
        ({"age": 34.2, "age_group": "30-39", "age_group_probability": 0.82},
         ["34 years", "30-39 (82 %)"]),
        ({"gender": "Male", "gender_probability": 1.0}, ["Male 100 %"]),
    ],
    ids=["nothing", "age", "gender"],
)  # fmt: skip
def test_a_label_leaves_out_what_is_unknown(fields, lines):
    assert label_lines(Face((0, 0, 9, 9), **fields)) == lines


@pytest.mark.parametrize("suffix", DRAWN_SUFFIXES)
def test_a_written_picture_can_be_read(suffix, tmp_path):
    path = tmp_path / "new" / f"out{suffix}"
    write_image(path, np.full((20, 30, 3), 77, np.uint8))
    assert cv2.imread(str(path)).shape == (20, 30, 3)
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("name", ["file/out.png", "out.xyz"])
def test_what_cannot_be_written_says_why(name, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ImageError, match="cannot be written") as caught:
        write_image(tmp_path / name, np.zeros((9, 9, 3), np.uint8))
    assert "\n" not in str(caught.value)
