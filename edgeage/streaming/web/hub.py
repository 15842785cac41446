"""``Hub``: the latest picture and events of a stream, from its thread to whoever watches.

It holds one picture and, for everybody who listens, a bounded queue of events, however slow they
are: a frame that nobody took in time is dropped for the next one.
"""

from __future__ import annotations

import collections
import contextlib
import json
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from edgeage.errors import UsageError
from edgeage.images import require_bgr, resize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import numpy as np

__all__ = ["Event", "Hub", "Listener"]

_WAITING_EVENTS = 64
_STATE_TYPES = ("start", "end")


class Event(NamedTuple):
    """One event as it is sent.

    Attributes:
        number: counts the hub's events from 1.
        kind: its ``"type"``.
        text: the event as one line of JSON.
    """

    number: int
    kind: str
    text: str


class Hub:
    r"""Keeps what a stream shows now, for a web page's viewers.

    :meth:`publish` is called by the stream's thread and never waits for a viewer. A picture is
    encoded when a viewer asks for it, once for all of them.

    Args:
        quality: of the JPEGs, 1 to 100.
        max_side: a larger picture's longer side is brought down to this many pixels.

    Raises:
        UsageError: for a number out of range.

    >>> import numpy as np
    >>> hub = Hub()
    >>> hub.publish(np.zeros((48, 64, 3), np.uint8), {"type": "frame", "frame": 1, "faces": []})
    >>> hub.jpeg()[:2] == b"\xff\xd8"
    True
    """

    def __init__(self, *, quality: int = 80, max_side: int = 1280) -> None:
        if not 1 <= quality <= 100:
            raise UsageError(f"expected a JPEG quality of 1 to 100, got {quality}")
        if max_side < 16:
            raise UsageError(f"expected max_side of at least 16 pixels, got {max_side}")
        self._quality, self._max_side = quality, max_side
        self._lock, self._encoding = threading.Lock(), threading.Lock()
        self._picture: np.ndarray | None = None
        self._jpeg: tuple[int, bytes] = (0, b"")
        self._frames, self._events, self._watchers = 0, 0, 0
        self._latest: dict[str, Event] = {}
        self._listeners: set[Listener] = set()
        self._closed = False

    @property
    def frames(self) -> int:
        """How many frames were published, with and without a picture; the latest one's number."""
        return self._frames

    @property
    def watched(self) -> bool:
        """Whether somebody watches the picture; without, drawing it would be for nobody."""
        return self._watchers > 0

    @property
    def closed(self) -> bool:
        """Whether the hub was closed."""
        return self._closed

    def publish(self, picture_bgr: np.ndarray | None, event: Mapping[str, Any]) -> None:
        """Show a frame, or tell something else.

        Args:
            picture_bgr: uint8 array of shape (height, width, 3), BGR, as it is to be shown. It is
                not copied, so nobody may write into it afterwards. Of a ``"frame"`` only; None
                where nobody watches.
            event: JSON-ready fields with a ``"type"``. Of ``"frame"`` events only the latest is
                kept for a listener that is behind; of the others the latest 64. The latest
                ``"start"``, ``"end"`` and ``"frame"`` are told to newcomers too.

        Raises:
            ImageError: when the picture has another shape or dtype.
            ValueError: when the event is not JSON, for example of a NaN.
        """
        if picture_bgr is not None:
            require_bgr(picture_bgr)
        kind = str(event["type"])
        text = json.dumps(dict(event), allow_nan=False, ensure_ascii=False, separators=(",", ":"))
        with self._lock:
            if kind == "frame":
                self._picture, self._frames = picture_bgr, self._frames + 1
            self._events += 1
            told = Event(self._events, kind, text)
            if kind == "start":
                self._latest.clear()
            if kind in (*_STATE_TYPES, "frame"):
                self._latest[kind] = told
            listeners = list(self._listeners)
            for listener in listeners:
                listener._tell(told)
        for listener in listeners:
            listener._wake()

    def jpeg(self) -> bytes:
        """Return the latest picture as a JPEG, encoded at most once; empty where there is none."""
        with self._encoding:
            with self._lock:
                picture, number = self._picture, self._frames
            if picture is None:
                return b""
            if self._jpeg[0] != number:
                self._jpeg = (number, self._encode(picture))
            return self._jpeg[1]

    @contextlib.contextmanager
    def listen(self, wake: Callable[[], None], *, watch: bool = False) -> Iterator[Listener]:
        """Listen to the events while the block runs.

        Args:
            wake: called when there is something to take, by the stream's thread: it must be
                quick and raise nothing.
            watch: whether the pictures are wanted too.

        Yields:
            The listener, whose ``take()`` returns the events since the last call.
        """
        listener = Listener(wake)
        with self._lock:
            for event in sorted(self._latest.values()):
                listener._tell(event)
            self._listeners.add(listener)
            self._watchers += watch
        try:
            if self._closed or self._events:
                listener._wake()
            yield listener
        finally:
            with self._lock:
                self._listeners.discard(listener)
                self._watchers -= watch

    def close(self) -> None:
        """End everybody's listening; closing twice is harmless."""
        with self._lock:
            self._closed = True
            listeners = list(self._listeners)
        for listener in listeners:
            listener._wake()

    def _encode(self, picture: np.ndarray) -> bytes:
        import cv2

        height, width = picture.shape[:2]
        scale = self._max_side / max(height, width)
        if scale < 1:
            picture = resize(picture, (max(1, round(height * scale)), max(1, round(width * scale))))
        _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, self._quality])
        return data.tobytes()


class Listener:
    """The events somebody has yet to take; made by :meth:`Hub.listen`.

    Args:
        wake: called when there is something to take.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake_up = wake
        self._events: collections.deque[Event] = collections.deque(maxlen=_WAITING_EVENTS)
        self._lock = threading.Lock()
        self._awake = False

    def take(self) -> list[Event]:
        """Return the events since the last call, the latest of the frames and all others."""
        with self._lock:
            self._awake = False
            events = list(self._events)
            self._events.clear()
        return events

    def _tell(self, event: Event) -> None:
        with self._lock:
            if event.kind == "frame":
                for place, waiting in enumerate(self._events):
                    if waiting.kind == "frame":
                        del self._events[place]
                        break
            self._events.append(event)

    def _wake(self) -> None:
        """Wake whoever listens, once until it has taken what there is."""
        with self._lock:
            if self._awake:
                return
            self._awake = True
        self._wake_up()
