"""The figures a model is judged by, each as a statistic over faces."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from edgeage.evaluation.bootstrap import Statistic
from edgeage.evaluation.decoded import nearest_groups
from edgeage.evaluation.protocols import ADIENCE_GROUPS, FIVE_GROUPS, group_of, ranges_of
from edgeage.labels import AGE_GROUPS, GENDERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edgeage.evaluation.decoded import Ages, Decoded, Genders
    from edgeage.evaluation.faces import Truth

__all__ = ["ADULT_YEARS", "CATALOGUE", "CS_YEARS", "Kind", "slices", "statistics"]

ADULT_YEARS = 18
CS_YEARS = range(16)
"""The n of CS(n), the share of faces whose age is at most n years off (Geng et al., TPAMI 2007)."""

_BINS = 10


@dataclasses.dataclass(frozen=True)
class Kind:
    """What a figure is.

    Attributes:
        title: for people.
        unit: ``"years"`` or ``"share"``.
        lower: whether a lower one is better; None where neither is.
        exact: whether each face is simply right or wrong, so that McNemar's test compares models.
    """

    title: str
    unit: str
    lower: bool | None = False
    exact: bool = False


CATALOGUE = {
    "age_mae": Kind("age, mean absolute error", "years", lower=True),
    "age_bias": Kind("age, mean error", "years", lower=None),
    "apparent_mae": Kind("apparent age, mean absolute error", "years", lower=True),
    "person_mae": Kind("age, mean absolute error, mean over persons", "years", lower=True),
    "age_cs5": Kind("age at most 5 years off (CS@5)", "share", exact=True),
    "age_group": Kind("age group of nine", "share", exact=True),
    "age_one_off": Kind("age group, one off", "share", exact=True),
    "age_balanced": Kind("age group, class-balanced recall", "share"),
    "age_group_5": Kind("age group of five", "share", exact=True),
    "adience_group": Kind("age group of Adience's eight", "share", exact=True),
    "adience_one_off": Kind("Adience's eight, one off", "share", exact=True),
    "age_ece": Kind("age group, expected calibration error", "share", lower=True),
    "interval_coverage": Kind("age within its interval", "share", lower=None),
    "interval_width": Kind("width of the interval", "years", lower=True),
    "gender": Kind("gender", "share", exact=True),
    "gender_adult": Kind(f"gender, {ADULT_YEARS} years and over", "share", exact=True),
    "gender_balanced": Kind("gender, class-balanced recall", "share"),
    "gender_ece": Kind("gender, expected calibration error", "share", lower=True),
}
"""Every figure by name, in the order it is shown."""


def statistics(truth: Truth, decoded: Decoded, *, adience: bool = False) -> dict[str, Statistic]:
    """Return the figures of a model's answers; what truth or model do not tell has none.

    Args:
        truth: the faces' labels.
        decoded: what the model says of the same faces.
        adience: whether the ages stand for Adience's eight groups instead of years.

    Returns:
        By name, in the order of :data:`CATALOGUE`.
    """
    found: dict[str, Statistic] = {}
    if decoded.ages is not None:
        found |= _of_adience(truth, decoded.ages) if adience else _of_ages(truth, decoded.ages)
    if decoded.genders is not None:
        found |= _of_genders(truth, decoded.genders)
    return {name: found[name] for name in CATALOGUE if name in found and found[name].scored.any()}


def slices(truth: Truth) -> Iterator[tuple[str, str, np.ndarray]]:
    """Yield each group of faces that is scored by itself: by what, which, a bool (n,)."""
    for race in dict.fromkeys(sorted(filter(None, truth.races))):
        yield "race", race, np.array([found == race for found in truth.races])
    for number, name in enumerate(GENDERS):
        yield "gender", name, truth.genders == number
    known = np.isfinite(truth.ages)
    groups = nearest_groups(np.where(known, truth.ages, 0))
    for number, name in enumerate(AGE_GROUPS):
        yield "age_group", name, known & (groups == number)


def _of_ages(truth: Truth, ages: Ages) -> dict[str, Statistic]:
    known = np.isfinite(truth.ages)
    error = ages.years - np.where(known, truth.ages, 0)
    groups = nearest_groups(np.where(known, truth.ages, 0))
    off = np.abs(groups - ages.groups)
    found = {
        "age_mae": Statistic.mean(np.abs(error), known),
        "age_bias": Statistic.mean(error, known),
        "age_cs5": Statistic.mean(np.abs(error) <= 5, known),
        "age_group": Statistic.mean(off == 0, known),
        "age_one_off": Statistic.mean(off <= 1, known),
        "age_balanced": _balanced(groups, off == 0, known, len(AGE_GROUPS)),
        "age_group_5": _of_groups(truth.ages, ages, FIVE_GROUPS, outside=False),
    }
    if ages.confidences is not None:
        found["age_ece"] = _calibration(ages.confidences, off == 0, known)
    if ages.intervals is not None:
        low, high = ages.intervals.T
        inside = (low <= truth.ages) & (truth.ages <= high)
        found["interval_coverage"] = Statistic.mean(inside, known)
        found["interval_width"] = Statistic.mean(high - low, known)
    apparent = np.isfinite(truth.apparent_ages)
    found["apparent_mae"] = Statistic.mean(np.abs(ages.years - truth.apparent_ages), apparent)
    if all(truth.persons):
        found["person_mae"] = _by_person(truth.persons, np.abs(error), known)
    return found


def _of_adience(truth: Truth, ages: Ages) -> dict[str, Statistic]:
    right = _of_groups(truth.ages, ages, ADIENCE_GROUPS)
    near = _of_groups(truth.ages, ages, ADIENCE_GROUPS, off=1)
    return {"adience_group": right, "adience_one_off": near}


def _of_groups(
    truth_years: np.ndarray,
    ages: Ages,
    labels: Sequence[str],
    *,
    off: int = 0,
    outside: bool = True,
) -> Statistic:
    """Score other groups than the nine, by the network's own where it has them.

    Args:
        truth_years: float64 (n,).
        ages: what is said of them.
        labels: the groups, such as ``"25-32"``.
        off: how far off counts as right.
        outside: whether a face of an age in none of them belongs to the nearest, or is left out.
    """
    known = np.isfinite(truth_years)
    if not outside:
        ranges = ranges_of(tuple(labels))
        known &= (truth_years >= ranges[0][0]) & (truth_years <= ranges[-1][1])
    wanted = group_of(np.where(known, truth_years, 0), labels)
    own = ages.own_groups if ages.labels == tuple(labels) else None
    told = group_of(ages.years, labels) if own is None else own
    return Statistic.mean(np.abs(wanted - told) <= off, known)


def _of_genders(truth: Truth, told: Genders) -> dict[str, Statistic]:
    known = truth.genders >= 0
    right = told.genders == truth.genders
    adult = known & (truth.ages >= ADULT_YEARS)
    return {
        "gender": Statistic.mean(right, known),
        "gender_adult": Statistic.mean(right, adult),
        "gender_balanced": _balanced(truth.genders, right, known, len(GENDERS)),
        "gender_ece": _calibration(told.confidences, right, known),
    }


def _balanced(classes: np.ndarray, right: np.ndarray, scored: np.ndarray, count: int) -> Statistic:
    """The mean of the recalls of the classes that have faces, each class counting once."""
    belongs = (classes[:, None] == np.arange(count)) & scored[:, None]
    columns = np.hstack([belongs & right[:, None], belongs]).astype(np.float64)

    def finish(sums: np.ndarray) -> np.ndarray:
        found, there = sums[..., :count], sums[..., count:]
        with np.errstate(invalid="ignore", divide="ignore"):
            recalls = np.where(there > 0, found / there, 0)
            result: np.ndarray = recalls.sum(axis=-1) / (there > 0).sum(axis=-1)
        return result

    return Statistic(columns, finish, scored)


def _calibration(confidences: np.ndarray, right: np.ndarray, scored: np.ndarray) -> Statistic:
    """The expected calibration error in ten bins of equal width (Guo et al., ICML 2017)."""
    bins = np.minimum((confidences * _BINS).astype(int), _BINS - 1)
    belongs = (bins[:, None] == np.arange(_BINS)) & scored[:, None]
    gaps = np.where(belongs, (confidences - right)[:, None], 0.0)

    def finish(sums: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore", divide="ignore"):
            result: np.ndarray = np.abs(sums[..., :_BINS]).sum(axis=-1) / sums[..., -1]
        return result

    columns = np.hstack([gaps, scored[:, None]]).astype(np.float64)
    return Statistic(columns, finish, scored)


def _by_person(persons: Sequence[str], errors: np.ndarray, scored: np.ndarray) -> Statistic:
    """The mean over persons of each one's mean error; a person is drawn as a whole."""
    _, number, count = np.unique(persons, return_inverse=True, return_counts=True)
    weight = np.where(scored, 1 / count[number], 0.0)
    return dataclasses.replace(
        Statistic.mean(errors, scored), columns=np.stack([weight * errors, weight], axis=1)
    )
