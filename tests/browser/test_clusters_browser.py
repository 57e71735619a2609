"""Clusters in a real browser: opened, named, merged, taken back; there after a restart."""

from __future__ import annotations

import csv
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_pages import (
    APP,
    OVERFLOWS,
    Visit,
    asked,
    button,
    core,
    grid,
    open_popover,
    settled,
    visit,
)

__all__ = ["visit"]
pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]
NAME = "Rods & co"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 drawn images in four clusters."""
    folder = tmp_path_factory.mktemp("clusters") / "workspace"
    core(folder, "sample", "--n", "60")
    core(folder, "cluster", "--collection", "sample", "--method", "kmeans", "--k", "4")
    return folder


def clusters(workspace: Path) -> dict[int, Any]:
    told = core(workspace, "clusters", "--collection", "sample")
    return {each["cluster"]: each for each in told["clusters"]}


def heading(page: Page, text: str) -> None:
    expect(page.get_by_role("heading", name=text, exact=True)).to_be_visible()


def test_renamed_merged_moved_undone_and_there_after_a_restart(
    serve: Any, visit: Visit, workspace: Path, tmp_path: Path
):
    env = {"PLANKTON_WORKSPACE": str(workspace)}
    before = clusters(workspace)
    page = visit(f"{serve(APP, env)}/clusters")
    expect(page.locator(".gallery")).to_have_count(4)
    grid(page, "Most central images of cluster 1").first.click()
    heading(page, "Cluster 1")
    settled(page)
    assert asked(page)["cluster"] == "1"
    members = grid(page, "Images of the cluster")
    expect(members).to_have_count(before[1]["size"])

    body = open_popover(page, "Rename")
    body.get_by_label("Name").fill(NAME)
    body.get_by_label("Name").press("Enter")
    heading(page, NAME)
    settled(page)
    assert asked(page)["clustering"] == "kmeans (edited)"

    near = before[1]["nearest"][0]["cluster"]
    merged = before[1]["size"] + before[near]["size"]

    def merge() -> None:
        body = open_popover(page, "Merge with")
        body.get_by_role("combobox").click()
        # the nearest; above the clusters the list offers all of them
        page.get_by_role("option").filter(has_text=re.compile(rf"luster {near}\b")).first.click()
        body.click(position={"x": 6, "y": 6})  # the list lies over the button until it is left
        settled(page)
        button(page, f"Merge into {NAME}").click()
        expect(members).to_have_count(merged)
        settled(page)

    merge()
    button(page, "Undo").click()
    expect(members).to_have_count(before[1]["size"])
    settled(page)
    merge()

    for place in (0, 1):
        members.nth(place).locator(".tick").click()
        settled(page)
    expect(page.get_by_text("2 selected, 2 of them here")).to_be_visible()
    body = open_popover(page, "Move 2 selected to")
    button(page, "Move 2 selected").click()
    expect(members).to_have_count(merged - 2)
    settled(page)
    link = page.url.split("/clusters", 1)[1]

    page = visit(f"{serve(APP, env)}/clusters{link}", dark=True)  # another process
    heading(page, NAME)
    for width in (1400, 800):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_function(f"({OVERFLOWS})().every((beyond) => beyond <= 0)")
    expect(grid(page, "Images of the cluster")).to_have_count(merged - 2)
    expect(page.get_by_text("Edited from kmeans, which stays as it was.")).to_be_visible()

    out = tmp_path / "out.csv"
    core(workspace, "export", "--collection", "sample", "--format", "csv", "-o", out)
    with out.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert Counter(row["cluster"] for row in rows) == {
        "1": merged - 2, "4": 2,
        **{str(n): each["size"] for n, each in before.items() if n not in (1, near)},
    }  # fmt: skip
    assert {row["cluster_name"] for row in rows if row["cluster"] == "1"} == {NAME}
    assert {row["cluster_name"] for row in rows if row["cluster"] != "1"} == {""}
