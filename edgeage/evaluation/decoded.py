"""Models' answers as ages, age groups and genders, decoded as a Predictor decodes them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from edgeage.answers import decode
from edgeage.labels import AGE_GROUPS, GENDERS, MAX_AGE, age_group_index

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgeage.evaluation.raw import RawAnswers
    from edgeage.manifest import Manifest
    from edgeage.outputs import Output

__all__ = ["Ages", "Decoded", "Genders", "decode_answers"]


@dataclasses.dataclass(frozen=True)
class Ages:
    """What is said of the faces' ages.

    Attributes:
        years: float64 (n,).
        groups: int64 (n,), indices into :data:`edgeage.AGE_GROUPS`: the most probable one, or that
            of the age where the network knows no such groups.
        confidences: float64 (n,), the probability of that group; None without one.
        labels: the network's own groups.
        own_groups: int64 (n,), indices into them; None where it tells no groups.
        intervals: float64 (n, 2), lowest and highest age in years; None where it tells none.
    """

    years: np.ndarray
    groups: np.ndarray
    confidences: np.ndarray | None
    labels: tuple[str, ...]
    own_groups: np.ndarray | None
    intervals: np.ndarray | None


@dataclasses.dataclass(frozen=True)
class Genders:
    """What is said of the faces' genders.

    Attributes:
        genders: int64 (n,), indices into :data:`edgeage.GENDERS`.
        confidences: float64 (n,), the probability of that gender, 0.5 to 1.
    """

    genders: np.ndarray
    confidences: np.ndarray


@dataclasses.dataclass(frozen=True)
class Decoded:
    """What a set of models says of some faces; None for a task that none of them has."""

    ages: Ages | None = None
    genders: Genders | None = None


def decode_answers(manifests: Sequence[Manifest], answers: RawAnswers) -> Decoded:
    """Decode raw answers, face by face.

    Args:
        manifests: of the models that gave them.
        answers: by task, (faces, values).

    Raises:
        DeviceError: for an answer that is not a number.
    """
    outputs = {output.task: output for manifest in manifests for output in manifest.outputs}
    return Decoded(
        _ages(outputs["age"], answers["age"]) if "age" in outputs else None,
        _genders(outputs["gender"], answers["gender"]) if "gender" in outputs else None,
    )


def _ages(output: Output, rows: np.ndarray) -> Ages:
    faces = [decode(output, row) for row in rows]
    years = np.array([face["age"] for face in faces], np.float64)
    told = [face.get("age_interval") for face in faces]
    labels = output.labels if output.kind == "classes" else AGE_GROUPS
    own = confidences = None
    if output.kind != "years":
        own = np.array([labels.index(face["age_group"]) for face in faces], np.int64)
    if own is not None and labels == AGE_GROUPS:
        confidences = np.array([face["age_group_probability"] for face in faces], np.float64)
    return Ages(
        years=years,
        groups=own if own is not None and confidences is not None else nearest_groups(years),
        confidences=confidences,
        labels=labels,
        own_groups=own,
        intervals=None if None in told else np.array(told, np.float64),
    )


def _genders(output: Output, rows: np.ndarray) -> Genders:
    faces = [decode(output, row) for row in rows]
    return Genders(
        np.array([GENDERS.index(face["gender"]) for face in faces], np.int64),
        np.array([face["gender_probability"] for face in faces], np.float64),
    )


def nearest_groups(years: np.ndarray) -> np.ndarray:
    """Return the age group of each age to the nearest year, a half being the older; int64 (n,).

    >>> nearest_groups(np.array([9.4, 9.5])).tolist()
    [0, 1]
    """
    whole = np.clip(np.floor(years + 0.5), 0, MAX_AGE).astype(int)
    return np.array([age_group_index(int(age)) for age in whole], np.int64)
