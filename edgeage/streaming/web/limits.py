"""How much one client, and all together, may ask of the server."""

from __future__ import annotations

import collections
import contextlib
import math
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Budget", "Part", "RateLimit", "whole_seconds"]

_MOST_CLIENTS = 4096


class RateLimit:
    """A token bucket for every client; used by the event loop's thread alone.

    Args:
        rate: requests a second on average; 0 for no limit.
        burst: requests at once.
        clock: seconds that only grow.

    >>> limit = RateLimit(rate=1, burst=2, clock=lambda: 0.0)
    >>> [limit.wait_seconds("a") for _ in range(3)]
    [0.0, 0.0, 1.0]
    """

    def __init__(
        self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate, self._burst, self._clock = rate, burst, clock
        self._buckets: collections.OrderedDict[str, tuple[float, float]] = collections.OrderedDict()

    def wait_seconds(self, client: str) -> float:
        """Count a request; return 0, or after how many seconds the next is welcome.

        Args:
            client: whose request it is; only the latest few thousand clients are remembered.
        """
        if not self._rate:
            return 0.0
        now = self._clock()
        left, since = self._buckets.pop(client, (float(self._burst), now))
        left = min(self._burst, left + (now - since) * self._rate)
        wait = 0.0 if left >= 1 else (1 - left) / self._rate
        self._buckets[client] = (left if wait else left - 1, now)
        while len(self._buckets) > _MOST_CLIENTS:
            self._buckets.popitem(last=False)
        return wait


class Budget:
    """Something of which there is only so much; used by the event loop's thread alone.

    Args:
        most: how much there is.

    Attributes:
        used: how much of it is taken.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self.used = 0

    def take(self, amount: int = 1) -> bool:
        """Take some, or return False where there is not enough."""
        if self.used + amount > self._most:
            return False
        self.used += amount
        return True

    def give_back(self, amount: int = 1) -> None:
        """Give back what was taken."""
        self.used -= amount

    @contextlib.contextmanager
    def part(self) -> Iterator[Part]:
        """Hold a part that may grow, and give it back at the end of the block."""
        part = Part(self)
        try:
            yield part
        finally:
            self.give_back(part.size)


class Part:
    """A part of a :class:`Budget`.

    Args:
        budget: what it is taken from.

    Attributes:
        size: how much it holds.
    """

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.size = 0

    def grow(self, amount: int = 1) -> bool:
        """Take more, or return False where there is not enough."""
        taken = self._budget.take(amount)
        self.size += amount if taken else 0
        return taken


def whole_seconds(seconds: float) -> str:
    """Return seconds as ``Retry-After`` has them: whole, at least one (RFC 9110, 10.2.3)."""
    return str(max(1, math.ceil(seconds)))
