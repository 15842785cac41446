"""UTKFace's file names and what they say (Zhang, Song and Qi, CVPR 2017).

A name is ``age_gender_race_date.jpg.chip.jpg``: age in years, gender 0 male or 1 female, race 0
white, 1 black, 2 asian, 3 indian, 4 others. A few of the published names are malformed.
"""

from __future__ import annotations

import re

from edgeage.datasets.records import RACES, FaceRecord
from edgeage.labels import GENDERS, MAX_AGE

__all__ = ["BadNameError", "parse_name"]

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
    edgeage.datasets.utkface.BadNameError: missing field
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
