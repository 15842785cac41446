"""What a stream came to: frames, rate, latencies, tracks."""

from __future__ import annotations

import collections
import dataclasses
import time
from typing import Any

import numpy as np

__all__ = ["Rate", "Summary"]

_RECENT_S = 2.0
_KEPT = 10_000


@dataclasses.dataclass(frozen=True)
class Summary:
    """What a stream came to, so far.

    Attributes:
        frames: how many frames came out.
        dropped: how many a live source gave while others were still looked at.
        skipped: how many were passed over as ``every`` and ``max_fps`` wanted it.
        seconds: from the first frame's reading to the last one's coming out.
        fps: frames a second in that time; 0 before the second frame.
        latency_ms: milliseconds from reading a frame to its coming out: ``"p50"``, ``"p90"`` and
            ``"p99"``, over the last ten thousand frames; empty before the first.
        searched: in how many frames faces were looked for.
        estimates: how often the networks looked at a face.
        tracks: how many faces were followed.
        reconnects: how often a lost source came back.
    """

    frames: int = 0
    dropped: int = 0
    skipped: int = 0
    seconds: float = 0.0
    fps: float = 0.0
    latency_ms: dict[str, float] = dataclasses.field(default_factory=dict)
    searched: int = 0
    estimates: int = 0
    tracks: int = 0
    reconnects: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-ready values."""
        return dataclasses.asdict(self)


class Rate:
    """Counts frames as they come out, and how late they are."""

    def __init__(self) -> None:
        self._recent: collections.deque[float] = collections.deque()
        self._late_ms: collections.deque[float] = collections.deque(maxlen=_KEPT)
        self._first = self._began = self._last = 0.0
        self.frames = 0

    def add(self, read_s: float, now_s: float | None = None) -> float:
        """Count a frame, and return its latency in milliseconds.

        Args:
            read_s: when it was read, by ``time.perf_counter``.
            now_s: when it came out; None for now.
        """
        now = time.perf_counter() if now_s is None else now_s
        if not self.frames:
            self._began, self._first = read_s, now
        self.frames, self._last = self.frames + 1, now
        self._recent.append(now)
        while self._recent[-1] - self._recent[0] > _RECENT_S and len(self._recent) > 2:
            self._recent.popleft()
        self._late_ms.append((now - read_s) * 1000)
        return self._late_ms[-1]

    @property
    def recent_fps(self) -> float:
        """Frames a second over the last two seconds; 0 before the second frame."""
        return (
            _rate(len(self._recent) - 1, self._recent[-1] - self._recent[0]) if self._recent else 0
        )

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of a :class:`Summary` that are about time."""
        late: dict[str, float] = {}
        if self._late_ms:
            late = {
                f"p{share}": round(float(np.percentile(self._late_ms, share)), 3)
                for share in (50, 90, 99)
            }
        return {
            "frames": self.frames,
            "seconds": round(self._last - self._began, 3),
            "fps": round(_rate(self.frames - 1, self._last - self._first), 2),
            "latency_ms": late,
        }


def _rate(count: int, seconds: float) -> float:
    return count / seconds if seconds > 0 else 0.0
