"""From the map to a table, by mouse and by keyboard, on real plankton where it is here."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_map import ALL_ON_SCREEN, choose, clearance, drag, inside, loner, ready
from tests.browser.test_pages import (
    APP,
    Points,
    address_of,
    address_with,
    asked,
    core,
    download,
    grid,
    settled,
    visit,
)

__all__ = ["visit"]  # a fixture

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(900)]
CAMERA = Path(__file__).parents[2].parent / "shared" / "data" / "plankton_camera"
DRAWN = 240
HOLD = [
    pytest.param("drawn"),
    pytest.param(
        "camera", marks=pytest.mark.skipif(not CAMERA.is_dir(), reason="shared data is not here")
    ),
]


@pytest.fixture(scope="module", params=HOLD)
def served(request: pytest.FixtureRequest, serve, tmp_path_factory) -> tuple[str, str, int]:
    """Where a collection with a map is shown, what it is called and how many images it has."""
    folder = tmp_path_factory.mktemp("camera") / "workspace"
    if request.param == "drawn":
        n = core(folder, "sample", "--n", str(DRAWN), "--map")["indexed"]
        name = "sample"
    else:
        name = "camera"
        n = core(folder, "index", CAMERA, "--collection", name, "--labels", "folder")["indexed"]
        core(folder, "map", "--collection", name)
    assert n == (DRAWN if request.param == "drawn" else 1572)
    return serve(APP, {"PLANKTON_WORKSPACE": str(folder)}), name, n


def test_hover_click_lasso_gallery_more_like_these_and_export(visit, served):
    url, name, n = served
    page = visit(f"{url}/map?collection={name}")
    ready(page)
    points = Points(page)
    assert len(points.x) == n
    hovered_and_opened(page, points)
    expected = lassoed(page, points)

    page.locator(".st-key-selected-panel").get_by_role("link", name="Open", exact=True).click()
    page.wait_for_url("**/selection?**")
    settled(page)
    gallery = page.locator(".st-key-selection .tile")
    assert {address_of(tile) for tile in gallery.all()} <= {quote(id) for id in expected}
    page.get_by_role("button", name="More like these").first.click()
    settled(page)
    matches = page.locator(".st-key-matches .tile")
    expect(matches).to_have_count(24)
    found = [address_of(tile) for tile in matches.all()]
    assert len(set(found)) == 24
    assert not set(found) & {quote(id) for id in expected}
    first = matches.first.locator("img")
    expect(first).to_have_js_property("complete", True)
    assert first.evaluate("i => i.naturalWidth") > 0
    rows = table(page)
    assert {quote(row["id"]) for row in rows} >= set(found)


def hovered_and_opened(page: Page, points: Points) -> None:
    row = loner(points.x, points.y)
    id = points.hover(row)
    page.mouse.click(*points.place(row))
    page.wait_for_url("**point=*")
    assert asked(page)["point"] == id
    expect(grid(page, "The image").locator("img")).to_have_attribute("src", address_with(id))
    expect(grid(page, "Nearest matches")).to_have_count(24)
    settled(page)


def lassoed(page: Page, points: Points) -> set[str]:
    """Ids inside a lasso about the middle of all points: those of the exported table."""
    places = page.evaluate(ALL_ON_SCREEN, [list(points.x), list(points.y)])
    box = page.locator(".pm-plot").bounding_box()
    assert box
    ordered = [sorted(p[axis] for p in places)[len(places) // 2] for axis in (0, 1)]
    middle = (
        min(max(ordered[0], box["x"] + 100), box["x"] + box["width"] - 100),
        min(max(ordered[1], box["y"] + 100), box["y"] + box["height"] - 100),
    )
    shape = [(-70.0, -60.0), (75.0, -65.0), (60.0, 60.0), (0.0, 25.0), (-75.0, 65.0)]
    corners = [(middle[0] + dx, middle[1] + dy) for dx, dy in shape]
    choose(page, "lasso")
    drag(page, [*corners, corners[0]])
    expect(page.locator(".pm-status")).to_contain_text("selected")
    settled(page)
    sure = {r for r, at in enumerate(places) if inside(*at, corners)}
    near = {r for r, at in enumerate(places) if clearance(*at, corners) < 1.5}  # either may be
    rows = table(page)
    ids = {row["id"] for row in rows}
    assert len(rows) == len(ids)
    row_of = {points.id(r): r for r in sure | near}
    got = {row_of[id] for id in ids}
    assert got - near == sure - near
    assert got
    count = f"{len(ids):,} selected"
    expect(page.locator(".st-key-selected-panel")).to_contain_text(count)
    return ids


def table(page: Page) -> list[dict[str, Any]]:
    text = download(page, "CSV").decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def test_a_gallery_is_walked_by_keyboard_alone(visit, served):
    url, name, _ = served
    page = visit(f"{url}/similar?collection={name}")
    settled(page)
    gallery = grid(page, "Nearest matches")
    expect(gallery).to_have_count(24)
    for _ in range(80):  # as a person without a mouse gets there
        page.keyboard.press("Tab")
        if page.evaluate(f"({FOCUSED})()")[0] == "Nearest matches":
            break
    else:
        raise AssertionError("the matches cannot be reached by Tab")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    settled(page)
    panel = page.locator(".st-key-selected-panel")
    expect(panel).to_contain_text("2 selected")
    ticked = [tile.get_attribute("aria-selected") for tile in gallery.all()]
    assert ticked == ["true" if n in (1, 2) else "false" for n in range(24)]
    expect(gallery.nth(2)).to_be_focused()
    page.keyboard.press("ArrowRight")
    match = address_of(gallery.nth(3))
    page.keyboard.press("Enter")  # it becomes the query
    query = grid(page, "The query").locator("img")
    expect(query).to_have_attribute("src", re.compile(re.escape(match) + r"\?v="))
    settled(page)
    expect(panel).to_contain_text("2 selected")


FOCUSED = """() => {
  let at = document.activeElement;
  while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
  return [at?.closest?.('.gallery')?.getAttribute('aria-label') ?? null, at?.className ?? null];
}"""
