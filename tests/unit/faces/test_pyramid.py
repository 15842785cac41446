from __future__ import annotations

import cv2
import numpy as np
import pytest

from edgeage.faces.pyramid import CELL, Halves, level_scales, make_canvas


def slope(height: int, width: int) -> np.ndarray:
    """A picture whose blue says the column and whose green says the row, in sixteenths."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[:, :, 0] = np.arange(width) // 4
    picture[:, :, 1] = (np.arange(height) // 4)[:, None]
    return picture


@pytest.mark.parametrize("scale", [1.0, 0.4], ids=["as it is", "made smaller first"])
@pytest.mark.parametrize("side", [30, 90, 400, 800])
def test_a_cut_shows_what_is_in_its_square(side, scale):
    halves = Halves(slope(900, 1000), scale)
    left, top = 64, 48
    cut = halves.cut(np.array([[left, top, left + side, top + side]], float), 24)[0]
    middle = (np.arange(24) + 0.5) / 24 * side
    assert cut[12, :, 0] == pytest.approx((left + middle) / 4 - 0.5, abs=1.6)
    assert cut[:, 12, 1] == pytest.approx((top + middle) / 4 - 0.5, abs=1.6)


def test_a_cut_is_as_good_as_averaging_areas(astronaut):
    halves = Halves(astronaut)
    for left, top, side in ((170, 60, 96), (100, 50, 331), (200, 90, 48)):
        cut = halves.cut(np.array([[left, top, left + side, top + side]], float), 24)[0]
        part = astronaut[top : top + side, left : left + side]
        wanted = cv2.resize(part, (24, 24), interpolation=cv2.INTER_AREA)
        assert np.abs(cut.astype(int) - wanted).mean() < 3


def test_outside_the_picture_is_black():
    cut = Halves(np.full((60, 60, 3), 200, np.uint8)).cut(np.array([[-48, 6, 0, 54.0]]), 24)
    assert cut[0, :, :22].max() == 0
    half = Halves(np.full((60, 60, 3), 200, np.uint8)).cut(np.array([[-24, 6, 24, 54.0]]), 24)[0]
    assert half[:, :11].max() == 0
    assert half[:, 13:].min() == 200


def test_more_squares_than_one_call_of_opencv_takes():
    boxes = np.tile(np.array([[4, 4, 28, 28.0]]), (1500, 1))
    boxes[:, [0, 2]] += np.arange(1500)[:, None] % 7
    cuts = Halves(slope(60, 60)).cut(boxes, 24)
    assert cuts.shape == (1500, 24, 24, 3)
    assert np.array_equal(cuts[-1], cuts[1499 % 7])


@pytest.mark.parametrize("size_hw", [(480, 640), (700, 300), (61, 97), (20, 20)])
def test_every_level_is_on_the_canvas_and_none_covers_another(size_hw):
    halves = Halves(slope(*size_hw))
    scales = level_scales(size_hw, 20)
    canvas = make_canvas(halves, scales)
    taken = np.zeros(canvas.pixels.shape[1:3], int)
    for level, scale in zip(canvas.levels, scales, strict=True):
        rows, columns = level.size_hw
        assert (rows, columns) == pytest.approx([side * scale for side in size_hw], abs=1)
        assert level.left % 2 == 0
        assert level.top % 2 == 0
        taken[level.top : level.top + rows, level.left : level.left + columns] += 1
    assert taken.max() == 1
    assert taken.sum() == sum(np.prod(level.size_hw) for level in canvas.levels)


def test_a_cell_looks_at_the_square_it_is_said_to():
    """The mean of a cell's pixels is the mean of the picture in the cell's square."""
    halves = Halves(slope(240, 320))
    canvas = make_canvas(halves, level_scales((240, 320), 20))
    rows, columns = ((side - CELL) // 2 + 1 for side in canvas.pixels.shape[1:3])
    squares, cells, levels = canvas.candidates(np.ones((rows, columns), bool))
    assert set(levels) == set(range(len(canvas.levels)))
    for index in range(0, len(squares), 37):
        row, column = cells[index] * 2
        seen = canvas.pixels[0, row : row + CELL, column : column + CELL].mean(axis=(0, 1))
        left, top, right, bottom = squares[index]
        if right <= 320 and bottom <= 240:
            expected = ((left + right) / 8 - 0.5, (top + bottom) / 8 - 0.5)
            assert seen[:2] == pytest.approx(expected, abs=1)


def test_canvases_have_few_shapes():
    shapes = {
        make_canvas(Halves(slope(h, w)), level_scales((h, w), 20)).pixels.shape
        for h in range(200, 260, 6)
        for w in range(300, 360, 6)
    }
    assert len(shapes) <= 8


def test_a_picture_smaller_than_the_smallest_face_has_no_levels():
    assert level_scales((19, 300), 20) == []


def test_a_picture_longer_than_opencv_takes_is_halved():
    long = np.zeros((24, 40_000, 3), np.uint8)
    long[:, 30_000:30_048] = 255
    cut = Halves(long).cut(np.array([[30_000, 0, 30_024, 24.0]]), 24)
    assert cut[0, 2:-2, 2:-2].min() == 255
