"""IMDB-WIKI (Rothe, Timofte and Van Gool, ICCVW 2015): pictures of people whose birthday is known.

``imdb.mat`` and ``wiki.mat`` hold one struct of that name: dates of birth as MATLAB's day numbers,
the year of each picture, paths, genders (0 female, 1 male), where the face is and how sure a
detector was of it and of a second one. The detector's scores are not probabilities; −∞ means it
found no face.
"""

from __future__ import annotations

import datetime
import math
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeage.datasets.importers.found import (
    Candidate,
    Drop,
    FaceHint,
    Importer,
    ImportOptions,
)
from edgeage.datasets.importers.labelindex import Label
from edgeage.datasets.importers.labelled import labelled_faces
from edgeage.datasets.importers.matfiles import MatFile, open_mat
from edgeage.datasets.importers.tables import table_files
from edgeage.datasets.importers.words import BadLabelError
from edgeage.datasets.records import FaceRecord
from edgeage.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["IMPORTER", "age_on_photo"]

_TABLE = re.compile(r"(imdb|wiki)\.mat")
_NUMBERS = ("dob", "photo_taken", "gender", "face_score", "second_face_score")
_NEEDED = (*_NUMBERS, "full_path")
_MAX_AGE = 100
_PYTHON_DAY_0 = 366
_LAST_DAY = datetime.date.max.toordinal()


def age_on_photo(birth_datenum: float, photo_year: float) -> int:
    """Return the whole years from a birth to the first of July of a picture's year.

    Args:
        birth_datenum: MATLAB's number of the day of birth; 1 is the first of January of year 0.
        photo_year: of which only the year is known.

    Raises:
        BadLabelError: when one of them is no date.

    >>> age_on_photo(723671.0, 2009)  # born 5 May 1981
    28
    >>> age_on_photo(723828.0, 2009)  # born 9 October 1981
    27
    """
    if not (math.isfinite(birth_datenum) and math.isfinite(photo_year)):
        raise BadLabelError("no date of birth or of the picture")
    day = math.floor(birth_datenum) - _PYTHON_DAY_0
    if not 1 <= day <= _LAST_DAY:
        raise BadLabelError("no date of birth or of the picture")
    birth = datetime.date.fromordinal(day)
    return int(photo_year) - birth.year - ((birth.month, birth.day) > (7, 1))


def _faces(source: Path, options: ImportOptions, work: Path) -> Iterator[Candidate | Drop]:
    tables = table_files(source, options, _is_table, work, expected="imdb.mat or wiki.mat")
    if len(tables) > 1 and len({name for name, _ in tables}) < len(tables):
        raise DatasetError(f"{source} has one .mat file several times; name one with --labels")
    yield from labelled_faces(source, _labels(tables, options), work, is_table=_is_table)


def _is_table(name: str) -> bool:
    return bool(_TABLE.fullmatch(name))


def _labels(tables: list[tuple[str, Path]], options: ImportOptions) -> Iterator[Label]:
    for name, path in tables:
        with open_mat(path, name) as file:
            yield from _rows(file, options)


def _rows(file: MatFile, options: ImportOptions) -> Iterator[Label]:
    known = [name for name in ("imdb", "wiki") if name in file.names()]
    if not known:
        raise DatasetError(f"{file.name} holds no struct «imdb» or «wiki»; is it this data set's?")
    columns = file.fields(known[0], (*_NEEDED, "face_location", "name"))
    missing = [name for name in _NEEDED if name not in columns]
    if missing:
        raise DatasetError(f"{file.name} has no field {', '.join(missing)}; get it again")
    count = len(columns["full_path"])
    if any(len(values) != count for values in columns.values()):
        raise DatasetError(f"{file.name}: its fields are of different lengths; get it again")
    full = options.form == "full"
    if full and "face_location" not in columns:
        raise DatasetError(f"{file.name} has no field face_location, which --form full needs")
    for row in range(count):
        numbers = {name: _number(columns[name][row]) for name in _NUMBERS}
        picture = file.text(columns["full_path"][row])
        person = file.text(columns["name"][row]) if "name" in columns else ""
        try:
            hint = _hint(columns["face_location"][row]) if full else None
            yield Label(picture, _record(picture, person, numbers, options.min_score), hint=hint)
        except BadLabelError as reason:
            yield Label(picture or f"row {row}", reason=str(reason))


def _number(value: Any) -> float:
    array = np.asarray(value)
    return float(array.flat[0]) if array.size == 1 and array.dtype.kind in "fiu" else math.nan


def _record(picture: str, person: str, numbers: dict[str, float], min_score: float) -> FaceRecord:
    age = age_on_photo(numbers["dob"], numbers["photo_taken"])
    if age < 0:
        raise BadLabelError("age below 0")
    if age > _MAX_AGE:
        raise BadLabelError(f"age above {_MAX_AGE}")
    if not math.isfinite(numbers["face_score"]):
        raise BadLabelError("no face found")
    if numbers["face_score"] < min_score:
        raise BadLabelError(f"face score below {min_score:g}")
    if not math.isnan(numbers["second_face_score"]):
        raise BadLabelError("a second face")
    if numbers["gender"] not in (0, 1):
        raise BadLabelError("missing gender")
    if not picture:
        raise BadLabelError("no path")
    return FaceRecord(picture, age, 1 - int(numbers["gender"]), "", person=person)


def _hint(location: Any) -> FaceHint:
    """Turn MATLAB's first and last column and row, counted from 1, into a box."""
    box = np.asarray(location)
    if box.dtype.kind == "O" and box.size == 1:
        box = np.asarray(box.flat[0])
    edges = box.ravel().astype(np.float64) if box.dtype.kind in "fiu" else np.zeros(0)
    if edges.size != 4 or not np.isfinite(edges).all():
        raise BadLabelError("no place of the face")
    left, top, right, bottom = (float(edge) for edge in edges)
    if not (left < right and top < bottom):
        raise BadLabelError("no place of the face")
    return FaceHint((left - 1, top - 1, right, bottom))


IMPORTER = Importer(
    "imdb-wiki.toml",
    _faces,
    frozenset({"labels", "form", "min_score"}),
    forms=("crop", "full"),
    gives_hints=lambda options: options.form == "full",
)
