"""What the page shows of a live stream, in headless Chromium."""

from __future__ import annotations

import re

import cv2
import numpy as np
import pytest

from edgeage.streaming.web import Hub


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


def test_a_video_file_is_shown_live(serve, open_page, video, made_stream, expect):
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


def test_the_histogram_counts_each_face_once(serve, open_page, frame, face, frame_event, expect):
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


def test_pausing_holds_the_picture(serve, open_page, frame, made_stream, expect):
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
        page.wait_for_timeout(300)
        assert page.locator("#frame").inner_text() == held
        # A paused page asks for no pictures.
        assert not served.hub.watched
        button.press("Enter")
        expect(page.locator("#picture")).to_be_visible()
        expect(page.locator("#frame")).not_to_have_text(held)


def test_a_lost_server_is_found_again(serve, open_page, face, frame_event, made_stream, expect):
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


def test_what_becomes_of_the_source_is_told(serve, open_page, frame, face, frame_event, expect):
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


def test_a_stream_may_tell_counts_only(serve, open_page, frame, expect):
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


def test_a_stream_that_stalls_is_told(serve, open_page, frame, face, frame_event, expect):
    served = serve(live=True)
    served.hub.publish(frame, frame_event(1, face(1)))
    page = open_page(served.url, clock=True)
    expect(page.locator("#status")).to_have_text("Live")
    page.clock.fast_forward(6000)
    expect(page.locator("#status")).to_have_text("No new picture")
    served.hub.publish(frame, frame_event(2, face(1)))
    expect(page.locator("#status")).to_have_text("Live")
