"""The page for those who see, hear or handle it otherwise, in headless Chromium."""

from __future__ import annotations

import re

import pytest

TOKEN = "token-of-this-test-0123"


def test_nothing_is_wrong_for_those_who_see_or_hear_it_otherwise(
    serve, open_page, png, made_stream, choose, expect
):
    """axe-core's rules (WCAG 2.2 A and AA among them) on the page in each of its states."""
    from axe_playwright_python.sync_playwright import Axe

    served = serve(token=TOKEN, live=True)
    page = open_page(
        served.url,
        expected=["Failed to load resource"],
        bypass_csp=True,
        viewport={"width": 390, "height": 800},
    )

    def check(scheme="light"):
        page.emulate_media(color_scheme=scheme)
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
        check("dark")
        choose(page, b"no picture")
        expect(page.locator("#error")).to_be_visible()
        check("dark")


def test_it_fits_every_width(serve, open_page, png, made_stream, choose, expect):
    served = serve(live=True)
    with made_stream(served.hub):
        page = open_page(served.url)
        expect(page.locator("#tracks tbody tr")).to_have_count(2)
        choose(page, png)
        expect(page.locator("#result")).to_be_visible()
        wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        for width in (320, 390, 1280):
            page.set_viewport_size({"width": width, "height": 700})
            assert page.evaluate(f"[innerWidth, {wide}]") == [width, 0]


def test_the_keyboard_reaches_everything_in_order(serve, open_page, made_stream, expect):
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


def test_what_is_heard_changes_seldom(serve, open_page, made_stream, expect):
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
        page.wait_for_timeout(1000)
        assert page.evaluate("window.changes") <= 1
        assert page.locator("#picture").get_attribute("alt").startswith("Live picture. 2 faces")
