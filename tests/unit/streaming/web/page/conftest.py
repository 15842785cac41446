"""The page in headless Chromium; skipped where there is none.

What the page asks of the server is tested without a browser in the files of the folder above.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import threading
import time
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from edgeage.streaming.web import Hub


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    """Headless Chromium, the system's; what needs it is skipped where there is none."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("Chromium is not installed")
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=30_000)
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
            context.set_default_timeout(30_000)
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


@pytest.fixture(scope="package")
def expect(browser: Any) -> Callable[..., Any]:
    """Playwright's ``expect``."""
    from playwright.sync_api import expect

    return expect


@pytest.fixture(scope="session")
def face() -> Callable[..., dict[str, Any]]:
    """``face(track, …)``: a face as a frame's event tells it."""

    def made(track: object, **fields: object) -> dict[str, Any]:
        return {
            "track": track, "box": [0, 0, 9, 9], "age": 34.2, "age_interval": [30.6, 39.4],
            "age_group": "30-39", "gender": "Female", "gender_probability": 0.94, "quality": 0.81,
            "device": "FAKE", **fields,
        }  # fmt: skip

    return made


@pytest.fixture(scope="session")
def frame_event() -> Callable[..., dict[str, Any]]:
    """``frame_event(number, *faces)``: a frame's event."""

    def made(number: int, *faces: dict[str, Any]) -> dict[str, Any]:
        event = {"type": "frame", "timestamp": 1.0, "frame": number, "fps": 12.34}
        return {**event, "faces": list(faces)}

    return made


@pytest.fixture(scope="session")
def made_stream(face: Any, frame_event: Any) -> Callable[..., Any]:
    """``with made_stream(hub, path=None):`` shows a video, or a green picture, again and again."""

    @contextlib.contextmanager
    def showing(hub: Hub, path: Path | None = None) -> Iterator[None]:
        stop = threading.Event()

        def frames() -> Iterator[np.ndarray]:
            while path is None:
                yield np.full((90, 160, 3), (40, 160, 40), np.uint8)
            while True:
                video = cv2.VideoCapture(str(path))
                while (read := video.read())[0]:
                    yield read[1]
                video.release()

        def publish() -> None:
            hub.publish(None, {"type": "start", "timestamp": time.time()})
            for number, picture in enumerate(frames(), 1):
                hub.publish(picture, frame_event(number, face(1), face(2, age_group="80-120")))
                if stop.wait(0.05):
                    return

        thread = threading.Thread(target=publish)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    return showing


@pytest.fixture(scope="session")
def choose() -> Callable[..., None]:
    """``choose(page, data, name)``: choose a picture on the page."""

    def chosen(page: Any, data: bytes, name: str = "photo.png") -> None:
        page.set_input_files("#file", [{"name": name, "mimeType": "image/png", "buffer": data}])

    return chosen
