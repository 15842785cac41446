"""How a network of the zoo does on faces that were held back."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeage.answers import decode
from edgeage.evaluation.decoded import nearest_groups
from edgeage.evaluation.metrics import Score
from edgeage.labels import AGE_GROUPS, GENDERS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edgeage.datasets.records import SplitRecord
    from edgeage.outputs import Output

__all__ = ["ZooScore"]


@dataclasses.dataclass(frozen=True)
class ZooScore:
    """Shares from 0 to 1 over some faces; None for what the network does not tell.

    Attributes:
        faces: how many.
        loss: the weighted loss it is trained by.
        mae_years: mean absolute error of the age, as a Predictor tells it.
        age: right ones of the nine age groups, by that age.
        one_off: age groups at most one off.
        balanced: mean recall of the age groups.
        gender: genders right.
        adult_gender: genders right of those of 18 and more years; None too when there are none.
    """

    faces: int
    loss: float
    mae_years: float | None = None
    age: float | None = None
    one_off: float | None = None
    balanced: float | None = None
    gender: float | None = None
    adult_gender: float | None = None

    @classmethod
    def of(
        cls,
        records: Sequence[SplitRecord],
        outputs: Sequence[Output],
        answers: Mapping[str, np.ndarray],
        loss: float,
    ) -> ZooScore:
        """Score answers.

        Args:
            records: the faces.
            outputs: what the network's outputs mean.
            answers: by output name, float (n, values).
            loss: see above.
        """
        fields: dict[str, Any] = {}
        for output in outputs:
            told = [decode(output, row) for row in answers[output.name]]
            fields |= _SCORES[output.task](records, told)
        return cls(len(records), loss, **fields)

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as JSON-ready values."""
        return dataclasses.asdict(self)


def _age(records: Sequence[SplitRecord], told: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    years = np.array([item.record.age for item in records])
    found = np.array([face["age"] for face in told])
    groups = np.array([item.record.age_group for item in records])
    score = Score.of(groups, nearest_groups(found), AGE_GROUPS, ordered=True)
    return {
        "mae_years": float(np.abs(found - years).mean()),
        "age": score.accuracy,
        "one_off": score.one_off_accuracy,
        "balanced": score.balanced_recall,
    }


def _gender(records: Sequence[SplitRecord], told: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    right = np.array(
        [
            item.record.gender == GENDERS.index(face["gender"])
            for item, face in zip(records, told, strict=True)
        ]
    )
    adult = np.array([item.record.age >= 18 for item in records])
    return {
        "gender": float(right.mean()),
        "adult_gender": float(right[adult].mean()) if adult.any() else None,
    }


_SCORES = {"age": _age, "gender": _gender}
