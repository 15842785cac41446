"""A device that may go away, another one that answers meanwhile, and the way back.

The other device's networks are opened at the start, not when they are needed: reading and
compiling them takes seconds, and a picture that was under way when the stick was pulled should
not wait for that. It costs the memory of one more copy of the networks.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from typing import TYPE_CHECKING

from edgeage.errors import (
    DeviceError,
    EdgeageError,
    MissingDependencyError,
    ModelError,
    ToolchainError,
    UsageError,
)
from edgeage.runtime.backend import batch_problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from edgeage.manifest import Manifest
    from edgeage.runtime.backend import Answer, Backend, Session

__all__ = ["OUTAGES", "FallbackBackend", "FallbackSession"]

OUTAGES = (DeviceError, ToolchainError, ModelError, MissingDependencyError)
"""What another device may answer for: a model damaged on one may be whole on the other."""

_LOGGER = logging.getLogger("edgeage")


class FallbackBackend:
    """Runs networks on one device as long as it works and on another one while it does not.

    When the device fails, the request at hand and all that follow go to the fallback, the failure
    is logged once, and a thread tries the device again: after ``first_retry_s``, then after twice
    as long each time. No request waits for that. Once all networks are loaded there again, it
    answers again. A failure that waiting does not mend, such as a missing toolchain or a damaged
    file, is not tried again.

    Args:
        primary: the device wanted.
        fallback: the other one; None to have requests fail while the first is away.
        first_retry_s: seconds before the first new try.
        longest_retry_s: the longest time between two tries, in seconds. A device that fails again
            sooner than that after its return continues where the waiting had got to.
    """

    def __init__(
        self,
        primary: Backend,
        fallback: Backend | None,
        *,
        first_retry_s: float = 1.0,
        longest_retry_s: float = 60.0,
    ) -> None:
        self.primary, self.fallback = primary, fallback
        self._first_s, self._longest_s = first_retry_s, longest_retry_s
        self._wait_s, self._back_at = first_retry_s, float("-inf")
        self._lock = threading.Lock()
        self._sessions: list[FallbackSession] = []
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._outage: EdgeageError | None = None

    @property
    def device(self) -> str:
        """Name of the device wanted."""
        return self.primary.device

    @property
    def models(self) -> Sequence[Manifest]:
        """The models the device wanted brings along."""
        return self.primary.models

    @property
    def outage(self) -> EdgeageError | None:
        """Why the device wanted does not answer, or None while it does."""
        return self._outage

    def load(self, manifest: Manifest, *, mean: np.ndarray | None = None) -> FallbackSession:
        """Load a model on both devices; see :meth:`edgeage.runtime.Backend.load`.

        Raises:
            EdgeageError: when the fallback cannot load it, or, without one, the device cannot.
        """
        spare = self.fallback.load(manifest, mean=mean) if self.fallback else None
        session = FallbackSession(self, manifest, mean, spare)
        try:
            if self._outage is None:
                session.main = self.primary.load(manifest, mean=mean)
        except OUTAGES as error:
            if spare is None:
                raise
            self.give_up(error)
        with self._lock:
            self._sessions.append(session)
        return session

    def give_up(self, error: EdgeageError, session: Session | None = None) -> None:
        """Take the device wanted out of service; only the first to report an outage counts.

        Args:
            error: what happened.
            session: the device's session it happened to, if any.
        """
        with self._lock:
            known = session is not None and all(s.main is not session for s in self._sessions)
            if self._outage is not None or known or self._stop.is_set():
                return
            self._outage = error
            retired = [s.main for s in self._sessions if s.main is not None]
            for mine in self._sessions:
                mine.main = None
            if time.monotonic() - self._back_at > self._longest_s:
                self._wait_s = self._first_s
            again = isinstance(error, DeviceError)
            arguments = (retired, again)
            self._thread = threading.Thread(target=self._recover, args=arguments, daemon=True)
        if self.fallback is not None:
            _LOGGER.warning("%s; using %s instead", error, self.fallback.device)
        self._thread.start()

    def forget(self, session: FallbackSession) -> None:
        """Drop a closed session; the last one ends the tries."""
        with self._lock:
            if session in self._sessions:
                self._sessions.remove(session)
            if not self._sessions:
                self._stop.set()
        if self._stop.is_set() and self._thread is not None:
            self._thread.join(2.0)

    def _recover(self, retired: Sequence[Session], again: bool) -> None:
        for session in retired:
            with contextlib.suppress(EdgeageError):
                session.close()
        left = time.monotonic()
        while again and not self._stop.wait(self._wait_s):
            self._wait_s = min(2 * self._wait_s, self._longest_s)
            try:
                returned = self._take_back()
            except OUTAGES as error:
                _LOGGER.debug("%s; trying again in %.0f s", error, self._wait_s)
                again = isinstance(error, DeviceError)
            else:
                if returned:
                    away_s = time.monotonic() - left
                    _LOGGER.warning("%s is back after %.0f s", self.device, away_s)
                    return

    def _take_back(self) -> bool:
        """Load every network on the device again; False when meanwhile others are wanted."""
        wanted = list(self._sessions)
        with contextlib.ExitStack() as undo:
            fresh: list[Session] = []
            for session in wanted:
                fresh.append(self.primary.load(session.manifest, mean=session.mean))
                undo.callback(fresh[-1].close)
            with self._lock:
                if wanted != self._sessions or self._stop.is_set():
                    return False
                for session, main in zip(wanted, fresh, strict=True):
                    session.main = main
                self._outage, self._back_at = None, time.monotonic()
                undo.pop_all()
        return True


class FallbackSession:
    """One network on both devices; see :class:`edgeage.runtime.Session`.

    Attributes:
        manifest: the network's manifest.
        mean: the mean it was loaded with, or None for its own.
        main: the session on the device wanted; None while that is away.
    """

    def __init__(
        self,
        owner: FallbackBackend,
        manifest: Manifest,
        mean: np.ndarray | None,
        spare: Session | None,
    ) -> None:
        self._owner, self._spare = owner, spare
        self.manifest, self.mean = manifest, mean
        self.main: Session | None = None
        self._closed = threading.Event()

    @property
    def device(self) -> str:
        """Name of the device that would answer now."""
        answering = self.main or self._spare
        return answering.device if answering else self._owner.device

    @property
    def first_ms(self) -> float | None:
        """Milliseconds of the first run on the device that would answer now, if known."""
        return getattr(self.main or self._spare, "first_ms", None)

    def infer(self, batch: np.ndarray) -> Answer:
        """Run the network; the fallback answers what the device fails to.

        Raises:
            UsageError: for a batch of another shape or dtype, or after :meth:`close`.
            DeviceError: when the fallback fails too, or there is none.
        """
        if problem := batch_problem(batch, self.manifest.input.input_hw):
            raise UsageError(problem)
        if self._closed.is_set():
            raise UsageError("this session is closed; load the model again")
        main = self.main
        if main is not None:
            try:
                return main.infer(batch)
            except OUTAGES as error:
                self._owner.give_up(error, main)
                if self._spare is None:
                    raise
            except UsageError:
                # Closed under our hands: another thread has found the device gone.
                if self.main is main:
                    raise
        if self._spare is None:
            outage = self._owner.outage or DeviceError(f"{self._owner.device} is away; try again")
            raise type(outage)(str(outage))
        return self._spare.infer(batch)

    def close(self) -> None:
        """Give both devices back; closing twice is harmless."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._owner.forget(self)
        for session in (self.main, self._spare):
            if session is not None:
                session.close()
