from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgeage.datasets import duplicates
from edgeage.datasets.duplicates import duplicate_groups, find_pairs, fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable


def _recompressed(picture: np.ndarray) -> np.ndarray:
    return cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 40])[1], 1)


def _cropped(picture: np.ndarray) -> np.ndarray:
    return cv2.resize(picture[3:-2, 2:-4], picture.shape[1::-1], interpolation=cv2.INTER_CUBIC)


def _shrunk(picture: np.ndarray) -> np.ndarray:
    return cv2.resize(cv2.resize(picture, (60, 60)), picture.shape[1::-1])


CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "same": lambda picture: picture,
    "recompressed": _recompressed,
    "cropped anew": _cropped,
    "shrunk": _shrunk,
    "brighter": lambda picture: cv2.convertScaleAbs(picture, alpha=1.2, beta=15),
    "grey": lambda picture: np.repeat(picture.mean(axis=2, keepdims=True), 3, 2).astype(np.uint8),
    "mirrored": lambda picture: picture[:, ::-1],
    "mirrored and recompressed": lambda picture: _recompressed(picture[:, ::-1].copy()),
}


def _pairs(*pictures: np.ndarray, workers: int = 1) -> list[tuple[int, int]]:
    stored = [
        np.ascontiguousarray(cv2.resize(picture, (227, 227)).transpose(2, 0, 1))
        for picture in pictures
    ]
    prints = np.array([fingerprint(picture) for picture in stored])
    return find_pairs(prints, lambda row: stored[row], workers)


@pytest.mark.parametrize("change", CHANGES)
def test_the_same_photograph_is_found(change: str, astronaut_face: np.ndarray) -> None:
    other = np.random.default_rng(0).integers(0, 256, (110, 110, 3), dtype=np.uint8)
    assert _pairs(astronaut_face, other, CHANGES[change](astronaut_face)) == [(0, 2)]


def test_other_pictures_are_not(astronaut_face: np.ndarray) -> None:
    from skimage import data

    others = [data.astronaut()[200:400, 200:400], data.chelsea()[:200, 100:300], data.coffee()]
    rotated = np.rot90(astronaut_face)
    assert _pairs(astronaut_face, rotated, *others) == []


def test_pictures_without_structure_are_nobodys_copy() -> None:
    assert _pairs(*[np.full((50, 50, 3), level, np.uint8) for level in (0, 0, 128, 255)]) == []


def test_workers_do_not_matter(astronaut_face: np.ndarray) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (12, 20, 20, 3), dtype=np.uint8)
    pictures = [picture for other in noise for picture in (other, _recompressed(astronaut_face))]
    alone = _pairs(*pictures)
    assert len(alone) == 12 * 11 // 2
    assert _pairs(*pictures, workers=3) == alone


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=20))
def test_groups_are_the_connected_parts(pairs: list[tuple[int, int]]) -> None:
    joined = np.eye(12, dtype=int)
    for one, other in pairs:
        joined[one, other] = joined[other, one] = 1
    reached = np.linalg.matrix_power(joined, 12) > 0
    assert duplicate_groups(12, pairs) == [int(np.argmax(row)) for row in reached]


def test_a_picture_without_structure_does_not_shift_the_others(astronaut_face: np.ndarray) -> None:
    flat = np.full((50, 50, 3), 7, np.uint8)
    assert _pairs(flat, astronaut_face, flat, _recompressed(astronaut_face)) == [(1, 3)]


def test_pictures_alike_from_afar_are_told_apart() -> None:
    # Blotches make the hashes; the grain on them, which only a closer look sees, differs.
    rng = np.random.default_rng(0)
    blotches = rng.uniform(60, 190, (5, 5, 3)).astype(np.float32)
    far = cv2.resize(blotches, (227, 227), interpolation=cv2.INTER_CUBIC)
    pictures = [
        np.clip(far + cv2.resize(rng.normal(0, 4, (57, 57, 1)), (227, 227))[..., None], 0, 255)
        for _ in range(2)
    ]
    first, second = (picture.astype(np.uint8) for picture in pictures)
    prints = np.array([fingerprint(picture.transpose(2, 0, 1)) for picture in (first, second)])
    assert duplicates._candidates(prints).tolist() == [[0, 1, 0]]
    assert _pairs(first, second) == []
