"""What goes around every answer: who may ask, the headers that protect the page, the figures."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from edgeage.streaming.web.auth import Gate
    from edgeage.streaming.web.metrics import Metrics

__all__ = ["Frame", "error_response"]

_PROTECTION = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_OPEN = ("/", "/v1/health", "/v1/session")
_STATIC = "/static/"
_ENDLESS = ("/v1/stream", "/v1/events")
_METHODS = ("DELETE", "GET", "HEAD", "POST")


def error_response(error: HTTPException) -> JSONResponse:
    """Return the answer to a request that was refused: ``{"error": …}``."""
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


class Frame:
    """Goes around the routes; see the module.

    Args:
        routes: answers what is let in.
        gate: who is let in.
        metrics: counts.
        paths: of the routes, by which requests are counted; others are one.
    """

    def __init__(
        self, routes: ASGIApp, gate: Gate, metrics: Metrics, paths: frozenset[str]
    ) -> None:
        self._routes, self._gate, self._metrics, self._paths = routes, gate, metrics, paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, as ASGI wants it."""
        if scope["type"] != "http":
            await self._routes(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def protected(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _protect(message)
            await send(message)

        try:
            await self._answer(scope, receive, protected)
        finally:
            self._count(scope, status, time.perf_counter() - began)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        try:
            self._gate.check_site(request)
            path = scope["path"]
            if path not in _OPEN and not path.startswith(_STATIC):
                self._gate.check(request)
        except HTTPException as error:
            await error_response(error)(scope, receive, send)
            return
        await self._routes(scope, receive, send)

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        path = scope["path"]
        route = _STATIC if path.startswith(_STATIC) else path
        if route not in self._paths:
            route = "other"
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._metrics.request(route, method, status, None if path in _ENDLESS else seconds)


def _protect(message: Any) -> None:
    headers = MutableHeaders(scope=message)
    for name, value in _PROTECTION.items():
        headers[name] = value
    headers.setdefault("Cache-Control", "no-store")
