"""How other data sets' authors score: their age groups and their folds."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edgeage.evaluation.bootstrap import Statistic

__all__ = ["ADIENCE_GROUPS", "FIVE_GROUPS", "fold_figures", "group_of", "ranges_of"]

FIVE_GROUPS = ("1-13", "14-23", "24-39", "40-55", "56-85")
"""Five age groups many published networks answer in."""

ADIENCE_GROUPS = ("0-2", "4-6", "8-12", "15-20", "25-32", "38-43", "48-53", "60-100")
"""Adience's eight (Eidinger, Enbar and Hassner, TIFS 2014; the last is open)."""

_RANGE = re.compile(r"(\d+)-(\d+)")


@functools.cache
def ranges_of(labels: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
    """Return the lowest and highest age in years of each group, such as ``"25-32"``.

    >>> ranges_of(("0-2", "4-6"))
    ((0, 2), (4, 6))
    """
    found = [_RANGE.fullmatch(label) for label in labels]
    return tuple((int(match[1]), int(match[2])) for match in found if match)


def group_of(years: np.ndarray, labels: Sequence[str]) -> np.ndarray:
    """Return the group each age to the nearest year lies in, or the nearest one; int64 (n,).

    Of two that are equally near it is the younger.

    >>> group_of(np.array([2.4, 3.0, 29.0, 200.0]), ADIENCE_GROUPS).tolist()
    [0, 0, 4, 7]
    """
    whole = np.floor(np.asarray(years, np.float64) + 0.5)[:, None]
    low, high = np.array(ranges_of(tuple(labels))).T
    away = np.maximum(np.maximum(low - whole, whole - high), 0)
    result: np.ndarray = away.argmin(axis=1)
    return result


def fold_figures(
    statistics: Mapping[str, Statistic], folds: Sequence[str], names: Sequence[str]
) -> dict[str, Any]:
    """Score each fold by itself, as Levi and Hassner (CVPR Workshops 2015) report Adience.

    Args:
        statistics: the figures of all faces.
        folds: for each face its fold.
        names: which figures.

    Returns:
        By figure its mean over the folds, the standard deviation among them, and each fold's.
    """
    labels = sorted(set(folds), key=lambda fold: (len(fold), fold))
    found: dict[str, Any] = {}
    for name in names:
        if name not in statistics:
            continue
        each = {}
        for label in labels:
            part = statistics[name].of(np.array([fold == label for fold in folds]))
            if part.scored.any():
                each[label] = round(float(part.finish(part.columns.sum(axis=0))), 5)
        values = list(each.values())
        spread = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
        found[name] = {
            "mean": round(float(np.mean(values)), 5),
            "sd": round(spread, 5),
            "folds": each,
        }
    return found
