"""What a Predictor answers: one :class:`Face` a face, one :class:`PictureResult` a picture."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgeage.errors import EdgeageError

__all__ = ["Face", "PictureResult", "Timing"]


@dataclasses.dataclass(frozen=True)
class Face:
    """One face with what the networks say about it.

    What no loaded network tells is None (an empty tuple for ``age_probabilities``).

    Attributes:
        box: left, top, right and bottom edge in pixels of the picture; right and bottom excluded.
        age: years: the expectation over the age groups (Rothe et al., DEX, ICCVW 2015), or what
            the network itself says in years.
        age_group: the most probable age group, for example ``"30-39"``; the age's own where the
            network knows no groups.
        age_group_probability: its probability, 0 to 1; None where the network tells only years.
        age_probabilities: the probability of every age group, in the order of the network's
            labels (:data:`edgeage.AGE_GROUPS`); empty where the network tells only years.
        gender: ``"Male"`` or ``"Female"``.
        gender_probability: its probability, 0.5 to 1.
        device: where the networks ran for this face, for example ``"CPU"``; both names when they
            ran on different devices.
        latency_ms: milliseconds from the decoded picture to this answer; faces that went through
            the networks together share the time evenly.
    """

    box: tuple[int, int, int, int]
    age: float | None = None
    age_group: str | None = None
    age_group_probability: float | None = None
    age_probabilities: tuple[float, ...] = ()
    gender: str | None = None
    gender_probability: float | None = None
    device: str = ""
    latency_ms: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-ready values.

        >>> Face(box=(0, 0, 8, 8), age=34.0).to_dict()["box"]
        [0, 0, 8, 8]
        """
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in dataclasses.asdict(self).items()
        }


@dataclasses.dataclass(frozen=True)
class PictureResult:
    """What became of one picture of a batch.

    Attributes:
        image: the picture's path as given; ``"<bytes>"`` or ``"<array>"`` for those.
        faces: its faces; empty when there are none or it could not be read.
        error: why it could not be read, or None.
    """

    image: str
    faces: tuple[Face, ...] = ()
    error: EdgeageError | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return ``{"image": …, "faces": […]}`` or ``{"image": …, "error": …}``."""
        if self.error is not None:
            return {"image": self.image, "error": str(self.error)}
        return {"image": self.image, "faces": [face.to_dict() for face in self.faces]}


@dataclasses.dataclass(frozen=True)
class Timing:
    """How long a Predictor's work takes, in milliseconds.

    Attributes:
        load_ms: to open the device and load the networks, the warm-up included.
        first_ms: the networks' first run on an empty picture, which is that warm-up; it takes
            longer than later ones. None where the runtime makes none.
        steady_ms: from a decoded picture to a face's answer, the median of the last thousand faces;
            None before the first.
        faces: how many faces that is the median of.
    """

    load_ms: float
    first_ms: float | None = None
    steady_ms: float | None = None
    faces: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-ready values, rounded to microseconds.

        >>> Timing(load_ms=812.34567).to_dict()
        {'load_ms': 812.346, 'first_ms': None, 'steady_ms': None, 'faces': 0}
        """
        return {
            name: round(value, 3) if isinstance(value, float) else value
            for name, value in dataclasses.asdict(self).items()
        }
