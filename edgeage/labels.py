"""Age groups, genders, and how a network's output becomes an age.

The nine groups are the decades of UTKFace with everything from 80 on in one group; the two
genders stand in UTKFace's own order (0 male, 1 female).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

__all__ = [
    "AGE_GROUPS",
    "DEFAULT_GROUP_AGES",
    "GENDERS",
    "MAX_AGE",
    "TASK_LABELS",
    "age_group_index",
    "expected_age",
]

MAX_AGE = 120

_BOUNDS = (*((low, low + 9) for low in range(0, 80, 10)), (80, MAX_AGE))

AGE_GROUPS: tuple[str, ...] = tuple(f"{low}-{high}" for low, high in _BOUNDS)
"""The nine age groups in label order: ``0-9``, ``10-19``, …, ``70-79``, ``80-120`` (years)."""

GENDERS: tuple[str, ...] = ("Male", "Female")
"""The two genders in label order, as UTKFace numbers them."""

TASK_LABELS: dict[str, tuple[str, ...]] = {"age": AGE_GROUPS, "gender": GENDERS}

DEFAULT_GROUP_AGES: tuple[float, ...] = (*((low + high) / 2 for low, high in _BOUNDS[:-1]), 85.0)
"""One age in years that stands for each group where the training data's own mean is not known.

The middle of each decade; 85 for the open last one, whose middle (100) nearly nobody reaches.
"""


def age_group_index(age_years: int) -> int:
    """Return the label of an age.

    Args:
        age_years: 0 to 120.

    Returns:
        The index into :data:`AGE_GROUPS`.

    Raises:
        ValueError: for an age below 0 or above 120.

    >>> AGE_GROUPS[age_group_index(9)], AGE_GROUPS[age_group_index(10)]
    ('0-9', '10-19')
    >>> AGE_GROUPS[age_group_index(103)]
    '80-120'
    """
    if not 0 <= age_years <= MAX_AGE:
        raise ValueError(f"expected an age of 0 to {MAX_AGE} years, got {age_years}")
    return min(age_years // 10, len(AGE_GROUPS) - 1)


def expected_age(probabilities: np.ndarray, group_ages: Sequence[float]) -> np.ndarray:
    """Return the expectation of the age over the groups (Rothe et al., DEX, ICCVW 2015).

    Args:
        probabilities: float array of shape (..., groups), each row summing to 1.
        group_ages: the age in years that stands for each group.

    Returns:
        Float array of shape (...), years.

    Raises:
        ValueError: when the last axis and ``group_ages`` differ in length.

    >>> import numpy as np
    >>> float(expected_age(np.array([0.5, 0.5]), [4.5, 14.5]))
    9.5
    """
    import numpy as np

    if probabilities.shape[-1] != len(group_ages):
        raise ValueError(
            f"expected {len(group_ages)} group probabilities, got {probabilities.shape[-1]}"
        )
    return probabilities @ np.asarray(group_ages, dtype=np.float64)
