"""The faces of a built data set with both labels, drawn again and again, changed each time."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Protocol

import numpy as np

from edgeage.datasets.records import SplitRecord, read_records
from edgeage.datasets.seeds import fraction
from edgeage.errors import DatasetError
from edgeage.labels import AGE_GROUPS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from edgeage.datasets.store import DatumReader
    from edgeage.training.augment import Augmentation
    from edgeage.training.joint.teacher import Lesson, Teacher

__all__ = ["FaceBatch", "FaceRecipe", "FaceTransform", "Faces", "read_faces"]


class FaceRecipe(Protocol):
    """What a recipe says of the faces, as :class:`JointRecipe` does."""

    @property
    def seed(self) -> int:
        """Of the split, the order and the augmentation."""

    @property
    def batch_size(self) -> int:
        """Faces an update."""

    @property
    def validation(self) -> float:
        """Share of the near-duplicate groups held back."""

    @property
    def age_balance(self) -> float:
        """0 draws every face alike, 1 every age group alike."""

    @property
    def race_weights(self) -> Mapping[str, float]:
        """How many times as often as others a race's faces are drawn."""

    @property
    def augment(self) -> Augmentation:
        """How far a face is changed each time it is drawn."""


class FaceTransform(Protocol):
    """How a stored picture becomes a network's input, as :class:`Transform` of AgeNet does."""

    @property
    def output_shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of what the network sees."""

    def __call__(self, picture: np.ndarray, random: np.random.Generator, out: np.ndarray) -> None:
        """Transform a uint8 (height, width, 3) BGR picture into ``out``, float32 of its sides."""


@dataclasses.dataclass(frozen=True)
class FaceBatch:
    """Faces as a network sees them.

    Attributes:
        pixels: float32 (n, height, width, 3), as the transform leaves them.
        ages_years: int64 (n,).
        genders: int64 (n,), indices into :data:`edgeage.labels.GENDERS`; -1 where the data set
            does not say.
        lesson: what the teacher says of them; None without one.
    """

    pixels: np.ndarray
    ages_years: np.ndarray
    genders: np.ndarray
    lesson: Lesson | None = None


class Faces:
    """Some faces of an LMDB.

    Args:
        reader: the opened LMDB.
        transform: how a stored picture becomes the network's input.
        slots: where the faces are in the LMDB.
        records: their records, in the same order.

    Attributes:
        teacher: says what it sees in the faces drawn to train on; None for none.
    """

    def __init__(
        self,
        reader: DatumReader,
        transform: FaceTransform,
        slots: Sequence[int],
        records: Sequence[SplitRecord],
    ) -> None:
        self.teacher: Teacher | None = None
        self.reader, self.transform = reader, transform
        self.slots, self.records = list(slots), list(records)
        self._drawn_as: FaceRecipe | None = None
        self._odds = np.zeros(0)

    def __len__(self) -> int:
        return len(self.slots)

    def drawn(self, recipe: FaceRecipe, number: int) -> FaceBatch:
        """Return training batch ``number``: a pure function of the recipe and that number."""
        random = np.random.default_rng((recipe.seed, number))
        if self._drawn_as != recipe:
            self._drawn_as, self._odds = recipe, self._shares(recipe)
        chosen = random.choice(len(self), recipe.batch_size, p=self._odds)
        return self._gather(chosen, recipe, random)

    def whole(self, batch_size: int) -> Iterator[FaceBatch]:
        """Yield every face once, in order and unchanged."""
        for start in range(0, len(self), batch_size):
            yield self._gather(np.arange(start, min(start + batch_size, len(self))))

    def _shares(self, recipe: FaceRecipe) -> np.ndarray:
        groups = np.array([item.record.age_group for item in self.records])
        counts = np.bincount(groups, minlength=len(AGE_GROUPS))
        weights: np.ndarray = counts[groups] ** -float(recipe.age_balance)
        for race, factor in recipe.race_weights.items():
            weights[[item.record.race == race for item in self.records]] *= factor
        shares: np.ndarray = weights / weights.sum()
        return shares

    def _gather(
        self,
        chosen: np.ndarray,
        recipe: FaceRecipe | None = None,
        random: np.random.Generator | None = None,
    ) -> FaceBatch:
        channels, height, width = self.transform.output_shape
        pixels = np.empty((len(chosen), height, width, channels), np.float32)
        still = np.random.default_rng(0)
        pictures = []
        for row, index in enumerate(chosen):
            stored, _ = self.reader.get(self.slots[index])
            picture = np.ascontiguousarray(stored.transpose(1, 2, 0))
            if recipe is not None and random is not None:
                picture = recipe.augment.apply(picture, random)
                pictures.append(picture)
            self.transform(picture, random or still, pixels[row])
        records = [self.records[index].record for index in chosen]
        return FaceBatch(
            pixels,
            np.array([record.age for record in records], np.int64),
            np.array([-1 if item.gender is None else item.gender for item in records], np.int64),
            self.teacher.teach(pictures) if self.teacher and pictures else None,
        )


def read_faces(
    data: Path,
    reader: DatumReader,
    train: FaceTransform,
    test: FaceTransform,
    recipe: FaceRecipe,
    *,
    fold: tuple[int, int] | None = None,
    genders: bool = True,
) -> tuple[Faces, Faces]:
    """Divide the training faces of a data set in those to train on and those to validate with.

    Near-duplicates stay on one side. The data set's test faces are in neither.

    Args:
        data: the data set's folder.
        reader: its age training LMDB, built without oversampling: one record a face.
        train: transformation of faces to train on.
        test: transformation of faces to validate with.
        recipe: the share to hold back, and the seed.
        fold: ``(k, n)`` to hold back part k, from 0, of n equal ones instead; each face is held
            back in one of them.
        genders: whether every face needs one.

    Raises:
        DatasetError: when a record of the LMDB is none of the data set's training faces, the seed
            holds none of them back, or the data set does not say a face's gender.
    """
    first, last = (0.0, recipe.validation)
    if fold is not None:
        first, last = fold[0] / fold[1], (fold[0] + 1) / fold[1]
    records = {item.record.name: item for item in read_records(data / "records.csv")}
    sides: dict[bool, tuple[list[int], list[SplitRecord]]] = {True: ([], []), False: ([], [])}
    for slot in range(len(reader)):
        name = reader.name(slot)
        item = records.get(name)
        if item is None or item.split != "train":
            raise DatasetError(
                f"{reader.path}: «{name}» is no training face of {data}; build the data set with "
                "--no-oversample"
            )
        if genders and item.record.gender is None:
            raise DatasetError(f"{data} does not say the gender of «{name}»; train age alone")
        group = name if item.duplicate_group is None else item.duplicate_group
        held_back = first <= fraction(recipe.seed, "validation", group) < last
        sides[held_back][0].append(slot)
        sides[held_back][1].append(item)
    if not sides[True][0] and last > first:
        raise DatasetError(
            f"{data}: seed {recipe.seed} holds no face back for validation; choose another seed, "
            "or a larger validation"
        )
    return Faces(reader, train, *sides[False]), Faces(reader, test, *sides[True])
