"""What is known of a face by now: the answers about it averaged, clearer looks counting more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edgeage.labels import AGE_GROUPS, GENDERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgeage.faceresult import Face

__all__ = ["COVERAGE", "Schedule", "Smoother", "age_interval"]

COVERAGE = 0.8
"""Share of the probability that an age interval holds."""

_LEAST_WEIGHT = 0.02
_MOST_WEIGHT = 30.0
_CLEARER = 1.25
_AFTER = 2


class Schedule:
    """When a face is looked at again.

    At first sight; then after 2, 4, 8, … frames until every ``refresh`` frames; and besides when
    it is seen clearly better than ever, at the earliest two frames after the last time.

    Args:
        refresh: the most frames from one time to the next.

    >>> schedule = Schedule(refresh=10)
    >>> [frame for frame in range(30) if schedule.is_due(frame, 0.5)]
    [0, 2, 6, 14, 24]
    """

    def __init__(self, refresh: int) -> None:
        self._refresh = refresh
        self._times, self._last, self._best = 0, 0, 0.0

    def is_due(self, frame: int, quality: float) -> bool:
        """Tell whether to look at the face in this frame, and count on that.

        Args:
            frame: its number in the source.
            quality: how well the face is seen, 0 to 1.
        """
        passed = frame - self._last
        gap = min(_AFTER**self._times, self._refresh)
        clearer = quality > self._best * _CLEARER and passed >= min(_AFTER, self._refresh)
        if self._times and passed < gap and not clearer:
            return False
        self._times, self._last = self._times + 1, frame
        self._best = max(self._best, quality)
        return True


class Smoother:
    """Averages the answers about one face.

    Probabilities are averaged, and ages with them, each answer weighed by how well the face was
    seen. A weight that has grown large makes room for what is new, so that a mistake is not kept
    for ever.

    Args:
        group_labels: what the age groups are called, in the order of their probabilities.

    Attributes:
        quality: how well the face was seen when it was last judged, 0 to 1.
    """

    def __init__(self, group_labels: Sequence[str] = AGE_GROUPS) -> None:
        self._labels, self._weight = group_labels, 0.0
        self._age: float | None = None
        self._groups: np.ndarray | None = None
        self._gender: np.ndarray | None = None
        self._last: Face | None = None
        self.quality = 0.0

    def add(self, face: Face, quality: float) -> None:
        """Take one answer in.

        Args:
            face: what the networks say of this one look.
            quality: how well the face was seen, 0 to 1.
        """
        weight = max(quality, _LEAST_WEIGHT)
        self._weight = min(self._weight, _MOST_WEIGHT - weight) + weight
        share = weight / self._weight
        if face.age is not None:
            self._age = _mixed(self._age, face.age, share)
        if face.age_probabilities:
            self._groups = _mixed(self._groups, np.array(face.age_probabilities), share)
        if face.gender is not None and face.gender_probability is not None:
            self._gender = _mixed(self._gender, _both(face), share)
        self._last, self.quality = face, quality

    @property
    def fields(self) -> dict[str, Any]:
        """What is known by now, as fields of :class:`edgeage.Face`; empty before any answer."""
        if self._last is None:
            return {}
        fields: dict[str, Any] = {
            "age": self._age,
            "age_group": self._last.age_group,
            "device": self._last.device,
        }
        if self._groups is not None:
            best = int(self._groups.argmax())
            fields["age_group"] = self._labels[best]
            fields["age_group_probability"] = float(self._groups[best])
            fields["age_probabilities"] = tuple(float(value) for value in self._groups)
        if self._gender is not None:
            best = int(self._gender.argmax())
            fields["gender"] = GENDERS[best]
            fields["gender_probability"] = float(self._gender[best])
        return fields


def age_interval(
    probabilities: Sequence[float], coverage: float = COVERAGE
) -> tuple[float, float] | None:
    """Return the ages between which the middle of a distribution over the age groups lies.

    Within a group every age is taken to be as probable as the others. It is as good as the
    probabilities are.

    Args:
        probabilities: of :data:`edgeage.AGE_GROUPS`; of other groups there is no interval.
        coverage: the share of the probability to hold.

    Returns:
        The lowest and highest age in years, or None.

    >>> age_interval((0, 0, 1, 0, 0, 0, 0, 0, 0))
    (21.0, 29.0)
    """
    if len(probabilities) != len(AGE_GROUPS):
        return None
    edges = np.array([int(label.split("-")[0]) for label in AGE_GROUPS] + [100.0])
    below = np.concatenate([[0.0], np.cumsum(probabilities)])
    rest = (1 - coverage) / 2
    low, high = np.interp([rest * below[-1], (1 - rest) * below[-1]], below, edges)
    return round(float(low), 1), round(float(high), 1)


def _mixed(old: Any, new: Any, share: float) -> Any:
    return new if old is None else (1 - share) * old + share * new


def _both(face: Face) -> np.ndarray:
    """Return the probabilities of both genders."""
    probability = face.gender_probability or 0.0
    own = [probability, 1 - probability]
    return np.array(own if face.gender == GENDERS[0] else own[::-1])
