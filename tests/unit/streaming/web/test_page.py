"""The page in headless Chromium; skipped where there is none.

What the page asks of the server is tested without a browser in the other files of this folder.
"""

from __future__ import annotations

import contextlib
import re
import threading
import time

import cv2
import numpy as np
import pytest

from edgeage.errors import DeviceLostError
from edgeage.faces import Detection
from edgeage.streaming.web import Hub
from edgeage.testing import FakeBackend, FakeDetector

TOKEN = "token-of-this-test-0123"


def expect(locator):
    from playwright.sync_api import expect as expected

    return expected(locator)


def face(track, **fields):
    return {
        "track": track, "box": [0, 0, 9, 9], "age": 34.2, "age_interval": [30.6, 39.4],
        "age_group": "30-39", "gender": "Female", "gender_probability": 0.94, "quality": 0.81,
        "device": "FAKE", **fields,
    }  # fmt: skip


def frame_event(number, *faces):
    return {"type": "frame", "timestamp": 1.0, "frame": number, "fps": 12.34, "faces": list(faces)}


@contextlib.contextmanager
def made_stream(hub, path=None):
    """Show a made video file on the hub while the block runs: a square that wanders."""
    stop = threading.Event()

    def frames():
        if path is None:
            while True:
                yield np.full((90, 160, 3), (40, 160, 40), np.uint8)
        while True:
            video = cv2.VideoCapture(str(path))
            while (read := video.read())[0]:
                yield read[1]
            video.release()

    def publish():
        hub.publish(None, {"type": "start", "timestamp": time.time()})
        for number, picture in enumerate(frames(), 1):
            hub.publish(picture, frame_event(number, face(1), face(2, age_group="80-120")))
            if stop.wait(0.1):
                return

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@pytest.fixture
def video(tmp_path):
    """A made video of 20 frames, 160 × 90 pixels, a third of it red."""
    path = tmp_path / "made.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 20, (160, 90))
    picture = np.zeros((90, 160, 3), np.uint8)
    picture[:, :54] = (0, 0, 255)
    for _ in range(20):
        writer.write(picture)
    writer.release()
    return path


def colour_of_picture(page):
    """The colour at the left of the live picture as it is shown."""
    return page.evaluate(
        """() => {
          const image = document.getElementById("picture");
          const canvas = document.createElement("canvas");
          Object.assign(canvas, { width: 10, height: 10 });
          canvas.getContext("2d").drawImage(image, 0, 0, 10, 10);
          return [...canvas.getContext("2d").getImageData(1, 5, 1, 1).data].slice(0, 3);
        }"""
    )


def choose(page, data, name="photo.png"):
    page.set_input_files("#file", [{"name": name, "mimeType": "image/png", "buffer": data}])


def test_a_video_file_is_shown_live(serve, open_page, video):
    served = serve(live=True)
    with made_stream(served.hub, video):
        page = open_page(served.url)
        expect(page.locator("#status")).to_have_text("Live")
        expect(page.locator("#picture-message")).to_be_hidden()
        expect(page.locator("#tracks tbody tr")).to_have_count(2)
        row = page.locator("#tracks tbody tr").first
        expect(row).to_have_text(re.compile(r"1\s*34 \(31–39\)\s*Female 94 %\s*81 %"))
        expect(page.locator("#fps")).to_have_text("12.3")
        expect(page.locator("#device")).to_have_text("FAKE")
        red, green, blue = colour_of_picture(page)
        assert red > 200
        assert max(green, blue) < 60
        assert page.evaluate("document.getElementById('picture').naturalWidth") == 160
        first = page.locator("#frame").inner_text()
        expect(page.locator("#frame")).not_to_have_text(first)


def test_the_histogram_counts_each_face_once(serve, open_page, frame):
    served = serve(live=True)
    page = open_page(served.url)
    counts = page.locator("#ages tbody td:last-child")
    expect(page.locator("#status")).to_have_text("Waiting for pictures")
    served.hub.publish(None, {"type": "start", "timestamp": 1})
    for number in range(5):
        served.hub.publish(frame, frame_event(number, face(1), face(2), face(3, age_group="0-9")))
    expect(counts).to_have_text(["1", "0", "0", "2", *"00000"])
    # A face whose age settles elsewhere is moved, one that is gone stays counted.
    served.hub.publish(frame, frame_event(9, face(2, age_group="40-49")))
    expect(counts).to_have_text(["1", "0", "0", "1", "1", *"0000"])
    width = "document.querySelectorAll('#ages .fill')[4].style.width"
    assert page.evaluate(width) == "100%"
    served.hub.publish(None, {"type": "start", "timestamp": 2})
    served.hub.publish(frame, frame_event(1))
    expect(counts).to_have_text([*"000000000"])
    expect(page.locator("#tracks tbody")).to_have_text("None")


def test_pausing_holds_the_picture(serve, open_page, frame):
    served = serve(live=True)
    with made_stream(served.hub):
        page = open_page(served.url)
        expect(page.locator("#picture-message")).to_be_hidden()
        page.keyboard.press("Tab")
        page.get_by_role("button", name="Pause").focus()
        page.keyboard.press("Space")
        button = page.get_by_role("button", name="Resume")
        expect(button).to_have_attribute("aria-pressed", "true")
        expect(page.locator("#still")).to_be_visible()
        held = page.locator("#frame").inner_text()
        page.wait_for_timeout(600)
        assert page.locator("#frame").inner_text() == held
        # A paused page asks for no pictures.
        assert not served.hub.watched
        button.press("Enter")
        expect(page.locator("#picture")).to_be_visible()
        expect(page.locator("#frame")).not_to_have_text(held)


def test_a_lost_server_is_found_again(serve, open_page):
    hub = Hub()
    served = serve(hub=hub)
    with made_stream(hub):
        page = open_page(served.url, expected=["ERR_", "Failed to load resource"])
        expect(page.locator("#status")).to_have_text("Live")
        served.server.close()
        expect(page.locator("#status")).to_have_text(re.compile("Connection lost"))
        expect(page.locator("#picture-message")).to_be_visible()
    hub = Hub()
    serve(hub=hub, port=served.server.port)
    hub.publish(None, {"type": "start", "timestamp": 5})
    hub.publish(np.full((90, 160, 3), (200, 0, 0), np.uint8), frame_event(1, face(7)))
    expect(page.locator("#status")).to_have_text("Live")
    expect(page.locator("#tracks tbody th")).to_have_text("7")
    expect(page.locator("#picture-message")).to_be_hidden()
    assert colour_of_picture(page)[2] > 150


def test_what_becomes_of_the_source_is_told(serve, open_page, frame):
    served = serve(live=True)
    served.hub.publish(frame, frame_event(1, face(1)))
    page = open_page(served.url)
    status = page.locator("#status")
    expect(status).to_have_text("Live")
    served.hub.publish(None, {"type": "lost", "reason": "no answer", "retry_s": 1})
    expect(status).to_have_text("The source is lost: no answer")
    served.hub.publish(frame, frame_event(2, face(1)))
    expect(status).to_have_text("Live")
    served.hub.publish(None, {"type": "end", "reason": "end", "error": None})
    expect(status).to_have_text("The stream is over")
    served.hub.publish(None, {"type": "end", "reason": "error", "error": "no camera"})
    expect(status).to_have_text("The stream broke off: no camera")


def test_a_stream_may_tell_counts_only(serve, open_page, frame):
    served = serve(live=True)
    page = open_page(served.url)
    expect(page.locator("#status")).to_have_text("Waiting for pictures")
    counts = {
        "faces": 3, "genders": {"Female": 2, "Male": 1}, "age_groups": {"20-29": 2, "unknown": 1},
    }  # fmt: skip
    served.hub.publish(frame, {"type": "frame", "frame": 0, "fps": 9, "counts": counts})
    expect(page.locator("#count")).to_have_text("3")
    expect(page.locator("#tracks tbody")).to_have_text("2 Female, 1 Male")
    expect(page.locator("#ages caption")).to_have_text("Faces now, by age")
    expect(page.locator("#ages tbody td:last-child")).to_have_text(["0", "0", "2", *"000000"])
    expect(page.locator("#summary")).to_have_text("3 faces")


def test_a_stream_that_stalls_is_told(serve, open_page, frame):
    served = serve(live=True)
    served.hub.publish(frame, frame_event(1, face(1)))
    page = open_page(served.url, clock=True)
    expect(page.locator("#status")).to_have_text("Live")
    page.clock.fast_forward(6000)
    expect(page.locator("#status")).to_have_text("No new picture")
    served.hub.publish(frame, frame_event(2, face(1)))
    expect(page.locator("#status")).to_have_text("Live")


def test_a_chosen_picture_is_analysed(serve, open_page, png):
    finder = FakeDetector([Detection((10, 10, 40, 50), 0.9), Detection((50, 5, 70, 35), 0.8)])
    page = open_page(serve(detector=finder, backend=FakeBackend(gender=[0.25, 0.75])).url)
    expect(page.locator("#status")).to_have_text("Ready")
    expect(page.locator("#live")).to_be_hidden()
    choose(page, png)
    rows = page.locator("#faces tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.nth(1)).to_have_text(re.compile(r"2\s*\d+ \(\d+–\d+\)\s*Female 75 %\s*80 %"))
    expect(page.locator("#boxes rect")).to_have_count(4)
    # The box lies on the picture where the face is, whatever the picture's size on the page.
    image = page.locator("#analysed").bounding_box()
    box = page.locator("#boxes rect").nth(1).bounding_box()
    scale = min(image["width"] / 80, image["height"] / 64)
    left = image["x"] + (image["width"] - 80 * scale) / 2
    assert box["x"] == pytest.approx(left + 10 * scale, abs=scale)
    assert box["width"] == pytest.approx(30 * scale, abs=2 * scale)
    assert "photo.png: Female" in page.locator("#analysed").get_attribute("alt")
    assert page.evaluate("document.activeElement.id") == "result"


def test_a_picture_is_dropped_and_another_pasted(serve, open_page, png):
    page = open_page(serve().url)
    expect(page.locator("#status")).to_have_text("Ready")
    for event in ("drop", "paste"):
        given = page.evaluate_handle(
            """([bytes, name]) => {
              const data = new DataTransfer();
              data.items.add(new File([new Uint8Array(bytes)], name, { type: "image/png" }));
              return data;
            }""",
            [list(png), f"{event}.png"],
        )
        if event == "drop":
            page.dispatch_event("#drop", event, {"dataTransfer": given})
        else:
            page.evaluate(
                """(data) => document.body.dispatchEvent(
                  new ClipboardEvent("paste", { clipboardData: data, bubbles: true }))""",
                given,
            )
        expect(page.locator("#analysed")).to_have_attribute("alt", re.compile(rf"^{event}\.png"))


def test_what_goes_wrong_is_said(serve, open_page, png):
    faults = [DeviceLostError("the stick was pulled out")]
    served = serve(backend=FakeBackend(infer_faults=faults), max_body_bytes=60_000)
    page = open_page(served.url, expected=["Failed to load resource"])
    error = page.get_by_role("alert").locator("visible=true")
    choose(page, b"no picture", "notes.txt")
    expect(error).to_have_text(re.compile(r"^notes\.txt is not a picture in a known format.*\)\.$"))
    expect(page.locator("#result")).to_be_hidden()
    choose(page, png)
    expect(error).to_have_text("The stick was pulled out (in 5 s).")
    choose(page, bytes(70_000), "large.png")
    expect(error).to_have_text("large.png is too large (0.07 MB).")
    choose(page, png)
    expect(page.locator("#result")).to_be_visible()
    expect(error).to_have_count(0)
    served.server.close()
    choose(page, png)
    expect(error).to_have_text("The server cannot be reached; try again.")


def test_hostile_words_are_only_words(serve, open_page, png, frame):
    served = serve(live=True)
    page = open_page(served.url)
    expect(page.locator("#status")).to_have_text("Waiting for pictures")
    words = "<img src=x onerror=alert(1)>"
    served.hub.publish(frame, frame_event(1, face(words, gender=words, device=words)))
    expect(page.locator("#tracks tbody")).to_contain_text(words)
    choose(page, png, f"{words}.png")
    expect(page.locator("#result")).to_be_visible()
    assert page.locator("img").count() == 3


def test_signing_in_and_out(serve, open_page, png):
    served = serve(token=TOKEN, live=True)
    page = open_page(served.url, expected=["401"])
    token = page.get_by_label("Token")
    expect(token).to_be_focused()
    expect(page.locator("#analyse")).to_be_hidden()
    token.fill("a wrong one, certainly")
    token.press("Enter")
    expect(page.locator("#sign-in-error")).to_have_text("This is not the token.")
    token.fill(TOKEN)
    token.press("Enter")
    expect(page.locator("#status")).to_have_text("Waiting for pictures")
    with made_stream(served.hub):
        expect(page.locator("#picture-message")).to_be_hidden()
    choose(page, png)
    expect(page.locator("#result")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Token")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wrong_for_those_who_see_or_hear_it_otherwise(serve, open_page, png, scheme):
    """axe-core's rules (WCAG 2.2 A and AA among them) on the page in each of its states."""
    from axe_playwright_python.sync_playwright import Axe

    served = serve(token=TOKEN, live=True)
    page = open_page(
        served.url,
        expected=["Failed to load resource"],
        color_scheme=scheme,
        bypass_csp=True,
        viewport={"width": 390, "height": 800},
    )

    def check():
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()

    expect(page.get_by_label("Token")).to_be_visible()
    page.evaluate("document.querySelector('label[for=token]').htmlFor = 'nothing'")
    with pytest.raises(AssertionError, match="label-title-only"):
        check()
    page.evaluate("document.querySelector('label[for=nothing]').htmlFor = 'token'")
    check()
    page.get_by_label("Token").fill(TOKEN)
    page.get_by_role("button", name="Sign in").click()
    with made_stream(served.hub):
        expect(page.locator("#picture-message")).to_be_hidden()
        expect(page.locator("#tracks tbody tr")).to_have_count(2)
        choose(page, png)
        expect(page.locator("#result")).to_be_visible()
        check()
        choose(page, b"no picture")
        expect(page.locator("#error")).to_be_visible()
        check()


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_it_fits_every_width(serve, open_page, png, width):
    served = serve(live=True)
    with made_stream(served.hub):
        page = open_page(served.url, viewport={"width": width, "height": 700})
        expect(page.locator("#tracks tbody tr")).to_have_count(2)
        choose(page, png)
        expect(page.locator("#result")).to_be_visible()
        wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert page.evaluate(wide) == 0


def test_the_keyboard_reaches_everything_in_order(serve, open_page):
    served = serve(live=True)
    with made_stream(served.hub):
        page = open_page(served.url)
        expect(page.locator("#tracks tbody tr")).to_have_count(2)
        reached = []
        for _ in range(4):
            page.keyboard.press("Tab")
            reached.append(
                page.evaluate("document.activeElement.id || document.activeElement.className")
            )
        assert reached == ["skip", "pause", "card scroll", "file"]
        outline = "getComputedStyle(document.activeElement).outlineStyle"
        assert page.evaluate(outline) != "none"


def test_what_is_heard_changes_seldom(serve, open_page):
    served = serve(live=True)
    with made_stream(served.hub):
        page = open_page(served.url)
        said = page.locator("#summary")
        expect(said).to_have_text(re.compile(r"^2 faces: Female 94 %, 34 \(31–39\) years"))
        page.evaluate(
            """() => {
              window.changes = 0;
              new MutationObserver(() => { window.changes += 1; }).observe(
                document.getElementById("summary"), { childList: true });
            }"""
        )
        page.wait_for_timeout(1500)
        assert page.evaluate("window.changes") <= 1
        assert page.locator("#picture").get_attribute("alt").startswith("Live picture. 2 faces")
