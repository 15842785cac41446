"""The settings of a recipe: holding numbers to their range, and changing them by words."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

from edgeage.errors import TrainingError, UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

__all__ = ["changed_settings", "check_number", "check_numbers"]


def check_number(
    name: str, value: object, *, whole: bool = False, low: float = 0.0, high: float = math.inf
) -> None:
    """Hold that a setting is a number within its range, both ends included.

    Args:
        name: what to call it in an error.
        value: what was given.
        whole: whether it has to be an ``int``.
        low: the least it may be.
        high: the most.

    Raises:
        TrainingError: when it is none; a truth value, NaN and infinity are none.
    """
    wanted = int if whole else int | float
    if not isinstance(value, wanted) or isinstance(value, bool) or not math.isfinite(value):
        kind = "a whole number" if whole else "a number"
        raise TrainingError(f"expected {name} as {kind}, got {value!r}")
    if not low <= value <= high:
        span = f"from {low:g} to {high:g}" if math.isfinite(high) else f"of {low:g} or more"
        raise TrainingError(f"expected {name} {span}, got {value}")


def check_numbers(
    recipe: Any, *, above_zero: Collection[str], shares: Collection[str], others: Collection[str]
) -> None:
    """Hold that the numbers of a recipe, a dataclass, are within their range: 0 or more.

    Args:
        recipe: the settings.
        above_zero: those that may not be 0.
        shares: those that may not be above 1.
        others: the settings that are no numbers.

    Raises:
        TrainingError: for the first that is not.
    """
    for field in dataclasses.fields(recipe):
        name, value = field.name, getattr(recipe, field.name)
        if name not in others:
            high = 1.0 if name in shares else math.inf
            check_number(name, value, whole=field.type == "int", high=high)
        if name in above_zero and value == 0:
            raise TrainingError(f"expected {name} above 0, got {value}")


def changed_settings(
    settings: Mapping[str, Any], words: Sequence[str], tables: Collection[str]
) -> dict[str, Any]:
    """Return settings with ``key=value`` words put into them, ``table.key=value`` into a table.

    Args:
        settings: by name; a table is a mapping.
        words: whole numbers, numbers and other texts become ``int``, ``float`` and ``str``.
        tables: names of the tables that may be changed.

    Raises:
        UsageError: for a word that is not ``key=value``, or of another table.
    """
    changed = {name: dict(v) if name in tables else v for name, v in settings.items()}
    for word in words:
        key, _, text = word.partition("=")
        if not key or not text:
            raise UsageError(f"expected key=value, got «{word}»")
        table, dot, name = key.partition(".")
        if dot and table not in tables:
            raise UsageError(f"unknown setting «{key}»{did_you_mean(table, tables)}")
        target = changed[table] if dot else changed
        target[name if dot else key] = _value(text)
    return changed


def _value(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
