"""A predictor, and what a live stream shows, as a web page and an HTTP interface."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeage.errors import require
from edgeage.streaming.web.hub import Hub
from edgeage.streaming.web.settings import WebSettings

if TYPE_CHECKING:
    from edgeage.predictor import Predictor
    from edgeage.streaming.web.app import WebApp
    from edgeage.streaming.web.server import WebServer

__all__ = ["Hub", "WebSettings", "make_app", "serve_in_thread"]


def make_app(
    predictor: Predictor, hub: Hub | None = None, settings: WebSettings | None = None
) -> WebApp:
    """Make the ASGI application: the page, ``/v1/predict``, ``/metrics`` and the others.

    Args:
        predictor: answers the pictures that are sent; it stays the caller's to close.
        hub: shows a live stream on the page; None where there is none.
        settings: the limits; None for :class:`WebSettings`' own.

    Returns:
        The application, for :func:`serve_in_thread` or another ASGI server. It has a ``close()``.

    Raises:
        MissingDependencyError: when the packages of the extra «web» are not installed.
    """
    for module in ("starlette", "python_multipart", "prometheus_client"):
        require(module, extra="web", purpose="serve a web page")
    from edgeage.streaming.web.app import WebApp

    return WebApp(predictor, hub, settings or WebSettings())


def serve_in_thread(app: WebApp, host: str = "127.0.0.1", port: int = 8000) -> WebServer:
    """Serve an application in a thread of its own, until the handle is closed.

    Args:
        app: what :func:`make_app` made; it is closed with the server.
        host: the address to listen on. One that others may reach needs a token in the settings.
        port: 0 for any that is free.

    Returns:
        The running server: ``url``, ``port``, ``close()``, and a context manager that closes it.

    Raises:
        UsageError: when others may reach the address and there is no token.
        EdgeageError: when the address cannot be listened on.
        MissingDependencyError: when the packages of the extra «web» are not installed.
    """
    require("uvicorn", extra="web", purpose="serve a web page")
    from edgeage.streaming.web.server import WebServer

    return WebServer(app, host, port)
