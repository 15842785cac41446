"""What does not end by itself: the picture as it changes, and the events as they come."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import anyio
from starlette.responses import Response

from edgeage.streaming.web.refusals import refuse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import Receive, Scope, Send

    from edgeage.streaming.web.hub import Hub, Listener
    from edgeage.streaming.web.limits import Budget
    from edgeage.streaming.web.metrics import Metrics

__all__ = ["EventStream", "LivePicture", "Viewers"]

_QUIET_SECONDS = 10.0
_BOUNDARY = "frame"
_PART_HEAD = f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\n\r\n".encode()
_RETRY_MS = 1000


class Viewers:
    """How many watch, and that there are not too many.

    Args:
        budget: how many may.
        metrics: where they are counted.
    """

    def __init__(self, budget: Budget, metrics: Metrics) -> None:
        self._budget, self._metrics = budget, metrics

    @contextlib.contextmanager
    def one_more(self, kind: str) -> Iterator[None]:
        """Count one who watches while the block runs.

        Raises:
            HTTPException: 503 where there are too many.
        """
        if not self._budget.take():
            raise refuse(503, "too many are watching; try again later", retry_after=5)
        self._metrics.viewers(kind, 1)
        try:
            yield
        finally:
            self._metrics.viewers(kind, -1)
            self._budget.give_back()


class _Live(Response):
    """Sends what a hub has anew until the viewer leaves or the hub is closed."""

    kind = ""
    watches = False
    opening = b""
    idle = b""

    def __init__(self, hub: Hub, viewers: Viewers) -> None:
        super().__init__(headers={"Cache-Control": "no-store"})
        # An answer without end has no length.
        del self.headers["content-length"]
        self._hub, self._viewers = hub, viewers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._viewers.one_more(self.kind):
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            if scope["method"] != "HEAD":
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(_cancel_when_gone, receive, tasks.cancel_scope)
                    await self._send_all(send)
                    tasks.cancel_scope.cancel()
            await send({"type": "http.response.body", "body": b""})

    async def _send_all(self, send: Send) -> None:
        loop, awake = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            # The stream's thread may outlive the server.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(awake.set)

        await _send(send, self.opening)
        with self._hub.listen(wake, watch=self.watches) as listener:
            while True:
                awake.clear()
                closed = self._hub.closed
                await _send(send, await self._take(listener))
                if closed:
                    return
                with anyio.move_on_after(_QUIET_SECONDS) as waited:
                    await awake.wait()
                if waited.cancelled_caught:
                    await _send(send, self.idle)

    async def _take(self, listener: Listener) -> bytes:
        """Return what there is anew, as it is sent."""
        raise NotImplementedError


class LivePicture(_Live):
    """The picture as it changes: JPEGs one after the other (multipart/x-mixed-replace).

    Args:
        hub: what shows it.
        viewers: who watches.
    """

    kind = "picture"
    watches = True
    media_type = f"multipart/x-mixed-replace; boundary={_BOUNDARY}"
    # Chromium shows a part when the next one's head is there, so that goes with each part; what
    # the next part's length will be is not known then.
    opening = _PART_HEAD

    def __init__(self, hub: Hub, viewers: Viewers) -> None:
        super().__init__(hub, viewers)
        self._sent = 0

    async def _take(self, listener: Listener) -> bytes:
        listener.take()
        if self._sent == self._hub.frames:
            return b""
        self._sent = self._hub.frames
        jpeg = await anyio.to_thread.run_sync(self._hub.jpeg)
        return jpeg + b"\r\n" + _PART_HEAD if jpeg else b""


class EventStream(_Live):
    """The events as they come (server-sent events, WHATWG HTML, 9.2).

    Args:
        hub: where they come from.
        viewers: who listens.
    """

    kind = "events"
    media_type = "text/event-stream"
    opening = f"retry: {_RETRY_MS}\n\n".encode()
    idle = b": still here\n\n"

    async def _take(self, listener: Listener) -> bytes:
        lines = [f"id: {event.number}\ndata: {event.text}\n\n" for event in listener.take()]
        return "".join(lines).encode()


async def _send(send: Send, body: bytes) -> None:
    if body:
        await send({"type": "http.response.body", "body": body, "more_body": True})


async def _cancel_when_gone(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
