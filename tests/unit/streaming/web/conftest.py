"""A server on a free port of this machine, whose predictor is made up."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import httpx
import numpy as np
import pytest

from edgeage import Predictor
from edgeage.faces import Detection
from edgeage.streaming.web import Hub, WebSettings, make_app, serve_in_thread
from edgeage.testing import FakeBackend, FakeDetector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from edgeage.streaming.web.server import WebServer


# It is for schemathesis' own process.
collect_ignore = ["schema_hooks.py"]


class Served(NamedTuple):
    """A running server and a client of it that shows the token, if one is wanted."""

    server: WebServer
    client: httpx.Client
    hub: Hub | None
    predictor: Predictor

    @property
    def url(self) -> str:
        return self.server.url

    def send(self, data: bytes, **headers: str) -> httpx.Response:
        """Send a picture as the body."""
        given = {
            "content-type": "image/png",
            **{k.replace("_", "-"): v for k, v in headers.items()},
        }
        return self.client.post("/v1/predict", content=data, headers=given)

    def figures(self) -> dict[str, float]:
        """What /metrics tells, by name and labels."""
        from prometheus_client.parser import text_string_to_metric_families as families

        samples = [
            s for family in families(self.client.get("/metrics").text) for s in family.samples
        ]
        return {
            f"{s.name}{{{','.join(f'{k}={v}' for k, v in sorted(s.labels.items()))}}}": s.value
            for s in samples
        }


@contextlib.contextmanager
def _servers() -> Iterator[Callable[..., Served]]:
    """Yield what starts servers; all of them end with the block."""
    with contextlib.ExitStack() as stack:

        def start(
            *,
            live: bool = False,
            hub: Hub | None = None,
            backend: FakeBackend | None = None,
            detector: Any = None,
            detect: str = "auto",
            port: int = 0,
            **settings: Any,
        ) -> Served:
            hub = hub or (Hub() if live else None)
            found = detector or FakeDetector([Detection((10, 10, 40, 50), 0.9)])
            predictor = stack.enter_context(
                Predictor(backend=backend or FakeBackend(), detector=found, detect=detect)
            )
            app = make_app(predictor, hub, WebSettings(**{"rate": 0, **settings}))
            server = stack.enter_context(serve_in_thread(app, port=port))
            token = settings.get("token")
            headers = {"authorization": f"Bearer {token}"} if token else {}
            client = stack.enter_context(
                httpx.Client(base_url=server.url, headers=headers, timeout=20)
            )
            return Served(server, client, hub, predictor)

        yield start


@pytest.fixture
def serve() -> Iterator[Callable[..., Served]]:
    """``serve(live=False, token=…, queue=…)`` starts a server; all of them end with the test."""
    with _servers() as start:
        yield start


@pytest.fixture(scope="module")
def servers() -> Iterator[Callable[..., Served]]:
    """The same for servers that all tests of a module share."""
    with _servers() as start:
        yield start


@pytest.fixture(scope="module")
def plain(servers: Callable[..., Served]) -> Served:
    """One server without a token or a live stream, for all tests of a module."""
    return servers()


@pytest.fixture(scope="session")
def png() -> bytes:
    """A picture of 64 × 80 pixels, darker to the right."""
    picture = np.tile(np.linspace(250, 20, 80).astype(np.uint8)[None, :, None], (64, 1, 3))
    return cv2.imencode(".png", picture)[1].tobytes()


@pytest.fixture
def frame() -> np.ndarray:
    """A grey frame of 48 × 64 pixels."""
    return np.full((48, 64, 3), 128, np.uint8)
