"""What a face is taught as: shares of age groups and of genders instead of one class."""

from __future__ import annotations

import math

import numpy as np

from edgeage.labels import AGE_GROUPS, GENDERS

__all__ = ["age_targets", "gender_targets"]

_STARTS = tuple(float(group.partition("-")[0]) for group in AGE_GROUPS)


def age_targets(ages_years: np.ndarray, spread_years: float) -> np.ndarray:
    """Spread each age over the groups as a normal distribution would.

    A face of 29 looks much like one of 31; a distribution around the age says so (after Gao et
    al., *Deep Label Distribution Learning With Label Ambiguity*, IEEE TIP 2017).

    Args:
        ages_years: whole years, shape (n,); the middle of the year of life counts.
        spread_years: standard deviation.

    Returns:
        float32 array of shape (n, groups), rows summing to 1.

    >>> int(age_targets(np.array([25]), 3.0).argmax())
    2
    """
    edges = np.array([*_STARTS[1:]])
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
