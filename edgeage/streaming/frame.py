"""What a stream gives: one :class:`VideoFrame` a frame, with a :class:`TrackedFace` a face."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from edgeage.faceresult import Face

if TYPE_CHECKING:
    import numpy as np

__all__ = ["TrackedFace", "VideoFrame"]

Box = tuple[int, int, int, int]


@dataclasses.dataclass(frozen=True)
class TrackedFace(Face):
    """A face that is followed from frame to frame.

    Age and gender are averages over its track and None before the first estimate; the box and
    the landmarks are those of the frame.

    Attributes:
        box: left, top, right and bottom edge in whole pixels of the frame, clipped to it; right
            and bottom excluded.
        age: years.
        age_interval: lowest and highest age in years, of single looks' intervals; they held four
            of five faces' ages where the network was calibrated. None where it was not.
        age_group: the most probable age group.
        age_group_probability: its probability, 0 to 1.
        age_probabilities: the probability of every age group, in the order of the network's
            labels.
        gender: ``"Male"``, ``"Female"`` or ``"unknown"``, as of :class:`edgeage.Face`.
        gender_probability: the more probable gender's probability, 0.5 to 1.
        device: where the networks last ran for this face.
        latency_ms: milliseconds from reading the frame to its coming out.
        score: how sure the detector was of the face when it last found it, 0 to 1.
        landmarks: x and y in pixels of five points, as of :class:`edgeage.Face`; empty where the
            box is predicted.
        detected: False where the whole frame was taken as the face.
        track: number of its track, from 1 on; the same as long as it is followed.
        quality: how well it was seen when it was last detected, 0 to 1: the product of size,
            sharpness and frontalness.
        predicted: whether the box is where its pixels moved to, in a frame in which the detector
            did not see it.
    """

    track: int = 0
    quality: float = 0.0
    predicted: bool = False


@dataclasses.dataclass(frozen=True)
class VideoFrame:
    """One frame of a source with its faces.

    Attributes:
        number: its number in the source, from 0 on; frames that were dropped have one too.
        timestamp: when it was read, in seconds since the epoch.
        picture: uint8 array of shape (height, width, 3), BGR.
        faces: its faces, by track; without those out of sight.
        position_s: where it lies in a file, in seconds; None for a live source.
        fps: frames a second that came out during the last seconds.
        latency_ms: milliseconds from reading it to here.
        hidden: boxes of faces that are out of sight or not believed yet, where
            :func:`edgeage.streaming.blur_faces` had better look too: left, top, right and bottom
            edge in pixels, inside the picture.
    """

    number: int
    timestamp: float
    picture: np.ndarray = dataclasses.field(repr=False, compare=False)
    faces: tuple[TrackedFace, ...] = ()
    position_s: float | None = None
    fps: float = 0.0
    latency_ms: float = 0.0
    hidden: tuple[Box, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the fields but the picture as JSON-ready values.

        >>> import numpy as np
        >>> VideoFrame(3, 1.5, np.zeros((8, 8, 3), np.uint8)).to_dict()["faces"]
        []
        """
        names = ("number", "timestamp", "position_s", "fps", "latency_ms")
        fields = {name: getattr(self, name) for name in names}
        return {**fields, "faces": [face.to_dict() for face in self.faces]}
