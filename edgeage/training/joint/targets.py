"""What a face is taught as: shares of age groups and of genders instead of one class."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from edgeage.labels import AGE_GROUPS, GENDERS

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["GROUP_STARTS", "age_targets", "gender_targets"]

GROUP_STARTS = tuple(int(group.partition("-")[0]) for group in AGE_GROUPS)
"""The age in years at which each of the nine groups begins."""


def age_targets(
    ages_years: np.ndarray, spread_years: float, starts_years: Sequence[int] = GROUP_STARTS
) -> np.ndarray:
    """Spread each age over the classes as a normal distribution would.

    A face of 29 looks much like one of 31; a distribution around the age says so (after Gao et
    al., *Deep Label Distribution Learning With Label Ambiguity*, IEEE TIP 2017).

    Args:
        ages_years: whole years, shape (n,); the middle of the year of life counts.
        spread_years: standard deviation.
        starts_years: the age at which each class begins, the youngest first.

    Returns:
        float32 array of shape (n, classes), rows summing to 1.

    >>> int(age_targets(np.array([25]), 3.0).argmax())
    2
    """
    edges = np.array(starts_years[1:], np.float64)
    below = 0.5 * (1 + _erf((edges[None] - ages_years[:, None] - 0.5) / (spread_years * 2**0.5)))
    cumulated = np.concatenate([np.zeros((len(below), 1)), below, np.ones((len(below), 1))], axis=1)
    shares: np.ndarray = np.diff(cumulated, axis=1).astype(np.float32)
    return shares


def gender_targets(genders: np.ndarray, smoothing: float) -> np.ndarray:
    """Return one-hot genders with a share of certainty taken away (label smoothing).

    Args:
        genders: indices into :data:`edgeage.labels.GENDERS`, shape (n,).
        smoothing: 0 to 1, spread evenly over the genders.

    Returns:
        float32 array of shape (n, genders).
    """
    sure = np.eye(len(GENDERS), dtype=np.float32)[genders]
    shares: np.ndarray = sure * np.float32(1 - smoothing) + np.float32(smoothing / len(GENDERS))
    return shares


def _erf(values: np.ndarray) -> np.ndarray:
    result: np.ndarray = np.vectorize(math.erf, otypes=[np.float64])(values)
    return result
