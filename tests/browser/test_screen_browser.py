"""The screen page in a real browser: from labels to a filter that was downloaded, by clicking."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import expect

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

    curve = page.locator(".js-plotly-plot").first
    curve.scroll_into_view_if_needed()
    settled(page)
    box = curve.bounding_box()
    assert box is not None
    place = box["x"] + 0.6 * box["width"], box["y"] + 0.5 * box["height"]
    page.mouse.move(*place)
    page.mouse.click(*place)
    page.wait_for_url("**threshold=**")
    settled(page)
    threshold = float(page.url.split("threshold=")[1].split("&")[0])

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
    page.get_by_role("button", name="Sort more images").click()
    settled(page)
    expect(page.get_by_text("Sort some images")).to_be_visible()
    expect(page.locator(".sorting .accept")).to_contain_text("Keep 6")
