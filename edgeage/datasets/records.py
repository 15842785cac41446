"""One labelled face, and the list of them beside a built data set."""

from __future__ import annotations

import csv
import dataclasses
from typing import TYPE_CHECKING

from edgeage.errors import DatasetError
from edgeage.labels import AGE_GROUPS, GENDERS, age_group_index
from edgeage.paths import atomic_file

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["RACES", "FaceRecord", "SplitRecord", "read_records", "write_records"]

RACES: tuple[str, ...] = ("white", "black", "asian", "indian", "others")
"""The races in UTKFace's label order."""


@dataclasses.dataclass(frozen=True, order=True)
class FaceRecord:
    """A picture of one face and its labels; records sort by name.

    Attributes:
        name: file name without folders, unique in its data set.
        age: years, 0 to 120.
        gender: index into :data:`edgeage.labels.GENDERS`.
        race: one of :data:`RACES`.
        sha256: hash of the file's bytes, 64 hexadecimal digits.
        slot: place of its pixels in the working file of a build.
    """

    name: str
    age: int
    gender: int
    race: str
    sha256: str = ""
    slot: int = dataclasses.field(default=-1, compare=False)

    @property
    def age_group(self) -> int:
        """Index into :data:`edgeage.labels.AGE_GROUPS`."""
        return age_group_index(self.age)

    def label(self, task: str) -> int:
        """Return the class of one of the two tasks.

        Args:
            task: ``"age"`` or ``"gender"``.

        Returns:
            For age the index into :data:`edgeage.labels.AGE_GROUPS`, for gender into
            :data:`edgeage.labels.GENDERS`.

        >>> FaceRecord("a.jpg", age=34, gender=1, race="asian").label("age")
        3
        """
        return self.age_group if task == "age" else self.gender


@dataclasses.dataclass(frozen=True)
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


def write_records(path: Path, records: Iterable[SplitRecord]) -> None:
    """Write the list of a data set's faces as CSV with a header, whole or not at all."""
    with atomic_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_COLUMNS)
        writer.writerows(map(_row, records))


def _row(item: SplitRecord) -> tuple[str | int, ...]:
    face = item.record
    group = "" if item.duplicate_group is None else item.duplicate_group
    names = AGE_GROUPS[face.age_group], GENDERS[face.gender]
    return (face.name, face.age, *names, face.race, item.split, group, face.sha256)


def read_records(path: Path) -> list[SplitRecord]:
    """Read a list that :func:`write_records` wrote.

    Args:
        path: a data set's ``records.csv``.

    Returns:
        The faces in the file's order.

    Raises:
        DatasetError: when it is missing, has other columns, or a row makes no sense.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = csv.DictReader(file)
            if tuple(rows.fieldnames or ()) != _COLUMNS:
                raise DatasetError(f"{path}: expected the columns {', '.join(_COLUMNS)}")
            return [_parse(row) for row in rows]
    except FileNotFoundError:
        raise DatasetError(f"{path} is missing; expected a data set's list of faces") from None
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise DatasetError(f"{path} is not a readable list of faces: {error}") from None


def _parse(row: dict[str, str]) -> SplitRecord:
    face = FaceRecord(
        name=row["name"],
        age=int(row["age"]),
        gender=GENDERS.index(row["gender"]),
        race=row["race"],
        sha256=row["sha256"],
    )
    if face.race not in RACES or row["split"] not in ("train", "test"):
        raise ValueError(f"«{face.name}» has race «{face.race}» and split «{row['split']}»")
    if AGE_GROUPS[face.age_group] != row["age_group"]:
        raise ValueError(f"«{face.name}» is {face.age} and stands in group {row['age_group']}")
    group = row["duplicate_group"]
    return SplitRecord(face, row["split"], int(group) if group else None)
