"""Write the pictures of the web page, docs/images/web_*.png.

Run: python docs/make_screenshots.py. It needs Chromium and the extra «dev», and predicts with the
released models. The faces are of the public domain portrait that scikit-image brings (NASA).
"""

from __future__ import annotations

import contextlib
import io
import shutil
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from PIL import Image
from playwright.sync_api import sync_playwright
from skimage import data

from edgeage import Predictor
from edgeage.streaming import ArraySource, Play, PublisherSink, StreamOptions
from edgeage.streaming.web import Hub, make_app, serve_in_thread

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, FilePayload

FOLDER = Path(__file__).resolve().parent / "images"
SIZE_HW = (540, 960)
SCENES, SCENES_A_SECOND = 10_000, 10
COLOURS = 128
DESKTOP: dict[str, Any] = {"viewport": {"width": 1180, "height": 800}, "color_scheme": "light"}
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "color_scheme": "dark",
    "is_mobile": True,
}


def scene(step: int) -> np.ndarray:
    """Return a made frame: the portrait twice, large and small, moving a little."""
    portrait = np.ascontiguousarray(data.astronaut()[..., ::-1])
    frame = np.full((*SIZE_HW, 3), (92, 84, 76), np.uint8)
    drift = 13 + round(12 * np.sin(step / 7))
    frame[10:522, drift : 512 + drift] = portrait
    small = cv2.resize(portrait[:, ::-1], (440, 440), interpolation=cv2.INTER_AREA)
    frame[80:520, 490 + drift : 930 + drift] = small
    return frame


@contextlib.contextmanager
def shown(predictor: Predictor) -> Iterator[Hub]:
    """Yield a hub that shows the made stream, whose faces are followed as in any other."""
    hub = Hub()
    frames = ArraySource((scene(step) for step in range(SCENES)), fps=SCENES_A_SECOND)
    options = StreamOptions(max_fps=SCENES_A_SECOND)
    play = Play(predictor.stream(frames, options=options), [PublisherSink(hub)])
    stream = threading.Thread(target=play.run)
    stream.start()
    try:
        yield hub
    finally:
        play.interrupt()
        stream.join()


def shoot_live(browser: Browser, url: str) -> bytes:
    """Return the page of a live stream as a PNG."""
    page = browser.new_context(**DESKTOP).new_page()
    page.goto(url)
    page.wait_for_selector("#tracks tbody tr:nth-child(2)", timeout=120_000)
    page.wait_for_timeout(8000)
    return page.screenshot()


def shoot_picture(browser: Browser, url: str) -> bytes:
    """Return the page with an analysed picture as a PNG."""
    _, portrait = cv2.imencode(".png", data.astronaut()[..., ::-1])
    page = browser.new_context(**PHONE).new_page()
    page.goto(url)
    file: FilePayload = {
        "name": "portrait.png",
        "mimeType": "image/png",
        "buffer": portrait.tobytes(),
    }
    page.set_input_files("#file", [file])
    page.wait_for_selector("#result:not([hidden])")
    page.evaluate("document.activeElement.blur(); window.scrollTo(0, 0)")
    return page.screenshot()


def write(name: str, png: bytes) -> None:
    """Write a picture in few colours, which is small."""
    path = FOLDER / f"{name}.png"
    path.parent.mkdir(exist_ok=True)
    image = Image.open(io.BytesIO(png)).convert("RGB")
    image.quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path}: {path.stat().st_size:,} bytes")  # noqa: T201


def main() -> None:
    """Write all views."""
    with sync_playwright() as playwright, Predictor(device="CPU") as predictor:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        with (
            shown(predictor) as hub,
            serve_in_thread(make_app(predictor, hub), port=0) as server,
        ):
            write("web_live", shoot_live(browser, server.url))
        with serve_in_thread(make_app(predictor), port=0) as server:
            write("web_picture", shoot_picture(browser, server.url))
        browser.close()


if __name__ == "__main__":
    main()
