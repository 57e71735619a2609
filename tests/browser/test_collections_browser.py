"""Bringing images in, in a real browser: named, chosen, dropped, cut off, cancelled."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.test_pages import (  # noqa: F401  (fixtures are found by their names)
    HOSTILE,
    LONG_MS,
    OVERFLOWS,
    button,
    copied,
    drawn,
    grid,
    index_as,
    mine,
    own_url,
    settled,
    visit,
)

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]
FIRST = "The first of them"
DROP = """([tree, many]) => {
  const entry = (node) => typeof node.size === "number"
    ? { name: node.name, isFile: true, isDirectory: false,
        file: (ok) => ok(new File([new Uint8Array(node.size)], node.name)) }
    : { name: node.name, isFile: false, isDirectory: true, createReader: () => {
        const left = node.children.map(entry);
        return { readEntries: (ok) => ok(left.splice(0, 100)) };
      } };
  for (let n = 0; n < many; n += 1) tree.children.push({ name: `${n}.png`, size: 0 });
  const event = new Event("drop", { bubbles: true, cancelable: true });
  const items = [{ webkitGetAsEntry: () => entry(tree) }];
  Object.defineProperty(event, "dataTransfer", { value: { items, files: [] } });
  const find = (root) => {
    for (const node of root.querySelectorAll("*")) {
      if (node.matches(".uploader .drop")) return node;
      const inside = node.shadowRoot && find(node.shadowRoot);
      if (inside) return inside;
    }
    return null;
  };
  find(document).dispatchEvent(event);
}"""


def to_upload(page: Page) -> Locator:
    """Turn to the upload; gives what it says."""
    page.get_by_text("Upload", exact=True).click()
    settled(page)
    return page.locator(".uploader .said")


def choose(page: Page, files: Sequence[Path] | Path, *, folder: bool = False) -> None:
    page.locator(".uploader input[type=file]").nth(1 if folder else 0).set_input_files(files)


def sent(mine: Path) -> list[str]:  # noqa: F811
    """Every uploaded file, without the name of its batch."""
    root = mine / "workspace" / "uploads"
    found = [path.relative_to(root).parts[1:] for path in root.rglob("*") if path.is_file()]
    return sorted("/".join(parts) for parts in found)


def pictures_shown(page: Page, n: int) -> None:
    tiles = grid(page, FIRST)
    expect(tiles).to_have_count(n)
    for img in tiles.locator("img").all():
        expect(img).to_have_js_property("complete", True)
        assert img.evaluate("i => i.naturalWidth") > 0


def test_a_folder_is_named_and_shown_before_it_is_indexed(visit, own_url, mine, drawn):  # noqa: F811
    folder = copied(drawn[:15], mine / "haul")
    (folder / f"{HOSTILE}.png").write_bytes(b"no picture")
    page = visit(f"{own_url}/collections")
    field = page.get_by_role("textbox", name="Folder, zip or table")
    field.fill(str(folder))
    field.press("Enter")
    settled(page)
    expect(page.get_by_text("Folder, 16 pictures. Index?")).to_be_visible()
    pictures_shown(page, 12)
    expect(page.locator(".scale.known")).to_have_count(0)
    pixel = page.get_by_role("spinbutton", name="µm per pixel")
    pixel.fill("2")
    pixel.press("Enter")
    settled(page)
    expect(page.locator(".scale.known")).to_have_count(12)
    (folder / "00.png").write_bytes(b"no picture")
    button(page, "refresh Look again").or_(button(page, "Look again")).click()
    settled(page)
    broken = grid(page, FIRST).first
    expect(broken.locator(".none")).to_be_visible()
    expect(broken).to_contain_text("not a picture")
    index_as(page, "named")
    expect(page.get_by_text("14 images came in")).to_be_visible(timeout=LONG_MS)
    assert page.evaluate("window.hacked") is None


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_what_is_shown_fits_a_narrow_window(visit, own_url, mine, drawn, dark):  # noqa: F811
    folder = copied(drawn[:13], mine / f"a-rather-long-name-of-a-folder-of-pictures-{dark}")
    page = visit(f"{own_url}/collections", width=400, dark=dark)
    field = page.get_by_role("textbox", name="Folder, zip or table")
    field.fill(str(folder))
    field.press("Enter")
    settled(page)
    pictures_shown(page, 12)
    assert max(page.evaluate(OVERFLOWS)) <= 0
    to_upload(page)
    choose(page, sorted(folder.iterdir())[:2])
    pictures_shown(page, 2)
    assert max(page.evaluate(OVERFLOWS)) <= 0


def test_a_zip_is_uploaded_and_indexed(visit, own_url, mine, drawn):  # noqa: F811
    packed = mine / "five.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for n, picture in enumerate(drawn[:5]):
            archive.write(picture, f"run/{n}.png")
    page = visit(f"{own_url}/collections")
    said = to_upload(page)
    no = mine / "no.zip.exe"
    no.write_bytes(b"words")
    choose(page, no)
    expect(said).to_contain_text("Nothing to upload")
    expect(page.locator(".uploader .aside")).to_have_text("Left out: .exe (1).")
    choose(page, [packed, no])
    expect(said).to_contain_text("one zip at a time")
    choose(page, packed)
    expect(said).to_have_text("The file is here.")
    settled(page)
    pictures_shown(page, 5)
    suggested = page.get_by_role("textbox", name="Collection", exact=True)
    expect(suggested).to_have_value("five")
    index_as(page, "zipped")
    expect(page.get_by_text("5 images came in")).to_be_visible(timeout=LONG_MS)
    page.goto(f"{own_url}/similar?collection=zipped")
    expect(grid(page, "Nearest matches")).to_have_count(4)


def test_a_chosen_folder_keeps_its_folders(visit, own_url, mine, drawn):  # noqa: F811
    folder = copied(drawn[:4], mine / "survey" / "station #1")
    copied(drawn[4:6], mine / "survey" / "station 50%")
    (folder / ".hidden.png").write_bytes(b"x")
    (folder / "notes.docx").write_bytes(b"x")
    (folder / "Thumbs.db").write_bytes(b"x")
    page = visit(f"{own_url}/collections")
    said = to_upload(page)
    choose(page, mine / "survey", folder=True)
    expect(said).to_contain_text("All 6 files are here")
    expect(page.locator(".uploader .aside")).to_have_text("Left out: hidden (2), .docx (1).")
    expect(page.get_by_text("Folder, 6 pictures. Index?")).to_be_visible()
    expect(page.get_by_text("2 folders (station #1, station 50%)")).to_be_visible()
    names = [f"survey/station #1/{n:02d}.png" for n in range(4)]
    assert {*names, "survey/station 50%/00.png"} <= set(sent(mine))
    pictures_shown(page, 6)
    index_as(page, "survey")
    expect(page.get_by_text("6 images came in")).to_be_visible(timeout=LONG_MS)


def test_a_file_that_failed_is_sent_again(visit, own_url, mine, drawn):  # noqa: F811
    folder = copied(drawn[:4], mine / "again", [f"cell{n}.png" for n in range(4)])
    page = visit(f"{own_url}/collections")
    said = to_upload(page)
    failing = {"cell1.png", "cell3.png"}

    def refuse(route: Route) -> None:
        if any(name in route.request.url for name in failing):
            route.fulfill(status=500, body="this disk is tired")
        else:
            route.continue_()

    page.route(re.compile("/upload"), refuse)
    choose(page, sorted(folder.iterdir()))
    expect(said).to_have_text("2 of 4 files are here, 2 failed.")
    wrong = page.locator(".uploader .wrong li")
    expect(wrong).to_have_text(["cell1.png: this disk is tired", "cell3.png: this disk is tired"])
    expect(page.get_by_text("Folder, 2 pictures. Index?")).to_be_visible()
    failing.discard("cell1.png")
    page.get_by_role("button", name="Try again").click()
    expect(said).to_have_text("3 of 4 files are here, 1 failed.")
    failing.clear()
    page.get_by_role("button", name="Try again").click()
    expect(said).to_contain_text("All 4 files are here")
    expect(wrong).to_have_count(0)
    settled(page)
    pictures_shown(page, 4)


def test_a_connection_that_breaks_stops_and_goes_on(visit, own_url, mine, drawn):  # noqa: F811
    folder = copied(drawn[:3], mine / "cut", [f"cut{n}.png" for n in range(3)])
    page = visit(f"{own_url}/collections")
    said = to_upload(page)
    page.route(re.compile("/upload.*cut1"), lambda route: route.abort())
    choose(page, sorted(folder.iterdir()))
    expect(said).to_contain_text("Stopped after 1 of 3 files: The connection was lost")
    settled(page)
    expect(grid(page, FIRST)).to_have_count(0)  # what is not whole is not offered
    page.unroute(re.compile("/upload.*cut1"))
    page.get_by_role("button", name="Try again").click()
    expect(said).to_contain_text("All 3 files are here")
    settled(page)
    pictures_shown(page, 3)


def test_a_cancelled_upload_leaves_nothing(visit, own_url, mine, drawn):  # noqa: F811
    folder = copied(drawn[:3], mine / "stopped", [f"stopped{n}.png" for n in range(3)])
    page = visit(f"{own_url}/collections")
    said = to_upload(page)
    page.route(re.compile("/upload.*stopped2"), lambda _route: None)  # never answered
    choose(page, sorted(folder.iterdir()))
    expect(said).to_contain_text("2 of 3 files")
    with page.expect_response(lambda answer: answer.request.method == "DELETE") as thrown_away:
        page.get_by_role("button", name="Cancel").click()
    assert thrown_away.value.status == 200
    expect(said).to_have_text("Cancelled; nothing was kept.")
    assert not [name for name in sent(mine) if name.startswith("stopped")]
    page.unroute_all(behavior="ignoreErrors")
    choose(page, sorted(folder.iterdir()))
    expect(said).to_contain_text("All 3 files are here")


def test_a_dropped_folder_is_walked(visit, own_url, mine):  # noqa: F811
    page = visit(f"{own_url}/collections")
    said = to_upload(page)
    inner = {"name": "deep", "children": [{"name": "x.png", "size": 3}]}
    hidden = {"name": ".git", "children": [{"name": "y.png", "size": 3}]}
    tree = {"name": "dropped", "children": [inner, hidden, {"name": "z.exe", "size": 1}]}
    page.evaluate(DROP, [tree, 150])  # more than one answer of a directory reader
    expect(said).to_contain_text("All 151 files are here")
    expect(page.locator(".uploader .aside")).to_have_text("Left out: .exe (1), hidden (1).")
    assert len([name for name in sent(mine) if name.startswith("dropped/")]) == 151
    expect(page.get_by_text("Folder, 151 pictures. Index?")).to_be_visible()
    expect(grid(page, FIRST).locator(".none").first).to_be_visible()  # they are empty files


def test_more_files_than_are_taken_are_refused_before_they_are_sent(visit, own_url):  # noqa: F811
    page = visit(f"{own_url}/collections")
    said = to_upload(page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.evaluate(DROP, [{"name": "huge", "children": []}, 20_001])
    expect(said).to_contain_text("20,001 files; up to 20,000 can be uploaded")
    assert not [url for url in asked if "/upload" in url]
