"""Turning a table's words into labels: ages and age ranges, genders."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from edgeage.errors import DatasetError
from edgeage.labels import GENDERS, MAX_AGE

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["BadLabelError", "age_of", "gender_of", "range_age"]

_RANGE = re.compile(r"[(\[]?\s*(\d{1,3})\s*(?:,|-|–|to)\s*(\d{1,3})\s*[)\]]?")
_OPEN = re.compile(r"(?:more than\s*(\d{1,3})|(\d{1,3})\s*\+)", re.IGNORECASE)
_GENDER_WORDS = {"male": 0, "m": 0, "man": 0, "female": 1, "f": 1, "woman": 1}
_UNKNOWN = ("", "u", "unknown", "nan", "none")

# The medians of UTKFace's training faces of at least that age. The middle of 60 to 120 is 90.
_MEDIAN_ABOVE = {60: 70, 70: 79}


class BadLabelError(ValueError):
    """A label that cannot be used; its text is the reason, fit to count by."""


def range_age(low: int, high: int) -> int:
    """Return the year that stands for an age range: its middle, rounded down.

    A last range without a real end stands for the median age of UTKFace's faces in it: 70 years
    from 60 on, 79 from 70 on.

    >>> range_age(25, 32), range_age(60, 100), range_age(70, 120)
    (28, 70, 79)
    """
    return _MEDIAN_ABOVE.get(low, (low + high) // 2) if high >= 100 else (low + high) // 2


def age_of(text: str) -> tuple[int, tuple[int, int] | None]:
    """Read an age in years, or a range of them.

    Args:
        text: ``"34"``, ``"34.6"`` (rounded down, as birthdays are counted), ``"(25, 32)"``,
            ``"25-32"``, ``"more than 70"``, ``"60+"``.

    Returns:
        The age, and the lowest and highest year when it is a range.

    Raises:
        BadLabelError: when it is none, or no human age.

    >>> age_of("34.0"), age_of("(25, 32)"), age_of("more than 70")
    ((34, None), (28, (25, 32)), (79, (70, 120)))
    """
    text = text.strip()
    if text.lower() in _UNKNOWN:
        raise BadLabelError("missing age")
    if match := _RANGE.fullmatch(text):
        low, high = int(match[1]), int(match[2])
        if not low <= high <= MAX_AGE:
            raise BadLabelError("age out of range")
        return range_age(low, high), (low, high)
    if match := _OPEN.fullmatch(text):
        low = int(match[1] or match[2])
        if low > MAX_AGE:
            raise BadLabelError("age out of range")
        return range_age(low, MAX_AGE), (low, MAX_AGE)
    try:
        years = float(text)
    except ValueError:
        raise BadLabelError("age is not a number") from None
    if not math.isfinite(years) or not 0 <= years < MAX_AGE + 1:
        raise BadLabelError("age out of range")
    return int(years), None


def gender_of(text: str, codes: Mapping[str, int]) -> int | None:
    """Read a gender.

    Args:
        text: a word such as ``"Female"`` or ``"m"``, or one of ``codes``; empty or «u» when it
            is not known.
        codes: what the table's own words mean.

    Returns:
        Index into :data:`edgeage.labels.GENDERS`, or None.

    Raises:
        DatasetError: for a number without ``codes``: some count 0 for men, some for women.
        BadLabelError: for another word.

    >>> gender_of("Female", {}), gender_of("1", {"1": 0}), gender_of("u", {})
    (1, 0, None)
    """
    word = text.strip().lower()
    word = word.removesuffix(".0")
    if word in codes:
        return codes[word]
    if word in _UNKNOWN:
        return None
    if word in _GENDER_WORDS:
        return _GENDER_WORDS[word]
    if word.lstrip("-").isdigit() and not codes:
        raise DatasetError(
            f"a gender is written as «{text}», which means one thing here and another there; say "
            f"what, for example with --genders 0={GENDERS[0].lower()},1={GENDERS[1].lower()}"
        )
    raise BadLabelError("unknown gender")
