"""One model on one set of faces: every figure, overall and group by group."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeage.evaluation.decoded import decode_answers, nearest_groups
from edgeage.evaluation.figures import CS_YEARS, slices, statistics
from edgeage.evaluation.metrics import Score
from edgeage.evaluation.protocols import fold_figures
from edgeage.labels import AGE_GROUPS, GENDERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgeage.evaluation.bootstrap import Resampler, Statistic
    from edgeage.evaluation.decoded import Ages, Decoded, Genders
    from edgeage.evaluation.faces import LabelledFaces, Truth
    from edgeage.evaluation.raw import RawAnswers
    from edgeage.manifest import Manifest

__all__ = ["Scored", "score"]

_ADIENCE = "adience"
_AGE_STEP = 5
_BINS = 10


@dataclasses.dataclass(frozen=True)
class Scored:
    """A model's figures on some faces.

    Attributes:
        fields: JSON-ready values: ``faces``, ``figures``, ``by`` race, gender and age group, and
            what the plots are drawn of.
        statistics: what the figures were made of.
        resampled: by figure its value in every resample, the same ones for every model.
    """

    fields: dict[str, Any]
    statistics: dict[str, Statistic]
    resampled: dict[str, np.ndarray]


def score(
    manifests: Sequence[Manifest],
    answers: RawAnswers,
    faces: LabelledFaces,
    resampler: Resampler,
) -> Scored:
    """Score answers.

    Args:
        manifests: of the models that gave them; say how they are decoded.
        answers: by task, a row a face.
        faces: the faces, with their labels.
        resampler: draws the faces anew for the intervals.

    Raises:
        DeviceError: when an answer is not a number.
    """
    truth = faces.truth
    decoded = decode_answers(manifests, answers)
    adience = faces.name.lower() == _ADIENCE
    found = statistics(truth, decoded, adience=adience)
    figures, resampled = resampler.figures(found)
    fields: dict[str, Any] = {
        "faces": len(faces),
        "figures": {name: figure.to_dict() for name, figure in figures.items()},
        "by": _by(found, truth, resampler),
    }
    if any(truth.folds):
        fields["folds"] = fold_figures(found, truth.folds, _whole(found))
    if decoded.ages is not None and not adience:
        fields |= _age_details(truth, decoded.ages)
    if decoded.genders is not None:
        fields |= _gender_details(truth, decoded.genders)
    fields["reliability"] = _reliability(truth, decoded, adience=adience)
    return Scored(fields, found, resampled)


def _whole(found: dict[str, Statistic]) -> list[str]:
    """Return the figures that mean something within a fold."""
    return [name for name in found if not name.endswith(("_ece", "_balanced"))]


def _by(
    found: dict[str, Statistic], truth: Truth, resampler: Resampler
) -> dict[str, dict[str, Any]]:
    by: dict[str, dict[str, Any]] = {}
    for kind, name, chosen in slices(truth):
        if not chosen.any():
            continue
        # Within one class the balanced recall is the plain one, over again.
        part = {
            figure: statistic.of(chosen)
            for figure, statistic in found.items()
            if not (kind in figure and figure.endswith("_balanced"))
            and not (kind == "age_group" and figure == "age_balanced")
        }
        figures, _ = resampler.figures(part)
        by.setdefault(kind, {})[name] = {
            "faces": int(chosen.sum()),
            **{figure: value.to_dict() for figure, value in figures.items()},
        }
    return by


def _age_details(truth: Truth, ages: Ages) -> dict[str, Any]:
    known = np.isfinite(truth.ages)
    true, told = truth.ages[known], ages.years[known]
    off = np.abs(told - true)
    confusion = Score.of(nearest_groups(true), ages.groups[known], AGE_GROUPS, ordered=True)
    errors = []
    for start in range(0, int(true.max(initial=0)) + 1, _AGE_STEP):
        chosen = (true >= start) & (true < start + _AGE_STEP)
        if chosen.any():
            errors.append(
                {
                    "from_years": start,
                    "to_years": start + _AGE_STEP - 1,
                    "faces": int(chosen.sum()),
                    "mae": round(float(off[chosen].mean()), 4),
                    "bias": round(float((told - true)[chosen].mean()), 4),
                }
            )
    return {
        "age_groups": confusion.to_dict(),
        "cs": [round(float((off <= years).mean()), 5) for years in CS_YEARS],
        "age_errors": errors,
    }


def _gender_details(truth: Truth, told: Genders) -> dict[str, Any]:
    known = truth.genders >= 0
    if not known.any():
        return {}
    found = Score.of(truth.genders[known], told.genders[known], GENDERS, ordered=False)
    return {"genders": found.to_dict()}


def _reliability(truth: Truth, decoded: Decoded, *, adience: bool) -> dict[str, Any]:
    found = {}
    known = np.isfinite(truth.ages)
    if decoded.ages is not None and decoded.ages.confidences is not None and not adience:
        right = nearest_groups(np.where(known, truth.ages, 0)) == decoded.ages.groups
        found["age_group"] = _bins(decoded.ages.confidences[known], right[known])
    if decoded.genders is not None and (sexed := truth.genders >= 0).any():
        right = decoded.genders.genders == truth.genders
        found["gender"] = _bins(decoded.genders.confidences[sexed], right[sexed])
    return found


def _bins(confidences: np.ndarray, right: np.ndarray) -> list[dict[str, Any]]:
    numbers = np.minimum((confidences * _BINS).astype(int), _BINS - 1)
    return [
        {
            "faces": int((numbers == number).sum()),
            "confidence": round(float(confidences[numbers == number].mean()), 4),
            "accuracy": round(float(right[numbers == number].mean()), 4),
        }
        for number in range(_BINS)
        if (numbers == number).any()
    ]
