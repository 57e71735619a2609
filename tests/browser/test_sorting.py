"""A screen of one kind in a real browser: numbers, sending back, accepting, by keyboard alone."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_gallery import after, told

pytestmark = pytest.mark.browser
HOSTILE = "<img src=x onerror=window.hacked=1>.png"


@pytest.fixture(scope="module")
def url(serve) -> str:
    return serve(Path(__file__).parent / "parts_app.py")


@pytest.fixture
def sheet(page, url):
    def open_sheet(query: str = "", *, ready: bool = True, **how: Any) -> Page:
        opened = page(f"{url}/?part=sorting{query}", **how)
        expect(opened.locator(".tile").first).to_be_visible()
        if ready:
            expect(opened.locator(".tile").first).to_be_focused()  # one begins at once
        return opened

    return open_sheet


def answers(page: Page) -> list[str]:
    return page.locator(".tile").evaluate_all(
        "tiles => tiles.map((t) => t.classList.contains('answered')"
        " ? t.querySelector('.answer').textContent : '')"
    )


def next_screen(page: Page) -> None:
    """Keys count again once another screen is there."""
    expect(page.locator(".accept")).to_be_enabled()
    expect(page.locator(".tile").first).to_be_focused()


def test_a_screen_by_keyboard_alone(sheet):
    page = sheet()
    expect(page.locator(".accept")).to_contain_text("12 are copepod")
    page.keyboard.press("1")  # and on to the next
    expect(page.locator(".tile").nth(1)).to_be_focused()
    page.keyboard.press("1")
    page.keyboard.press("0")
    assert answers(page) == ["chain", "ciliate", "sent back", *[""] * 9]
    page.keyboard.press("9")  # there is no ninth label: nothing happens
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Backspace")  # the same again takes it back
    assert answers(page) == ["chain", "ciliate", *[""] * 10]
    expect(page.locator(".accept")).to_contain_text("10 are copepod")
    assert told(page)["events"] == 0
    page.keyboard.press("Enter")
    given = {"0": "chain", "1": "ciliate"}
    assert after(page, 1) == {"kind": "accept", "given": given}

    next_screen(page)
    expect(page.locator(".accept")).to_contain_text("12 are copepod")
    page.keyboard.press("s")
    assert after(page, 2) == {"kind": "skip", "given": {}}
    next_screen(page)
    expect(page.locator(".undo")).to_be_visible()
    page.keyboard.press("u")
    assert after(page, 3)["kind"] == "undo"
    next_screen(page)
    page.keyboard.press("u")
    assert after(page, 4)["kind"] == "undo"
    next_screen(page)
    expect(page.locator(".undo")).to_be_hidden()
    page.keyboard.press("u")  # there is nothing before the first screen
    page.wait_for_timeout(500)
    assert told(page)["events"] == 4


def test_a_held_key_accepts_one_screen(sheet):
    page = sheet()
    for _ in range(6):
        page.keyboard.down("Enter")  # without keyup it repeats
    page.keyboard.up("Enter")
    after(page, 1)
    page.wait_for_timeout(800)
    assert told(page)["events"] == 1


def test_many_at_once_and_by_mouse(sheet):
    page = sheet()
    tiles = page.locator(".tile")
    tiles.nth(2).click(modifiers=["Control"])
    tiles.nth(5).click(modifiers=["Control"])
    page.keyboard.press("2")  # second of tile 5: chain, which is the first of tile 2
    assert answers(page)[2] == answers(page)[5] == "ciliate"
    tiles.nth(7).click()
    assert answers(page)[7] == "sent back"
    tiles.nth(7).click()
    assert answers(page)[7] == ""
    page.locator(".number", has_text="ciliate").click()
    assert answers(page)[7] == "ciliate"
    page.locator(".accept").click()
    assert after(page, 1)["given"] == {"2": "ciliate", "5": "ciliate", "7": "ciliate"}


def test_a_screen_without_a_name_cannot_be_accepted(sheet):
    page = sheet("&missing=Say+what+they+are", ready=False)
    expect(page.locator(".accept")).to_be_disabled()
    expect(page.locator(".accept")).to_contain_text("Say what they are")
    page.locator(".tile").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_timeout(500)
    assert told(page)["events"] == 0
    page.keyboard.press("s")
    assert after(page, 1)["kind"] == "skip"


def test_labels_are_text(sheet):
    page = sheet()
    page.keyboard.press("3")
    assert answers(page)[0] == HOSTILE
    expect(page.locator(".number").nth(3)).to_be_visible()
    assert page.evaluate("window.hacked") is None


@pytest.mark.parametrize("width", [1400, 400])
@pytest.mark.parametrize("dark", [False, True])
def test_it_fits(sheet, width, dark):
    page = sheet("&n=40", width=width, dark=dark)
    over = "document.documentElement.scrollWidth - window.innerWidth"
    assert page.evaluate(over) <= 0
    bar = page.locator(".sorting").bounding_box()
    assert bar and bar["x"] >= 0 and bar["x"] + bar["width"] <= width
