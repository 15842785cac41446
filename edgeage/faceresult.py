"""What a Predictor answers: one :class:`Face` a face, one :class:`PictureResult` a picture."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from edgeage.errors import EdgeageError

__all__ = ["Face", "PictureResult", "Timing"]


@dataclasses.dataclass(frozen=True)
class Face:
    """One face with what the networks say about it.

    What no loaded network tells is None (an empty tuple for ``age_probabilities``).

    Attributes:
        box: left, top, right and bottom edge in whole pixels of the picture, clipped to it; right
            and bottom excluded. The networks may see more than the box, and turned upright.
        age: years: the expectation over the age groups (Rothe et al., DEX, ICCVW 2015), or what
            the network itself says in years.
        age_interval: lowest and highest age in years of the interval that held four of five faces'
            ages where the network was calibrated; None where it was not.
        age_group: the most probable age group, for example ``"30-39"``; the age's own where the
            network knows no groups.
        age_group_probability: its probability, 0 to 1; None where the network tells only years.
        age_probabilities: the probability of every age group, in the order of the network's
            labels (:data:`edgeage.AGE_GROUPS`); empty where the network tells only years.
        gender: ``"Male"`` or ``"Female"``; ``"unknown"`` where the more probable one is less
            probable than the Predictor's ``min_confidence``.
        gender_probability: the more probable gender's probability, 0.5 to 1.
        device: where the networks ran for this face, for example ``"CPU"``; both names when they
            ran on different devices.
        latency_ms: milliseconds from the decoded picture to the answer, the same for all faces of
            a picture. In a batch or a stream that includes waiting for the pictures before it;
            what the work itself costs is in ``Timing.stages_ms``.
        score: how sure the detector is of the face, 0 to 1; None where it found none or was not
            asked.
        landmarks: x and y in pixels of the picture of the two eyes, the tip of the nose and the two
            corners of the mouth, left to right as one sees them; empty where the detector tells
            none.
        detected: whether the face was cut out where a detector found it; False where the whole
            picture was taken as the face.
    """

    box: tuple[int, int, int, int]
    age: float | None = None
    age_interval: tuple[float, float] | None = None
    age_group: str | None = None
    age_group_probability: float | None = None
    age_probabilities: tuple[float, ...] = ()
    gender: str | None = None
    gender_probability: float | None = None
    device: str = ""
    latency_ms: float = 0.0
    score: float | None = None
    landmarks: tuple[tuple[float, float], ...] = ()
    detected: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-ready values.

        >>> Face(box=(0, 0, 8, 8), age=34.0).to_dict()["box"]
        [0, 0, 8, 8]
        """
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        lists = {name: list(value) for name, value in fields.items() if isinstance(value, tuple)}
        return {**fields, **lists, "landmarks": [list(point) for point in self.landmarks]}


@dataclasses.dataclass(frozen=True)
class PictureResult:
    """What became of one picture of a batch.

    Attributes:
        image: the picture's path as given; ``"<bytes>"`` or ``"<array>"`` for those.
        faces: its faces; empty where there is an error.
        error: why there are none: it could not be read, or shows no face; or None.
        note: what is to be said of the faces besides, in a line; mostly nothing.
        picture: uint8 array of shape (height, width, 3), BGR, if it was asked for.
    """

    image: str
    faces: tuple[Face, ...] = ()
    error: EdgeageError | None = None
    note: str = ""
    picture: np.ndarray | None = dataclasses.field(default=None, repr=False, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Return ``{"image": …, "faces": […]}``, with a ``note`` if there is one, or an ``error``.

        >>> PictureResult("a.png").to_dict()
        {'image': 'a.png', 'faces': []}
        """
        if self.error is not None:
            return {"image": self.image, "error": str(self.error)}
        fields = {"image": self.image, "faces": [face.to_dict() for face in self.faces]}
        return {**fields, "note": self.note} if self.note else fields


@dataclasses.dataclass(frozen=True)
class Timing:
    """How long a Predictor's work takes, in milliseconds.

    Attributes:
        load_ms: to open the device and load the networks, the warm-up included.
        first_ms: the networks' first run on an empty picture, which is that warm-up; it takes
            longer than later ones. None where the runtime makes none.
        steady_ms: from a decoded picture to a face's answer, the median of the last thousand faces;
            None before the first. Waiting is part of it; see ``Face.latency_ms``.
        faces: how many faces that is the median of.
        stages_ms: what each step costs, the median of the last thousand times: ``"decode"`` and
            ``"detect"`` for a picture, ``"align"`` and each network, by its task, for a face;
            ``"age+gender"`` where two networks begin with the same layers and run as one.
            What was done together shares its time evenly; waiting is not part of it. A step that
            has not been taken is left out.
    """

    load_ms: float
    first_ms: float | None = None
    steady_ms: float | None = None
    faces: int = 0
    stages_ms: dict[str, float] = dataclasses.field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-ready values, rounded to microseconds.

        >>> Timing(load_ms=812.34567).to_dict()
        {'load_ms': 812.346, 'first_ms': None, 'steady_ms': None, 'faces': 0, 'stages_ms': {}}
        """
        return {name: _rounded(value) for name, value in dataclasses.asdict(self).items()}


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(part) for name, part in value.items()}
    return round(value, 3) if isinstance(value, float) else value
