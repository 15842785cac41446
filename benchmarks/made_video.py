"""A video whose faces are known: face pictures that move, cross, hide, leave and come back."""

from __future__ import annotations

import dataclasses
import functools
import math
import tarfile
from typing import TYPE_CHECKING

import cv2
import numpy as np
from skimage.data import astronaut

from edgeage.datasets.facelist import read_list, shipped_lists
from edgeage.faces import Detection

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Chip", "MadeVideo", "TrueFace", "drawn_chips", "face_chips"]

_LANDMARKS = ((0.33, 0.42), (0.67, 0.42), (0.5, 0.6), (0.36, 0.77), (0.64, 0.77))
_ASTRONAUT = (156, 40, 290, 174)
_HIDDEN = 0.5
_BORDER = 0.12


@dataclasses.dataclass(frozen=True)
class Chip:
    """A square face picture.

    Attributes:
        pixels: uint8 (side, side, 3), BGR.
        age: in years; None where nobody knows.
        gender: ``"Male"`` or ``"Female"``; None where nobody knows.
    """

    pixels: np.ndarray
    age: float | None = None
    gender: str | None = None


@dataclasses.dataclass(frozen=True)
class TrueFace:
    """Where a face is in a frame.

    Attributes:
        person: whose it is.
        box: left, top, right and bottom edge of the face in the picture.
        is_visible: whether a detector may be expected to find it.
    """

    person: int
    box: tuple[float, float, float, float]
    is_visible: bool


def face_chips(archive: Path | None, count: int) -> list[Chip]:
    """Return the astronaut, and grown-ups from all over UTKFace's archive where there is one.

    None is on a list under ``datasets/``, by which models are tested.
    """
    left, top, right, bottom = _ASTRONAUT
    pixels = np.ascontiguousarray(astronaut()[top:bottom, left:right, ::-1])
    chips = [Chip(pixels, gender="Female")]
    if archive is None:
        return [*chips, *drawn_chips(count - 1)]
    tested = {face.name for path in shipped_lists().values() for face in read_list(path)}
    with tarfile.open(archive) as tar:
        named = [(member, member.name.rpartition("/")[2]) for member in tar]
        split = [(member, name.split("_")) for member, name in named if name not in tested]
        grown = [
            (member, fields)
            for member, fields in split
            if len(fields) == 4 and 18 <= int(fields[0]) < 70
        ]
        for member, fields in grown[:: max(1, len(grown) // (count + 1))][1:]:
            stream = tar.extractfile(member)
            data = np.frombuffer(stream.read() if stream else b"", np.uint8)
            chip = cv2.imdecode(data, cv2.IMREAD_COLOR)
            chips.append(Chip(chip, float(fields[0]), ("Male", "Female")[int(fields[1])]))
    return chips[:count]


def drawn_chips(count: int) -> list[Chip]:
    """Draw faces, each of its own colours and brightness."""
    chips = []
    for number in range(count):
        rng = np.random.default_rng(number)
        skin = (rng.uniform(0.4, 0.9) * np.array([150, 190, 255])).tolist()
        ground, hair = (rng.integers(0, 255, 3).tolist() for _ in range(2))
        pixels = np.full((160, 160, 3), ground, np.uint8)
        cv2.ellipse(pixels, (80, 70), (66, 70), 0, 0, 360, hair, cv2.FILLED)
        cv2.ellipse(pixels, (80, 88), (52, 66), 0, 0, 360, skin, cv2.FILLED)
        for x in (54, 106):
            cv2.circle(pixels, (x, 68), 9, (255, 255, 255), cv2.FILLED)
            cv2.circle(pixels, (x, 68), 5, rng.integers(0, 120, 3).tolist(), cv2.FILLED)
        cv2.line(pixels, (80, 78), (76, 98), (60, 80, 120), 4)
        cv2.ellipse(pixels, (80, 122), (22, 8), 0, 0, 180, (60, 60, 190), 4)
        chips.append(Chip(pixels))
    return chips


class MadeVideo:
    """Faces on their ways, on a ground without any; the same arguments make the same video.

    Persons stand, walk across each other's way, or leave and come back, in turn. Light flickers,
    the picture is noisy, and every face is out of focus at times.

    Args:
        chips: a face a person.
        frames: how many.
        size_hw: height and width of the picture.
        side: of a face's chip in pixels, about.
        seed: of all that is random.
    """

    def __init__(
        self,
        chips: list[Chip],
        *,
        frames: int = 120,
        size_hw: tuple[int, int] = (480, 640),
        side: float = 110,
        seed: int = 0,
    ) -> None:
        self.chips, self.count, self.size_hw = chips, frames, size_hw
        self._side, self._seed = side, seed
        rng = np.random.default_rng(seed)
        self._phase = rng.uniform(0, 2 * math.pi, len(chips))
        coarse = rng.uniform(60, 170, (6, 8, 3)).astype(np.float32)
        self._ground = cv2.resize(coarse, size_hw[::-1], interpolation=cv2.INTER_CUBIC)

    def frames(self) -> Iterator[np.ndarray]:
        """Yield the frames, uint8 (height, width, 3), BGR."""
        return map(self.frame, range(self.count))

    def frame(self, number: int) -> np.ndarray:
        """Return a frame; its first pixel holds its number."""
        rng = np.random.default_rng((self._seed, number))
        picture = self._ground.copy()
        for person, chip in enumerate(self.chips):
            self._paste(picture, chip, *self._place(person, number), self._blur(person, number))
        picture *= 1 + 0.12 * math.sin(number / 3) + rng.normal(0, 0.03)
        noise = 5 * rng.standard_normal(picture.shape[:2], np.float32)
        drawn: np.ndarray = np.clip(picture + noise[:, :, None], 0, 255).astype(np.uint8)
        drawn[0, 0] = number % 256, number // 256, 0
        return drawn

    @functools.cache  # noqa: B019
    def truth(self, number: int) -> tuple[TrueFace, ...]:
        """Return the faces of a frame, also those outside of it or hidden."""
        height, width = self.size_hw
        boxes = []
        for person in range(len(self.chips)):
            x, y, side = self._place(person, number)
            half = side * (0.5 - _BORDER)
            boxes.append((x - half, y - half, x + half, y + half))
        faces = []
        for person, box in enumerate(boxes):
            inside = _shared(box, (0, 0, width, height)) > 0.8
            free = all(_shared(box, other) < _HIDDEN for other in boxes[person + 1 :])
            faces.append(TrueFace(person, box, inside and free))
        return tuple(faces)

    def detect(self, picture: np.ndarray, jitter: float = 0.03) -> list[Detection]:
        """Find the faces of one of its frames as detectors do: jittery, missing one at times."""
        number = int(picture[0, 0, 0]) + 256 * int(picture[0, 0, 1])
        rng = np.random.default_rng((self._seed, number, 1))
        found = []
        for face in self.truth(number):
            side = face.box[2] - face.box[0]
            edges = np.array(face.box) + rng.normal(0, jitter * side, 4)
            if face.is_visible and rng.random() > 0.04:
                left, top, right, bottom = edges
                wide, high = right - left, bottom - top
                points = tuple((left + x * wide, top + y * high) for x, y in _LANDMARKS)
                found.append(Detection(tuple(edges), 0.99, points))
        return found

    def _place(self, person: int, number: int) -> tuple[float, float, float]:
        """Return where a person's face is: its centre and its chip's side."""
        height, width = self.size_hw
        columns = max(1, math.ceil(math.sqrt(len(self.chips) * width / height)))
        rows = math.ceil(len(self.chips) / columns)
        column, row = person % columns, person // columns
        x, y = width * (column + 0.5) / columns, height * (row + 0.5) / rows
        phase, time = self._phase[person], number / self.count
        side = self._side * (1 + 0.1 * math.sin(phase + 5 * time))
        kind = person % 4
        if kind in {1, 2}:
            # Two neighbours change places and back again, the one before the other.
            swing = (1 - math.cos(2 * math.pi * time)) / 2 * width / columns
            x += swing if kind == 1 else -swing
            y += 0.1 * side * (1 if kind == 1 else -1)
        elif kind == 3:
            # Down and out of the picture, and back.
            gone = max(0.0, math.sin(2 * math.pi * time))
            y += gone * (height - y + side)
        x += 0.12 * side * math.sin(phase + number / 9)
        y += 0.08 * side * math.sin(2 * phase + number / 7)
        return x, y, side

    def _blur(self, person: int, number: int) -> float:
        """Return how far out of focus a person is, in parts of the face's side."""
        return 0.035 * max(0.0, math.sin(self._phase[person] + number / 8)) ** 2

    @staticmethod
    def _paste(
        picture: np.ndarray, chip: Chip, x: float, y: float, side: float, blur: float
    ) -> None:
        """Lay a chip on the picture, its border fading out."""
        left, top, length = math.floor(x - side / 2), math.floor(y - side / 2), math.ceil(side) + 2
        scale = side / chip.pixels.shape[0]
        matrix = np.array([[scale, 0, x - side / 2 - left], [0, scale, y - side / 2 - top]])
        small = cv2.warpAffine(
            chip.pixels, matrix, (length, length), borderMode=cv2.BORDER_REPLICATE
        )
        laid = cv2.GaussianBlur(small, (0, 0), max(blur * side, 0.3))
        edge = max(1, round(0.06 * side))
        mask = np.zeros((length, length), np.float32)
        mask[edge:-edge, edge:-edge] = 1
        mask = cv2.blur(mask, (edge, edge))
        height, width = picture.shape[:2]
        rows = slice(max(0, -top), max(0, min(length, height - top)))
        columns = slice(max(0, -left), max(0, min(length, width - left)))
        part = picture[max(0, top) : max(0, top + length), max(0, left) : max(0, left + length)]
        if part.size:
            part += mask[rows, columns, None] * (laid[rows, columns] - part)


def _shared(box: tuple[float, ...], other: tuple[float, ...]) -> float:
    """Return how much of a box lies in another one."""
    across = min(box[2], other[2]) - max(box[0], other[0])
    down = min(box[3], other[3]) - max(box[1], other[1])
    return max(0, across) * max(0, down) / ((box[2] - box[0]) * (box[3] - box[1]))
