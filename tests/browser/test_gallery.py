"""The image grid in a real browser: click, select, keyboard, scale bars, hostile names."""

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

pytestmark = pytest.mark.browser
SHADOW = "[data-testid=stBidiComponentIsolated]"


@pytest.fixture(scope="module")
def url(serve) -> str:
    return serve(Path(__file__).parent / "parts_app.py")


@pytest.fixture
def grid(page, url):
    def open_grid(query: str = "", **how: Any) -> Page:
        opened = page(f"{url}/?part=gallery{query}", **how)
        opened.wait_for_selector(".tile")
        return opened

    return open_grid


def told(page: Page) -> dict[str, Any]:
    return json.loads(page.locator("[data-testid=stSidebar] code").inner_text())


def after(page: Page, events: int) -> dict[str, Any]:
    """The last event, once Python has been handed `events` of them."""
    code = page.locator("[data-testid=stSidebar] code")
    expect(code).to_contain_text(f'"events": {events},')
    return told(page)["last"]


def run_again(page: Page) -> None:
    runs = told(page)["runs"]
    page.get_by_role("button", name="Run again").click()
    expect(page.locator("[data-testid=stSidebar] code")).to_contain_text(f'"runs": {runs + 1},')


def tile(page: Page, index: int) -> Locator:
    return page.locator(".tile").nth(index)


def chosen(page: Page) -> list[int]:
    return page.locator(".tile").evaluate_all(
        "tiles => tiles.flatMap((t, i) => t.getAttribute('aria-selected') === 'true' ? [i] : [])"
    )


def test_a_click_is_handed_over_exactly_once(grid):
    page = grid()
    tile(page, 3).click()
    assert after(page, 1) == {"clicked": 3, "selected": []}
    run_again(page)
    run_again(page)
    assert told(page)["events"] == 1
    tile(page, 3).click()  # the same tile again is a new event
    after(page, 2)


def test_a_double_click_is_one_click(grid):
    page = grid()
    tile(page, 6).dblclick()
    after(page, 1)
    run_again(page)
    assert told(page)["events"] == 1


def test_ctrl_adds_and_removes_and_shift_takes_a_range(grid):
    page = grid()
    tile(page, 4).click(modifiers=["ControlOrMeta"])
    assert after(page, 1) == {"clicked": None, "selected": [4]}
    tile(page, 8).click(modifiers=["Shift"])
    assert after(page, 2)["selected"] == [4, 5, 6, 7, 8]
    tile(page, 6).click(modifiers=["ControlOrMeta"])
    assert after(page, 3)["selected"] == [4, 5, 7, 8]
    run_again(page)
    assert chosen(page) == [4, 5, 7, 8]
    tile(page, 0).click()  # a plain click leaves the selection alone
    assert after(page, 4) == {"clicked": 0, "selected": [4, 5, 7, 8]}


def test_the_tick_in_the_corner_selects_without_a_key(grid):
    page = grid()
    tile(page, 5).hover()
    tile(page, 5).locator(".tick").click()
    assert after(page, 1) == {"clicked": None, "selected": [5]}


def test_quick_clicks_are_not_undone_by_an_older_run(grid):
    page = grid("&controlled=1")
    for index in (1, 2, 5, 9, 10):
        tile(page, index).click(modifiers=["ControlOrMeta"])
    expect(page.locator("[data-testid=stSidebar] code")).to_contain_text("[1, 2, 5, 9, 10]")
    assert chosen(page) == [1, 2, 5, 9, 10]
    run_again(page)
    assert chosen(page) == [1, 2, 5, 9, 10]


def test_everything_can_be_done_with_the_keyboard(grid):
    page = grid()
    tile(page, 0).focus()
    tops = page.locator(".tile").evaluate_all("tiles => tiles.map(t => t.offsetTop)")
    columns = tops.count(tops[0])
    for key in ("ArrowRight", "ArrowDown", "ArrowLeft"):
        page.keyboard.press(key)
    expect(tile(page, columns)).to_be_focused()
    page.keyboard.press("Enter")
    assert after(page, 1) == {"clicked": columns, "selected": []}
    page.keyboard.press("Space")
    assert after(page, 2)["selected"] == [columns]
    page.keyboard.press("a")
    assert after(page, 3)["selected"] == list(range(24))
    page.keyboard.press("a")
    assert after(page, 4)["selected"] == []
    page.keyboard.press("a")
    after(page, 5)
    page.keyboard.press("Escape")
    assert after(page, 6)["selected"] == []
    page.keyboard.press("End")
    expect(tile(page, 23)).to_be_focused()
    page.keyboard.press("ArrowDown")  # there is nothing below: stay
    expect(tile(page, 23)).to_be_focused()
    page.keyboard.press("Home")
    expect(tile(page, 0)).to_be_focused()
    outline = tile(page, 0).locator(".frame").evaluate("f => getComputedStyle(f).outlineWidth")
    assert outline == "3px"


def test_a_rerun_keeps_nodes_focus_and_scroll(grid):
    page = grid("&n=80&height=420")
    box = page.locator(".gallery")
    tile(page, 3).focus()
    page.evaluate(f"document.querySelector('{SHADOW}').shadowRoot.activeElement.old = true")
    box.evaluate("g => { g.scrollTop = 300 }")
    page.keyboard.press("Enter")
    after(page, 1)
    assert box.evaluate("g => g.scrollTop") == 300
    expect(tile(page, 3)).to_be_focused()
    assert tile(page, 3).evaluate("t => t.old")


def test_a_click_on_an_older_revision_is_refused_and_said(grid, url):
    page = grid()
    tile(page, 2).click(modifiers=["ControlOrMeta"])
    after(page, 1)
    assert page.request.get(f"{url}/bump").ok
    tile(page, 7).click()
    expect(page.get_by_test_id("stToast")).to_contain_text("The collection changed")
    assert told(page)["events"] == 1
    assert chosen(page) == []  # the numbers no longer mean the same images
    tile(page, 7).click()
    assert after(page, 2) == {"clicked": 7, "selected": []}


def nice(limit: float) -> float:
    return max(
        step * 10.0**power
        for power in range(-3, 6)
        for step in (1, 2, 5)
        if step * 10.0**power <= limit
    )


@pytest.mark.parametrize("width", [1400, 420])
def test_scale_bars_are_as_long_as_they_say(grid, width):
    page = grid(width=width)
    sizes = [(120, 90), (300, 60), (40, 160), (96, 96), (200, 150)]
    for index in (0, 4, 5, 6, 7, 8):
        one = tile(page, index)
        pixels_w, pixels_h = sizes[index % 5]
        frame = one.locator(".frame")
        side_w, side_h = frame.evaluate("f => [f.clientWidth, f.clientHeight]")
        zoom = min(side_w / pixels_w, side_h / pixels_h)
        span = max(pixels_w * zoom, side_w / 2)  # a narrow picture has room beside it
        um = nice(0.4 * span / zoom * 1.1)
        expect(one.locator(".length")).to_have_text(f"{um:g} µm")
        bar = one.locator(".bar").evaluate("b => b.getBoundingClientRect().width")
        assert bar == pytest.approx(um / 1.1 * zoom, rel=0.02)
        assert bar <= 0.4 * span * 1.02
    expect(tile(page, 3).locator(".scale")).to_be_hidden()  # its pixel size is not known


def test_names_are_text_whatever_they_contain(grid):
    page = grid()
    hostile = tile(page, 1)
    expect(hostile.locator(".title")).to_have_text("<img src=x onerror=window.hacked=1>.png")
    assert hostile.locator("img").count() == 1
    assert page.evaluate("window.hacked") is None
    assert hostile.locator("img").get_attribute("alt") == "<img src=x onerror=window.hacked=1>.png"


def test_a_broken_picture_leaves_a_quiet_place(grid):
    page = grid()
    expect(tile(page, 2).locator(".none")).to_be_visible()
    expect(tile(page, 2).locator(".none")).to_have_text("no picture")
    expect(tile(page, 2).locator(".scale")).to_be_hidden()
    expect(tile(page, 3).locator(".none")).to_be_hidden()
    tile(page, 2).click()
    assert after(page, 1)["clicked"] == 2


def test_pictures_are_shown_whole(grid):
    page = grid()
    fit = tile(page, 6).locator("img").evaluate("i => getComputedStyle(i).objectFit")
    assert fit == "contain"


def test_a_grid_that_cannot_be_selected(grid):
    page = grid("&plain=1")
    tile(page, 4).click(modifiers=["ControlOrMeta"])
    assert after(page, 1) == {"clicked": 4, "selected": []}
    page.keyboard.press("a")
    run_again(page)
    assert told(page)["events"] == 1
    expect(tile(page, 4).locator(".tick")).to_be_hidden()


def test_an_empty_grid_says_so(page, url):
    opened = page(f"{url}/?part=gallery&n=0")
    expect(opened.locator(".gallery .empty")).to_have_text("No images to show.")


def test_narrow_screens_and_many_tiles(grid):
    page = grid("&n=500", width=360, height=720)
    expect(page.locator(".tile")).to_have_count(500)
    tops = page.locator(".tile").evaluate_all("tiles => tiles.map(t => t.offsetTop)")
    assert tops.count(tops[0]) >= 2
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    loaded = page.locator(".tile img").evaluate_all(
        "images => images.filter(i => i.complete && i.naturalWidth).length"
    )
    assert loaded < 500  # what is far below is not fetched yet
    tile(page, 499).scroll_into_view_if_needed()
    expect(tile(page, 499).locator("img")).to_have_js_property("complete", True)
    tile(page, 499).click()
    assert after(page, 1)["clicked"] == 499


def middle(one: Locator) -> tuple[float, float]:
    box = one.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def band(page: Page, first: int, last: int) -> None:
    """Press on one tile and move to another; the button stays down."""
    page.mouse.move(*middle(tile(page, first)))
    page.mouse.down()
    page.mouse.move(*middle(tile(page, last)), steps=6)


def columns_of(page: Page) -> int:
    tops = page.locator(".tile").evaluate_all("tiles => tiles.map(t => t.offsetTop)")
    return tops.count(tops[0])


def test_a_drag_selects_what_it_touches_and_is_one_event(grid):
    page = grid()
    wide = columns_of(page)
    inside = [0, 1, 2, wide, wide + 1, wide + 2]
    band(page, 0, wide + 2)
    assert chosen(page) == inside  # while it goes on
    assert told(page)["events"] == 0
    page.mouse.up()
    assert after(page, 1) == {"clicked": None, "selected": inside}
    expect(page.locator(".band")).to_have_count(0)
    expect(page.locator(".live")).to_have_text("6 of 24 selected")
    page.keyboard.down("Control")
    band(page, 4, 5)
    page.mouse.up()
    page.keyboard.up("Control")
    assert after(page, 2)["selected"] == sorted([*inside, 4, 5])
    band(page, 6, 7)  # without a key it replaces
    page.mouse.up()
    assert after(page, 3)["selected"] == [6, 7]
    tile(page, 3).click()  # a click after a drag is a click
    assert after(page, 4) == {"clicked": 3, "selected": [6, 7]}


def test_escape_ends_a_drag_without_an_event(grid):
    page = grid()
    tile(page, 9).click(modifiers=["ControlOrMeta"])
    after(page, 1)
    band(page, 0, 2)
    assert chosen(page) == [0, 1, 2]
    page.keyboard.press("Escape")
    assert chosen(page) == [9]
    page.mouse.up()
    run_again(page)
    assert told(page)["events"] == 1


def test_a_drag_at_the_edge_scrolls_on(grid):
    page = grid("&n=200&height=420")
    box = page.locator(".gallery").bounding_box()
    assert box is not None
    page.mouse.move(*middle(tile(page, 0)))
    page.mouse.down()
    page.mouse.move(box["x"] + 60, box["y"] + box["height"] - 3, steps=4)
    page.wait_for_function(
        f"document.querySelector('{SHADOW}').shadowRoot.querySelector('.gallery').scrollTop > 500"
    )
    page.mouse.up()
    selected = after(page, 1)["selected"]
    assert selected[:2] == [0, columns_of(page)]  # the column it went down
    assert len(selected) >= 4


def test_shift_with_the_arrows_extends_and_takes_back(grid):
    page = grid()
    tile(page, 1).focus()
    for _ in range(3):
        page.keyboard.press("Shift+ArrowRight")
    expect(tile(page, 4)).to_be_focused()
    assert chosen(page) == [1, 2, 3, 4]
    page.keyboard.press("Shift+ArrowLeft")
    expect(page.locator("[data-testid=stSidebar] code")).to_contain_text('"selected": [1, 2, 3]')
    page.keyboard.press("Shift+End")
    assert chosen(page) == list(range(1, 24))


def test_a_page_down_stays_in_its_column(grid):
    page = grid("&n=300&height=420")
    wide = columns_of(page)
    tile(page, 2).focus()
    page.keyboard.press("PageDown")
    at = page.evaluate(f"document.querySelector('{SHADOW}').shadowRoot.activeElement.index")
    assert at > 2 and at % wide == 2
    page.keyboard.press("PageUp")
    expect(tile(page, 2)).to_be_focused()


def test_ten_quick_clicks_and_one_to_go_reach_a_slow_server(grid):
    page = grid("&controlled=1&slow=1")
    wanted = [1, 2, 4, 5, 7, 8, 10, 11, 13, 14]
    tile(page, 3).click()
    for index in wanted:
        tile(page, index).click(modifiers=["ControlOrMeta"])
    code = page.locator("[data-testid=stSidebar] code")
    expect(code).to_contain_text(json.dumps(wanted))
    assert chosen(page) == wanted
    assert told(page)["clicks"] == [3]
    run_again(page)
    assert chosen(page) == wanted
    assert told(page)["clicks"] == [3]


def test_resting_on_a_tile_shows_a_card_beside_it(grid):
    page = grid()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    card = page.locator(".card")
    tile(page, 0).hover()
    expect(card).to_be_visible()
    expect(card.locator("dd").last).to_have_text("made/0")
    assert [url for url in asked if "/about/" in url] == [url for url in asked if "/about/0" in url]
    shown, under = card.bounding_box(), tile(page, 0).bounding_box()
    assert shown is not None and under is not None
    assert shown["x"] >= under["x"] + under["width"]
    expect(tile(page, 0)).to_have_attribute("aria-describedby", str(card.get_attribute("id")))
    last = columns_of(page) - 1
    tile(page, last).hover()  # there is no room to its right
    expect(card.locator("dd").last).to_have_text(f"made/{last}")
    shown, under = card.bounding_box(), tile(page, last).bounding_box()
    assert shown is not None and under is not None
    assert shown["x"] + shown["width"] <= under["x"]
    page.keyboard.press("Escape")
    expect(card).to_be_hidden()
    tile(page, 1).hover()  # hostile text stays text
    expect(card.locator(".name")).to_have_text("<img src=x onerror=window.hacked=1>.png")
    assert page.evaluate("window.hacked") is None
    tile(page, 1).click()
    expect(card).to_be_hidden()
    assert after(page, 1)["clicked"] == 1


def test_the_card_comes_to_the_keyboard_too(grid):
    page = grid()
    tile(page, 5).focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("i")
    card = page.locator(".card")
    expect(card.locator("dd").last).to_have_text("made/6")
    page.keyboard.press("ArrowRight")
    expect(card.locator("dd").last).to_have_text("made/7")  # after resting there
    page.keyboard.press("Escape")
    expect(card).to_be_hidden()
    expect(tile(page, 7)).to_be_focused()
