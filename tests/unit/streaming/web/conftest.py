"""A server on a free port of this machine, whose predictor is made up."""

from __future__ import annotations

import contextlib
import re
import shutil
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
    from collections.abc import Callable, Iterable, Iterator

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


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Headless Chromium, the system's; what needs it is skipped where there is none."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("Chromium is not installed")
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=15_000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[..., Any]]:
    """``open_page(url, …)`` opens a page in a context of its own; what fails in it fails the test.

    Args of the context go on; ``expected`` are patterns of console errors that are no fault,
    ``clock`` lets the test put the page's clock forward.
    """
    problems: list[str] = []
    wanted: list[str] = []
    with contextlib.ExitStack() as stack:

        def start(
            url: str, *, expected: Iterable[str] = (), clock: bool = False, **options: Any
        ) -> Any:
            context = stack.enter_context(contextlib.closing(browser.new_context(**options)))
            context.set_default_timeout(15_000)
            page = context.new_page()
            page.on("pageerror", lambda error: problems.append(str(error)))
            page.on("console", lambda told: told.type == "error" and problems.append(told.text))
            wanted.extend(expected)
            if clock:
                page.clock.install()
            page.goto(url)
            return page

        yield start
    assert [p for p in problems if not any(re.search(w, p) for w in wanted)] == []
