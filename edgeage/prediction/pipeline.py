"""Work on a sequence of items in stages that overlap, in order and in bounded memory.

Every stage has threads of its own. Whatever waits before it is taken together, up to a limit, so
that batches are large exactly where the work piles up. Two bounds keep memory flat: no more than
``ahead`` items are between the source and the reader of the results, and a stage hands on only
where the next one has room. The lock, the conditions and the heaps are those of a bounded buffer
(Hoare, «Monitors», CACM 1974).
"""

from __future__ import annotations

import atexit
import dataclasses
import heapq
import threading
from typing import TYPE_CHECKING, Generic, TypeVar

from edgeage.prediction.threads import Job, Threads

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence

__all__ = ["Pipeline", "Stage"]

Item = TypeVar("Item")

_TICK_S = 0.5
_SOURCE_GRACE_S = 1.0


def _one(_item: object) -> int:
    return 1


@dataclasses.dataclass(frozen=True)
class Stage(Generic[Item]):
    """One step of the work.

    Attributes:
        name: what its threads are called.
        work: does the step on several items at once, changing them in place. What it raises
            fails them all.
        weigh: an item's weight, 0 or more.
        limit: the most weight that is done at once and that waits before the stage; an item
            heavier than that goes alone.
        workers: how many threads do the step side by side.
    """

    name: str
    work: Callable[[Sequence[Item]], None]
    weigh: Callable[[Item], int] = _one
    limit: int = 1
    workers: int = 1


@dataclasses.dataclass(order=True)
class _Job(Generic[Item]):
    place: int
    item: Item | None = dataclasses.field(compare=False)
    failure: BaseException | None = dataclasses.field(default=None, compare=False)


class Pipeline(Generic[Item]):
    """Puts the items of a source through stages; iterate it once to have them back in order.

    The work begins with the first item asked for and ends with the iteration, however that ends.

    Args:
        source: the items; read by a thread of the pipeline's own, so that a slow source holds
            back no result that is ready.
        stages: the steps, one after the other.
        ahead: the most items taken from the source before their results are given out.
        threads: who does it; None for threads that end with the iteration.

    >>> def double(items):
    ...     for item in items:
    ...         item["n"] *= 2
    >>> numbers = ({"n": n} for n in range(4))
    >>> [item["n"] for item in Pipeline(numbers, [Stage("double", double)], ahead=2)]
    [0, 2, 4, 6]
    """

    def __init__(
        self,
        source: Iterable[Item],
        stages: Sequence[Stage[Item]],
        *,
        ahead: int,
        threads: Threads | None = None,
    ) -> None:
        self._source: Iterable[Item] | None = source
        self._stages, self._ahead = list(stages), ahead
        self._lock = threading.Lock()
        self._ticket = threading.Condition(self._lock)
        # The last one is where finished items wait for those before them.
        self._changed = [threading.Condition(self._lock) for _ in range(len(self._stages) + 1)]
        self._waiting: list[list[_Job[Item]]] = [[] for _ in self._changed]
        self._taken = self._given = 0
        self._end: int | None = None
        self._stopped = False
        self._reason: BaseException | None = None
        self._threads = threads or Threads()
        self._keeps_threads = threads is not None
        self._working: list[Job] = []
        self._reading: Job | None = None

    def __iter__(self) -> Generator[Item, None, None]:
        """Yield the items in the source's order.

        Raises:
            BaseException: what the source or a stage raised, after all items before that one; or
                the reason given to :meth:`stop`.
        """
        # A thread that still computes while Python is taken down can bring the process down.
        atexit.register(self.stop)
        try:
            self._start()
            while (job := self._next()) is not None:
                if job.failure is not None:
                    raise job.failure
                if job.item is not None:
                    yield job.item
                # What the reader has dropped must not wait here for the next result.
                del job
        finally:
            self.stop()

    def stop(self, reason: BaseException | None = None) -> None:
        """End the threads, after what they are at; stopping twice is harmless.

        A source that does not return keeps the thread that reads it until it does.

        Args:
            reason: what the iteration raises instead of its next item.
        """
        with self._lock:
            self._stopped = True
            self._reason = self._reason or reason
            for waiting in self._waiting:
                waiting.clear()
            for condition in (self._ticket, *self._changed):
                condition.notify_all()
        atexit.unregister(self.stop)
        for job in self._working:
            job.wait()
        if self._reading is not None:
            self._reading.wait(_SOURCE_GRACE_S)
        if not self._keeps_threads:
            self._threads.close()

    def _start(self) -> None:
        for number, stage in enumerate(self._stages):
            for _ in range(stage.workers):
                self._working.append(
                    self._threads.start(f"edgeage {stage.name}", self._work, number)
                )
        source, self._source = self._source, None
        self._reading = self._threads.start("edgeage source", self._read, source)

    def _read(self, source: Iterable[Item]) -> None:
        try:
            iterator = iter(source)
            del source
            while self._may_take():
                try:
                    item = next(iterator)
                except StopIteration:
                    break
                self._put(0, [_Job(self._taken - 1, item)])
                del item
            self._close(self._taken - 1)
        # Whatever the source raised is the reader's of the results, at its place.
        except BaseException as error:
            self._put(len(self._stages), [_Job(max(self._taken - 1, 0), None, error)])

    def _may_take(self) -> bool:
        """Wait until one more item may be taken from the source, and count it."""
        with self._lock:
            while not self._stopped and self._taken - self._given >= self._ahead:
                self._ticket.wait()
            self._taken += 1
            return not self._stopped

    def _close(self, end: int) -> None:
        with self._lock:
            self._end = end
            self._changed[-1].notify_all()

    def _work(self, number: int) -> None:
        stage = self._stages[number]
        while jobs := self._take(number):
            following = number + 1
            try:
                stage.work([job.item for job in jobs if job.item is not None])
            # It is raised where the results are read, in its place among them.
            except BaseException as error:
                following = len(self._stages)
                for job in jobs:
                    job.failure = error
            self._put(following, jobs)
            # What is handed on must not be kept alive by the wait for the next.
            jobs = []

    def _take(self, number: int) -> list[_Job[Item]]:
        """Wait for items and take the oldest, up to the stage's limit; none when stopped."""
        stage, waiting, changed = self._stages[number], self._waiting[number], self._changed[number]
        with self._lock:
            while not self._stopped and not waiting:
                changed.wait()
            if self._stopped:
                return []
            jobs = [heapq.heappop(waiting)]
            room = stage.limit - _weight(stage, jobs)
            while waiting and (room := room - _weight(stage, waiting[:1])) >= 0:
                jobs.append(heapq.heappop(waiting))
            changed.notify_all()
            return jobs

    def _put(self, number: int, jobs: list[_Job[Item]]) -> None:
        """Hand items on as soon as there is room where they go."""
        waiting, changed = self._waiting[number], self._changed[number]
        with self._lock:
            while not self._stopped and self._is_full(number):
                changed.wait()
            if not self._stopped:
                for job in jobs:
                    heapq.heappush(waiting, job)
                changed.notify_all()

    def _is_full(self, number: int) -> bool:
        if number == len(self._stages):
            return False
        stage = self._stages[number]
        return _weight(stage, self._waiting[number]) >= stage.limit

    def _next(self) -> _Job[Item] | None:
        """Wait for the next result in order; None at the end."""
        finished, changed = self._waiting[-1], self._changed[-1]
        with self._lock:
            while not self._stopped and self._end != self._given:
                if finished and finished[0].place == self._given:
                    self._given += 1
                    self._ticket.notify_all()
                    return heapq.heappop(finished)
                # On Windows Ctrl-C is seen only between waits.
                changed.wait(_TICK_S)
            if self._reason is not None:
                raise self._reason
            return None


def _weight(stage: Stage[Item], jobs: Sequence[_Job[Item]]) -> int:
    return sum(stage.weigh(job.item) for job in jobs if job.item is not None)
