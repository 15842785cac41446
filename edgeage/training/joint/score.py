"""How a joint network does on faces with both labels."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeage.evaluation.metrics import Score
from edgeage.labels import AGE_GROUPS, DEFAULT_GROUP_AGES, age_group_index, expected_age

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgeage.datasets.records import SplitRecord

__all__ = ["JointScore"]


@dataclasses.dataclass(frozen=True)
class JointScore:
    """Shares from 0 to 1 over some faces.

    Attributes:
        faces: how many.
        loss: mean negative log-likelihood of age group and gender together.
        mae_years: mean absolute error of the expected age, in years.
        age: age groups right.
        one_off: age groups at most one off.
        balanced: mean recall of the age groups.
        gender: genders right.
        adult_gender: genders right of those of 18 and more years; None when there are none.
    """

    faces: int
    loss: float
    mae_years: float
    age: float
    one_off: float
    balanced: float
    gender: float
    adult_gender: float | None

    @classmethod
    def of(
        cls,
        records: Sequence[SplitRecord],
        ages: np.ndarray,
        genders: np.ndarray,
        class_ages: Sequence[float] = DEFAULT_GROUP_AGES,
    ) -> JointScore:
        """Score probabilities.

        Args:
            records: the faces.
            ages: float (n, classes), the nine groups or a class a year.
            genders: float (n, genders).
            class_ages: the age in years that stands for each class.
        """
        years = np.array([item.record.age for item in records])
        expected = expected_age(ages, class_ages)
        ages = _in_groups(ages)
        groups = np.array([item.record.age_group for item in records])
        truth = np.array([item.record.gender for item in records])
        adult = np.array([item.record.age >= 18 for item in records])
        row = np.arange(len(records))
        likely = np.maximum(ages[row, groups] * genders[row, truth], 1e-12)
        age = Score.of(groups, ages.argmax(1), AGE_GROUPS, ordered=True)
        right = genders.argmax(1) == truth
        return cls(
            faces=len(records),
            loss=float(-np.log(likely).mean()),
            mae_years=float(np.abs(expected - years).mean()),
            age=age.accuracy,
            one_off=float(age.one_off_accuracy or 0.0),
            balanced=age.balanced_recall,
            gender=float(right.mean()),
            adult_gender=float(right[adult].mean()) if adult.any() else None,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as JSON-ready values."""
        return dataclasses.asdict(self)


def _in_groups(ages: np.ndarray) -> np.ndarray:
    """Sum the classes of each of the nine groups, where there is a class a year."""
    if ages.shape[1] == len(AGE_GROUPS):
        return ages
    groups = np.array([age_group_index(year) for year in range(ages.shape[1])])
    summed: np.ndarray = ages @ np.eye(len(AGE_GROUPS))[groups]
    return summed
