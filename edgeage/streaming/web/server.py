"""Running the application: on a socket of its own, in a thread, with clients that may be slow.

uvicorn waits for ever for a request's head and for a client that takes nothing; here both end.
"""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from edgeage.closing import Closing
from edgeage.errors import EdgeageError, UsageError
from edgeage.streaming.web.settings import is_local

if TYPE_CHECKING:
    import asyncio

    from edgeage.streaming.web.app import WebApp
    from edgeage.streaming.web.settings import WebSettings

__all__ = ["WebServer"]

_STOP_SECONDS = 2


class WebServer(Closing):
    """A server that runs in a thread; see :func:`edgeage.streaming.web.serve_in_thread`.

    Args:
        app: what answers.
        host: the address to listen on.
        port: 0 for any that is free.

    Attributes:
        port: where it listens.
        url: where a browser finds it on this machine, or by the machine's name.

    Raises:
        UsageError: when the address can be reached from elsewhere and ``app`` wants no token.
        EdgeageError: when the address cannot be listened on.
    """

    def __init__(self, app: WebApp, host: str, port: int) -> None:
        if app.settings.token is None and not is_local(host):
            raise UsageError(
                f"others may reach {host}, so a token is needed; give one, or listen on 127.0.0.1"
            )
        self._app = app
        self._socket = _listen(host, port)
        self.port: int = self._socket.getsockname()[1]
        name = socket.gethostname() if host in ("", "0.0.0.0", "::") else host  # noqa: S104
        self.url = f"http://{f'[{name}]' if ':' in name else name}:{self.port}/"
        self._server = uvicorn.Server(_Config(app))
        self._thread = threading.Thread(
            target=self._server.run,
            kwargs={"sockets": [self._socket]},
            name="edgeage-web-server",
            daemon=True,
        )
        # Who connects before the thread is at work waits in the socket's queue.
        self._thread.start()

    def close(self) -> None:
        """End live streams, let requests under way finish for two seconds, stop listening."""
        self._app.close()
        self._server.should_exit = True
        self._thread.join(_STOP_SECONDS + 10)
        self._socket.close()


class _Config(uvicorn.Config):
    """uvicorn's settings for an application."""

    def __init__(self, app: WebApp) -> None:
        self.web: WebSettings = app.settings
        super().__init__(
            app,
            loop="asyncio",
            http=_PatientProtocol,
            ws="none",
            lifespan="off",
            # What a client does wrong is answered, and not logged: anybody could fill a disk.
            log_config=None,
            log_level="error",
            access_log=False,
            server_header=False,
            limit_concurrency=app.settings.connections,
            timeout_graceful_shutdown=_STOP_SECONDS,
        )


class _PatientProtocol(H11Protocol):
    """uvicorn's HTTP/1.1 whose patience ends.

    A connection on which no whole head of a request came within ``read_seconds``, or whose client
    took nothing for ``write_seconds``, is cut.
    """

    _head_timer: asyncio.TimerHandle | None = None
    _write_timer: asyncio.TimerHandle | None = None

    @property
    def _web(self) -> WebSettings:
        web: WebSettings = self.config.web  # type: ignore[attr-defined]
        return web

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        # asyncio does so itself only for sockets that name their protocol; without, the second
        # part of every answer waits for the client's delayed acknowledgement of the first.
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if len(self.connections) > 2 * self._web.connections:
            transport.abort()
        else:
            self._expect_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._expect_head()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._write_timer is None:
            self._write_timer = self.loop.call_later(self._web.write_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        for timer in (self._head_timer, self._write_timer):
            if timer is not None:
                timer.cancel()

    def _expect_head(self) -> None:
        """Start the time for a head where none is there, and stop it where one is."""
        answering = self.cycle is not None and not self.cycle.response_complete
        if answering and self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
        elif not answering and self._head_timer is None:
            self._head_timer = self.loop.call_later(self._web.read_seconds, self.transport.abort)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=256)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise EdgeageError(
            f"cannot listen on {host} port {port}: {reason}; choose another --host or --port"
        ) from None
