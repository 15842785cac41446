"""Pictures given to the page, and signing in, in headless Chromium."""

from __future__ import annotations

import re

import pytest

from edgeage.errors import DeviceLostError
from edgeage.faces import Detection
from edgeage.testing import FakeBackend, FakeDetector

TOKEN = "token-of-this-test-0123"


def test_a_chosen_picture_is_analysed(serve, open_page, png, choose, expect):
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


def test_a_picture_is_dropped_and_another_pasted(serve, open_page, png, expect):
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


def test_what_goes_wrong_is_said(serve, open_page, png, choose, expect):
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


def test_hostile_words_are_only_words(
    serve, open_page, png, frame, face, frame_event, choose, expect
):
    served = serve(live=True)
    page = open_page(served.url)
    expect(page.locator("#status")).to_have_text("Waiting for pictures")
    words = "<img src=x onerror=alert(1)>"
    served.hub.publish(frame, frame_event(1, face(words, gender=words, device=words)))
    expect(page.locator("#tracks tbody")).to_contain_text(words)
    choose(page, png, f"{words}.png")
    expect(page.locator("#result")).to_be_visible()
    assert page.locator("img").count() == 3


def test_signing_in_and_out(serve, open_page, png, made_stream, choose, expect):
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
