"""The screen page in a real browser: from labels to a filter that was downloaded, by clicking."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from core import bundle
from core.sources.sample import draw_sample
from tests.browser.test_pages import APP, core, settled, visit

__all__ = ["visit"]  # a fixture

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The drawn sample with labels, and images without any."""
    base = tmp_path_factory.mktemp("screening")
    folder = base / "workspace"
    assert core(folder, "sample", "--n", "240")["indexed"] == 240
    draw_sample(base / "run", n=30, seed=2)
    core(folder, "index", base / "run", "--collection", "bare")
    return folder


@pytest.fixture(scope="module")
def url(serve, workspace: Path) -> str:
    return serve(APP, {"PLANKTON_WORKSPACE": str(workspace)})


def test_from_labels_to_a_downloaded_filter(visit, url, workspace, tmp_path):
    page = visit(f"{url}/screen?collection=sample")
    expect(page.get_by_text("99 % cannot be promised yet")).to_be_visible()
    expect(page.get_by_text("Drop 4 kinds")).to_be_visible()

    page.get_by_text("Choose what to keep and what to drop").click()
    settled(page)
    page.get_by_label("Kinds to drop").get_by_role("option").filter(has_text="fibre").click()
    expect(page.get_by_text("Drop 3 kinds")).to_be_visible()
    page.get_by_role("button", name="Back to the guess").click()
    expect(page.get_by_text("Drop 4 kinds")).to_be_visible()
    page.get_by_text("Choose what to keep and what to drop").click()
    settled(page)

    drag(page, "kept against dropped", right=90, down=40)
    page.wait_for_url("**threshold=**")
    settled(page)
    threshold = threshold_of(page)

    page.get_by_label("Name of the filter").fill("My filter")
    page.get_by_label("Name of the filter").press("Enter")
    settled(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the filter").click()
    assert download.value.suggested_filename == "My-filter.zip"
    download.value.save_as(tmp_path / "filter.zip")
    with zipfile.ZipFile(tmp_path / "filter.zip") as packed:
        packed.extractall(tmp_path)
    card = json.loads((tmp_path / "My-filter" / "card.json").read_text(encoding="utf-8"))
    assert card["threshold"] == pytest.approx(threshold, rel=0.01)
    assert not card["promised"]
    assert set(card["drop"]) == {"bubble", "detritus", "faecal_pellet", "fibre"}
    assert bundle.load(tmp_path / "My-filter").dimension > 1
    done = core(
        workspace, "screen", "apply", tmp_path / "My-filter", workspace / "sample", "--dry-run"
    )
    assert done["kept"] + done["dropped"] == 240

    page.get_by_role("button", name="Save", exact=True).click()
    settled(page)
    page.locator("[data-testid=stMain]").get_by_role("button", name="Open", exact=True).click()
    page.wait_for_url("**model=My**")
    expect(page.get_by_role("button", name="Train a new one")).to_be_visible()


def test_the_point_is_dragged_along_both_curves_and_with_keys(visit, url):
    page = visit(f"{url}/screen?collection=sample&target=0.9")
    first = told(page)
    drag(page, "kept against dropped", right=60, down=25)
    expect(page.locator(".dg-said")).not_to_contain_text(first["threshold"])
    page.wait_for_url("**threshold=**")
    settled(page)
    dropped_more = told(page)
    assert float(dropped_more["threshold"]) == threshold_of(page) > float(first["threshold"])
    for figure, name in (("Plankton kept", "keeps"), ("Images dropped", "drops")):
        metric = page.locator("[data-testid=stMetric]", has_text=figure)
        expect(metric.locator("[data-testid=stMetricValue]")).to_have_text(dropped_more[name])

    # further right on the other curve more is kept, by a lower threshold
    drag(page, "precision and recall", right=40, down=0)
    page.wait_for_url(lambda now: f"threshold={dropped_more['threshold']}" not in now)
    settled(page)
    kept_more = told(page)
    assert float(kept_more["threshold"]) < float(dropped_more["threshold"])

    before = page.url
    handle = page.get_by_role("slider", name="Working point, kept against dropped")
    handle.focus()
    for _ in range(3):
        handle.press("ArrowRight")
    page.wait_for_url(lambda now: now != before)
    settled(page)
    by_keys = told(page)
    assert float(by_keys["threshold"]) > float(kept_more["threshold"])
    assert f"threshold {by_keys['threshold']}" in str(handle.get_attribute("aria-valuetext"))
    expect(handle).to_be_focused()  # so that it can be moved on


def drag(page: Page, curve: str, *, right: float, down: float) -> None:
    """Drag the working point by so many pixels, as far as its curve goes along."""
    handle = page.get_by_role("slider", name=f"Working point, {curve}")
    handle.scroll_into_view_if_needed()
    settled(page)
    box = handle.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + right, y + down, steps=8)
    page.mouse.up()


def told(page: Page) -> dict[str, str]:
    """What the line under the curves says of the working point."""
    page.mouse.move(5, 5)  # it speaks of what is pointed at
    settled(page)
    text = page.locator(".dg-said").inner_text()
    found = re.search(r"drops (.+?%) of .*keeps (.+?%) of .*threshold ([\d.e-]+)", text)
    assert found is not None, text
    return dict(zip(("drops", "keeps", "threshold"), found.groups(), strict=True))


def threshold_of(page: Page) -> float:
    return float(page.url.split("threshold=")[1].split("&")[0])


def test_sorting_where_there_is_no_label(visit, url):
    page = visit(f"{url}/screen?collection=bare")
    expect(page.get_by_text("Nothing to learn from yet")).to_be_visible()
    page.get_by_label("Your name").fill("Ada")
    page.get_by_label("Your name").press("Enter")
    settled(page)
    tiles = page.locator(".sorted .tile")
    expect(page.locator(".sorting .accept")).to_contain_text("Keep 24")
    for place in range(6):
        tiles.nth(place).click()
    expect(page.locator(".sorting .accept")).to_contain_text("Keep 18")
    page.locator(".sorting .accept").click()
    settled(page)
    expect(page.get_by_text("Plankton kept").first).to_be_visible()
    expect(page.get_by_text("cannot be promised yet")).to_be_visible()

    # at the highest threshold the six images left are dropped; one of them should not be
    page.goto(page.url + "&threshold=1")
    settled(page)
    expect(page.get_by_text("Look again at what it drops")).to_be_visible()
    tiles = page.locator(".sorted .tile")
    expect(page.locator(".sorting .accept")).to_contain_text("rightly dropped")
    n = tiles.count()
    tiles.nth(0).click()
    page.locator(".sorting .accept").click()
    settled(page)
    expect(page.get_by_text(f"Of {n} looked at 1 should have been kept")).to_be_visible()
    expect(page.get_by_role("button", name="Select the 1 lost one")).to_be_visible()

    page.get_by_role("button", name="Sort more images").click()
    settled(page)
    expect(page.get_by_text("Sort some images")).to_be_visible()
    expect(page.locator(".sorting .accept")).to_contain_text("Keep 6")
