"""One labelled face, and the list of them beside a built data set."""

from __future__ import annotations

import csv
import dataclasses
from typing import TYPE_CHECKING

from edgeage.errors import DatasetError
from edgeage.labels import AGE_GROUPS, GENDERS, age_group_index
from edgeage.paths import atomic_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = [
    "RACES",
    "FaceRecord",
    "SplitRecord",
    "iter_records",
    "read_records",
    "write_records",
]

RACES: tuple[str, ...] = ("white", "black", "asian", "indian", "others")
"""The races in UTKFace's label order."""


@dataclasses.dataclass(frozen=True, order=True, slots=True)
class FaceRecord:
    """A picture of one face and its labels; records sort by name.

    Attributes:
        name: file name, or path inside the data set, unique in it.
        age: years, 0 to 120; of an age range the year that stands for it.
        gender: index into :data:`edgeage.labels.GENDERS`; None where the data set does not say.
        race: one of :data:`RACES`; empty where the data set does not say.
        sha256: hash of the file's bytes, 64 hexadecimal digits.
        slot: place of its pixels in the working file of a build.
        person: who it is, in the data set's own words; empty where that is not known.
        fold: the data set's own fold of a cross-validation, from 0; None without.
        apparent_age: years as people guess them; None without.
        age_range: lowest and highest year of the label, where that is a range.
        own_split: ``"train"``, ``"valid"`` or ``"test"`` of the data set itself; empty without.
    """

    name: str
    age: int
    gender: int | None
    race: str
    sha256: str = ""
    slot: int = dataclasses.field(default=-1, compare=False)
    person: str = ""
    fold: int | None = None
    apparent_age: float | None = None
    age_range: tuple[int, int] | None = None
    own_split: str = ""

    @property
    def age_group(self) -> int:
        """Index into :data:`edgeage.labels.AGE_GROUPS`."""
        return age_group_index(self.age)

    def has(self, task: str) -> bool:
        """Tell whether the label of a task is known.

        Args:
            task: ``"age"`` or ``"gender"``.

        Returns:
            True for age; for gender False where the data set does not say it.
        """
        return task == "age" or self.gender is not None

    def label(self, task: str) -> int:
        """Return the class of one of the two tasks.

        Args:
            task: ``"age"`` or ``"gender"``.

        Returns:
            For age the index into :data:`edgeage.labels.AGE_GROUPS`, for gender into
            :data:`edgeage.labels.GENDERS`.

        Raises:
            ValueError: when the data set does not say the gender.

        >>> FaceRecord("a.jpg", age=34, gender=1, race="asian").label("age")
        3
        """
        if task == "age":
            return self.age_group
        if self.gender is None:
            raise ValueError(f"the gender of «{self.name}» is not known")
        return self.gender


@dataclasses.dataclass(frozen=True, slots=True)
class SplitRecord:
    """A record's place in a built data set.

    Attributes:
        record: the face.
        split: ``"train"`` or ``"test"``.
        duplicate_group: number of its group of near-duplicates, None when it has no other.
    """

    record: FaceRecord
    split: str
    duplicate_group: int | None = None


_COLUMNS = ("name", "age", "age_group", "gender", "race", "split", "duplicate_group", "sha256")
_MORE = ("person", "fold", "apparent_age", "age_low", "age_high", "own_split")


def write_records(path: Path, records: Iterable[SplitRecord]) -> None:
    """Write the list of a data set's faces as CSV with a header, whole or not at all.

    What only some data sets say (person, fold, apparent age, age range, own split) stands in
    further columns, which are there when one of the faces has any of it.
    """
    items = list(records)
    more = any(any(_more(item.record)) for item in items)
    with atomic_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_COLUMNS + _MORE if more else _COLUMNS)
        for item in items:
            writer.writerow(_row(item) + _more(item.record) if more else _row(item))


def _row(item: SplitRecord) -> tuple[str, ...]:
    face = item.record
    group = "" if item.duplicate_group is None else str(item.duplicate_group)
    gender = "" if face.gender is None else GENDERS[face.gender]
    labels = (str(face.age), AGE_GROUPS[face.age_group], gender, face.race)
    return (face.name, *labels, item.split, group, face.sha256)


def _more(face: FaceRecord) -> tuple[str, ...]:
    values = (face.fold, face.apparent_age, *(face.age_range or (None, None)))
    texts = ("" if value is None else f"{value:.10g}" for value in values)
    return (face.person, *texts, face.own_split)


def read_records(path: Path) -> list[SplitRecord]:
    """Read a list that :func:`write_records` wrote.

    Args:
        path: a data set's ``records.csv``.

    Returns:
        The faces in the file's order.

    Raises:
        DatasetError: when it is missing, has other columns, or a row makes no sense.
    """
    return list(iter_records(path))


def iter_records(path: Path) -> Iterator[SplitRecord]:
    """Yield the faces of a list one by one; see :func:`read_records`."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = csv.DictReader(file)
            if tuple(rows.fieldnames or ()) not in (_COLUMNS, _COLUMNS + _MORE):
                raise DatasetError(f"{path}: expected the columns {', '.join(_COLUMNS)}")
            yield from map(_parse, rows)
    except FileNotFoundError:
        raise DatasetError(f"{path} is missing; expected a data set's list of faces") from None
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise DatasetError(f"{path} is not a readable list of faces: {error}") from None


def _parse(row: dict[str, str]) -> SplitRecord:
    gender = row["gender"]
    low, high = row.get("age_low", ""), row.get("age_high", "")
    fold, apparent = row.get("fold", ""), row.get("apparent_age", "")
    face = FaceRecord(
        name=row["name"],
        age=int(row["age"]),
        gender=GENDERS.index(gender) if gender else None,
        race=row["race"],
        sha256=row["sha256"],
        person=row.get("person", ""),
        fold=int(fold) if fold else None,
        apparent_age=float(apparent) if apparent else None,
        age_range=(int(low), int(high)) if low else None,
        own_split=row.get("own_split", ""),
    )
    if face.race not in ("", *RACES) or row["split"] not in ("train", "test"):
        raise ValueError(f"«{face.name}» has race «{face.race}» and split «{row['split']}»")
    if AGE_GROUPS[face.age_group] != row["age_group"]:
        raise ValueError(f"«{face.name}» is {face.age} and stands in group {row['age_group']}")
    group = row["duplicate_group"]
    return SplitRecord(face, row["split"], int(group) if group else None)
