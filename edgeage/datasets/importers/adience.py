"""Adience (Eidinger, Enbar and Hassner, IEEE TIFS 9(12), 2014), faces of albums, in five folds.

Labels stand in ``fold_0_data.txt`` to ``fold_4_data.txt``, tab-separated. A picture is
``aligned/USER/landmark_aligned_face.FACE.IMAGE``, upright by its landmarks, or
``faces/USER/coarse_tilt_aligned_face.FACE.IMAGE``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from edgeage.datasets.importers.found import Candidate, Drop, Importer, ImportOptions
from edgeage.datasets.importers.labelindex import Label
from edgeage.datasets.importers.labelled import labelled_faces
from edgeage.datasets.importers.tables import read_rows, table_files
from edgeage.datasets.importers.words import BadLabelError, age_of, gender_of, range_age
from edgeage.datasets.records import FaceRecord

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["AGE_CLASSES", "IMPORTER", "age_class"]

AGE_CLASSES: tuple[tuple[int, int], ...] = (
    *((0, 2), (4, 6), (8, 12), (15, 20)),
    *((25, 32), (38, 43), (48, 53), (60, 100)),
)
"""The eight age classes of Adience, in years (Levi and Hassner, CVPRW 2015)."""

_COLUMNS = ("user_id", "original_image", "face_id", "age", "gender")
_TABLE = re.compile(r"fold_([0-4])_data\.txt")
_PREFIX = {"aligned": "landmark_aligned_face.", "faces": "coarse_tilt_aligned_face."}


def age_class(text: str) -> tuple[int, int]:
    """Return the class of an age label.

    A few labels are single ages or other ranges. Each goes to the class its middle lies in, else
    to the nearest one; half-way it goes to the younger.

    Args:
        text: as in the table, for example ``"(25, 32)"`` or ``"35"``.

    Raises:
        BadLabelError: when it is no age.

    >>> age_class("(27, 32)"), age_class("35"), age_class("(8, 23)")
    ((25, 32), (25, 32), (15, 20))
    """
    age, ages = age_of(text)
    if ages in AGE_CLASSES:
        return ages
    middle = sum(ages) / 2 if ages else age
    return min(
        AGE_CLASSES, key=lambda bounds: (max(bounds[0] - middle, middle - bounds[1], 0), bounds)
    )


def _faces(source: Path, options: ImportOptions, work: Path) -> Iterator[Candidate | Drop]:
    tables = table_files(
        source, options, _is_table, work, expected="fold_0_data.txt to fold_4_data.txt"
    )
    prefix = _PREFIX[options.form or "aligned"]

    def wanted(path: str) -> str:
        return "" if path.rpartition("/")[2].startswith(prefix) else "another form of a picture"

    def key(path: str) -> str:
        return path.replace(prefix, "", 1)

    yield from labelled_faces(
        source, _labels(tables), work, is_table=_is_table, wanted=wanted, key=key
    )


def _is_table(name: str) -> bool:
    return bool(_TABLE.fullmatch(name))


def _labels(tables: list[tuple[str, Path]]) -> Iterator[Label]:
    for name, path in tables:
        match = _TABLE.fullmatch(name)
        fold = int(match[1]) if match else None
        for row in read_rows(path, name, _COLUMNS, "\t"):
            picture = f"{row['user_id']}/{row['face_id']}.{row['original_image']}"
            try:
                bounds = age_class(row["age"])
                gender = gender_of(row["gender"], {})
            except BadLabelError as reason:
                yield Label(picture, reason=str(reason))
                continue
            record = FaceRecord(
                picture,
                range_age(*bounds),
                gender,
                "",
                person=row["user_id"],
                fold=fold,
                age_range=bounds,
            )
            yield Label(picture, record)


IMPORTER = Importer(
    "adience.toml", _faces, frozenset({"labels", "form"}), forms=("aligned", "faces")
)
