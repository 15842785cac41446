"""FairFace (Kärkkäinen and Joo, WACV 2021): faces balanced by race, with age ranges.

``fairface_label_train.csv`` and ``fairface_label_val.csv`` name the pictures of the folders
``train`` and ``val``. Its seven races become five: East and Southeast Asian are asian, Latino
Hispanic and Middle Eastern are others.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from edgeage.datasets.importers.found import Candidate, Drop, Importer, ImportOptions
from edgeage.datasets.importers.labelindex import Label
from edgeage.datasets.importers.labelled import labelled_faces
from edgeage.datasets.importers.tables import read_rows, table_files
from edgeage.datasets.importers.words import BadLabelError, age_of, gender_of
from edgeage.datasets.records import FaceRecord

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["IMPORTER"]

_TABLE = re.compile(r"fairface_labels?_(train|val)\.csv")
_RACES = {
    "white": "white",
    "black": "black",
    "indian": "indian",
    "east asian": "asian",
    "southeast asian": "asian",
    "latino hispanic": "others",
    "middle eastern": "others",
}


def _faces(source: Path, options: ImportOptions, work: Path) -> Iterator[Candidate | Drop]:
    expected = "fairface_label_train.csv and fairface_label_val.csv"
    tables = table_files(source, options, _is_table, work, expected=expected)
    yield from labelled_faces(source, _labels(tables), work, is_table=_is_table)


def _is_table(name: str) -> bool:
    return bool(_TABLE.fullmatch(name))


def _labels(tables: list[tuple[str, Path]]) -> Iterator[Label]:
    for name, path in tables:
        for row in read_rows(path, name, ("file", "age", "gender", "race")):
            try:
                yield Label(row["file"], _record(row))
            except BadLabelError as reason:
                yield Label(row["file"], reason=str(reason))


def _record(row: dict[str, str]) -> FaceRecord:
    age, ages = age_of(row["age"])
    gender = gender_of(row["gender"], {})
    if gender is None:
        raise BadLabelError("missing gender")
    race = _RACES.get(row["race"].strip().lower().replace("_", " "))
    if race is None:
        raise BadLabelError("unknown race")
    split = "valid" if row["file"].startswith("val") else "train"
    return FaceRecord(row["file"], age, gender, race, age_range=ages, own_split=split)


IMPORTER = Importer("fairface.toml", _faces, frozenset({"labels"}), has_race=True)
