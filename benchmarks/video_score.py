"""How well the faces of a made video are followed and judged."""

from __future__ import annotations

import collections
import dataclasses
import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from edgeage.faces.boxes import overlap

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from made_video import Chip, MadeVideo

    from edgeage import Face

__all__ = ["Score", "score"]

_LEAST_OVERLAP = 0.4


@dataclasses.dataclass(frozen=True)
class Score:
    """What the answers about a made video's frames come to.

    Attributes:
        found: share of the visible faces, over all frames, that have an answer.
        false: faces that are none, a frame.
        switches: how often a person's face has another track than when last seen.
        tracks: how many tracks there are; as many as persons at best.
        age_error: mean distance of the age from what the person is said to be, in years; None
            where that is not known.
        age_held: share of the answers with an age interval that holds the known age; None where
            neither is there.
        age_noise: mean distance of the age from its mean over the person's frames, in years.
        age_flicker: mean change of the age from one frame to the next, in years.
        gender_errors: share of the answers with another gender than is known.
        gender_flips: changes of the gender a hundred answers.
    """

    found: float
    false: float
    switches: int
    tracks: int
    age_error: float | None
    age_held: float | None
    age_noise: float
    age_flicker: float
    gender_errors: float | None
    gender_flips: float

    def to_dict(self) -> dict[str, Any]:
        """Return the fields rounded."""
        fields = dataclasses.asdict(self)
        return {k: round(v, 4) if isinstance(v, float) else v for k, v in fields.items()}


def score(video: MadeVideo, frames: Iterable[tuple[int, Sequence[Face]]]) -> Score:
    """Hold answers against what is known.

    Args:
        video: the video.
        frames: numbers of frames with their faces; ``track`` is looked at where they have one.
    """
    answers: dict[int, list[Face]] = collections.defaultdict(list)
    expected = hits = false = count = 0
    for number, faces in frames:
        truth, count = video.truth(number), count + 1
        expected += sum(true.is_visible for true in truth)
        pairs = _pairs([true.box for true in truth], [face.box for face in faces])
        false += len(faces) - len(pairs)
        for person, place in pairs:
            if truth[person].is_visible:
                answers[person].append(faces[place])
                hits += 1
    tracks = {p: [getattr(face, "track", 0) for face in found] for p, found in answers.items()}
    ages = {p: np.array([face.age for face in found]) for p, found in answers.items()}
    genders = {p: [face.gender for face in found] for p, found in answers.items()}
    flips = sum(_changes(found) for found in genders.values())
    return Score(
        found=hits / expected,
        false=false / count,
        switches=sum(map(_changes, tracks.values())),
        tracks=len({track for found in tracks.values() for track in found}),
        age_error=_mean([abs(a - c.age) for c, a in _known(video.chips, ages, "age")]),
        age_held=_mean([_held(c.age, f) for c, f in _known(video.chips, answers, "age")]),
        age_noise=float(np.concatenate([abs(a - a.mean()) for a in ages.values()]).mean()),
        age_flicker=float(np.concatenate([abs(np.diff(a)) for a in ages.values()]).mean()),
        gender_errors=_mean(
            [np.array(g) != c.gender for c, g in _known(video.chips, genders, "gender")]
        ),
        gender_flips=100 * flips / hits,
    )


def _known(chips: Sequence[Chip], answers: dict[int, Any], field: str) -> list[tuple[Chip, Any]]:
    return [
        (chips[person], found)
        for person, found in answers.items()
        if getattr(chips[person], field) is not None
    ]


def _held(age: float, faces: Sequence[Face]) -> np.ndarray:
    """Return for each answer with an interval whether it holds the age."""
    intervals = [face.age_interval for face in faces if face.age_interval]
    return np.array([low <= age <= high for low, high in intervals])


def _mean(arrays: list[np.ndarray]) -> float | None:
    joined = np.concatenate(arrays) if arrays else np.array([])
    return float(joined.mean()) if len(joined) else None


def _changes(values: Sequence[object]) -> int:
    return sum(one != other for one, other in itertools.pairwise(values))


def _pairs(true: Sequence[Any], given: Sequence[Any]) -> list[tuple[int, int]]:
    """Match boxes by the most overlap in all, each overlap being enough."""
    if not true or not given:
        return []
    shared = overlap(np.array(true, float), np.array(given, float), of_smaller=False)
    shared[shared < _LEAST_OVERLAP] = 0
    rows, columns = linear_sum_assignment(-shared)
    return [pair for pair in zip(rows.tolist(), columns.tolist(), strict=True) if shared[pair] > 0]
