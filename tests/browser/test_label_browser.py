"""Labelling in a real browser: a round by keyboard alone, undo, two people at once."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from core import labels
from core.labels import Decision
from core.library import Library
from core.settings import Settings
from core.sources.sample import draw_sample
from tests.browser.test_pages import APP, core, settled, visit

__all__ = ["visit"]  # a fixture

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]
N = 60


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn images without labels, in clusters."""
    base = tmp_path_factory.mktemp("labelling")
    draw_sample(base / "run", n=N, seed=2)
    folder = base / "workspace"
    assert core(folder, "index", base / "run", "--collection", "run")["indexed"] == N
    core(folder, "cluster", "--collection", "run", "--method", "kmeans", "--k", "4")
    core(folder, "index", base / "run", "--collection", "grown")
    return folder


@pytest.fixture(scope="module")
def url(serve, workspace: Path) -> str:
    return serve(APP, {"PLANKTON_WORKSPACE": str(workspace)})


def said(workspace: Path, name: str = "run") -> dict[str, tuple[str | None, str]]:
    """What is validated, and by whom."""
    with closing(Library.open(Settings(workspace=workspace))) as library:
        uid = library.catalogue.collection(name).uid
        found = labels.current(library.catalogue, uid)
    return {id: (s.label, s.by) for id, s in found.items() if s.status == "validated"}


def tab_to(page: Page, label: str) -> None:
    for _ in range(60):
        page.keyboard.press("Tab")
        name = page.evaluate(
            "() => document.activeElement?.getAttribute('aria-label')"
            " ?? document.activeElement?.labels?.[0]?.innerText ?? ''"
        )
        if label in name:
            return
    raise AssertionError(f"{label!r} cannot be reached by Tab")


def next_screen(page: Page) -> None:
    settled(page)
    expect(page.locator(".sorting .skip")).to_be_enabled()


def test_a_round_by_keyboard_alone(visit, url, workspace):
    page = visit(f"{url}/label?collection=run")
    expect(page.locator(".sorting .accept")).to_contain_text("Say your name first")
    tab_to(page, "Your name")
    page.keyboard.type("Ada")
    page.keyboard.press("Enter")
    settled(page)
    expect(page.locator(".sorting .accept")).to_contain_text("Say what they are")
    tab_to(page, "What are they?")
    page.keyboard.type("Round things")
    page.keyboard.press("Enter")
    settled(page)
    first = page.locator(".sorted .tile").first
    expect(first).to_be_focused()  # the name is said: one goes on with the pictures
    count = page.locator(".sorted .tile").count()
    assert 2 < count <= 24
    page.keyboard.press("0")  # the first is something else
    expect(page.locator(".sorting .accept")).to_contain_text(f"{count - 1} are Round things")
    page.keyboard.press("Enter")
    next_screen(page)
    expect(page.get_by_text(f"{count - 1} decided")).to_be_visible()
    now = said(workspace)
    assert set(now.values()) == {("Round things", "Ada")}
    assert len(now) == count - 1
    assert "Ada" not in page.url

    page.locator(".sorted .tile").first.focus()
    page.keyboard.press("u")
    next_screen(page)
    expect(page.get_by_text(f"0 decided · {N} left")).to_be_visible()
    assert said(workspace) == {}


def test_what_somebody_else_decided_is_shown_and_stays(visit, url, workspace):
    page = visit(f"{url}/label?collection=run")
    page.get_by_label("Your name").fill("Ada")
    page.get_by_label("Your name").press("Enter")
    settled(page)
    with closing(Library.open(Settings(workspace=workspace))) as library:
        collection = library.catalogue.collection("run")
        ids = library.vectors(collection).snapshot.ids
        theirs = [Decision(id, "Theirs") for id in ids]
        labels.record(library.catalogue, collection.uid, theirs, by="Bo")
    box = page.get_by_label("What are they?")
    box.fill("Mine")
    box.press("Enter")
    settled(page)
    expect(page.locator(".sorted .tile").first).to_be_focused()
    page.keyboard.press("Enter")
    settled(page)
    assert set(said(workspace).values()) == {("Theirs", "Bo")}
    expect(page.get_by_text("somebody else decided on while you looked")).to_be_visible()
    expect(page.get_by_text("Every image has a label")).to_be_visible()

    page.get_by_role("button", name="Practise").click()  # never an empty queue
    settled(page)
    expect(page.get_by_text("Practice: labels are hidden")).to_be_visible()
    while page.locator(".sorting .accept").count():
        if page.get_by_label("What are they?").count():  # unlike the others: to be named
            page.get_by_label("What are they?").fill("Theirs")
            page.get_by_label("What are they?").press("Enter")
            settled(page)
        expect(page.locator(".sorting .accept")).to_contain_text("Theirs")
        page.keyboard.press("Enter")
        settled(page)
    expect(page.get_by_text("The practice round is done")).to_be_visible()
    expect(page.get_by_text("100%")).to_be_visible()


def test_growing_a_label_from_one_image(visit, url, workspace):
    with closing(Library.open(Settings(workspace=workspace))) as library:
        first = library.vectors(library.catalogue.collection("grown")).snapshot.ids[0]
    page = visit(f"{url}/similar?collection=grown&id={first}")
    page.get_by_role("button", name="Grow a label").click()
    page.wait_for_url("**/label?**grow=**")
    settled(page)
    expect(page.get_by_text("Growing from 1 image")).to_be_visible()
    name = page.get_by_label("Your name")
    if name.input_value() != "Ada":  # where this browser kept no name
        name.fill("Ada")
        name.press("Enter")
        settled(page)
    box = page.get_by_label("What are they?")
    box.fill("Chain")
    box.press("Enter")
    settled(page)
    expect(page.locator(".sorted .tile").first).to_be_focused()
    page.keyboard.press("Enter")  # the first image and the 23 nearest
    next_screen(page)
    expect(page.get_by_text("Growing from 24 images")).to_be_visible()
    now = said(workspace, "grown")
    assert len(now) == 24 and now[first] == ("Chain", "Ada")
    assert set(now.values()) == {("Chain", "Ada")}

    for _ in range(20):  # from here on most are something else
        page.keyboard.press("0")
    page.keyboard.press("Enter")
    next_screen(page)
    expect(page.get_by_text("20 turned down")).to_be_visible()
    expect(page.get_by_text("the group probably ends here")).to_have_count(0)
    while page.locator(".sorting .accept").count():
        for _ in range(page.locator(".sorted .tile").count()):
            page.keyboard.press("0")
        page.keyboard.press("Enter")
        settled(page)
        if page.get_by_text("the group probably ends here").count():
            break
    assert len(said(workspace, "grown")) == 28
    page.reload()
    settled(page)
    page.get_by_role("button", name="Stop growing").click()
    settled(page)
    assert "grow=" not in page.url
    expect(page.get_by_text("Sure first")).to_be_visible()
