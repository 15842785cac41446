"""Lists of faces that fix a split: a hash and a name a line, as ``sha256sum`` prints them.

A list says which photographs, whatever folder or archive they lie in; those that come with edgeage
stand under ``datasets/`` and are known by their name.
"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from edgeage.datasets.records import read_records
from edgeage.errors import DatasetError, did_you_mean
from edgeage.paths import data_dir

__all__ = ["ListedFace", "find_list", "read_list", "read_tests", "shipped_lists"]

_SUFFIX = ".sha256"
_LINE = re.compile(r"([0-9a-f]{64})  (.+)")


@dataclasses.dataclass(frozen=True, order=True)
class ListedFace:
    """A photograph on a list.

    Attributes:
        name: file name without folders.
        sha256: hash of the file's bytes, 64 hexadecimal digits.
    """

    name: str
    sha256: str


def shipped_lists() -> dict[str, Path]:
    """Return the lists that come with edgeage, by name."""
    return {path.stem: path for path in sorted(data_dir("datasets").glob(f"*{_SUFFIX}"))}


def find_list(name: str | Path) -> Path:
    """Return the path of a list.

    Args:
        name: a path, or the name of a list that comes with edgeage.

    Raises:
        DatasetError: when it is neither.
    """
    known = shipped_lists()
    if str(name) in known:
        return known[str(name)]
    if Path(name).is_file():
        return Path(name)
    raise DatasetError(
        f"{name} is no list of faces; expected a file with a sha256 and a name a line, or one of "
        f"{', '.join(known)}{did_you_mean(str(name), known)}"
    )


def read_list(path: Path) -> list[ListedFace]:
    """Read a list.

    Args:
        path: a text file, UTF-8; lines that begin with ``#`` are remarks.

    Raises:
        DatasetError: when it is missing, empty, names a face twice, or has another line.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} is not a readable list of faces: {error}") from None
    faces: dict[str, ListedFace] = {}
    for number, line in enumerate(lines, 1):
        if not line or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None or match[2] in faces:
            wrong = "names a face again" if match else "is not «sha256  name»"
            raise DatasetError(f"{path}: line {number} {wrong}: {line[:100]!r}")
        faces[match[2]] = ListedFace(match[2], match[1])
    if not faces:
        raise DatasetError(f"{path} lists no face")
    return list(faces.values())


def read_tests(path: Path) -> list[ListedFace]:
    """Read the faces that are to be test faces.

    Args:
        path: a list, or another data set's ``records.csv``, of which the test faces are meant.

    Raises:
        DatasetError: when it is neither.
    """
    if path.suffix == _SUFFIX:
        return read_list(path)
    records = [item.record for item in read_records(path) if item.split == "test"]
    return [ListedFace(record.name, record.sha256) for record in records]
