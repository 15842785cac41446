"""Timing calls against each other, so that what disturbs the machine disturbs all of them alike."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import statistics
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeage.errors import EdgeageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["ROUNDS", "Figures", "Lap", "take_turns", "undisturbed"]

ROUNDS = 5
"""How many turns every call gets."""

_WARM_UP = 0.1
_WARM_UP_RUNS = 2


@dataclasses.dataclass(frozen=True)
class Figures:
    """What the times of a call come to.

    Attributes:
        runs: how many times were taken.
        p50_ms: the median, in milliseconds.
        p90_ms: what nine of ten runs stay below, interpolated.
        p99_ms: the same for ninety-nine of a hundred.
        img_per_s: pictures a second while it ran: the median over the turns.
    """

    runs: int
    p50_ms: float
    p90_ms: float
    p99_ms: float
    img_per_s: float

    @classmethod
    def of(cls, turns_ms: Sequence[Sequence[float]], batch: int = 1) -> Figures:
        """Sum up the times of a call.

        Args:
            turns_ms: for each turn the milliseconds of its runs; not empty.
            batch: pictures a run takes.

        >>> Figures.of([[4.0, 6.0], [5.0, 5.0]], batch=2)
        Figures(runs=4, p50_ms=5.0, p90_ms=5.7, p99_ms=5.97, img_per_s=400.0)
        """
        times = np.concatenate(turns_ms)
        p50, p90, p99 = (float(value) for value in np.percentile(times, (50, 90, 99)))
        rates = [1000 * batch * len(turn) / sum(turn) for turn in turns_ms]
        return cls(len(times), p50, p90, p99, statistics.median(rates))

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-ready values, rounded to microseconds."""
        return {name: round(value, 3) for name, value in dataclasses.asdict(self).items()}


@dataclasses.dataclass
class Lap:
    """What a call's turns gave.

    Attributes:
        turns_ms: for each turn the milliseconds of its runs.
        error: what ended it before its last turn, or None.
    """

    turns_ms: list[list[float]] = dataclasses.field(default_factory=list)
    error: EdgeageError | None = None


def take_turns(
    calls: Sequence[Callable[[], object]],
    *,
    seconds: float,
    rounds: int = ROUNDS,
    on_turn: Callable[[int, int], None] | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> list[Lap]:
    """Run several calls in turn, round by round, and time each run.

    A machine that slows down, a neighbour that wakes up and a core that gets hot then meet all
    of them. Before the first round every call is warmed up, which is not timed.

    Args:
        calls: what to run.
        seconds: how long each of them is timed in all; the run that reaches its end is finished,
            and every turn has one at least.
        rounds: in how many turns.
        on_turn: called after every turn with how many are done and how many there are.
        clock: tells the time in seconds.

    Returns:
        The times of each call; of one that raised an EdgeageError those until then.
    """
    laps = [Lap() for _ in calls]
    done, total = 0, (rounds + 1) * len(calls)
    with undisturbed():
        for number in range(rounds + 1):
            for call, lap in zip(calls, laps, strict=True):
                if lap.error is None:
                    _take_turn(call, lap, seconds / rounds if number else None, seconds, clock)
                done += 1
                if on_turn is not None:
                    on_turn(done, total)
    return laps


def _take_turn(
    call: Callable[[], object],
    lap: Lap,
    share: float | None,
    seconds: float,
    clock: Callable[[], float],
) -> None:
    """Give a call its turn, or warm it up where it has no share of the time yet."""
    gc.collect()
    try:
        if share is None:
            _timed(call, seconds * _WARM_UP, _WARM_UP_RUNS, clock)
        else:
            lap.turns_ms.append(_timed(call, share, 1, clock))
    except EdgeageError as error:
        lap.error = error


def _timed(
    call: Callable[[], object], seconds: float, least: int, clock: Callable[[], float]
) -> list[float]:
    times_ms: list[float] = []
    begun = clock()
    while len(times_ms) < least or clock() - begun < seconds:
        started = clock()
        call()
        times_ms.append(1000 * (clock() - started))
    return times_ms


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Keep Python's collector of cyclic garbage from running in the middle of a measurement."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
