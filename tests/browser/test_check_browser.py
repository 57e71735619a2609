"""Checking labels in a real browser: by keyboard, with undo, two people at once, a name kept."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from core import labels
from core.labels import CHECK, Decision
from core.library import Library
from core.settings import Settings
from tests.browser.test_pages import APP, core, settled, visit
from tests.mistaken import Mistaken, mistaken

__all__ = ["visit"]  # a fixture

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]
WRONG = "run/copepod/002.png"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Mistaken]:
    base = tmp_path_factory.mktemp("checking")
    found = mistaken(base)
    core(base / "workspace", "index", found.folder, "--collection", "run", "--labels", "folder")
    return base / "workspace", found


@pytest.fixture(scope="module")
def url(serve, made) -> str:
    return serve(APP, {"PLANKTON_WORKSPACE": str(made[0])})


def events(workspace: Path, id: str) -> list[tuple[str | None, str, str, str]]:
    with closing(Library.open(Settings(workspace=workspace))) as library:
        uid = library.catalogue.collection("run").uid
        found = labels.history(library.catalogue, uid, id)
    return [(each["label"], each["status"], each["by"], each["how"]) for each in found]


def tile(page: Page, id: str):
    return page.locator(f".tile:has(img[src*='{id}'])")


def next_screen(page: Page) -> None:
    settled(page)
    expect(page.locator(".sorting .accept")).to_be_visible()


def test_a_screen_by_keyboard_with_evidence_and_undo(visit, url, made):
    page = visit(f"{url}/check?collection=run")
    expect(page.locator(".sorting .accept")).to_contain_text("Say your name first")
    page.get_by_label("Your name").fill("Ada")
    page.get_by_label("Your name").press("Enter")
    settled(page)
    count = page.locator(".tile").count()
    expect(page.locator(".sorting .accept")).to_contain_text(f"Keep {count} as labelled")
    found = tile(page, WRONG)
    found.focus()
    evidence = page.locator(".evidence .like")
    expect(evidence).to_have_count(3)
    expect(evidence.nth(1)).to_contain_text("most like it of copepod")
    expect(evidence.nth(2)).to_contain_text("most like it of chaetoceros")
    for img in evidence.nth(2).locator("img").all():
        assert "/run/chaetoceros/" in (img.get_attribute("src") or "")
    page.keyboard.press("1")
    expect(found.locator(".answer")).to_have_text("chaetoceros")
    ids = page.locator(".tile img").evaluate_all("imgs => imgs.map((i) => i.src)")
    doubted = next(i for i in range(count) if WRONG not in ids[i] and "copy" not in ids[i])
    page.locator(".tile").nth(doubted).focus()
    page.keyboard.press("0")
    expect(page.locator(".tile").nth(doubted).locator(".answer")).to_have_text("dubious")
    expect(page.locator(".sorting .accept")).to_contain_text(f"Keep {count - 2} as labelled")
    page.keyboard.press("Enter")
    settled(page)
    assert events(made[0], WRONG)[-1] == ("chaetoceros", "validated", "Ada", CHECK)
    copy = made[1].pair[1]
    assert events(made[0], copy)[-1] == ("ciliate", "validated", "Ada", CHECK)  # kept, not asked
    expect(tile(page, copy)).to_have_count(0)
    assert "Ada" not in page.url

    page.get_by_role("button", name="Undo").click()
    next_screen(page)
    expect(tile(page, WRONG)).to_be_visible()
    assert events(made[0], WRONG)[-1] == ("copepod", "validated", "Ada", "undo")


def test_the_likelier_label_for_all_and_a_click(visit, url, made):
    page = visit(f"{url}/check?collection=run")
    assert page.get_by_label("Your name").input_value() == "Ada"  # kept by the browser
    count = page.locator(".tile").count()
    tile(page, WRONG).click()
    expect(tile(page, WRONG).locator(".answer")).to_have_text("chaetoceros")
    page.keyboard.press("t")
    expect(page.locator(".sorting .accept")).to_contain_text("Next screen")
    expect(page.locator(".tile.answered")).to_have_count(count)
    page.keyboard.press("t")  # the same again takes it back
    expect(page.locator(".tile.answered")).to_have_count(0)


def test_what_somebody_else_decided_is_shown_and_stays(visit, url, made):
    page = visit(f"{url}/check?collection=run&kind=copepod")
    expect(tile(page, WRONG)).to_be_visible()
    with closing(Library.open(Settings(workspace=made[0]))) as library:
        uid = library.catalogue.collection("run").uid
        labels.record(library.catalogue, uid, [Decision(WRONG, "rhizosolenia")], by="Bo")
    settled(page)  # the name the browser kept has arrived: nothing is drawn anew under the keys
    tile(page, WRONG).click()
    tile(page, WRONG).focus()
    page.keyboard.press("Enter")
    settled(page)
    expect(page.get_by_text("somebody else decided on while you looked")).to_be_visible()
    assert events(made[0], WRONG)[-1][:3] == ("rhizosolenia", "validated", "Bo")


def test_history_tells_it_and_takes_it_back(visit, url, made):
    page = visit(f"{url}/history?collection=run&image={WRONG}")
    expect(page.get_by_text("Bo", exact=True).first).to_be_visible()
    expect(page.get_by_text("put right: was copepod")).to_be_visible()
    expect(page.get_by_text("taken back").first).to_be_visible()
    page = visit(f"{url}/history?collection=run&part=names")
    box = page.get_by_label("are to be called")
    box.fill("copepods")
    box.press("Enter")
    settled(page)
    expect(page.get_by_text("did you mean it?")).to_be_visible()
    page.get_by_role("button", name="Take copepod").click()
    settled(page)
    expect(page.get_by_text("did you mean it?")).to_have_count(0)
    assert "Ada" not in page.url
