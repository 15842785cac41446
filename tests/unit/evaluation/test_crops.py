"""The looser crop, and the one with a border."""

from __future__ import annotations

import numpy as np

from edgeage.evaluation.crops import cropped, loose_crop, loose_square

NAMES = [f"{number}.jpg" for number in range(2000)]


def test_it_is_as_far_off_as_documented() -> None:
    squares = [loose_square(100, name) for name in NAMES]
    sides = np.array([square.side for square in squares])
    centres = np.array([square.center for square in squares])
    turns = np.array([square.angle_degrees for square in squares])
    assert sides.min() >= 100
    assert sides.max() <= 140
    assert abs(sides.mean() - 120) < 1
    assert np.abs(centres - 50).max() <= 12
    assert np.abs(centres.std(axis=0) - 4.9).max() < 0.3
    assert np.abs(turns).max() <= 12
    assert abs(turns.std() - 4.9) < 0.3
    assert abs(np.corrcoef(centres.T)[0, 1]) < 0.1


def test_the_overlap_with_the_stored_square_is_as_documented() -> None:
    overlaps = []
    for name in NAMES[:300]:
        square = loose_square(1.0, name)
        low, high = (np.array(square.center) + way * square.side / 2 for way in (-1, 1))
        shared = np.clip(np.minimum(high, 1) - np.maximum(low, 0), 0, None).prod()
        overlaps.append(shared / (1 + square.side**2 - shared))
    assert 0.62 < np.median(overlaps) < 0.72


def test_a_face_always_gets_the_same_crop_and_it_moves_the_picture() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (67, 67, 3), np.uint8)
    crop = loose_crop(picture, "a.jpg")
    assert (crop.shape, crop.dtype) == (picture.shape, np.uint8)
    assert np.array_equal(crop, loose_crop(picture, "a.jpg"))
    assert not np.array_equal(crop, loose_crop(picture, "b.jpg"))
    assert not np.array_equal(crop, picture)


def test_the_wide_crop_repeats_the_edge_around_the_whole_face():
    picture = np.full((90, 90, 3), 50, np.uint8)
    picture[30:60, 30:60] = 200
    wide = cropped(picture, "a.jpg", "wide")
    assert wide.shape == picture.shape
    # 30 of 90 pixels are 30 of 162 with 40 % on every side: 16.7 of 90.
    bright = (wide[..., 0] > 125).any(axis=0)
    assert 15 <= bright.sum() <= 18
    assert abs(np.flatnonzero(bright).mean() - 44.5) < 1
    assert (wide[0] == 50).all()
    assert cropped(picture, "a.jpg", "tight") is picture
    assert np.array_equal(cropped(picture, "a.jpg", "loose"), loose_crop(picture, "a.jpg"))
