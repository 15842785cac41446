"""How long each step of the work takes."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["StageClock"]

_KEPT = 1000


class StageClock:
    """Keeps the last thousand times of every stage; safe to use from several threads.

    >>> clock = StageClock()
    >>> clock.add("decode", 3.0, count=2)
    >>> clock.medians_ms
    {'decode': 3.0}
    """

    def __init__(self) -> None:
        self._times_ms: dict[str, deque[float]] = {}

    def add(self, stage: str, each_ms: float, *, count: int = 1) -> None:
        """Note that each of ``count`` pictures or faces took so many milliseconds."""
        self._times_ms.setdefault(stage, deque(maxlen=_KEPT)).extend([each_ms] * count)

    @contextlib.contextmanager
    def measure(self, stage: str, count: int = 1) -> Iterator[None]:
        """Time the block, if it ends well; ``count`` pictures or faces share it evenly."""
        started = time.perf_counter()
        yield
        self.add(stage, (time.perf_counter() - started) * 1000 / max(count, 1), count=count)

    def count(self, stage: str) -> int:
        """Return how many times of a stage are kept."""
        return len(self._times_ms.get(stage, ()))

    @property
    def medians_ms(self) -> dict[str, float]:
        """The median of every stage that has been timed, in milliseconds."""
        kept = {stage: list(times) for stage, times in list(self._times_ms.items())}
        return {stage: statistics.median(times) for stage, times in kept.items() if times}
