from __future__ import annotations

import cv2
import numpy as np
import pytest

from edgeage.drawing import DRAWN_SUFFIXES, draw_faces, label_lines, write_image
from edgeage.errors import ImageError
from edgeage.faceresult import Face


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
def test_the_label_is_there_at_any_size_and_the_picture_untouched(size):
    picture = np.full((*size, 3), 128, np.uint8)
    drawn = draw_faces(picture, [face(size[1], size[0])])
    assert (picture == 128).all()
    factor = drawn.shape[0] / size[0]
    assert drawn.shape[:2] == (size[0] * factor, size[1] * factor)
    assert max(drawn.shape) >= 320
    assert factor == 1 or max(drawn.shape) < 640
    white = (drawn > 200).all(axis=2)
    if min(drawn.shape[:2]) >= 200:
        rows, columns = np.nonzero(white)
        assert 0.04 < (rows.max() - rows.min()) / min(drawn.shape[:2]) < 0.25
        assert columns.max() < drawn.shape[1] - 1
    assert (drawn != 128).any()


def test_the_box_is_where_the_face_is():
    picture = np.zeros((600, 600, 3), np.uint8)
    drawn = draw_faces(picture, [Face((200, 300, 400, 500))])
    green = drawn[:, :, 1] > 150
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
