"""Threads that are used again.

OpenCV keeps something for ever of every thread that ran one of its parallel functions
(opencv/opencv#9745, #19727), so that a program which begins threads for each of its calls grows
for as long as it lives.
"""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, NamedTuple

from edgeage.closing import Closing
from edgeage.images import import_opencv

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Job", "Threads"]


class Job:
    """What :meth:`Threads.start` began."""

    def __init__(self, name: str, work: Callable[..., None], arguments: tuple[object, ...]) -> None:
        self._name, self._work, self._arguments = name, work, arguments
        self._thread: threading.Thread | None = None
        self._done = threading.Event()

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait until it has returned; not where it is the job itself that asks.

        Args:
            timeout_s: for how long at most; None for ever.
        """
        if threading.current_thread() is not self._thread:
            self._done.wait(timeout_s)

    def run(self) -> None:
        """Do it, in the thread that calls."""
        self._thread = threading.current_thread()
        self._thread.name = self._name
        work, arguments = self._work, self._arguments
        # Who keeps the job, to wait for it, keeps nothing of its work alive.
        del self._work, self._arguments
        work(*arguments)

    def finish(self) -> None:
        """Let those who wait go on."""
        self._done.set()


class _Idle(NamedTuple):
    thread: threading.Thread
    jobs: queue.SimpleQueue[Job | None]


class Threads(Closing):
    """Runs each job in a thread that is free, or in one more.

    They are daemons: a job that never returns does not keep the process from ending.

    >>> with Threads() as threads:
    ...     threads.start("print", print, "done").wait()
    done
    """

    def __init__(self) -> None:
        # What garbage collection drops meanwhile may close this from within.
        self._lock = threading.RLock()
        self._idle: list[_Idle] = []
        self._closed = False

    def start(self, name: str, work: Callable[..., None], *arguments: object) -> Job:
        """Begin a job.

        Args:
            name: what its thread is called meanwhile.
            work: called in the thread; must not raise.
            *arguments: what it is called with.

        Returns:
            The job, to wait for.
        """
        job = Job(name, work, arguments)
        with self._lock:
            jobs = self._idle.pop().jobs if self._idle and not self._closed else None
        if jobs is None:
            import_opencv()
            jobs = queue.SimpleQueue()
            threading.Thread(target=self._serve, args=(jobs,), daemon=True).start()
        jobs.put(job)
        return job

    def close(self) -> None:
        """End the threads that are free, and the others after their jobs."""
        with self._lock:
            self._closed = True
            idle = list(self._idle)
        for thread, jobs in idle:
            jobs.put(None)
            thread.join()

    def _serve(self, jobs: queue.SimpleQueue[Job | None]) -> None:
        thread = threading.current_thread()
        while (job := jobs.get()) is not None:
            job.run()
            with self._lock:
                ends = self._closed
                if not ends:
                    thread.name = "edgeage idle"
                    self._idle.append(_Idle(thread, jobs))
            job.finish()
            # A thread that waits keeps nothing of its last job alive.
            del job
            if ends:
                return
