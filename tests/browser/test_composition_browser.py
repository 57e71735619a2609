"""The composition page in a real browser: bars, the images behind one, a table taken away."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from core import labels
from core.library import Library
from core.settings import Settings
from tests.browser.test_pages import APP, OVERFLOWS, Visit, core, grid, settled, visit

__all__ = ["visit"]
pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]
N = 60


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("composition") / "workspace"
    core(folder, "sample", "--n", str(N))
    return folder


@pytest.fixture(scope="module")
def counted(workspace: Path) -> Counter[tuple[str, str]]:
    """(sample, label) -> images, counted from the catalogue."""
    library = Library.open(Settings(workspace=workspace))
    uid = library.catalogue.collection("sample").uid
    known = labels.current(library.catalogue, uid)
    found = Counter((row.sample, known[row.id].label) for row in library.catalogue.image_rows(uid))
    library.close()
    return found


@pytest.fixture(scope="module")
def url(serve, workspace: Path) -> str:
    return serve(APP, {"PLANKTON_WORKSPACE": str(workspace)})


def segment(page: Page, trace: int, bar: int) -> tuple[float, float]:
    path = page.locator(".js-plotly-plot .trace.bars").nth(trace).locator(".point path").nth(bar)
    path.scroll_into_view_if_needed()
    box = path.bounding_box()
    assert box
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


@pytest.mark.parametrize(("width", "dark"), [(1400, False), (800, True)])
def test_a_part_of_a_bar_is_its_images_and_the_table_can_be_had(
    visit: Visit, url, counted, tmp_path, width, dark
):
    page = visit(f"{url}/composition?as=count&bars=value", width=width, dark=dark)
    expect(page.locator(".js-plotly-plot .trace.bars").first).to_be_visible()
    settled(page)
    assert max(page.evaluate(OVERFLOWS)) <= 0
    often = Counter(label for _, label in counted.elements()).most_common()
    top = often[0][1]
    label = page.locator("[aria-label=Legend] span").first.inner_text()
    assert dict(often)[label] == top
    names = page.locator(".js-plotly-plot .ytick text").all_text_contents()
    bar = next(n for n, name in enumerate(names) if counted[name, label])
    n = counted[names[bar], label]
    x, y = segment(page, 0, bar)
    page.mouse.move(x, y)
    page.mouse.click(x, y)
    told = page.get_by_text(f"{n} images selected: {label} in {names[bar]}")
    expect(told).to_be_visible()
    expect(grid(page, "Images behind the bar")).to_have_count(n)
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Wide CSV").click()
    to = tmp_path / "wide.csv"
    waiting.value.save_as(to)
    with to.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    got = {
        (row["sample"], kind): int(count)
        for row in rows
        for kind, count in row.items()
        if kind != "sample" and int(count)
    }
    assert got == dict(counted)
