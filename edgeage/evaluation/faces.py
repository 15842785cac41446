"""The labelled faces a model is scored on: some of a built data set, as it stored them."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeage.datasets.facelist import find_list, read_list
from edgeage.datasets.records import read_records
from edgeage.datasets.report import read_report
from edgeage.datasets.store import DatumReader
from edgeage.errors import DatasetError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edgeage.datasets.records import FaceRecord, SplitRecord

__all__ = ["LabelledFaces", "Readers", "Truth", "open_faces"]

_LMDBS = ("age_test_lmdb", "age_train_lmdb")
_ALL = "all"


@dataclasses.dataclass(frozen=True)
class Truth:
    """What is known of some faces; what a data set does not tell is empty or not a number.

    Attributes:
        ages: float64 (n,), years; not a number where it is not known.
        genders: int64 (n,), indices into :data:`edgeage.GENDERS`; −1 where it is not known.
        races: for each face its race, or an empty text.
        units: int64 (n,), equal for faces that are not independent: those of one person where
            persons are known, else near-duplicates.
        persons: for each face who it shows; empty where that is not known.
        folds: for each face its fold, as the data set's authors number them; likewise.
        apparent_ages: float64 (n,), the mean of what people take the face for, years.
    """

    ages: np.ndarray
    genders: np.ndarray
    races: tuple[str, ...]
    units: np.ndarray
    persons: tuple[str, ...]
    folds: tuple[str, ...]
    apparent_ages: np.ndarray

    @property
    def left_out(self) -> tuple[str, ...]:
        """What a model is trained without to be scored on each face: its fold, or its person."""
        return self.folds if any(self.folds) else self.persons

    def only(self, chosen: np.ndarray) -> Truth:
        """Return what is known of some of the faces, by a bool (n,)."""

        def some(values: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(value for value, kept in zip(values, chosen, strict=True) if kept)

        return Truth(
            ages=self.ages[chosen],
            genders=self.genders[chosen],
            races=some(self.races),
            units=self.units[chosen],
            persons=some(self.persons),
            folds=some(self.folds),
            apparent_ages=self.apparent_ages[chosen],
        )

    @classmethod
    def of(cls, items: Sequence[SplitRecord]) -> Truth:
        """Gather what records tell, whatever of it they have."""
        records = [item.record for item in items]
        persons = _words(records, "person")
        keys = [
            person or (item.record.name if item.duplicate_group is None else item.duplicate_group)
            for item, person in zip(items, persons, strict=True)
        ]
        numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
        genders = [_told(record, "gender") for record in records]
        return cls(
            ages=_numbers(records, "age"),
            genders=np.array([-1 if value is None else int(value) for value in genders], np.int64),
            races=_words(records, "race"),
            units=np.array([numbers[key] for key in keys], np.int64),
            persons=persons,
            folds=_words(records, "fold"),
            apparent_ages=_numbers(records, "apparent_age"),
        )


class LabelledFaces:
    """Faces with their labels and pictures; see :func:`open_faces`.

    Args:
        folder: the data set.
        report: its report.
        items: the faces' records.
        places: for each face the LMDB and the number in it.
        part: what they are of the data set, for people.
        ignored: how many faces the data set marks as not to be scored.

    Attributes:
        truth: their labels.
    """

    def __init__(
        self,
        folder: Path,
        report: dict[str, Any],
        items: Sequence[SplitRecord],
        places: Sequence[tuple[DatumReader, int]],
        *,
        part: str,
        ignored: int = 0,
    ) -> None:
        self.folder, self.report, self.part, self.ignored = folder, report, part, ignored
        self.items, self._places = list(items), list(places)
        self.truth = Truth.of(self.items)

    def __len__(self) -> int:
        return len(self.items)

    @property
    def name(self) -> str:
        """The data set's name, as its report tells it."""
        return str(self.report["dataset"]["name"])

    @property
    def names(self) -> list[str]:
        """The faces' file names, in order."""
        return [item.record.name for item in self.items]

    @property
    def sha256(self) -> str:
        """Hash of what was stored of which faces: the lines of their list, the LMDBs' hashes."""
        digest = hashlib.sha256()
        for item in self.items:
            digest.update(f"{item.record.sha256}  {item.record.name}\n".encode("utf-8", "replace"))
        digest.update(repr(sorted(self.report.get("lmdb", {}).items())).encode())
        return digest.hexdigest()

    def only(self, chosen: np.ndarray) -> LabelledFaces:
        """Return some of the faces, by a bool (n,)."""
        places = np.flatnonzero(chosen)
        return LabelledFaces(
            self.folder,
            self.report,
            [self.items[place] for place in places],
            [self._places[place] for place in places],
            part=self.part,
        )

    def picture(self, place: int) -> np.ndarray:
        """Return a face's stored picture, uint8 (height, width, 3), BGR.

        Raises:
            DatasetError: when the record is damaged.
        """
        reader, number = self._places[place]
        pixels, _ = reader.get(number)
        return np.ascontiguousarray(pixels.transpose(1, 2, 0))


class Readers(contextlib.ExitStack):
    """Opens each LMDB once, as LMDB asks of a process; a context manager that closes them all."""

    def __init__(self) -> None:
        super().__init__()
        self._open: dict[Path, tuple[DatumReader, dict[str, list[int]]]] = {}

    def open(self, path: Path) -> tuple[DatumReader, dict[str, list[int]]]:
        """Return an LMDB with the numbers of the pictures of each name.

        Raises:
            DatasetError: when it is missing or damaged.
        """
        path = path.resolve()
        if path not in self._open:
            reader = self.enter_context(DatumReader(path))
            numbers: dict[str, list[int]] = {}
            for number in range(len(reader)):
                name = reader.name(number)
                numbers.setdefault(name, []).append(number)
            self._open[path] = reader, numbers
        return self._open[path]


@contextlib.contextmanager
def open_faces(
    data: str | Path,
    *,
    split: str = "test",
    faces: str | Path | None = None,
    limit: int | None = None,
    readers: Readers | None = None,
) -> Iterator[LabelledFaces]:
    """Open some faces of a data set.

    Args:
        data: a folder made by ``edgeage dataset build``.
        split: which side of the data set, ``"test"`` for example, or ``"all"`` of it.
        faces: a list of faces instead, of whatever side: a path, or a list's name.
        limit: take at most so many, evenly spread over the records.
        readers: opens the LMDBs, where several sets of faces are open at once.

    Raises:
        DatasetError: when the data set is not finished, has no such side, or lacks a listed face
            or its picture.
    """
    folder = Path(data)
    report = read_report(folder)
    items = read_records(folder / "records.csv")
    chosen = _of_split(folder, items, split) if faces is None else _listed(folder, items, faces)
    scored = [item for item in chosen if not _told(item.record, "ignored")]
    ignored = len(chosen) - len(scored)
    if limit is not None and limit < len(scored):
        scored = [scored[place * len(scored) // limit] for place in range(limit)]
    part = Path(faces).stem if faces else "all faces" if split == _ALL else f"{split} split"
    with contextlib.ExitStack() as stack:
        readers = readers or stack.enter_context(Readers())
        places = _places(folder, [item.record.name for item in scored], readers)
        yield LabelledFaces(folder, report, scored, places, part=part, ignored=ignored)


def _of_split(folder: Path, items: Sequence[SplitRecord], split: str) -> list[SplitRecord]:
    found = [item for item in items if split in (_ALL, item.split)]
    if not found:
        known = list(dict.fromkeys([*(item.split for item in items), _ALL]))
        raise DatasetError(
            f"{folder} has no split «{split}», only {', '.join(known)}{did_you_mean(split, known)}"
        )
    return found


def _listed(folder: Path, items: Sequence[SplitRecord], faces: str | Path) -> list[SplitRecord]:
    path = find_list(faces)
    hashes = {face.name: face.sha256 for face in read_list(path)}
    found = [item for item in items if item.record.name in hashes]
    if len(found) < len(hashes):
        raise DatasetError(
            f"{folder} has {len(found)} of the {len(hashes)} faces of {path.name}; build it from "
            "the same source, with all of its races"
        )
    for item in found:
        if item.record.sha256 != hashes[item.record.name]:
            raise DatasetError(f"{folder}: «{item.record.name}» is not the face of {path.name}")
    return found


def _places(folder: Path, names: Sequence[str], readers: Readers) -> list[tuple[DatumReader, int]]:
    """Find every face's picture; the changed copies of an oversampled one have other names."""
    found: dict[str, list[tuple[DatumReader, int]]] = {name: [] for name in names}
    for lmdb in _LMDBS:
        if all(found.values()) or not (folder / lmdb / "data.mdb").is_file():
            continue
        reader, numbers = readers.open(folder / lmdb)
        for name, places in found.items():
            places += [(reader, number) for number in numbers.get(name, ())]
    for name, places in found.items():
        if len(places) != 1:
            raise DatasetError(
                f"{folder} stores {len(places)} pictures of «{name}», expected one; build the data "
                "set again"
            )
    return [found[name][0] for name in names]


def _told(record: FaceRecord, name: str) -> Any:
    """Return a label that not every data set has; None where this one has not."""
    return getattr(record, name, None)


def _words(records: Sequence[FaceRecord], name: str) -> tuple[str, ...]:
    values = (_told(record, name) for record in records)
    return tuple("" if value is None else str(value) for value in values)


def _numbers(records: Sequence[FaceRecord], name: str) -> np.ndarray:
    values = (_told(record, name) for record in records)
    return np.array([np.nan if value is None else float(value) for value in values], np.float64)
