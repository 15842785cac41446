"""Photographs whose faces are known: face pictures pasted onto backgrounds without any."""

from __future__ import annotations

import dataclasses
import tarfile
from typing import TYPE_CHECKING

import cv2
import numpy as np
from skimage.data import astronaut

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["PhotoSet", "face_chips", "make_sets"]

_SIZE_HW = (720, 1280)
_COLUMNS, _ROWS = 5, 2
_SIDES = (130, 220)
_ASTRONAUT_FACE = (168, 64, 278, 174)


@dataclasses.dataclass(frozen=True)
class PhotoSet:
    """Photographs with as many faces each.

    Attributes:
        name: what to call it.
        paths: the JPEG files.
        faces: for each photograph the squares in which a face is, (left, top, right, bottom).
    """

    name: str
    paths: list[str]
    faces: list[list[tuple[int, int, int, int]]]

    @property
    def truth(self) -> int:
        """How many faces there are in all."""
        return sum(map(len, self.faces))

    def found(self, boxes: Sequence[Sequence[Sequence[float]]]) -> tuple[int, int]:
        """Count the faces that have a box's centre in their square, and the boxes beyond them."""
        hits = 0
        for squares, given in zip(self.faces, boxes, strict=True):
            hits += sum(any(_centre_in(box, square) for box in given) for square in squares)
        return hits, sum(map(len, boxes)) - hits


def _centre_in(box: Sequence[float], square: tuple[int, int, int, int]) -> bool:
    across, down = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return square[0] <= across < square[2] and square[1] <= down < square[3]


def face_chips(archive: Path | None, count: int) -> list[np.ndarray]:
    """Return face pictures, uint8 BGR: grown-ups of UTKFace's archive, or the astronaut's face."""
    if archive is None:
        left, top, right, bottom = _ASTRONAUT_FACE
        return [np.ascontiguousarray(astronaut()[top - 30 : bottom + 10, left:right, ::-1])]
    chips: list[np.ndarray] = []
    with tarfile.open(archive) as tar:
        for member in tar:
            age = member.name.rpartition("/")[2].partition("_")[0]
            stream = tar.extractfile(member) if age.isdecimal() and 18 <= int(age) < 70 else None
            if stream is None:
                continue
            chip = cv2.imdecode(np.frombuffer(stream.read(), np.uint8), cv2.IMREAD_COLOR)
            chips += [chip] if chip is not None else []
            if len(chips) == count:
                break
    return chips


def make_sets(
    folder: Path, chips: Sequence[np.ndarray], photos: int, faces: Sequence[int] = (1, 3, 10)
) -> list[PhotoSet]:
    """Write photographs of 1280 × 720, a set for each number of faces, and the astronaut."""
    rng = np.random.default_rng(0)
    sets = []
    for count in faces:
        made = [_photograph(rng, chips, count) for _ in range(photos)]
        name = f"{count} face" + "s" * (count > 1)
        paths = [_write(folder / f"{count}_{n}.jpg", made[n][0]) for n in range(photos)]
        sets.append(PhotoSet(name, paths, [squares for _, squares in made]))
    path = _write(folder / "astronaut.jpg", np.ascontiguousarray(astronaut()[:, :, ::-1]))
    return [*sets, PhotoSet("astronaut", [path] * photos, [[_ASTRONAUT_FACE]] * photos)]


def _photograph(
    rng: np.random.Generator, chips: Sequence[np.ndarray], count: int
) -> tuple[np.ndarray, list[tuple[int, int, int, int]]]:
    picture = _background(rng)
    squares = []
    for left, top, side in _places(rng, count):
        chip = chips[rng.integers(len(chips))]
        picture[top : top + side, left : left + side] = cv2.resize(
            chip, (side, side), interpolation=cv2.INTER_AREA
        )
        squares.append((left, top, left + side, top + side))
    return picture, squares


def _places(rng: np.random.Generator, count: int) -> Iterator[tuple[int, int, int]]:
    """Yield left, top and side of squares that lie in different cells of a grid."""
    height, width = _SIZE_HW[0] // _ROWS, _SIZE_HW[1] // _COLUMNS
    for cell in rng.choice(_ROWS * _COLUMNS, count, replace=False):
        side = int(rng.integers(*_SIDES))
        left = int(cell % _COLUMNS * width + rng.integers(0, width - side))
        top = int(cell // _COLUMNS * height + rng.integers(0, height - side))
        yield left, top, side


def _background(rng: np.random.Generator) -> np.ndarray:
    """Return soft blotches with some grain."""
    coarse = rng.integers(40, 216, (9, 16, 3)).astype(np.float32)
    soft = cv2.resize(coarse, _SIZE_HW[::-1], interpolation=cv2.INTER_CUBIC)
    grain = rng.normal(0, 6, (*_SIZE_HW, 1)).astype(np.float32)
    return np.clip(soft + grain, 0, 255).astype(np.uint8)


def _write(path: Path, picture: np.ndarray) -> str:
    cv2.imwrite(str(path), picture, [cv2.IMWRITE_JPEG_QUALITY, 92])
    return str(path)
