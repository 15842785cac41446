"""Any folder or archive of pictures with a CSV file of their labels.

The columns go by the names below unless they are told: so do the lists that earlier projects
exported of IMDB-WIKI, whose columns are ``genders,ages,img_paths`` or ``age,gender,path``.
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from edgeage.datasets.importers.found import Candidate, Drop, Importer, ImportOptions
from edgeage.datasets.importers.labelindex import Label
from edgeage.datasets.importers.labelled import labelled_faces
from edgeage.datasets.importers.tables import read_rows, table_files
from edgeage.datasets.importers.words import BadLabelError, age_of, gender_of
from edgeage.datasets.records import RACES, FaceRecord
from edgeage.errors import DatasetError, UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["IMPORTER"]

_USUAL = {
    "file": ("file", "path", "file_name", "filename", "image", "img_path", "img_paths", "name"),
    "age": ("age", "ages", "real_age"),
    "gender": ("gender", "genders", "sex"),
    "race": ("race", "ethnicity"),
    "person": ("person", "subject", "user_id", "celeb_id"),
    "fold": ("fold",),
    "apparent_age": ("apparent_age", "apparent_age_avg"),
    "split": ("split", "subset"),
}
_SPLITS = {
    "train": "train",
    "training": "train",
    "test": "test",
    "testing": "test",
} | dict.fromkeys(("val", "valid", "validation"), "valid")


def _faces(source: Path, options: ImportOptions, work: Path) -> Iterator[Candidate | Drop]:
    tables = table_files(source, options, _is_table, work, expected="one *.csv")
    if len(tables) > 1:
        names = ", ".join(name for name, _ in tables)
        raise DatasetError(f"{source} has several CSV files ({names}); name one with --labels")
    yield from labelled_faces(source, _labels(*tables[0], options), work, is_table=_is_table)


def _is_table(name: str) -> bool:
    return name.lower().endswith(".csv")


def _labels(name: str, path: Path, options: ImportOptions) -> Iterator[Label]:
    columns = _columns(name, path, options.columns)
    for row in read_rows(path, name, list(columns.values())):
        words = {what: row[column].strip() for what, column in columns.items()}
        try:
            yield Label(words["file"], _record(words, options.genders))
        except BadLabelError as reason:
            yield Label(words["file"], reason=str(reason))


def _columns(name: str, path: Path, told: Mapping[str, str]) -> dict[str, str]:
    """Find out what each column is called in this table."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            found = next(csv.reader(file), [])
    except (OSError, ValueError, csv.Error) as error:
        raise DatasetError(f"{name} is not a readable table of labels: {error}") from None
    for what, column in told.items():
        if column not in found:
            raise UsageError(
                f"{name} has no column «{column}» for {what}{did_you_mean(column, found)}; "
                f"it has {', '.join(found)[:200]}"
            )
    usual = {
        what: next((column for column in found if column.lower() in names), None)
        for what, names in _USUAL.items()
    }
    columns = {what: column for what, column in usual.items() if column} | dict(told)
    for what in ("file", "age"):
        if what not in columns:
            raise DatasetError(
                f"{name} has the columns {', '.join(found)[:200] or 'of an empty file'}; say "
                f"which is the {what}, for example with --column {what}=NAME"
            )
    return {what: column for what, column in columns.items() if what in _USUAL}


def _record(words: Mapping[str, str], genders: Mapping[str, int]) -> FaceRecord:
    age, ages = age_of(words["age"])
    race = words.get("race", "").lower()
    if race not in ("", *RACES):
        raise BadLabelError("unknown race")
    split = words.get("split", "").lower()
    if split and split not in _SPLITS:
        raise BadLabelError("unknown split")
    if not words["file"]:
        raise BadLabelError("missing file name")
    apparent = words.get("apparent_age", "")
    try:
        fold = int(words["fold"]) if words.get("fold") else None
        guessed = float(apparent) if apparent else None
    except ValueError:
        raise BadLabelError("fold or apparent age is not a number") from None
    return FaceRecord(
        words["file"],
        age,
        gender_of(words.get("gender", ""), genders),
        race,
        person=words.get("person", ""),
        fold=fold,
        apparent_age=guessed,
        age_range=ages,
        own_split=_SPLITS.get(split, ""),
    )


IMPORTER = Importer("csv.toml", _faces, frozenset({"labels", "columns", "genders"}), has_race=True)
