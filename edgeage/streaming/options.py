"""How a stream is followed."""

from __future__ import annotations

import dataclasses
import math

from edgeage.errors import UsageError

__all__ = ["StreamOptions"]


@dataclasses.dataclass(frozen=True)
class StreamOptions:
    """How the faces of a source are followed; numbers of frames are those of the source.

    Attributes:
        every: of how many frames one is looked at.
        max_fps: the most frames a second that are looked at; a camera's others are passed over,
            a file is read more slowly. None for as many as can be.
        detect_every: of how many frames looked at one at least is searched for faces. In between
            they are looked for only where they should be by now, if the detector can (``mtcnn``);
            else they are followed by their pixels, and the frame after a face was found for the
            first time is searched.
        refresh: after how many frames at the latest a face's age and gender are estimated again;
            1 for every frame that is searched.
        coast: for how many frames a face that is not found goes on along its way.
        remember: for how many frames from then on it has its number again if it comes back.
        reconnect_s: for how long a live source that is lost is tried again before it is given
            up, in seconds; 0 for not at all.
        stall_s: after how many seconds without a frame a source is taken to be lost.

    Raises:
        UsageError: for a number out of range.

    >>> StreamOptions(every=0)
    Traceback (most recent call last):
    edgeage.errors.UsageError: expected every of at least 1, got 0
    """

    every: int = 1
    max_fps: float | None = None
    detect_every: int = 8
    refresh: int = 30
    coast: int = 20
    remember: int = 90
    reconnect_s: float = 60.0
    stall_s: float = 15.0

    def __post_init__(self) -> None:
        for name in ("every", "detect_every", "refresh"):
            if getattr(self, name) < 1:
                raise UsageError(f"expected {name} of at least 1, got {getattr(self, name)}")
        for name in ("coast", "remember", "reconnect_s"):
            if not 0 <= getattr(self, name) < math.inf:
                raise UsageError(f"expected {name} of at least 0, got {getattr(self, name)}")
        for name in ("max_fps", "stall_s"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise UsageError(f"expected {name} above 0, got {value}")
