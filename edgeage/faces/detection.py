"""What a face detector is and what it answers."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from edgeage.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

__all__ = ["Detection", "Detector", "Rechecking"]

Point = tuple[float, float]


@dataclasses.dataclass(frozen=True)
class Detection:
    """One face found in a picture.

    Attributes:
        box: left, top, right and bottom edge in pixels of the picture; may reach beyond it.
        score: how sure the detector is, 0 to 1.
        landmarks: x and y in pixels of five points, left to right as one sees them: the two eyes,
            the tip of the nose, the two corners of the mouth; empty where the detector has none.
        detector: name of the detector that found it, by which its box is understood: detectors
            draw boxes of different sizes around the same face.

    Raises:
        UsageError: for an empty box, a score outside 0 to 1, numbers that are not finite, or
            another number of landmarks than none or five.

    >>> Detection((10, 20, 50, 80), 0.9).width
    40.0
    """

    box: tuple[float, float, float, float]
    score: float
    landmarks: tuple[Point, ...] = ()
    detector: str = ""

    def __post_init__(self) -> None:
        left, top, right, bottom = box = tuple(float(edge) for edge in self.box)
        points = tuple((float(x), float(y)) for x, y in self.landmarks)
        numbers = [*box, float(self.score), *(value for point in points for value in point)]
        if not all(math.isfinite(number) for number in numbers) or not (
            left < right and top < bottom
        ):
            raise UsageError(f"expected a finite box with left < right and top < bottom, got {box}")
        if not 0 <= self.score <= 1:
            raise UsageError(f"expected a score of 0 to 1, got {self.score}")
        if len(points) not in (0, 5):
            raise UsageError(f"expected five landmarks or none, got {len(points)}")
        object.__setattr__(self, "box", box)
        object.__setattr__(self, "score", float(self.score))
        object.__setattr__(self, "landmarks", points)

    @property
    def width(self) -> float:
        """Width of the box in pixels."""
        return self.box[2] - self.box[0]

    @property
    def height(self) -> float:
        """Height of the box in pixels."""
        return self.box[3] - self.box[1]

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-ready values."""
        return {
            "box": list(self.box),
            "score": self.score,
            "landmarks": [list(point) for point in self.landmarks],
            "detector": self.detector,
        }


class Detector(Protocol):
    """Finds faces; safe to use from several threads."""

    @property
    def name(self) -> str:
        """Its name, for example ``"mtcnn"``."""
        ...

    def detect(self, pictures: Sequence[np.ndarray]) -> list[list[Detection]]:
        """Find the faces of several pictures.

        Args:
            pictures: uint8 arrays of shape (height, width, 3), BGR, of any sizes.

        Returns:
            For each picture its faces, the surest first.

        Raises:
            DeviceError: when the device that runs the detector's networks fails.
            UsageError: after :meth:`close`.
        """
        ...

    def close(self) -> None:
        """Give what it holds back; closing twice is harmless."""
        ...


@runtime_checkable
class Rechecking(Protocol):
    """A detector that can look at single places of a picture, which takes little time."""

    def look_again(
        self, picture: np.ndarray, boxes: Sequence[tuple[float, float, float, float]]
    ) -> list[Detection | None]:
        """Look for faces where they are expected, and nowhere else.

        Args:
            picture: uint8 array of shape (height, width, 3), BGR.
            boxes: where: left, top, right and bottom edge in pixels of the picture, about a
                fifth of a face's side off at most.

        Returns:
            For each box the face there, which may be another box's too; None where there is none.

        Raises:
            DeviceError: when the device that runs the detector's networks fails.
            UsageError: after it was closed.
        """
        ...
