"""The filter bar, sizes and scale bars in the real dashboard: what a person chooses and sees."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from core import labels
from core.catalogue import NewImage
from core.columns import columns
from core.filtering import Filter, passing
from core.library import Library, View
from core.settings import Settings
from tests.browser.test_map import SHOWN, choose, drag, loner, ready
from tests.browser.test_pages import (
    APP,
    OVERFLOWS,
    Points,
    Visit,
    address_of,
    asked,
    button,
    core,
    drawn,
    grid,
    open_popover,
    settled,
    upload_query,
    visit,
)

__all__ = ["drawn", "visit"]
pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]
N = 80
# bar and picture as they are on the screen, for a tile whose picture is `pixels` wide and high
BAR = """(tile, [width, height]) => {
  const bar = tile.querySelector('.bar').getBoundingClientRect();
  const img = tile.querySelector('img').getBoundingClientRect();
  return [bar.width, Math.min(img.width / width, img.height / height),
          bar.left - img.left, img.right - bar.right];
}"""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample collection with a map, and one image eight times as large as it is."""
    folder = tmp_path_factory.mktemp("filters") / "workspace"
    core(folder, "sample", "--n", str(N), "--map")
    library = Library.open(Settings(workspace=folder))
    uid = library.catalogue.collection("sample").uid
    first, *_ = library.catalogue.image_rows(uid)
    library.catalogue.put_images(
        uid, [NewImage(**{**vars(first), "um_per_px": 8 * (first.um_per_px or 1)})]
    )
    library.close()
    return folder


@pytest.fixture(scope="module")
def library(workspace: Path) -> Iterator[Library]:
    opened = Library.open(Settings(workspace=workspace))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def view(library: Library) -> View:
    return library.vectors(library.catalogue.collection("sample"))


@pytest.fixture(scope="module")
def url(serve, workspace: Path) -> str:
    return serve(APP, {"PLANKTON_WORKSPACE": str(workspace)})


def which(library: Library, view: View, *where: str) -> set[str]:
    """Ids of the images that pass."""
    mask = passing(columns(library, view), Filter.of(where=where))
    return {view.snapshot.ids[row] for row in mask.nonzero()[0]}


def chips(page: Page) -> Locator:
    return page.locator("[class*='st-key-filter-chip'] button:visible")


def counted(page: Page, n: int) -> None:
    expect(page.get_by_text(f"{n} of {N} images pass")).to_be_visible()


def test_station_and_depth_are_chosen_and_taken_away_again(visit: Visit, url, library, view):
    page = visit(f"{url}/similar")
    body = open_popover(page, "Filter")
    body.get_by_role("button", name=re.compile(r"^S1 \(")).click()
    at_s1 = which(library, view, "station=S1")
    counted(page, len(at_s1))
    expect(body).to_be_visible()  # one may go on choosing
    body.get_by_role("button", name=re.compile(r"^S3 \(")).click()
    either = which(library, view, "station=S1", "station=S3")
    counted(page, len(either))
    field = body.get_by_role("spinbutton", name="Depth (m) to")
    field.fill("20")
    field.press("Enter")
    both = which(library, view, "station=S1", "station=S3", "depth_m<=20")
    assert 0 < len(both) < len(either)
    counted(page, len(both))
    settled(page)
    assert asked(page)["filter"] == "station:S1|S3;depth_m~..20"
    page.keyboard.press("Escape")
    settled(page)
    shown = {address_of(tile) for tile in grid(page, "Nearest matches").all()}
    assert shown
    assert shown <= {quote(id) for id in both}
    expect(chips(page)).to_have_count(2)

    other = visit(page.url)  # the link says it all
    counted(other, len(both))

    chips(page).filter(has_text="Station").click()
    counted(page, len(which(library, view, "depth_m<=20")))
    page.go_back()  # the browser's own
    counted(page, len(both))
    button(page, "Clear all").click()
    expect(chips(page)).to_have_count(0)
    settled(page)
    assert "filter" not in asked(page)


def test_dates_are_a_range(visit: Visit, url, library, view):
    page = visit(f"{url}/similar?filter=date~2024-06-01..2024-08-31")
    summer = which(library, view, "date>=2024-06-01", "date<=2024-08-31")
    assert 0 < len(summer) < N
    counted(page, len(summer))
    expect(chips(page)).to_contain_text("Date: 2024-06-01 to 2024-08-31")


def test_both_pages_share_the_filter(visit: Visit, url, library, view):
    page = visit(f"{url}/similar?filter=station:S1")
    expected = which(library, view, "station=S1")
    counted(page, len(expected))
    for name, there in (("Map", "**/map?*filter=*"), ("Similar", "**/similar?*filter=*")):
        page.get_by_role("link", name=name, exact=True).click()
        page.wait_for_url(there)
        counted(page, len(expected))
        settled(page)
    page.get_by_role("link", name="Home", exact=True).click()
    settled(page)
    assert "filter" not in asked(page)
    page.get_by_role("link", name="Map", exact=True).click()
    counted(page, len(expected))
    button(page, "Clear all").click()
    expect(chips(page)).to_have_count(0)
    settled(page)
    page.get_by_role("link", name="Similar", exact=True).click()
    expect(grid(page, "Nearest matches")).to_have_count(24)
    settled(page)
    expect(chips(page)).to_have_count(0)


def test_the_map_keeps_its_shape_and_only_what_passes_is_there_to_be_touched(
    visit: Visit, url, library, view
):
    page = visit(f"{url}/map?colour=label")
    ready(page)
    points = Points(page)
    ids = [points.id(row) for row in range(N)]
    before = page.evaluate("() => document.querySelector('.pm-plot')._fullLayout.xaxis.range")
    expected = which(library, view, "station=S1")
    out = max((row for row in range(N) if ids[row] not in expected), key=lambda row: points.x[row])
    page.goto(f"{url}/map?colour=label&filter=station:S1")
    settled(page)
    ready(page)
    page.wait_for_function(f"n => ({SHOWN})() === n", arg=len(expected))
    now = page.evaluate("() => document.querySelector('.pm-plot')._fullLayout.xaxis.range")
    assert now == pytest.approx(before)
    shown = page.evaluate("() => document.querySelector('.pm-plot')._fullData[0].x.length")
    assert shown == N - len(expected)
    counts = page.locator(".pm-legend .pm-count").all_inner_texts()
    assert sum(map(int, counts)) == len(expected)
    known = labels.current(library.catalogue, view.collection.uid, sorted(expected))
    assert len(counts) == len({label.label for label in known.values()})
    assert page.locator(".pm-box").get_attribute("aria-label") == (
        f"Map of {len(expected)} of {N} images in {len(counts)} groups"
    )

    x, y = Points(page).place(out)  # a faint one: no card, nothing opens
    page.mouse.move(x, y)
    page.wait_for_timeout(600)
    expect(page.locator(".pm-card")).to_be_hidden()
    page.mouse.click(x, y)
    settled(page)
    assert "point" not in asked(page)

    choose(page, "select")
    box = page.locator(".pm-plot").bounding_box()
    assert box
    right, bottom = box["x"] + box["width"] - 3, box["y"] + box["height"] - 3
    drag(page, [(box["x"] + 3, box["y"] + 3), (right, bottom)])
    gathered = grid(page, "Selected images")
    expect(gathered).to_have_count(len(expected))
    assert {address_of(tile) for tile in gathered.all()} == {quote(id) for id in expected}
    settled(page)
    body = open_popover(page, "Filter")  # what was gathered and passes no more is left out
    body.get_by_role("spinbutton", name="Depth (m) to").fill("20")
    page.keyboard.press("Enter")
    both = which(library, view, "station=S1", "depth_m<=20")
    counted(page, len(both))
    expect(gathered).to_have_count(len(both))


def test_a_point_that_passes_opens_with_matches_that_pass(visit: Visit, url, library, view):
    page = visit(f"{url}/map?filter=station:S1")
    ready(page)
    points = Points(page)
    expected = which(library, view, "station=S1")
    rows = [row for row in range(N) if points.id(row) in expected]
    far = rows[loner([points.x[row] for row in rows], [])]  # type: ignore[arg-type]
    settled(page)
    points.hover(far)
    page.mouse.click(*points.place(far))
    page.wait_for_url("**point=*")
    around = grid(page, "Nearest matches")
    expect(around).to_have_count(min(24, len(expected) - 1))
    assert {address_of(tile) for tile in around.all()} <= {quote(id) for id in expected}
    settled(page)
    page.get_by_text("Open in Similar").click()
    page.wait_for_url("**/similar?**")
    counted(page, len(expected))


@pytest.mark.parametrize("name", ["similar", "map"])
def test_nothing_passes(visit: Visit, url, name):
    page = visit(f"{url}/{name}?filter=station:S1;depth_m~9000..")
    counted(page, 0)
    expect(page.get_by_text("Take one of its conditions away")).to_be_visible()
    if name == "map":
        ready(page)
        page.wait_for_function(f"() => ({SHOWN})() === 0")
    button(page, "Clear the filter").click()
    expect(chips(page)).to_have_count(0)
    if name == "map":
        page.wait_for_function(f"n => ({SHOWN})() === n", arg=N)
    else:
        expect(grid(page, "Nearest matches")).to_have_count(24)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("name", ["similar", "map"])
def test_the_bar_fits_every_window(visit: Visit, url, name, dark):
    link = "station:S1|S2|S3|S4;depth_m~..200;date~2024-01-01..2024-12-31;size~..900;once"
    page = visit(f"{url}/{name}?filter={link}", dark=dark)
    expect(chips(page)).to_have_count(5)
    for width in (1400, 800, 400):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_function(f"({OVERFLOWS})().every((beyond) => beyond <= 0)")
        body = open_popover(page, "Filter")
        box = body.bounding_box()
        assert box and box["x"] >= 0 and box["x"] + box["width"] <= width
        page.keyboard.press("Escape")


# sizes


def drawn_bars(page: Page, tiles: Locator, image_of: Any) -> int:
    """Look at every tile's bar; gives how many there are."""
    n = tiles.count()
    for index in range(n):
        tile = tiles.nth(index)
        tile.scroll_into_view_if_needed()
        expect(tile.locator("img")).to_have_js_property("complete", True)
        image = image_of(tile)
        bar, zoom, left, right = tile.evaluate(BAR, [image.width, image.height])
        said = tile.locator(".length").inner_text()
        um = float(said.split()[0]) * (1000 if said.endswith("mm") else 1)
        assert bar / zoom * image.um_per_px == pytest.approx(um, rel=0.02), said
        assert left >= 0 and right >= 0  # within the picture's frame
    return n


@pytest.mark.parametrize("width", [1400, 400])
def test_every_bar_is_as_long_as_it_says(visit: Visit, url, library, view, width):
    """Thumbnails, and the query's large picture: width on the screen against micrometres."""
    uid = view.collection.uid
    images = {quote(image.id): image for image in library.catalogue.images(uid)}
    widest = max(images.values(), key=lambda i: (i.width or 0) / (i.height or 1))
    page = visit(f"{url}/similar?k=12&id={quote(widest.id)}", width=width)
    matches = grid(page, "Nearest matches")
    expect(matches).to_have_count(12)

    def image_of(tile: Locator) -> Any:
        return images[address_of(tile)]

    assert drawn_bars(page, matches, image_of) == 12
    assert drawn_bars(page, grid(page, "The query"), image_of) == 1


def test_an_uploaded_picture_has_a_bar_once_its_scale_is_given(visit: Visit, url, drawn):
    page = visit(f"{url}/similar")
    upload_query(page, "mine.png", drawn[0].read_bytes())
    page.wait_for_url("**upload=*")
    own = grid(page, "The query")
    expect(own).to_have_count(1)
    expect(own.locator(".scale")).to_be_hidden()
    settled(page)
    body = open_popover(page, "Your own picture")
    body.get_by_role("spinbutton").fill("2.5")
    page.keyboard.press("Enter")
    expect(own.locator(".scale")).to_be_visible()
    with Image.open(drawn[0]) as opened:
        made = NewImage("", "", "", "", "", opened.width, opened.height, 2.5)
    assert drawn_bars(page, own, lambda _tile: made) == 1
    longest = max(made.width or 0, made.height or 0) * 2.5
    expect(page.get_by_text(f"frame {longest:,.0f} µm")).to_be_visible()


def test_matches_by_size_and_those_much_larger_or_smaller_marked(visit: Visit, url, library, view):
    uid = view.collection.uid
    images = {quote(image.id): image for image in library.catalogue.images(uid)}

    def size(image: Any) -> float:
        return float(max(image.width, image.height) * image.um_per_px)

    query = min(images.values(), key=size)
    page = visit(f"{url}/similar?k=96&id={quote(query.id)}")
    matches = grid(page, "Nearest matches")
    expect(matches).to_have_count(N - 1)
    near = [address_of(tile) for tile in matches.all()]
    marked = {a for a in near if size(images[a]) > 5 * size(query)}
    assert marked
    page.get_by_role("radio", name="Size").click()
    page.wait_for_url("**order=size*")
    settled(page)
    by_size = [address_of(tile) for tile in matches.all()]
    assert sorted(by_size) == sorted(near)
    sizes = [size(images[a]) for a in by_size]
    assert sizes == sorted(sizes)
    for tile in matches.all():
        mark = tile.locator(".mark")
        if address_of(tile) not in marked:
            expect(mark).to_be_hidden()
            continue
        times = size(images[address_of(tile)]) / size(query)
        expect(mark).to_have_text(f"{times:,.1f}× larger")
        said = f"{times:,.1f}× larger than the query"
        assert not tile.get_attribute("title")  # the card says it
        assert said in (tile.get_attribute("aria-label") or "")
    other = visit(page.url)
    expect(grid(other, "Nearest matches")).to_have_count(N - 1)
    assert [address_of(t) for t in grid(other, "Nearest matches").all()] == by_size
