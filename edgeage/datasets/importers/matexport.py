"""The ``.mat`` files that earlier projects packed pictures and labels into.

Variables ``image`` (pictures × height × width × 3, uint8, BGR as OpenCV reads them), ``age``,
``gender``, ``db``, ``img_size`` and ``min_score``. Genders are those of the data set ``db`` names:
in IMDB-WIKI's 1 is male, in UTKFace's 0 is.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeage.datasets.importers.found import Candidate, Drop, Importer, ImportOptions
from edgeage.datasets.importers.matfiles import MatFile, open_mat
from edgeage.datasets.importers.words import BadLabelError, age_of, gender_of
from edgeage.datasets.records import FaceRecord
from edgeage.datasets.sources import MAX_MEMBER_BYTES
from edgeage.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["IMPORTER"]

_GENDERS: dict[str, dict[str, int]] = {
    "imdb": {"0": 1, "1": 0},
    "wiki": {"0": 1, "1": 0},
    "utk": {"0": 0, "1": 1},
}


def _faces(source: Path, options: ImportOptions, _work: Path) -> Iterator[Candidate | Drop]:
    if not source.is_file():
        raise DatasetError(f"{source} is not a file; expected one .mat with the pictures in it")
    with open_mat(source, source.name) as file:
        images, ages, genders = (file.array(name) for name in ("image", "age", "gender"))
        if images.dtype != np.uint8 or len(images.shape) != 4 or images.shape[-1] != 3:
            raise DatasetError(
                f"{source.name}: image is {images.dtype} of shape {images.shape}; expected uint8 "
                "of shape (pictures, height, width, 3)"
            )
        if np.prod(images.shape[1:], dtype=object) > MAX_MEMBER_BYTES:
            raise DatasetError(
                f"{source.name} has pictures of {images.shape[1]} × {images.shape[2]} pixels, no "
                "picture of a face has so many"
            )
        ages, genders = np.asarray(ages.ravel()), np.asarray(genders.ravel())
        if not len(images) == len(ages) == len(genders):
            raise DatasetError(
                f"{source.name} has {len(images)} pictures, {len(ages)} ages and {len(genders)} "
                "genders; expected as many of each"
            )
        database = _database(file)
        codes = options.genders or _GENDERS.get(database, {})
        for row in range(len(images)):
            name = f"{database or 'mat'}_{row:07d}"
            try:
                record = _record(name, ages[row], genders[row], codes)
            except BadLabelError as reason:
                yield Drop(name, str(reason))
            else:
                yield Candidate(record, name, partial(_picture, images, row))


def _database(file: MatFile) -> str:
    return file.text(file.array("db")[0]) if "db" in file.names() else ""


def _record(name: str, age: Any, gender: Any, codes: Mapping[str, int]) -> FaceRecord:
    years, _ = age_of(str(age))
    return FaceRecord(name, years, gender_of(str(gender), codes), "")


def _picture(images: Any, row: int) -> np.ndarray:
    return np.ascontiguousarray(images[row])


IMPORTER = Importer("mat.toml", _faces, frozenset({"genders"}))
