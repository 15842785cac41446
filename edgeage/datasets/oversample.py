"""Balancing the classes of a training set with changed copies: mirrored, or with noise."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from edgeage.datasets.seeds import integer, shuffled

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from edgeage.datasets.records import FaceRecord

__all__ = ["Copy", "apply_change", "plan"]

_CHANGES = ("flip", "noise")


@dataclasses.dataclass(frozen=True, slots=True)
class Copy:
    """One picture to be stored: an original or a changed copy of it.

    Attributes:
        record: the original.
        change: empty for the original itself, ``"flip"`` or ``"noise"``.
        turn: which pass over its class made this copy, from 0.
    """

    record: FaceRecord
    change: str = ""
    turn: int = 0

    @property
    def name(self) -> str:
        """The original's name, with the change and the pass behind it."""
        return f"{self.record.name}_{self.change}{self.turn}" if self.change else self.record.name


def plan(records: Sequence[FaceRecord], task: str, seed: int, *, balance: bool) -> list[Copy]:
    """Choose the pictures of a training set.

    Every class is filled up to the size of the largest. The originals of a class are put in a
    random order and gone through as often as needed. In pass 0 they are by turns mirrored and
    given noise (the first mirrored); in each further pass the two change places. So every
    original is used before one is used again, gets both changes before one is repeated, and
    every copy with noise has its own. A class without an original stays empty.

    Args:
        records: the training faces.
        task: ``"age"`` or ``"gender"``: which classes to balance.
        seed: decides the order of the originals and of the result.
        balance: False leaves the classes as they are.

    Returns:
        Originals and copies, shuffled, because Caffe reads a training set in its stored order.
    """
    classes: dict[int, list[FaceRecord]] = {}
    for record in records:
        classes.setdefault(record.label(task), []).append(record)
    largest = max(map(len, classes.values()), default=0)
    copies = [Copy(record) for record in records]
    if balance:
        for _, originals in sorted(classes.items()):
            ordered = shuffled(originals, seed, "oversample", lambda record: record.name)
            copies += _fill(ordered, largest - len(originals))
    return shuffled(copies, seed, f"order {task}", lambda copy: copy.name)


def _fill(originals: Sequence[FaceRecord], wanted: int) -> list[Copy]:
    copies = []
    for number in range(wanted):
        turn, place = divmod(number, len(originals))
        copies.append(Copy(originals[place], _CHANGES[(turn + place) % 2], turn))
    return copies


def apply_change(pixels: np.ndarray, copy: Copy, seed: int) -> np.ndarray:
    """Make a copy's pixels from its original's.

    Noise is scikit-image's ``random_noise(mode="gaussian")`` with its own variance (0.01 of a
    picture scaled to 0–1), seeded from ``seed`` and the copy's name; levels are rounded back to
    bytes.

    Args:
        pixels: uint8 array of shape (3, height, width), BGR.
        copy: what to do.
        seed: the build's seed.

    Returns:
        uint8 array of the same shape.
    """
    import numpy as np

    if copy.change == "flip":
        return np.ascontiguousarray(pixels[:, :, ::-1])
    if copy.change == "noise":
        from skimage.util import random_noise

        rng = np.random.default_rng(integer(seed, "noise", copy.name))
        noisy = random_noise(pixels, mode="gaussian", rng=rng)
        levels: np.ndarray = np.rint(noisy * 255).astype(np.uint8)
        return levels
    return pixels
