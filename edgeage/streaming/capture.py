"""Frames taken off a source by a thread of its own: kept to the last one, or dropped when old.

A source is never trusted to return: one that opens or reads for ever keeps its thread, which
nothing waits for, and is lost to us.
"""

from __future__ import annotations

import collections
import dataclasses
import logging
import threading
import time
from typing import TYPE_CHECKING

from edgeage.errors import VideoError
from edgeage.images import import_opencv

if TYPE_CHECKING:
    from collections.abc import Generator

    import numpy as np

    from edgeage.streaming.framesources import FrameReader, FrameSource
    from edgeage.streaming.options import StreamOptions

__all__ = ["Capture", "Captured", "Counts", "Lost"]

_LOG = logging.getLogger(__name__)
_TICK_S = 0.1
_AHEAD = {True: 1, False: 4}
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 15.0


@dataclasses.dataclass(frozen=True)
class Captured:
    """A frame as it was read.

    Attributes:
        number: its number in the source, from 0 on.
        picture: uint8 array of shape (height, width, 3), BGR.
        timestamp: when it was read, in seconds since the epoch.
        read_s: the same by ``time.perf_counter``.
        position_s: where it lies in a file, in seconds; None for a live source.
    """

    number: int
    picture: np.ndarray
    timestamp: float
    read_s: float
    position_s: float | None = None


@dataclasses.dataclass(frozen=True)
class Lost:
    """The source is lost for now.

    Attributes:
        reason: what happened, in a line.
        timestamp: when that was, in seconds since the epoch.
        retry_s: in how many seconds it is tried again.
    """

    reason: str
    timestamp: float
    retry_s: float


@dataclasses.dataclass
class Counts:
    """What became of a source's frames.

    Attributes:
        read: how many were read, dropped ones included, passed over ones not.
        dropped: how many a live source gave while the last ones were still looked at.
        skipped: how many were passed over as ``every`` and ``max_fps`` wanted it.
        reconnects: how often a lost source came back.
    """

    read: int = 0
    dropped: int = 0
    skipped: int = 0
    reconnects: int = 0


class Capture:
    """Takes frames off a source; iterate it once, in any thread.

    Args:
        source: where from.
        options: which frames, and how long a lost source is tried again.

    Attributes:
        counts: what became of the frames so far.
        live: whether the source is live; None before it is open.
        fps: frames a second the source tells of; None where it does not, or before it is open.
    """

    def __init__(self, source: FrameSource, options: StreamOptions) -> None:
        self._source, self._options = source, options
        self._feed: _Feed | None = None
        self._ending = False
        self.counts = Counts()
        self.live: bool | None = None
        self.fps: float | None = None

    def end(self) -> None:
        """Let the source end here, as if it had; may be called in a signal's handler."""
        self._ending = True

    def __iter__(self) -> Generator[Captured | Lost, None, None]:
        """Yield the frames, and a :class:`Lost` each time the source is lost for now.

        Raises:
            VideoError: when the source cannot be opened, or is lost and does not come back.
        """
        feed = self._connect(0)
        try:
            while not self._ending:
                try:
                    frame = feed.take(self)
                except VideoError as error:
                    if not self.live or not self._options.reconnect_s:
                        raise
                    lost = error
                else:
                    if frame is None:
                        return
                    yield frame
                    continue
                feed.abandon()
                again = yield from self._tried_again(lost, feed.next_number)
                if again is None:
                    return
                feed = again
        finally:
            if self._feed is not None:
                self._feed.abandon()

    @property
    def is_ending(self) -> bool:
        """Whether :meth:`end` was called."""
        return self._ending

    def _connect(self, first: int) -> _Feed:
        self._feed = _Feed(self._source, self._options, self.counts, first)
        return self._feed

    def _tried_again(self, lost: VideoError, number: int) -> Generator[Lost, None, _Feed | None]:
        """Open a lost source again, waiting longer from one attempt to the next."""
        wait_s, until = _FIRST_WAIT_S, time.monotonic() + self._options.reconnect_s
        while True:
            wait_s = min(wait_s, max(until - time.monotonic(), 0.0))
            _LOG.warning("%s is lost (%s); trying again in %.1f s", self.name, lost, wait_s)
            yield Lost(str(lost), time.time(), round(wait_s, 3))
            self._wait(wait_s)
            if self._ending:
                return None
            feed = self._connect(number)
            try:
                feed.wait_for_first(self)
            except VideoError as error:
                feed.abandon()
                lost = error
            else:
                self.counts.reconnects += 1
                return feed
            if time.monotonic() >= until:
                seconds = self._options.reconnect_s
                raise VideoError(f"{self.name} was lost and not back within {seconds:g} s: {lost}")
            wait_s = min(wait_s * 2 or _FIRST_WAIT_S, _LONGEST_WAIT_S)

    @property
    def name(self) -> str:
        """What the source is called."""
        return self._source.name

    def _wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not self._ending and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, _TICK_S))


class _Feed:
    """One connection: a thread that opens the source and reads frames until it is abandoned."""

    def __init__(
        self, source: FrameSource, options: StreamOptions, counts: Counts, first: int
    ) -> None:
        self._source, self._options, self._counts = source, options, counts
        self.next_number = first
        self._changed = threading.Condition()
        self._frames: collections.deque[Captured] = collections.deque()
        self._reader: FrameReader | None = None
        self._error: Exception | None = None
        self._ended = self._abandoned = False
        self._due = 0.0
        import_opencv()
        self._thread = threading.Thread(target=self._run, name="edgeage capture", daemon=True)
        self._thread.start()

    def wait_for_first(self, capture: Capture) -> None:
        """Wait until the first frame is there.

        Raises:
            VideoError: when there will be none.
        """
        self._wait(capture)

    def take(self, capture: Capture) -> Captured | None:
        """Wait for the next frame; None at the end of a source that has one.

        Raises:
            VideoError: when the source is lost or stalls.
        """
        self._wait(capture)
        with self._changed:
            if not self._frames:
                return None
            frame = self._frames.popleft()
            self._changed.notify_all()
            return frame

    def abandon(self) -> None:
        """Give the source up; its thread ends as soon as the source returns."""
        with self._changed:
            self._abandoned = True
            self._frames.clear()
            self._changed.notify_all()
        if self._thread is not threading.current_thread():
            self._thread.join(_TICK_S * 5)

    def _wait(self, capture: Capture) -> None:
        until = time.monotonic() + self._options.stall_s + self._pause()
        with self._changed:
            while not (self._frames or self._error or self._ended or capture.is_ending):
                self._changed.wait(_TICK_S)
                if time.monotonic() > until:
                    seconds = self._options.stall_s
                    raise VideoError(f"{self._source.name} gave no frame for {seconds:g} s")
            if self._reader is not None:
                capture.live, capture.fps = self._reader.live, self._reader.fps
            if self._frames or capture.is_ending:
                return
            if self._error is not None:
                raise self._error
            if self._reader is not None and self._reader.live:
                raise VideoError(f"{self._source.name} ended")

    def _run(self) -> None:
        reader: FrameReader | None = None
        try:
            reader = self._source.open_frames()
            with self._changed:
                self._reader = reader
            while not self._abandoned and self._pass(reader):
                pass
        # What a source, also one of the caller's own, raises is raised where its frames are read.
        except Exception as error:
            self._error = error
        finally:
            try:
                if reader is not None:
                    reader.close()
            finally:
                with self._changed:
                    self._ended = True
                    self._changed.notify_all()

    def _pass(self, reader: FrameReader) -> bool:
        """Read one frame and hand it on, or pass it over; return False at the end."""
        number = self.next_number
        self.next_number += 1
        if number % self._options.every or (reader.live and time.monotonic() < self._due):
            self._counts.skipped += 1
            if reader.skip():
                return True
            self._counts.skipped -= 1
            return False
        self._pace(reader)
        picture = reader.read()
        if picture is None:
            return False
        position_s = number / reader.fps if reader.fps and not reader.live else None
        frame = Captured(number, picture, time.time(), time.perf_counter(), position_s)
        self._put(frame, live=reader.live)
        return True

    def _pause(self) -> float:
        return 1 / self._options.max_fps if self._options.max_fps else 0.0

    def _pace(self, reader: FrameReader) -> None:
        """Wait until a file's next frame is due, where its frames are not to come too fast."""
        if not (pause := self._pause()):
            return
        if not reader.live:
            with self._changed:
                while not self._abandoned and (left := self._due - time.monotonic()) > 0:
                    self._changed.wait(min(left, _TICK_S))
        # From when it was due, not from now, or the lateness of all frames would add up.
        self._due = max(self._due, time.monotonic() - pause / 2) + pause

    def _put(self, frame: Captured, *, live: bool) -> None:
        ahead = _AHEAD[live]
        with self._changed:
            self._counts.read += 1
            while len(self._frames) >= ahead and not self._abandoned:
                if live:
                    self._frames.popleft()
                    self._counts.dropped += 1
                else:
                    self._changed.wait(_TICK_S)
            if not self._abandoned:
                self._frames.append(frame)
                self._changed.notify_all()
