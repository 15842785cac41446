"""The routes of the server, and the application made of them."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import anyio
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from edgeage import __version__
from edgeage.streaming.web.auth import COOKIE, Gate, client_of
from edgeage.streaming.web.files import PageFiles
from edgeage.streaming.web.frame import Frame, error_response
from edgeage.streaming.web.limits import Budget, RateLimit
from edgeage.streaming.web.live import EventStream, LivePicture, Viewers
from edgeage.streaming.web.metrics import CONTENT_TYPE, Metrics
from edgeage.streaming.web.openapi import describe
from edgeage.streaming.web.refusals import refuse
from edgeage.streaming.web.saving import Saver
from edgeage.streaming.web.uploads import check_type, picture_in, reading
from edgeage.streaming.web.work import PredictorWork

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from edgeage.faceresult import PictureResult
    from edgeage.predictor import Predictor
    from edgeage.streaming.web.hub import Hub
    from edgeage.streaming.web.settings import WebSettings

__all__ = ["WebApp"]


class WebApp:
    """The server's ASGI application; see :func:`edgeage.streaming.web.make_app`.

    Args:
        predictor: answers the pictures that are sent.
        hub: shows a live stream; None where there is none.
        settings: the limits.
    """

    def __init__(self, predictor: Predictor, hub: Hub | None, settings: WebSettings) -> None:
        self.settings = settings
        self._predictor, self._hub = predictor, hub
        self._began = time.monotonic()
        self._saver = Saver(settings.save) if settings.save is not None else None
        self._work = PredictorWork(predictor, settings, self._note)
        self._metrics = Metrics(
            lambda: self._work.waiting,
            lambda: hub.frames if hub else 0,
            lambda: predictor.device,
        )
        self._gate = Gate(settings.token)
        self._rate = RateLimit(settings.rate, settings.burst)
        self._held = Budget(settings.max_held_bytes)
        self._viewers = Viewers(Budget(settings.viewers), self._metrics)
        self._files = PageFiles()
        self._frame = self._framed()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, as ASGI wants it."""
        await self._frame(scope, receive, send)

    def close(self) -> None:
        """End live streams and drop what waits; the predictor stays the caller's to close."""
        if self._hub is not None:
            self._hub.close()
        self._work.close()

    def _framed(self) -> Frame:
        routes = [
            Route("/", self._page),
            Route("/static/{name}", self._static),
            Route("/openapi.json", self._openapi),
            Route("/metrics", self._figures),
            Route("/v1/health", self._health),
            Route("/v1/session", self._session, methods=["POST", "DELETE"]),
            Route("/v1/predict", self._predict, methods=["POST"]),
            Route("/v1/stream", self._stream),
            Route("/v1/events", self._events),
        ]
        inner = Starlette(
            routes=routes,
            exception_handlers={
                HTTPException: _refused,
                ClientDisconnect: _gone,
                Exception: _failed,
            },
        )
        inner.router.redirect_slashes = False
        paths = {route.path.replace("{name}", "") for route in routes}
        return Frame(inner, self._gate, self._metrics, frozenset(paths))

    def _note(self, result: PictureResult) -> None:
        self._metrics.picture(result)
        if self._saver is not None:
            self._saver.save(result)

    async def _page(self, request: Request) -> Response:
        return self._file(request, "index.html")

    async def _static(self, request: Request) -> Response:
        return self._file(request, request.path_params["name"])

    def _file(self, request: Request, name: str) -> Response:
        answer = self._files.answer(request, name)
        if answer is None:
            raise HTTPException(404)
        return answer

    async def _openapi(self, _: Request) -> Response:
        return JSONResponse(describe(self.settings))

    async def _figures(self, _: Request) -> Response:
        return Response(self._metrics.text(), headers={"Content-Type": CONTENT_TYPE})

    async def _health(self, request: Request) -> Response:
        failing = self._work.failing
        status = {"status": "failing" if failing else "ok"}
        known = self._gate.knows(request)
        found = {**status, "authorized": known, **(self._details() if known else {})}
        return JSONResponse(found, 503 if failing else 200)

    def _details(self) -> dict[str, Any]:
        return {
            "version": __version__,
            "device": self._predictor.device,
            "models": [manifest.name for manifest in self._predictor.models],
            "live": self._hub is not None and not self._hub.closed,
            "token": self.settings.token is not None,
            "stores": self.settings.save is not None,
            "max_body_bytes": self.settings.max_body_bytes,
            "waiting": self._work.waiting,
            "uptime_s": round(time.monotonic() - self._began, 1),
            **({"error": self._work.failing} if self._work.failing else {}),
        }

    async def _session(self, request: Request) -> Response:
        response = Response(status_code=204)
        if request.method == "DELETE":
            response.delete_cookie(COOKIE, httponly=True, samesite="strict")
        else:
            self._gate.sign_in(request, await self._token(request), response)
        return response

    async def _token(self, request: Request) -> str:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise refuse(415, 'expected application/json: {"token": "…"}')
        async with reading(request, self.settings, self._held) as body:
            return _token_in(body)

    async def _predict(self, request: Request) -> Response:
        kind = request.headers.get("content-type", "")
        check_type(kind)
        if wait := self._rate.wait_seconds(client_of(request)):
            raise refuse(429, "too many pictures from this address; wait", retry_after=wait)
        async with reading(request, self.settings, self._held) as body:
            upload = await anyio.to_thread.run_sync(picture_in, body, kind)
            del body
            result = await self._work.answer(upload)
        return JSONResponse(result.to_dict(), 422 if result.error is not None else 200)

    async def _stream(self, _: Request) -> Response:
        return LivePicture(self._live(), self._viewers)

    async def _events(self, _: Request) -> Response:
        return EventStream(self._live(), self._viewers)

    def _live(self) -> Hub:
        if self._hub is None:
            raise refuse(404, "there is no live stream here; «edgeage stream --serve» shows one")
        return self._hub


def _token_in(body: bytes) -> str:
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        raise refuse(400, "the body is no JSON") from None
    token = given.get("token") if isinstance(given, dict) else None
    if not isinstance(token, str):
        raise refuse(422, 'expected {"token": "…"}')
    return token


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return error_response(error)


async def _gone(_: Request, __: Exception) -> Response:
    """Answer a client that left before its request was whole; nobody reads it."""
    return Response(status_code=400)


async def _failed(_: Request, __: Exception) -> Response:
    return JSONResponse({"error": "a defect of the server; its log tells more"}, 500)
