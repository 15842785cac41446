"""Confidence intervals by resampling faces that belong together as one.

Every figure here is a function of sums over faces, so a resample is a matrix product: how often
each unit was drawn, times each unit's sums. The intervals are the percentile ones (B. Efron and
R. J. Tibshirani: An Introduction to the Bootstrap, 1993, chapter 13), of 95 %.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["Figure", "Resampler", "Statistic", "mcnemar", "share_below"]

CONFIDENCE = 0.95
_BLOCK_BYTES = 64 << 20


@dataclasses.dataclass(frozen=True)
class Statistic:
    """A figure as sums over faces and what is made of them.

    Attributes:
        columns: float64 (n, k), what each face adds to each sum; zeros where it is not scored.
        finish: makes the figure, (...), of sums, (..., k).
        scored: bool (n,), which faces it is about.
    """

    columns: np.ndarray
    finish: Callable[[np.ndarray], np.ndarray]
    scored: np.ndarray

    @classmethod
    def mean(cls, values: np.ndarray, scored: np.ndarray) -> Statistic:
        """The mean of values, (n,), over the scored faces."""
        kept = np.where(scored, values, 0.0)
        return cls(np.stack([kept, scored.astype(np.float64)], axis=1), _ratio, scored)

    def of(self, faces: np.ndarray) -> Statistic:
        """The same of those faces alone, by a bool (n,)."""
        scored = self.scored & faces
        return Statistic(np.where(faces[:, None], self.columns, 0.0), self.finish, scored)


@dataclasses.dataclass(frozen=True)
class Figure:
    """A figure with its interval.

    Attributes:
        value: as measured.
        low: lower end of its 95 % confidence interval.
        high: upper end.
        faces: how many faces it is of.
    """

    value: float
    low: float
    high: float
    faces: int

    def to_dict(self) -> dict[str, float | int]:
        """Return the fields, rounded to five places."""
        return {
            "value": round(self.value, 5),
            "low": round(self.low, 5),
            "high": round(self.high, 5),
            "faces": self.faces,
        }


class Resampler:
    """Draws units with replacement; the same seed draws the same ones for every model.

    Args:
        units: int64 (n,), equal for faces that are drawn together, 0 to the number of units.
        resamples: how many times.
        seed: of the draws.
    """

    def __init__(self, units: np.ndarray, resamples: int = 1000, seed: int = 230) -> None:
        self._units = units
        self._count = int(units.max()) + 1 if len(units) else 0
        self._resamples, self._seed = resamples, seed

    def values(self, statistics: Mapping[str, Statistic]) -> dict[str, np.ndarray]:
        """Return each statistic of every resample, float64 (resamples,)."""
        parts: dict[str, list[np.ndarray]] = {name: [] for name in statistics}
        sums = {name: self._unit_sums(statistic) for name, statistic in statistics.items()}
        for drawn in self._draws():
            for name, (present, of_units) in sums.items():
                parts[name].append(statistics[name].finish(drawn[:, present] @ of_units))
        return {name: np.concatenate(values) for name, values in parts.items()}

    def figures(
        self, statistics: Mapping[str, Statistic]
    ) -> tuple[dict[str, Figure], dict[str, np.ndarray]]:
        """Return each statistic with its interval, and its resampled values.

        One without a scored face is left out.
        """
        kept = {name: found for name, found in statistics.items() if found.scored.any()}
        values = self.values(kept)
        figures = {}
        for name, statistic in kept.items():
            low, high = interval(values[name])
            value = float(statistic.finish(statistic.columns.sum(axis=0)))
            figures[name] = Figure(value, low, high, int(statistic.scored.sum()))
        return figures, values

    def _unit_sums(self, statistic: Statistic) -> tuple[np.ndarray, np.ndarray]:
        """Return which units have a scored face, and those units' sums."""
        present = np.unique(self._units[statistic.scored])
        sums = np.zeros((self._count, statistic.columns.shape[1]))
        np.add.at(sums, self._units, statistic.columns)
        return present, sums[present]

    def _draws(self) -> Iterator[np.ndarray]:
        """Yield how often each unit was drawn, float64 (some resamples, units)."""
        random = np.random.default_rng(self._seed)
        block = max(1, _BLOCK_BYTES // (8 * max(self._count, 1)))
        for start in range(0, self._resamples, block):
            rows = min(block, self._resamples - start)
            drawn = np.empty((rows, self._count))
            for row in drawn:
                row[:] = np.bincount(
                    random.integers(0, self._count, self._count), minlength=self._count
                )
            yield drawn


def interval(values: np.ndarray) -> tuple[float, float]:
    """Return the 95 % percentile interval of resampled values, of those that had a face."""
    known = values[np.isfinite(values)]
    if not len(known):
        return math.nan, math.nan
    low, high = np.quantile(known, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def share_below(differences: np.ndarray) -> float:
    """Return the two-sided p-value of a mean difference of 0, by resampled differences.

    It is twice the smaller share on either side of 0, no less than one resample's.
    """
    known = differences[np.isfinite(differences)]
    side = min((known <= 0).mean(), (known >= 0).mean()) if len(known) else 1.0
    return float(min(1.0, 2 * max(side, 1 / max(len(known), 1))))


def mcnemar(first: np.ndarray, second: np.ndarray) -> float:
    """Return the exact two-sided p-value that two models are as often right.

    Args:
        first: bool (n,), where the first model is right.
        second: bool (n,), where the second is.

    Source:
        Q. McNemar, Psychometrika 12, 1947; exact by the binomial distribution of the faces on
        which they differ, taken as independent.

    >>> mcnemar(np.array([1, 1, 1, 1, 0], bool), np.array([0, 0, 0, 0, 0], bool))
    0.125
    """
    only_first = int((first & ~second).sum())
    only_second = int((second & ~first).sum())
    differing = only_first + only_second
    tail, term = 0, 1
    for count in range(min(only_first, only_second) + 1):
        tail += term
        term = term * (differing - count) // (count + 1)
    return float(min(1.0, 2 * tail / 2**differing))


def _ratio(sums: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        result: np.ndarray = sums[..., 0] / sums[..., 1]
    return result
