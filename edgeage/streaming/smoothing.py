"""What is known of a face by now: the answers about it averaged, clearer looks counting more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edgeage.labels import AGE_GROUPS, GENDERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgeage.faceresult import Face

__all__ = ["Schedule", "Smoother"]

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

    Probabilities, ages and both ends of their intervals are averaged, each answer weighed by how
    well the face was seen. A weight that has grown large makes room for what is new, so that a
    mistake is not kept for ever. An interval does not narrow with the looks: what a network is
    wrong about in one of them it is wrong about in the others.

    Args:
        group_labels: what the age groups are called, in the order of their probabilities.

    Attributes:
        quality: how well the face was seen when it was last judged, 0 to 1.
    """

    def __init__(self, group_labels: Sequence[str] = AGE_GROUPS) -> None:
        self._labels, self._weight = group_labels, 0.0
        self._age: float | None = None
        self._interval: np.ndarray | None = None
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
        if face.age_interval is not None:
            self._interval = _mixed(self._interval, np.array(face.age_interval), share)
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
        if self._interval is not None:
            fields["age_interval"] = tuple(float(end) for end in self._interval)
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


def _mixed(old: Any, new: Any, share: float) -> Any:
    return new if old is None else (1 - share) * old + share * new


def _both(face: Face) -> np.ndarray:
    """Return the probabilities of both genders."""
    probability = face.gender_probability or 0.0
    own = [probability, 1 - probability]
    return np.array(own if face.gender == GENDERS[0] else own[::-1])
