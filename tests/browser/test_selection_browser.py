"""The selection in a real browser: gathered, looked for more of, exported."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_pages import APP, core, settled

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def url(serve, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("selecting") / "workspace"
    assert core(folder, "sample", "--n", "60", "--map")["indexed"] == 60
    return serve(APP, {"PLANKTON_WORKSPACE": str(folder)})


def tiles(page: Page, key: str):
    return page.locator(f".st-key-{key} .tile")


def tick(page: Page, key: str, place: int) -> None:
    tile = tiles(page, key).nth(place)
    tile.click(modifiers=["Control"])
    settled(page)
    expect(tiles(page, key).nth(place)).to_have_attribute("aria-selected", "true")


def named(page: Page, key: str) -> list[str]:
    """What each tile is called to a screen reader."""
    found = tiles(page, key)
    expect(found.first).to_be_visible()
    return [str(each.get_attribute("aria-label")) for each in found.all()]


def test_from_a_search_to_more_like_these_to_a_table(page, url: str):
    opened: Page = page(f"{url}/similar?collection=sample")
    settled(opened)
    tick(opened, "matches", 0)
    tick(opened, "matches", 2)
    panel = opened.locator(".st-key-selected-panel")
    expect(panel).to_contain_text("2 selected")

    opened.get_by_role("link", name="Selection", exact=True).click()  # another page: the same two
    settled(opened)
    expect(opened.get_by_text("2 images selected")).to_be_visible()
    expect(tiles(opened, "selection")).to_have_count(2)
    panel.get_by_role("button", name="More like these").click()
    settled(opened)
    expect(opened.get_by_text("More like these 2")).to_be_visible()
    expect(tiles(opened, "set")).to_have_count(2)
    expect(tiles(opened, "matches")).to_have_count(24)
    chosen = set(named(opened, "set"))

    before = named(opened, "matches")
    assert not chosen & set(before)
    tick(opened, "matches", 1)
    expect(panel).to_contain_text("3 selected")
    opened.get_by_role("button", name="Not these (1)").click()
    settled(opened)
    expect(tiles(opened, "unlike")).to_have_count(1)
    expect(panel).to_contain_text("2 selected")
    assert before[1] not in named(opened, "matches")
    tick(opened, "matches", 0)
    opened.get_by_role("button", name="These too (1)").click()
    settled(opened)
    expect(tiles(opened, "set")).to_have_count(3)
    expect(panel).to_contain_text("3 selected")

    link = opened.url  # a colleague sees the same, with a selection of their own
    other: Page = page(link)
    settled(other)
    expect(tiles(other, "set")).to_have_count(3)
    expect(tiles(other, "unlike")).to_have_count(1)
    expect(other.locator(".st-key-selected-panel")).to_have_count(0)

    panel.get_by_role("link", name="Open").click()
    settled(opened)
    with opened.expect_download() as told:
        opened.get_by_role("button", name="CSV").click()
    rows = list(csv.DictReader(io.StringIO(Path(told.value.path()).read_text("utf-8-sig"))))
    assert len(rows) == 3
    assert len({row["id"] for row in rows}) == 3


def test_labelled_and_taken_back(page, url: str):
    opened: Page = page(f"{url}/similar?collection=sample")
    settled(opened)
    for place in range(3):
        tick(opened, "matches", place)
    opened.locator(".st-key-selected-panel").get_by_role("link", name="Open").click()
    settled(opened)
    opened.get_by_role("button", name="Label", exact=True).click()
    box = opened.get_by_label("What they are")
    box.fill("strange ones")
    box.press("Enter")
    settled(opened)
    who = opened.get_by_label("Your name")
    who.fill("Ada")
    who.press("Enter")
    settled(opened)
    opened.get_by_role("button", name="Label 3 images").click()
    settled(opened)
    expect(opened.get_by_text("Labelled 3 images strange ones.")).to_be_visible()
    expect(opened.locator(".st-key-selection .title", has_text="strange ones")).to_have_count(3)
    assert "Ada" not in opened.url
    opened.get_by_role("button", name="Undo").click()
    settled(opened)
    expect(opened.locator(".st-key-selection .title", has_text="strange ones")).to_have_count(0)
