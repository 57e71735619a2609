"""Two encoders compared in a real browser: a job, a cell's pictures, linked maps, the report."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from core import labels
from core.adopting import adopt_file
from core.evaluation import storing
from core.library import Library
from core.settings import Settings
from core.sources import open_source
from tests.browser.test_map import drag
from tests.browser.test_pages import (
    APP,
    LONG_MS,
    OVERFLOWS,
    Visit,
    asked,
    button,
    core,
    grid,
    settled,
    visit,
)

__all__ = ["visit"]
pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]
N = 60
SECOND = "precomputed:halves"

Stored = Callable[[], storing.Evaluation]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 drawn images with two encoders, a map of each; the second knows some kinds only."""
    base = tmp_path_factory.mktemp("evaluate")
    folder = base / "workspace"
    core(folder, "sample", "--n", str(N))
    library = Library.open(Settings(workspace=folder))
    known = labels.current(library.catalogue, library.catalogue.collection("sample").uid)
    ids = sorted(known)
    kinds = sorted({str(each.label) for each in known.values()})
    rows = np.random.default_rng(0).normal(scale=0.1, size=(N, len(kinds)))
    for row, id in enumerate(ids):
        rows[row, kinds.index(str(known[id].label)) // 2] += 1  # two kinds look the same
    np.savez(base / "halves.npz", ids=np.array(ids), vectors=rows.astype(np.float32))
    source = open_source(str(base / "halves.npz"))
    adopt_file(library, source, collection="sample")  # type: ignore[arg-type]
    library.close()
    for encoder in ("descriptors", SECOND):
        core(folder, "project", "--collection", "sample", "--encoder", encoder, "--method", "pca")
    return folder


@pytest.fixture(scope="module")
def url(serve, workspace: Path) -> str:
    return serve(APP, {"PLANKTON_WORKSPACE": str(workspace)})


@pytest.fixture(scope="module")
def stored(workspace: Path) -> Stored:
    """Reads what the page's job has kept."""

    def read() -> storing.Evaluation:
        library = Library.open(Settings(workspace=workspace))
        uid = library.catalogue.collection("sample").uid
        (meta,) = storing.listed(library.workspace, uid)
        found = storing.load(library.workspace, uid, str(meta["name"]))
        library.close()
        return found

    return read


def look_at(page: Page, part: str) -> None:
    page.get_by_role("radio", name=part).click()
    settled(page)


def test_two_encoders_are_compared_from_the_page_to_the_report(
    visit: Visit, url, stored: Stored, chromium: Browser, tmp_path: Path
):
    page = visit(f"{url}/evaluate?collection=sample")
    expect(page.get_by_text("Not evaluated yet")).to_be_visible()
    button(page, "Evaluate").click()
    expect(page.get_by_text("To browse,")).to_be_visible(timeout=LONG_MS)
    settled(page)
    found = stored()
    assert found.encoders == ["descriptors", SECOND]
    table = page.get_by_role("table", name="Figures")
    for encoder in found.encoders:
        value = found.figure(encoder, "precision_at_1").value
        expect(table.get_by_text(f"{value:.3f}").first).to_be_visible()

    look_at(page, "Kinds")
    counts = found.confusion(SECOND)
    np.fill_diagonal(counts, 0)
    row, column = divmod(int(counts.argmax()), len(found.kinds))
    is_, as_, n = found.kinds[row], found.kinds[column], int(counts.max())
    look_at(page, SECOND)
    page.get_by_role("button", name=re.compile(rf"^{is_} taken for {as_}: {n} of ")).click()
    expect(grid(page, "Pictures behind the cell")).to_have_count(n)
    settled(page)
    assert (asked(page)["kind"], asked(page)["taken"]) == (is_, as_)
    button(page, f"Select all {n}" if n > 1 else "Select it").click()
    expect(page.get_by_text(f"{n} selected")).to_be_visible()
    settled(page)

    look_at(page, "Side by side")
    maps = page.locator(".pm-box")
    expect(maps).to_have_count(2)
    expect(page.locator(".pm-message:visible")).to_have_count(0)
    said = page.locator(".pm-status")
    expect(said).to_have_text([f"{n} selected"] * 2)  # what a cell selected stands out here too
    first = maps.nth(0).bounding_box()
    assert first
    maps.nth(0).locator('.modebar-btn[data-val="select"]').click()
    left, top = first["x"] + 6, first["y"] + 40
    drag(page, [(left, top), (left + first["width"] / 2, top + first["height"] - 60)])
    expect(said.nth(0)).not_to_have_text(f"{n} selected")
    settled(page)
    boxed = said.nth(0).inner_text()
    number = int(boxed.split()[0])
    assert 0 < number < N
    expect(said.nth(1)).to_have_text(boxed)
    expect(grid(page, "Selected on the maps")).to_have_count(number)
    odd = grid(page, "Where they disagree most")
    odd.nth(1).click()
    settled(page)
    query = asked(page)["query"]
    assert query in found.ids
    for encoder in found.encoders:
        expect(grid(page, f"Nearest with {encoder}")).to_have_count(24)
    shared = len(found.shared(query, found.encoders))
    expect(page.get_by_text(f"{shared} of 24 are found by both")).to_be_visible()
    assert grid(page, "Nearest with descriptors").and_(page.locator(".marked")).count() == shared

    with page.expect_download() as waiting:
        button(page, "Report").click()
    report = tmp_path / "report.html"
    waiting.value.save_as(report)
    context = chromium.new_context()
    context.set_offline(True)
    try:
        alone = context.new_page()
        left_for: list[str] = []
        failed: list[str] = []
        alone.on("request", lambda request: left_for.append(request.url))
        alone.on("requestfailed", lambda request: failed.append(request.url))
        alone.goto(report.as_uri())
        expect(
            alone.get_by_role("heading", name="What encoders are worth on sample")
        ).to_be_visible()
        assert alone.locator("img").count() > 20
        broken = "() => [...document.images].filter((i) => !i.naturalWidth).length"
        assert alone.evaluate(broken) == 0
        assert {address.split(":", 1)[0] for address in left_for} <= {"file", "data"}
        assert failed == []
    finally:
        context.close()


@pytest.mark.parametrize(("width", "dark"), [(1400, False), (800, True)])
def test_nothing_runs_over_the_edge(visit: Visit, url, workspace: Path, width: int, dark: bool):
    if not list(workspace.glob("evaluations/*/*.parquet")):  # else the test above has made one
        both = ("--encoder", "descriptors", "--encoder", SECOND)
        core(workspace, "evaluate", "--collection", "sample", *both)
    for part in ("figures", "kinds", "side", "cost", "unlabelled"):
        page = visit(f"{url}/evaluate?collection=sample&part={part}", width=width, dark=dark)
        assert max(page.evaluate(OVERFLOWS)) <= 0, part
