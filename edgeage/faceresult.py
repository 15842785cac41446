"""What a Predictor answers: one :class:`Face` a face, one :class:`PictureResult` a picture."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgeage.errors import EdgeageError

__all__ = ["Face", "PictureResult"]


@dataclasses.dataclass(frozen=True)
class Face:
    """One face with what the networks say about it.

    What no loaded network tells is None (an empty tuple for ``age_probabilities``).

    Attributes:
        box: left, top, right and bottom edge in pixels of the picture; right and bottom excluded.
        age: years: the expectation over the age groups (Rothe et al., DEX, ICCVW 2015).
        age_group: the most probable age group, for example ``"30-39"``.
        age_group_probability: its probability, 0 to 1.
        age_probabilities: the probability of every age group, in the order of the network's
            labels (:data:`edgeage.AGE_GROUPS`).
        gender: ``"Male"`` or ``"Female"``.
        gender_probability: its probability, 0.5 to 1.
        device: where the networks ran, for example ``"CPU"``.
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
