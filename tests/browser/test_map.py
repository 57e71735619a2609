"""The map in a real browser, software WebGL: hover, click, box, lasso, legend, zoom."""

import json
import struct
from array import array
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser
CODE = "[data-testid=stSidebar] code"
# where a point of the data lies on the screen, in CSS pixels
ON_SCREEN = """([x, y]) => {
  const plot = document.querySelector('.pm-plot'), { xaxis, yaxis } = plot._fullLayout;
  const box = plot.getBoundingClientRect();
  return [box.left + xaxis._offset + xaxis.d2p(x), box.top + yaxis._offset + yaxis.d2p(y)];
}"""
ALL_ON_SCREEN = """([xs, ys]) => {
  const plot = document.querySelector('.pm-plot'), { xaxis, yaxis } = plot._fullLayout;
  const box = plot.getBoundingClientRect();
  return xs.map((x, i) =>
    [box.left + xaxis._offset + xaxis.d2p(x), box.top + yaxis._offset + yaxis.d2p(ys[i])]);
}"""
IN_DATA = """(places) => {
  const plot = document.querySelector('.pm-plot'), { xaxis, yaxis } = plot._fullLayout;
  const box = plot.getBoundingClientRect();
  return places.map(([left, top]) => [xaxis.p2d(left - box.left), yaxis.p2d(top - box.top)]);
}"""
RANGES = """() => {
  const { xaxis, yaxis, dragmode } = document.querySelector('.pm-plot')._fullLayout;
  return [xaxis.range, yaxis.range, dragmode];
}"""
SHOWN = """() => document.querySelector('.pm-plot')._fullData.filter((t) => t.hoverinfo === 'none')
  .reduce((sum, t) => sum + (t.visible === true ? t.x.length : 0), 0)"""


@pytest.fixture(scope="module")
def url(serve) -> str:
    return serve(Path(__file__).parent / "parts_app.py")


@pytest.fixture
def chart(page, url):
    def open_chart(query: str = "", **how: Any) -> Page:
        opened = page(f"{url}/?part=map{query}", **how)
        ready(opened)
        return opened

    return open_chart


def ready(page: Page) -> None:
    page.wait_for_selector(".pm-plot .modebar", timeout=60_000, state="attached")
    expect(page.locator(".pm-message")).to_be_hidden(timeout=60_000)


def told(page: Page) -> dict[str, Any]:
    return json.loads(page.locator(CODE).inner_text())


def after(page: Page, events: int) -> dict[str, Any]:
    expect(page.locator(CODE)).to_contain_text(f'"events": {events},')
    return told(page)["last"]


def same_view(now: list[Any], before: list[Any]) -> bool:
    """Same ranges, but for the last digit of a division, and the same drag mode."""
    ranges = [pytest.approx(axis, rel=1e-6) for axis in before[:2]]
    return now[:2] == ranges and now[2] == before[2]


def run_again(page: Page) -> None:
    runs = told(page)["runs"]
    page.get_by_role("button", name="Run again").click()
    expect(page.locator(CODE)).to_contain_text(f'"runs": {runs + 1},')


def points(page: Page, url: str, n: int = 600, groups: int = 6) -> tuple[array, array, array]:
    """x, y and group of every point, read from what the server answers."""
    body = page.request.get(f"{url}/points?n={n}&groups={groups}").body()
    (size,) = struct.unpack_from("<I", body)
    assert (4 + size) % 4 == 0
    x, y, group = array("f"), array("f"), array("H")
    start = 4 + size
    x.frombytes(body[start : start + 4 * n])
    y.frombytes(body[start + 4 * n : start + 8 * n])
    group.frombytes(body[start + 8 * n : start + 10 * n])
    return x, y, group


def screen(page: Page, x: float, y: float) -> tuple[float, float]:
    left, top = page.evaluate(ON_SCREEN, [x, y])
    return left, top


def loner(x: array, y: array) -> int:
    """The point furthest to the right: nothing lies over it."""
    return max(range(len(x)), key=lambda row: x[row])


def choose(page: Page, tool: str) -> None:
    page.locator(f'.modebar-btn[data-val="{tool}"]').click()


def drag(page: Page, path: list[tuple[float, float]]) -> None:
    page.mouse.move(*path[0])
    page.mouse.down()
    for place in path[1:]:
        page.mouse.move(*place, steps=8)
    page.mouse.up()


def inside(x: float, y: float, corners: list[tuple[float, float]]) -> bool:
    odd = False
    for (ax, ay), (bx, by) in zip(corners, corners[1:] + corners[:1], strict=True):
        if (ay > y) != (by > y) and x < ax + (bx - ax) * (y - ay) / (by - ay):
            odd = not odd
    return odd


def clearance(x: float, y: float, corners: list[tuple[float, float]]) -> float:
    """Distance of a place from the nearest side of a polygon."""
    least = float("inf")
    for (ax, ay), (bx, by) in zip(corners, corners[1:] + corners[:1], strict=True):
        length = (bx - ax) ** 2 + (by - ay) ** 2
        t = min(1.0, max(0.0, ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length))
        least = min(least, (x - ax - t * (bx - ax)) ** 2 + (y - ay - t * (by - ay)) ** 2)
    return least**0.5


def clear_polygon(
    places: list[tuple[float, float]], shape: list[tuple[float, float]], middle: tuple[float, float]
) -> list[tuple[float, float]]:
    """`shape` about `middle`, moved a little until no point lies within 2 pixels of a side."""
    for step in range(400):
        dx, dy = (step % 20) * 3 - 30, (step // 20) * 3 - 30
        corners = [(middle[0] + dx + a, middle[1] + dy + b) for a, b in shape]
        if min(clearance(*place, corners) for place in places) > 2:
            return corners
    raise AssertionError("no place for the polygon: draw fewer points")


def centre(page: Page) -> tuple[float, float]:
    box = page.locator(".pm-plot").bounding_box()
    assert box
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_hover_shows_the_picture_and_its_text(chart, url):
    page = chart()
    x, y, _ = points(page, url)
    row = loner(x, y)
    page.mouse.move(*screen(page, x[row], y[row]))
    card = page.locator(".pm-card")
    expect(card).to_be_visible()
    expect(card.locator(".pm-card-title")).to_have_text(f"image {row}.png")
    expect(card.locator("img")).to_have_js_property("complete", True)
    assert card.locator("img").evaluate("i => i.naturalWidth") > 0
    place = card.bounding_box()
    assert place and place["x"] >= 0 and place["x"] + place["width"] <= 1400
    assert place["y"] >= 0 and place["y"] + place["height"] <= 900
    page.mouse.move(*[v + 2 for v in page.locator(".pm-caption").bounding_box().values()][:2])
    expect(card).to_be_hidden()


@pytest.mark.parametrize("width", [1400, 400])
def test_the_card_stays_inside_the_window(chart, url, width):
    page = chart("&height=860", width=width, height=700)
    x, y, _ = points(page, url)
    lowest = min(range(len(y)), key=lambda row: y[row])
    for row in (loner(x, y), lowest):
        page.locator(".pm-plot").evaluate("p => p.scrollIntoView({ block: 'end' })")
        page.mouse.move(*screen(page, x[row], y[row]))
        expect(page.locator(".pm-card-title")).to_have_text(f"image {row}.png")
        expect(page.locator(".pm-card")).to_be_visible()
        place = page.locator(".pm-card").bounding_box()
        assert place and place["x"] >= 0 and place["x"] + place["width"] <= width
        assert place["y"] >= 0 and place["y"] + place["height"] <= 700
        page.mouse.move(2, 2)


def test_names_on_the_card_are_text(chart, url):
    page = chart("&n=2&groups=1")
    x, y, _ = points(page, url, 2, 1)
    page.mouse.move(*screen(page, x[1], y[1]))
    expect(page.locator(".pm-card-title")).to_have_text("<img src=x onerror=window.hacked=1>.png")
    assert page.locator(".pm-card img").count() == 1
    assert page.evaluate("window.hacked") is None


def test_points_that_are_gone_say_so(chart, url):
    page = chart("&gone=1")
    x, y, _ = points(page, url)
    row = loner(x, y)
    page.mouse.move(*screen(page, x[row], y[row]))
    expect(page.locator(".pm-card")).to_contain_text("The map has changed")


def test_a_click_reports_its_row_once_and_keeps_the_zoom(chart, url):
    page = chart()
    x, y, _ = points(page, url)
    row = loner(x, y)
    page.mouse.move(*screen(page, x[row], y[row]))
    before = page.evaluate(RANGES)
    for _ in range(3):
        page.mouse.wheel(0, -120)
        page.wait_for_timeout(150)
    page.wait_for_function(
        f"before => JSON.stringify(({RANGES})()) !== before", arg=json.dumps(before)
    )
    page.wait_for_timeout(400)
    zoomed = page.evaluate(RANGES)
    assert zoomed[0][1] - zoomed[0][0] < 0.9 * (before[0][1] - before[0][0])
    page.mouse.click(*screen(page, x[row], y[row]))
    assert after(page, 1) == {"clicked": row, "selected": [], "kind": "click"}
    page.wait_for_function("() => document.querySelector('.pm-plot').data.at(-2).x.length === 24")
    run_again(page)
    assert told(page)["events"] == 1
    assert same_view(page.evaluate(RANGES), zoomed)
    # the page has made it the query: ringed, and joined to its 24 matches
    ring = page.evaluate(
        "() => { const { data } = document.querySelector('.pm-plot');"
        " return [data.at(-1).x[0], data.at(-2).x.length]; }"
    )
    assert ring == [pytest.approx(x[row]), 24]


@pytest.mark.parametrize("groups", [6, 80])
def test_box_selects_exactly_what_is_inside(chart, url, groups):
    page = chart(f"&n=300&groups={groups}")
    x, y, _ = points(page, url, 300, groups)
    places = page.evaluate(ALL_ON_SCREEN, [list(x), list(y)])
    corners = clear_polygon(places, [(-120, -90), (120, -90), (120, 90), (-120, 90)], centre(page))
    choose(page, "select")
    drag(page, [corners[0], corners[2]])
    expected = [row for row, place in enumerate(places) if inside(*place, corners)]
    assert 0 < len(expected) < 300
    assert after(page, 1) == {"clicked": None, "selected": expected, "kind": "box"}
    expect(page.locator(".pm-status")).to_have_text(f"{len(expected)} selected")


def test_lasso_selects_exactly_and_shift_adds(chart, url):
    page = chart("&n=300")
    x, y, _ = points(page, url, 300)
    places = page.evaluate(ALL_ON_SCREEN, [list(x), list(y)])
    middle = centre(page)
    shape = [(0.0, -110.0), (120.0, 0.0), (0.0, 110.0), (-60.0, 10.0), (-130.0, 30.0)]
    corners = clear_polygon(places, shape, (middle[0] - 60, middle[1]))
    choose(page, "lasso")
    drag(page, [*corners, corners[0]])
    first = {row for row, place in enumerate(places) if inside(*place, corners)}
    assert first
    assert after(page, 1) == {"clicked": None, "selected": sorted(first), "kind": "lasso"}
    run_again(page)
    more = clear_polygon(
        places, [(0, -70), (80, 0), (0, 70), (-80, 0)], (middle[0] + 140, middle[1])
    )
    page.keyboard.down("Shift")
    drag(page, [*more, more[0]])
    page.keyboard.up("Shift")
    second = {row for row, place in enumerate(places) if inside(*place, more)}
    assert second - first
    assert after(page, 2)["selected"] == sorted(first | second)
    # without shift, the next one replaces
    drag(page, [*corners, corners[0]])
    assert after(page, 3)["selected"] == sorted(first)


def test_double_click_clears_the_selection(chart, url):
    page = chart("&n=300")
    choose(page, "select")
    left, top = centre(page)
    drag(page, [(left - 150, top - 150), (left + 150, top + 150)])
    assert after(page, 1)["selected"]
    page.wait_for_timeout(500)
    page.mouse.dblclick(left - 200, top + 230)
    assert after(page, 2) == {"clicked": None, "selected": [], "kind": "clear"}
    expect(page.locator(".pm-status")).to_be_empty()


@pytest.mark.parametrize("groups", [6, 80])
def test_the_legend_hides_and_isolates(chart, url, groups):
    page = chart(f"&n=800&groups={groups}")
    _, _, group = points(page, url, 800, groups)
    entries = page.locator(".pm-entry")
    expect(entries).to_have_count(groups)
    expect(entries.nth(1).locator(".pm-count")).to_have_text(str(list(group).count(1)))
    assert page.evaluate(SHOWN) == 800
    entries.nth(1).click()
    expect(entries.nth(1)).to_have_attribute("aria-pressed", "false")
    left = 800 - list(group).count(1)
    page.wait_for_function(f"left => ({SHOWN})() === left", arg=left)
    run_again(page)
    assert page.evaluate(SHOWN) == left
    # what is hidden is not selected
    choose(page, "select")
    box = page.locator(".pm-plot").bounding_box()
    drag(
        page,
        [
            (box["x"] + 3, box["y"] + 60),
            (box["x"] + box["width"] - 3, box["y"] + box["height"] - 3),
        ],
    )
    selected = after(page, 1)["selected"]
    assert selected and all(group[row] != 1 for row in selected)
    entries.nth(2).dblclick()
    page.wait_for_function(f"left => ({SHOWN})() === left", arg=list(group).count(2))
    entries.nth(2).dblclick()
    page.wait_for_function(f"left => ({SHOWN})() === left", arg=800)
    entries.nth(0).click()
    page.get_by_role("button", name="Show all").click()
    page.wait_for_function(f"left => ({SHOWN})() === left", arg=800)


def test_zoom_survives_new_colours_and_a_visit_elsewhere(chart):
    page = chart()
    page.mouse.move(*centre(page))
    page.mouse.wheel(0, -240)
    page.wait_for_timeout(600)
    choose(page, "lasso")
    page.wait_for_timeout(300)
    zoomed = page.evaluate(RANGES)
    page.get_by_text("Colour again").click()
    expect(page.locator(CODE)).to_contain_text('"runs": 2,')
    page.wait_for_timeout(1000)
    assert same_view(page.evaluate(RANGES), zoomed)
    page.get_by_text("Away").click()
    expect(page.locator(".pm-root")).to_have_count(0)
    page.get_by_text("Away").click()
    ready(page)
    page.wait_for_timeout(500)
    assert same_view(page.evaluate(RANGES), zoomed)


def test_the_map_follows_light_and_dark(chart):
    page = chart("&n=50")
    ground = "document.querySelector('.pm-plot')._fullLayout.plot_bgcolor"
    light = page.evaluate(ground)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(f"light => {ground} !== light", arg=light)
    background = "getComputedStyle(document.querySelector('.pm-box')).backgroundColor"
    assert page.evaluate(background) == page.evaluate(
        "colour => Object.assign(document.createElement('i').style, { color: colour }).color",
        page.evaluate(ground),
    )


def test_one_click_on_an_older_revision_is_refused(chart, url):
    page = chart()
    x, y, _ = points(page, url)
    row = loner(x, y)
    assert page.request.get(f"{url}/bump").ok
    page.mouse.move(*screen(page, x[row], y[row]))
    page.mouse.click(*screen(page, x[row], y[row]))
    expect(page.get_by_test_id("stToast")).to_contain_text("The collection changed")
    assert told(page)["events"] == 0


@pytest.mark.parametrize("n", [1, 2, 3, 10])
def test_a_handful_of_points(chart, url, n):
    page = chart(f"&n={n}&groups=1")
    x, y, _ = points(page, url, n, 1)
    for row in range(n):
        place = screen(page, x[row], y[row])
        page.mouse.move(*place)
        expect(page.locator(".pm-card")).to_be_visible()
        page.mouse.click(*place)
        assert after(page, row + 1)["clicked"] == row
        page.mouse.move(2, 2)
    expect(page.locator(".pm-side")).to_be_hidden()  # one group needs no legend


def test_points_that_cannot_be_fetched(page, url):
    opened = page(f"{url}/?part=map&n=666")
    alert = opened.get_by_role("alert").filter(has_text="points")
    expect(alert).to_contain_text("could not be loaded (the server answered 500)")
    expect(alert.get_by_role("button", name="Try again")).to_be_visible()


IMAGES_BELOW = "() => document.querySelector('.pm-plot')._fullLayout.images.length"
BIG = "&n=6000&limit=1500"


def select_all(page: Page, margin: float = 3) -> None:
    choose(page, "select")
    box = page.locator(".pm-plot").bounding_box()
    assert box
    right, bottom = box["x"] + box["width"] - margin, box["y"] + box["height"] - margin
    drag(page, [(box["x"] + margin, box["y"] + 50), (right, bottom)])


def test_shading_can_be_switched_off_and_stays_off(chart):
    page = chart()
    page.wait_for_function(f"() => ({IMAGES_BELOW})() === 1")
    tick = page.get_by_label("Shade dense parts")
    tick.uncheck()
    page.wait_for_function(f"() => ({IMAGES_BELOW})() === 0")
    run_again(page)
    assert page.evaluate(IMAGES_BELOW) == 0
    tick.check()
    page.wait_for_function(f"() => ({IMAGES_BELOW})() === 1")
    before = page.evaluate("() => document.querySelector('.pm-plot').layout.images[0].source")
    page.locator(".pm-entry").nth(0).click()  # only what is shown is shaded
    page.wait_for_function(
        "before => document.querySelector('.pm-plot').layout.images[0]?.source !== before",
        arg=before,
    )


def test_a_legend_by_keyboard(chart, url):
    page = chart("&n=100&groups=4")
    _, _, group = points(page, url, 100, 4)
    entry = page.locator(".pm-entry").nth(1)
    entry.focus()
    page.keyboard.press("Space")
    expect(entry).to_have_attribute("aria-pressed", "false")
    only = page.get_by_role("button", name="Show only cluster 2")
    only.focus()
    page.keyboard.press("Enter")
    page.wait_for_function(f"n => ({SHOWN})() === n", arg=list(group).count(2))
    lasso = page.get_by_role("button", name="Lasso: draw around points")
    lasso.focus()
    page.keyboard.press("Enter")
    page.wait_for_function(f"() => ({RANGES})()[2] === 'lasso'")


def test_a_large_map_says_what_it_shows_and_draws_a_region_in_full(chart, url):
    page = chart(BIG)
    part, whole = page.locator(".pm-part"), page.get_by_role("button", name="Draw this region")
    expect(part).to_contain_text("Showing 1,500 of 6,000 images")
    assert page.evaluate(SHOWN) == 1500
    expect(whole).to_be_hidden()
    page.mouse.move(*centre(page))
    for _ in range(20):
        page.mouse.wheel(0, -240)
        page.wait_for_timeout(200)
    expect(whole).to_be_visible()
    page.wait_for_timeout(500)
    xs, ys, _ = page.evaluate(RANGES)
    x, y, _ = points(page, f"{url}", 6000)
    there = [row for row in range(6000) if xs[0] <= x[row] <= xs[1] and ys[0] <= y[row] <= ys[1]]
    assert 0 < len(there) < 1500
    whole.click()
    expect(part).to_contain_text(f"Showing all {len(there):,} images of this region")
    expect(whole).to_be_hidden()
    assert 1500 < page.evaluate(SHOWN) <= 1500 + len(there)
    assert same_view(page.evaluate(RANGES), [xs, ys, "pan"])


def test_a_box_on_a_sample_selects_what_is_not_drawn_too(chart):
    page = chart(BIG)
    select_all(page)
    expect(page.locator(".pm-status")).to_have_text("6,000 selected")
    assert after(page, 1)["selected"] == list(range(6000))
    page.wait_for_function("() => document.querySelector('.pm-plot').data.at(-4).x.length > 5000")
    run_again(page)
    expect(page.locator(".pm-status")).to_have_text("6,000 selected")


def test_matches_that_a_sample_lacks_are_drawn(chart, url):
    page = chart(BIG)
    x, y, _ = points(page, url, 6000)
    right, top = page.evaluate(
        """() => document.querySelector('.pm-plot')._fullData
          .filter((t) => t.hoverinfo === 'none').flatMap((t) => [...t.x].map((x, i) => [x, t.y[i]]))
          .reduce((best, at) => (at[0] > best[0] ? at : best))"""
    )
    place = screen(page, right, top)
    page.mouse.move(*place)
    expect(page.locator(".pm-card")).to_be_visible()
    page.mouse.click(*place)
    row = after(page, 1)["clicked"]
    assert (x[row], y[row]) == (pytest.approx(right), pytest.approx(top))
    page.wait_for_function("() => document.querySelector('.pm-plot').data.at(-2).x.length === 24")


@pytest.mark.slow
@pytest.mark.parametrize("groups", [8, 80])
def test_100_000_points(chart, url, groups):
    page = chart(f"&n=100000&groups={groups}")
    x, y, _ = points(page, url, 100_000, groups)
    row = loner(x, y)
    place = screen(page, x[row], y[row])
    page.mouse.move(*place)
    expect(page.locator(".pm-card-title")).to_have_text(f"image {row}.png")
    page.mouse.click(*place)
    assert after(page, 1)["clicked"] == row
    choose(page, "select")
    left, top = centre(page)
    page.wait_for_timeout(500)
    corners = [[left - 60, top + 40], [left + 60, top - 40]]
    low, high = page.evaluate(IN_DATA, corners)
    drag(page, [(left - 60, top - 40), (left + 60, top + 40)])
    expected = [
        r for r in range(100_000) if low[0] <= x[r] <= high[0] and low[1] <= y[r] <= high[1]
    ]
    expect(page.locator(CODE)).to_contain_text('"events": 2,', timeout=60_000)
    assert told(page)["last"]["selected"] == expected
    assert len(expected) > 100
