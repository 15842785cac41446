"""UTKFace's file names and what they say (Zhang, Song and Qi, CVPR 2017).

A name is ``age_gender_race_date.jpg.chip.jpg``: age in years, gender 0 male or 1 female, race 0
white, 1 black, 2 asian, 3 indian, 4 others. A few of the published names are malformed. The
in-the-wild pictures lack ``.chip.jpg``; ``landmark_list_part1.txt`` and so on have a line for
each: its name, then x and y in pixels of 68 points in the order of Multi-PIE (Gross et al., 2010).
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from edgeage.datasets.importers.found import Candidate, Drop, FaceHint, Importer, ImportOptions
from edgeage.datasets.importers.labelindex import Label, LabelIndex
from edgeage.datasets.importers.tables import table_files
from edgeage.datasets.records import RACES, FaceRecord
from edgeage.datasets.sources import members
from edgeage.errors import DatasetError
from edgeage.labels import GENDERS, MAX_AGE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edgeage.datasets.sources import Member

__all__ = ["IMPORTER", "BadNameError", "parse_name"]

_TABLE = re.compile(r"landmark_list\w*\.txt")
_POINTS = 68
_EYES = (range(36, 42), range(42, 48))
_NOSE_AND_MOUTH = (30, 48, 54)

_SUFFIX = "(?:jpe?g|png|bmp|webp)"
_PICTURE = re.compile(rf".+{_SUFFIX}", re.IGNORECASE)
_DATE = re.compile(rf"[0-9]+\.{_SUFFIX}(?:\.chip\.{_SUFFIX})?", re.IGNORECASE)
_DATE_WITHOUT_DOT = re.compile(rf"[0-9]+{_SUFFIX}(?:\..*)?", re.IGNORECASE)
_AGE = re.compile("[0-9]{1,3}")


class BadNameError(ValueError):
    """A file name that does not say what a face's labels are; its text is the reason."""


def parse_name(name: str) -> FaceRecord:
    """Read a face's labels from its file name.

    Args:
        name: the name without folders.

    Returns:
        The record, without hash.

    Raises:
        BadNameError: with one of a handful of reasons, fit to count names by.

    >>> parse_name("34_1_2_20170109142408075.jpg.chip.jpg").age
    34
    >>> parse_name("61_1_20170109142408075.jpg.chip.jpg")
    Traceback (most recent call last):
    edgeage.datasets.importers.utkface.BadNameError: missing field
    """
    if name.startswith("."):
        raise BadNameError("hidden file")
    if not _PICTURE.fullmatch(name):
        raise BadNameError("not a picture")
    if any(letter.isspace() for letter in name):
        raise BadNameError("space in the name")
    fields = name.split("_")
    if len(fields) != 4:
        raise BadNameError("missing field" if len(fields) < 4 else "extra field")
    _check_date(fields[3])
    return FaceRecord(name, _age(fields[0]), _gender(fields[1]), _race(fields[2]))


def _check_date(text: str) -> None:
    if _DATE_WITHOUT_DOT.fullmatch(text):
        raise BadNameError("missing dot")
    if not _DATE.fullmatch(text):
        raise BadNameError("malformed date")


def _age(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise BadNameError("age is not a number")
    if not _AGE.fullmatch(text) or int(text) > MAX_AGE:
        raise BadNameError("age out of range")
    return int(text)


def _gender(text: str) -> int:
    return _code(text, len(GENDERS), "unknown gender")


def _race(text: str) -> str:
    return RACES[_code(text, len(RACES), "unknown race")]


def _code(text: str, count: int, reason: str) -> int:
    codes = [str(code) for code in range(count)]
    if text not in codes:
        raise BadNameError(reason)
    return codes.index(text)


def _faces(source: Path, options: ImportOptions, work: Path) -> Iterator[Candidate | Drop]:
    if not options.labels:
        for member in members(source):
            yield _face(member, None)
        return
    expected = "landmark_list_part1.txt and so on"
    tables = table_files(source, options, _is_table, work, expected=expected)
    with LabelIndex(work / "labels.sqlite") as index:
        for name, path in tables:
            for label in _landmarks(name, path):
                if not index.add(label):
                    yield Drop(label.path, "landmarks given twice", is_file=False)
        for member in members(source):
            if not _is_table(member.name):
                yield _face(member, index)


def _is_table(name: str) -> bool:
    return bool(_TABLE.fullmatch(name))


def _face(member: Member, landmarks: LabelIndex | None) -> Candidate | Drop:
    if member.problem:
        return Drop(member.path, member.problem)
    try:
        record = parse_name(member.name)
    except BadNameError as reason:
        return Drop(member.path, str(reason))
    found = partial(Candidate, record, member.path, member.read)
    if landmarks is None or ".chip." in member.name:
        return found()
    label = landmarks.find(member.name)
    if label is None or label.hint is None:
        return Drop(member.path, label.reason if label else "no landmarks")
    return found(label.hint)


def _landmarks(name: str, path: Path) -> Iterator[Label]:
    try:
        with path.open(encoding="utf-8-sig") as file:
            for line in file:
                if words := line.split():
                    yield _hinted(words[0], words[1:])
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{name} is not a readable list of landmarks: {error}") from None


def _hinted(picture: str, words: list[str]) -> Label:
    try:
        values = [float(word) for word in words]
    except ValueError:
        values = []
    if len(values) != 2 * _POINTS or not all(abs(value) < 1e6 for value in values):
        return Label(picture, reason="malformed landmarks")
    xs, ys = values[::2], values[1::2]
    if min(xs) == max(xs) or min(ys) == max(ys):
        return Label(picture, reason="malformed landmarks")
    eyes = [
        (sum(xs[i] for i in eye) / len(eye), sum(ys[i] for i in eye) / len(eye)) for eye in _EYES
    ]
    points = (*eyes, *((xs[i], ys[i]) for i in _NOSE_AND_MOUTH))
    return Label(picture, hint=FaceHint((min(xs), min(ys), max(xs), max(ys)), points))


IMPORTER = Importer(
    "utkface.toml",
    _faces,
    frozenset({"labels"}),
    has_race=True,
    gives_hints=lambda options: bool(options.labels),
)
