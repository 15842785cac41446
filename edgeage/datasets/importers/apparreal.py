"""APPA-REAL (Agustsson et al., FG 2017): real ages, and apparent ones as about 38 people guessed.

``gt_avg_train.csv``, ``gt_avg_valid.csv`` and ``gt_avg_test.csv`` hold the labels of the folders
of those names. Beside ``X.jpg`` lies ``X.jpg_face.jpg``, the face turned upright with a margin of
40 %.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from edgeage.datasets.importers.found import Candidate, Drop, Importer, ImportOptions
from edgeage.datasets.importers.labelindex import Label
from edgeage.datasets.importers.labelled import labelled_faces
from edgeage.datasets.importers.tables import read_rows, table_files
from edgeage.datasets.importers.words import BadLabelError, age_of
from edgeage.datasets.records import FaceRecord
from edgeage.errors import DatasetError
from edgeage.labels import MAX_AGE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["IMPORTER"]

_TABLE = re.compile(r"gt_avg_(train|valid|test)\.csv")
_OTHER_TABLE = re.compile(r"(?:gt|allcategories)_\w+\.csv|ignore_list\.\w+")
_FACE = "_face.jpg"


def _faces(source: Path, options: ImportOptions, work: Path) -> Iterator[Candidate | Drop]:
    tables = table_files(source, options, _is_average, work, expected="gt_avg_train.csv and so on")
    ignored = _ignored(options.ignore) if options.ignore else frozenset()
    faces = options.form != "full"

    def wanted(path: str) -> str:
        return "" if path.endswith(_FACE) == faces else "another form of a picture"

    yield from labelled_faces(
        source,
        _labels(tables, ignored),
        work,
        is_table=lambda name: bool(_TABLE.fullmatch(name) or _OTHER_TABLE.fullmatch(name)),
        wanted=wanted,
        key=lambda path: path.removesuffix(_FACE),
    )


def _is_average(name: str) -> bool:
    return bool(_TABLE.fullmatch(name))


def _ignored(path: Path) -> frozenset[str]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} is not a readable list of pictures: {error}") from None
    return frozenset(line.strip().rpartition("/")[2].removesuffix(_FACE) for line in lines)


def _labels(tables: list[tuple[str, Path]], ignored: frozenset[str]) -> Iterator[Label]:
    for name, path in tables:
        match = _TABLE.fullmatch(name)
        split = match[1] if match else "train"
        for row in read_rows(path, name, ("file_name", "apparent_age_avg", "real_age")):
            picture = f"{split}/{row['file_name']}"
            if row["file_name"] in ignored:
                yield Label(picture, reason="on the ignore list")
                continue
            try:
                age, _ = age_of(row["real_age"])
                apparent = _apparent(row["apparent_age_avg"])
            except BadLabelError as reason:
                yield Label(picture, reason=str(reason))
                continue
            record = FaceRecord(picture, age, None, "", apparent_age=apparent, own_split=split)
            yield Label(picture, record)


def _apparent(text: str) -> float:
    try:
        years = float(text)
    except ValueError:
        raise BadLabelError("apparent age is not a number") from None
    if not math.isfinite(years) or not 0 <= years <= MAX_AGE:
        raise BadLabelError("apparent age out of range")
    return years


IMPORTER = Importer(
    "appa-real.toml",
    _faces,
    frozenset({"labels", "form", "ignore"}),
    forms=("face", "full"),
)
