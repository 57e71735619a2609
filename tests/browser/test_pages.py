"""The real dashboard in a real browser: what a person does on each page, from end to end."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import random
import re
import struct
import subprocess
import sys
import time
import zipfile
from array import array
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, TimeoutError, expect

from core.sources.sample import draw_sample
from tests.browser.test_map import choose, clear_polygon, drag, inside, loner, ready, screen

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]
ROOT = Path(__file__).parents[2]
APP = ROOT / "dashboard" / "app.py"
HOSTILE = "<img src=x onerror=window.hacked=1>"
LONG_MS = 240_000  # a job: another process that imports everything first
PAGES = (
    "",
    "similar",
    "map",
    "clusters",
    "label",
    "check",
    "history",
    "screen",
    "composition",
    "evaluate",
    "selection",
    "collections",
)
WATCH = """new MutationObserver(() => {
  for (const box of document.querySelectorAll('[data-testid=stException]')) {
    if (!box.told) { box.told = true; window.redBox(box.innerText); }
  }
}).observe(document, { subtree: true, childList: true });"""
OVERFLOWS = """() => {
  const main = document.querySelector('[data-testid=stMain]');
  return [document.documentElement.scrollWidth - window.innerWidth,
          main.scrollWidth - main.clientWidth];
}"""

Visit = Callable[..., Page]


def core(workspace: Path, *arguments: str | Path) -> dict[str, Any]:
    """Run ``python -m core ...`` in a process of its own; gives what it answers."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PLANKTON_")}
    done = subprocess.run(
        [sys.executable, "-m", "core", *map(str, arguments), "--json", "--workspace", workspace],
        cwd=ROOT,
        env=environment | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Twenty drawn vignettes, to be copied under any name."""
    folder = tmp_path_factory.mktemp("drawn")
    draw_sample(folder, n=20, seed=4)
    return sorted(folder.rglob("*.png"))


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample collection, 60 images with a map; no test changes it."""
    folder = tmp_path_factory.mktemp("pages") / "workspace"
    assert core(folder, "sample", "--n", "60", "--map")["indexed"] == 60
    return folder


@pytest.fixture(scope="module")
def url(serve, workspace: Path) -> str:
    return serve(APP, {"PLANKTON_WORKSPACE": str(workspace)})


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a workspace of its own, where tests make and delete collections."""
    return tmp_path_factory.mktemp("mine")


@pytest.fixture(scope="module")
def own_url(serve, mine: Path) -> str:
    env = {"PLANKTON_WORKSPACE": str(mine / "workspace"), "PLANKTON_ROOTS": str(mine)}
    return serve(APP, env)


@pytest.fixture
def visit(page) -> Iterator[Visit]:
    """`visit(url, width=, height=, dark=)`: a page that must never show Streamlit's red box."""
    boxes: list[str] = []

    def go(url: str, **how: Any) -> Page:
        opened: Page = page("about:blank", **how)
        opened.expose_function("redBox", lambda text: boxes.append(text))
        opened.add_init_script(WATCH)
        opened.goto(url)
        settled(opened)
        return opened

    yield go
    assert not boxes, f"a page showed an exception: {boxes}"


# a script that a click, a typed word or a component's message starts begins a little later
QUIET_MS = 500
QUIET = f"""() => {{
    const app = document.querySelector("[data-testid=stApp]");
    const busy = !app || app.dataset.testScriptState !== "notRunning"
        || app.dataset.testConnectionState !== "CONNECTED"
        || !document.querySelector("[data-testid=stMainBlockContainer]");
    if (busy || window.quietSince === undefined) window.quietSince = performance.now();
    return !busy && performance.now() - window.quietSince > {QUIET_MS};
}}"""


def settled(page: Page) -> None:
    """Wait until no script runs and none is about to."""
    page.evaluate("() => { delete window.quietSince; }")
    page.wait_for_function(QUIET, polling=50)


def open_popover(page: Page, name: str) -> Locator:
    """Its body; a script that ends just now may close what was opened, a person clicks again."""
    body = page.get_by_test_id("stPopoverBody")
    for _ in range(3):
        settled(page)
        if body.count() == 0:
            button(page, name).click()
        settled(page)
        if body.count():
            return body
    raise AssertionError(f"the popover {name!r} did not stay open")


def asked(page: Page) -> dict[str, str]:
    """The query string."""
    return {name: values[-1] for name, values in parse_qs(urlsplit(page.url).query).items()}


def grid(page: Page, label: str) -> Locator:
    return page.locator(f".gallery[aria-label='{label}'] .tile")


def address_of(tile: Locator) -> str:
    """Where a tile's picture comes from, without the kind and the version."""
    path = tile.locator("img").get_attribute("src") or ""
    return path.split("?", 1)[0].split("/", 3)[3]


def shows(page: Page, id: str) -> None:
    """Wait until this image is the query, with its picture drawn."""
    img = grid(page, "The query").locator("img")
    expect(img).to_have_attribute("src", address_with(id))
    expect(img).to_have_js_property("complete", True)
    assert img.evaluate("i => i.naturalWidth") > 0


def address_with(id: str) -> re.Pattern[str]:
    return at_address(quote(id))


def at_address(address: str) -> re.Pattern[str]:
    return re.compile(re.escape(address) + r"\?v=[0-9a-f]+$")


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


def download(page: Page, name: str) -> bytes:
    with page.expect_download() as pending:
        button(page, name).click()
    return Path(pending.value.path()).read_bytes()


def copied(pictures: Sequence[Path], folder: Path, names: Sequence[str] | None = None) -> Path:
    """A folder with copies of these pictures."""
    folder.mkdir(parents=True)
    for n, picture in enumerate(pictures):
        (folder / (names[n] if names else f"{n:02d}.png")).write_bytes(picture.read_bytes())
    return folder


# Similar


def test_random_image_then_a_match_then_back_and_forward(visit, url):
    page = visit(f"{url}/similar")
    matches = grid(page, "Nearest matches")
    expect(matches).to_have_count(24)
    start = asked(page)["id"]
    shows(page, start)
    for _ in range(3):  # one time in sixty the same image comes again
        button(page, "Random image").click()
        with contextlib.suppress(TimeoutError):
            page.wait_for_function("u => location.href !== u", arg=page.url, timeout=10_000)
            break
    first = asked(page)["id"]
    assert first != start
    shows(page, first)
    settled(page)
    expect(matches).to_have_count(24)
    lines = matches.locator(".line").all_inner_texts()
    distances = [float(line.split()[-1]) for line in lines if "µm" not in line]
    assert len(distances) == 24
    assert distances == sorted(distances)

    match = address_of(matches.nth(3))
    matches.nth(3).click()
    page.wait_for_url(lambda now: quote(parse_qs(urlsplit(now).query)["id"][0]) == match)
    second = asked(page)["id"]
    shows(page, second)
    expect(matches).to_have_count(24)
    assert address_of(matches.first) != match

    back = page.get_by_role("button", name="arrow_back icon")
    forward = page.get_by_role("button", name="arrow_forward icon")
    expect(forward).to_be_disabled()
    back.click()
    shows(page, first)
    assert asked(page)["id"] == first
    expect(forward).to_be_enabled()
    forward.click()
    shows(page, second)

    page.go_back()  # the browser's own
    shows(page, first)
    page.go_forward()
    shows(page, second)
    page.reload()
    shows(page, second)
    expect(matches).to_have_count(24)


def upload_query(page: Page, name: str, data: bytes) -> None:
    field = open_popover(page, "Your own picture").get_by_test_id("stFileUploaderDropzoneInput")
    field.set_input_files({"name": name, "mimeType": "image/png", "buffer": data})


def test_an_upload_has_24_matches_and_a_link_that_lasts(visit, url, drawn, workspace):
    found = core(workspace, "similar", "--collection", "sample", "--image", drawn[0])["matches"]
    assert len(found) == 24
    page = visit(f"{url}/similar")
    upload_query(page, f"{HOSTILE}.png", drawn[0].read_bytes())
    page.wait_for_url("**upload=*")
    matches = grid(page, "Nearest matches")
    for _ in range(2):
        expect(page.get_by_text("The picture you uploaded")).to_be_visible()
        expect(matches).to_have_count(24)
        for tile, match in zip(matches.all(), found, strict=True):
            expect(tile.locator("img")).to_have_attribute("src", address_with(match["id"]))
        assert "id" not in asked(page)
        page.reload()
    matches.first.click()
    page.wait_for_url("**id=*")
    shows(page, found[0]["id"])
    assert "upload" not in asked(page)
    assert page.evaluate("window.hacked") is None


def test_the_same_picture_can_be_uploaded_again(visit, url, drawn):
    page = visit(f"{url}/similar")
    upload_query(page, "a.png", drawn[1].read_bytes())
    page.wait_for_url("**upload=*")
    settled(page)
    button(page, "Random image").click()
    page.wait_for_url("**id=*")
    settled(page)
    upload_query(page, "a.png", drawn[1].read_bytes())
    page.wait_for_url("**upload=*")


def large_png() -> bytes:
    stream = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(stream, "png")
    return stream.getvalue()


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("notes.txt", lambda: b"only some text\n" * 9),
        ("empty.png", lambda: b""),
        ("large.png", large_png),
        ("cut.png", lambda: b"\x89PNG\r\n\x1a\n"),
    ],
)
def test_an_upload_that_is_no_picture_is_one_clear_sentence(visit, url, name, make):
    page = visit(f"{url}/similar")
    upload_query(page, name, make())
    alert = page.locator("[data-testid=stAlert]")
    expect(alert).to_have_count(1)
    text = alert.inner_text()
    assert 20 < len(text.strip()) < 400
    assert "Traceback" not in text
    button(page, "Random image").click()  # and the page goes on
    expect(grid(page, "Nearest matches")).to_have_count(24)


def test_matches_are_taken_away_as_a_table_and_as_a_picture(visit, url):
    page = visit(f"{url}/similar")
    matches = grid(page, "Nearest matches")
    expect(matches).to_have_count(24)
    rows = list(csv.DictReader(io.StringIO(download(page, "CSV").decode("utf-8-sig"))))
    ids = [row["id"] for row in rows]
    assert ids[0] == asked(page)["id"]
    assert [quote(id) for id in ids[1:]] == [address_of(tile) for tile in matches.all()]
    with Image.open(io.BytesIO(download(page, "Sheet"))) as sheet:
        assert sheet.format == "PNG"
        assert min(sheet.size) > 300


# Map


class Points:
    """The points as the browser fetched them, and the ids that rows stand for."""

    def __init__(self, page: Page) -> None:
        self.page = page
        fetched = page.evaluate("performance.getEntriesByType('resource').map((e) => e.name)")
        self.url = [name for name in fetched if "/points?" in name][-1]
        body = page.request.get(self.url).body()
        (size,) = struct.unpack_from("<I", body)
        n = json.loads(body[4 : 4 + size])["n"]
        self.x, self.y = array("f"), array("f")
        start = 4 + size
        self.x.frombytes(body[start : start + 4 * n])
        self.y.frombytes(body[start + 4 * n : start + 8 * n])

    def place(self, row: int) -> tuple[float, float]:
        return screen(self.page, self.x[row], self.y[row])

    def id(self, row: int) -> str:
        asked = self.url.replace("/points?", "/point?") + f"&row={row}"
        return str(self.page.request.get(asked).json()["id"])

    def hover(self, row: int) -> str:
        """Point at it until its card shows its name and picture; gives its id."""
        id = self.id(row)
        self.page.mouse.move(*self.place(row))
        card = self.page.locator(".pm-card")
        expect(card).to_be_visible()
        expect(card.locator(".pm-card-title")).to_have_text(Path(id).name)
        expect(card.locator("img")).to_have_js_property("complete", True)
        assert card.locator("img").evaluate("i => i.naturalWidth") > 0
        return id


def test_hover_shows_a_card_and_a_click_opens_it_with_its_matches(visit, url):
    page = visit(f"{url}/map")
    ready(page)
    points = Points(page)
    row = loner(points.x, points.y)
    id = points.hover(row)
    page.mouse.click(*points.place(row))
    page.wait_for_url("**point=*")
    assert asked(page)["point"] == id
    opened = grid(page, "The image")
    expect(opened).to_have_count(1)
    expect(opened.locator("img")).to_have_attribute("src", address_with(id))
    around = grid(page, "Nearest matches")
    expect(around).to_have_count(24)

    match = address_of(around.nth(2))
    around.nth(2).click()  # a match goes on from there, on the map too
    expect(opened.locator("img")).to_have_attribute("src", at_address(match))
    assert quote(asked(page)["point"]) == match
    settled(page)  # the link beside the picture follows it
    page.get_by_text("Open in Similar").click()
    page.wait_for_url("**/similar?**")
    expect(grid(page, "The query").locator("img")).to_have_attribute("src", at_address(match))


def test_a_lasso_gathers_exactly_what_is_inside(visit, url):
    page = visit(f"{url}/map")
    ready(page)
    points = Points(page)
    places = [points.place(row) for row in range(60)]
    middle = random.Random(1).choice(places)
    shape = [(-140.0, -110.0), (150.0, -120.0), (130.0, 120.0), (0.0, 60.0), (-150.0, 130.0)]
    box = page.locator(".pm-plot").bounding_box()
    assert box
    middle = (
        min(max(middle[0], box["x"] + 190), box["x"] + box["width"] - 190),
        min(max(middle[1], box["y"] + 170), box["y"] + box["height"] - 170),
    )
    corners = clear_polygon(places, shape, middle)
    expected = {points.id(row) for row, at in enumerate(places) if inside(*at, corners)}
    assert expected
    choose(page, "lasso")
    drag(page, [*corners, corners[0]])
    gathered = grid(page, "Selected images")
    expect(gathered).to_have_count(len(expected))
    assert {address_of(tile) for tile in gathered.all()} == {quote(id) for id in expected}
    expect(page.get_by_text(f"{len(expected)} selected").first).to_be_visible()
    rows = list(csv.DictReader(io.StringIO(download(page, "CSV").decode("utf-8-sig"))))
    assert {row["id"] for row in rows} == expected
    assert len(rows) == len(expected)
    with Image.open(io.BytesIO(download(page, "Sheet"))) as sheet:
        assert sheet.format == "PNG"
    with zipfile.ZipFile(io.BytesIO(download(page, "Zip"))) as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) == len(expected) + 1

    gathered.first.click()  # one of them opens, the selection stays
    page.wait_for_url("**point=*")
    settled(page)
    expect(gathered).to_have_count(len(expected))
    page.get_by_test_id("stMain").get_by_role("button", name="Clear", exact=True).click()
    expect(gathered).to_have_count(0)


# every page


def arrived(page: Page, name: str) -> None:
    """Wait until a page shows what it is for."""
    settled(page)
    if name == "map":
        ready(page)
    elif name == "collections":
        page.get_by_role("heading", name="Collections").wait_for()
    elif name == "label":
        page.get_by_role("heading", name="Every image has a label").wait_for()
    elif name == "check":
        page.get_by_text("Not enough to go by").wait_for()
    elif name == "history":
        page.get_by_text("came with the images").wait_for()
    elif name == "screen":
        page.get_by_text("Use it", exact=True).wait_for()
    elif name == "selection":
        page.get_by_text("Nothing selected yet").wait_for()
    elif name == "composition":
        page.locator(".js-plotly-plot .trace.bars").first.wait_for()
    elif name == "evaluate":
        page.get_by_role("heading", name="Not evaluated yet").wait_for()
    else:
        page.locator(".tile").first.wait_for()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("name", PAGES, ids=["home", *PAGES[1:]])
def test_nothing_is_wider_than_the_window(visit, url, name, dark):
    page = visit(f"{url}/{name}", dark=dark)
    arrived(page, name)
    ground = page.locator("[data-testid=stApp]").evaluate(
        "e => getComputedStyle(e).backgroundColor.match(/[0-9]+/g).slice(0, 3).map(Number)"
    )
    assert (sum(ground) / 3 < 90) == dark
    for width in (1400, 800, 400):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_function(f"({OVERFLOWS})().every((beyond) => beyond <= 0)")
        cut = page.locator("[data-testid=stMain]").evaluate(
            """(main) => [...main.querySelectorAll(
              'button p, a p, label p, [data-testid=stButtonGroup] > div'
            )].filter((e) =>
              e.offsetParent && e.scrollWidth > e.clientWidth + 1 && e.innerText.length > 1
            ).map((e) => e.innerText)"""
        )
        assert not cut, f"cut off at {width} px: {cut}"


def test_a_link_shows_the_same_view_to_another(visit, url):
    page = visit(f"{url}/similar?k=12")
    expect(grid(page, "Nearest matches")).to_have_count(12)
    before = [address_of(tile) for tile in grid(page, "Nearest matches").all()]
    other = visit(page.url)
    shows(other, asked(page)["id"])
    expect(grid(other, "Nearest matches")).to_have_count(12)
    assert [address_of(tile) for tile in grid(other, "Nearest matches").all()] == before

    id = asked(page)["id"]
    chart = visit(f"{url}/map?collection=sample&method=pca&colour=label&point={quote(id)}")
    ready(chart)
    expect(chart.get_by_role("radio", name="PCA")).to_be_checked()
    expect(chart.get_by_role("combobox", name="Colour by")).to_have_value("Label")
    image = grid(chart, "The image").locator("img")
    expect(image).to_have_attribute("src", address_with(id))
    assert asked(chart)["point"] == id
    again = visit(f"{url}/?collection=sample")
    expect(again.get_by_test_id("stMetricValue").first).to_have_text("60")


def test_home_leads_to_an_image(visit, url):
    page = visit(url)
    tiles = page.locator(".tile")
    expect(tiles).to_have_count(32)
    address = address_of(tiles.nth(5))
    tiles.nth(5).click()
    page.wait_for_url("**/similar?**id=*")
    expect(grid(page, "The query").locator("img")).to_have_attribute("src", at_address(address))


# Collections


def test_an_empty_workspace_draws_the_sample_and_survives_a_reload(visit, serve, tmp_path):
    url = serve(APP, {"PLANKTON_WORKSPACE": str(tmp_path / "workspace")})
    page = visit(url)
    page.get_by_role("button", name="Draw the sample collection").click()
    bar = page.locator("[data-testid=stProgress]")
    expect(bar).to_be_visible()
    expect(bar).to_contain_text("of 1,200", timeout=LONG_MS)
    early = bar.inner_text()
    page.reload()
    expect(bar).to_be_visible()
    expect(bar).not_to_have_text(early, timeout=LONG_MS)  # it goes on by itself
    expect(page.locator(".tile")).to_have_count(32, timeout=2 * LONG_MS)
    expect(page.get_by_test_id("stMetricValue").first).to_have_text("1,200")
    expect(page.get_by_text("Drawn by a program")).to_be_visible()


def index_folder(page: Page, folder: Path, name: str) -> None:
    """Type what a person types, and wait for the report."""
    page.get_by_role("textbox", name="Folder, zip or table").fill(str(folder))
    page.keyboard.press("Enter")
    settled(page)
    index_as(page, name)


def index_as(page: Page, name: str) -> None:
    field = page.get_by_role("textbox", name="Collection", exact=True)
    field.fill(name)
    field.press("Enter")
    settled(page)
    button(page, "Index").click()
    title = re.compile(f"Index (.* into )?{re.escape(name)}")
    expect(page.get_by_text(title).first).to_be_visible()


def test_a_running_job_is_one_card_and_stopped_by_nobody_who_only_looks(visit, serve, tmp_path):
    workspace = tmp_path / "workspace"
    core(workspace, "collections")
    folder = workspace / "jobs" / "20260101-000000-abcdef"
    folder.mkdir(parents=True)
    job = {"title": "Index run into run", "arguments": ["index"], "created": "2026-01-01"}
    (folder / "job.json").write_text(json.dumps(job))
    later = time.time() + 1e6  # so that it stays about to start
    (folder / "spawned.json").write_text(json.dumps({"at": later, "pid": None}))
    env = {"PLANKTON_WORKSPACE": str(workspace)}
    for read_only, stops in (("", 1), ("1", 0)):
        url = serve(APP, env | {"PLANKTON_READ_ONLY": read_only})
        for name in PAGES:
            page = visit(f"{url}/{name}")
            expect(page.get_by_text("Index run into run")).to_have_count(1)
            expect(button(page, "Stop")).to_have_count(stops)
            page.close()


def test_names_that_look_like_html_stay_text(visit, own_url, mine, drawn):
    names = [f"{HOSTILE}{n}.png" for n in range(6)]
    folder = copied(drawn[:6], mine / "hostile", names)
    (folder / f"{HOSTILE}broken.png").write_bytes(b"no picture")
    page = visit(f"{own_url}/collections")
    index_folder(page, folder, "hostile")
    expect(page.get_by_text("6 images came in")).to_be_visible(timeout=LONG_MS)
    report = page.get_by_text("What was skipped and why (1)")
    report.click()
    expect(page.locator("[data-testid=stTable]")).to_contain_text(f"{HOSTILE}broken.png")
    assert page.evaluate("window.hacked") is None

    id = f"hostile/{names[2]}"
    page.goto(f"{own_url}/?collection=hostile")
    expect(page.locator(".tile")).to_have_count(6)
    expect(page.locator(".tile .title").first).to_contain_text("<img src=x")
    assert page.evaluate("window.hacked") is None
    page.goto(f"{own_url}/similar?collection=hostile&id={quote(id, safe='')}")
    shows(page, id)
    expect(page.get_by_text(id).first).to_be_visible()
    assert page.evaluate("window.hacked") is None
    page.goto(f"{own_url}/map?collection=hostile")
    ready(page)
    settled(page)
    points = Points(page)
    page.mouse.move(*points.place(loner(points.x, points.y)))
    expect(page.locator(".pm-card-title")).to_contain_text(HOSTILE)
    page.mouse.click(*points.place(loner(points.x, points.y)))
    page.wait_for_url("**point=*")
    expect(grid(page, "The image").locator(".title")).to_contain_text(HOSTILE)
    assert page.evaluate("window.hacked") is None


def test_images_of_another_process_appear_in_an_open_page(visit, own_url, mine, drawn):
    core(mine / "workspace", "index", copied(drawn[:4], mine / "early"), "--collection", "grows")
    page = visit(f"{own_url}/?collection=grows")
    count = page.get_by_test_id("stMetricValue").first
    expect(count).to_have_text("4")
    core(mine / "workspace", "index", copied(drawn[4:9], mine / "later"), "--collection", "grows")
    page.get_by_role("link", name="Similar", exact=True).click()
    expect(grid(page, "Nearest matches")).to_have_count(8)
    page.get_by_role("link", name="Home", exact=True).click()
    expect(count).to_have_text("9")


def test_deleting_asks_for_the_name(visit, own_url, mine, drawn):
    folder = copied(drawn[:2], mine / "doomed")
    core(mine / "workspace", "index", folder, "--collection", "doomed")
    page = visit(f"{own_url}/collections?collection=doomed")
    confirm = open_popover(page, "Delete")
    sure = confirm.get_by_role("button", name="Delete")
    expect(sure).to_be_disabled()
    field = confirm.get_by_role("textbox")
    field.fill("doome")
    field.press("Enter")
    settled(page)
    expect(sure).to_be_disabled()
    field.fill("doomed")
    field.press("Enter")
    settled(page)
    expect(sure).to_be_enabled()
    sure.click()
    expect(page.get_by_text("Delete doomed · done")).to_be_visible(timeout=LONG_MS)
    names = [c["name"] for c in core(mine / "workspace", "collections")["collections"]]
    assert "doomed" not in names
    page.goto(f"{own_url}/?collection=doomed")  # an old link says so
    expect(page.locator("[data-testid=stAlert]")).to_contain_text("doomed")
    assert len(list(folder.iterdir())) == 2


@pytest.mark.parametrize("n", [1, 2, 3, 10])
def test_a_handful_of_images_is_a_first_try(visit, own_url, mine, drawn, n):
    name = f"few{n}"
    folder = copied(drawn[:n], mine / name)
    core(mine / "workspace", "index", folder, "--collection", name, "--map")
    page = visit(f"{own_url}/?collection={name}")
    expect(page.locator(".tile")).to_have_count(n)
    page.goto(f"{own_url}/similar?collection={name}")
    expect(grid(page, "Nearest matches")).to_have_count(n - 1)
    expect(grid(page, "The query")).to_have_count(1)
    page.goto(f"{own_url}/map?collection={name}")
    ready(page)
    settled(page)  # a script that ends just now may move the map from under the mouse
    points = Points(page)
    row = loner(points.x, points.y)
    points.hover(row)
    page.mouse.click(*points.place(row))
    page.wait_for_url("**point=*")
    expect(grid(page, "The image")).to_have_count(1)
    page.goto(f"{own_url}/collections?collection={name}")
    settled(page)


def test_what_the_server_sends_needs_no_other_machine(url, chromium: Browser):
    """Nothing is fetched from anywhere but the dashboard itself."""
    context = chromium.new_context()
    foreign: list[str] = []
    try:
        opened = context.new_page()
        host = urlsplit(url).netloc
        opened.on(
            "request",
            lambda r: (
                foreign.append(r.url)
                if r.url.startswith("http") and urlsplit(r.url).netloc != host
                else None
            ),
        )
        for name in PAGES:
            opened.goto(f"{url}/{name}")
            arrived(opened, name)
    finally:
        context.close()
    assert not foreign
