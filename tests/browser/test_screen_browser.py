"""The screen page in a real browser: from labels to a filter that was downloaded, by clicking."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Locator, Page, expect

from core import bundle
from core.sources.sample import draw_sample
from tests.browser.conftest import PATIENCE_MS
from tests.browser.test_pages import APP, OVERFLOWS, core, settled, visit

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

    curve = page.locator(".to-svg").first
    curve.scroll_into_view_if_needed()
    settled(page)
    box = curve.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 0.6 * box["width"], box["y"] + 0.5 * box["height"])
    page.wait_for_url("**threshold=**")
    settled(page)
    threshold = in_link(page)

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


def in_link(page: Page) -> float:
    return float(parse_qs(urlsplit(page.url).query)["threshold"][0])


def meaning(page: Page) -> dict[str, str]:
    """What both points say of where they stand, which is the same."""
    points = page.locator(".to-point")
    expect(points).to_have_count(2)
    text = points.first.get_attribute("aria-valuetext")
    assert text is not None
    assert points.last.get_attribute("aria-valuetext") == text
    assert page.locator(".to-said").inner_text() == text
    found = re.match(
        r"Threshold (?P<threshold>\S+) drops (?P<dropped>.+?) of the images and keeps "
        r"(?P<kept>.+?) \((?P<ci95>.+?)\) of the plankton",
        text.replace("\u00a0", " "),
    )
    assert found is not None, text
    return found.groupdict()


def costs(page: Page) -> dict[str, str]:
    """The same as the page has computed it."""
    metrics = page.locator("[data-testid=stMetric]")
    said = [metrics.nth(place).inner_text().split("\n") for place in (0, 1)]
    kept, dropped = ([line.strip() for line in lines if line.strip()] for lines in said)
    return {"kept": kept[1], "ci95": kept[-1], "dropped": dropped[1]}


def agree(page: Page) -> None:
    """Points, link, figures and slider say one thing."""
    said = meaning(page)
    assert costs(page) == {name: said[name] for name in ("kept", "ci95", "dropped")}
    assert in_link(page) == float(said["threshold"])
    slider = page.get_by_role("group", name="Threshold: images with a lower score are dropped")
    expect(slider).to_contain_text(said["threshold"])


def middle(place: Locator) -> tuple[float, float]:
    box = place.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def along(page: Page, number: int, share: float) -> tuple[float, float]:
    """A place on a curve, such a share of its length from the left."""
    x, y = (
        page.locator(".to-line")
        .nth(number)
        .evaluate(
            "(line, share) => { const at = line.getPointAtLength(share * line.getTotalLength());"
            "const box = line.ownerSVGElement.getBoundingClientRect();"
            "return [box.left + at.x, box.top + at.y]; }",
            share,
        )
    )
    return x, y


@pytest.mark.parametrize(
    ("number", "share", "dropped"), [(0, 0.8, "more"), (0, 0.1, "fewer"), (1, 0.3, "more")]
)
def test_the_point_is_dragged_along_each_curve(visit, url, number, share, dropped):
    page = visit(f"{url}/screen?collection=sample")
    dots = page.locator(".to-dot")
    dots.nth(number).scroll_into_view_if_needed()
    settled(page)
    before, figures = meaning(page), costs(page)
    (x, y), other = middle(dots.nth(number)), middle(dots.nth(1 - number))
    to = along(page, number, share)
    page.mouse.move(x + 4, y - 3)  # not in its middle
    page.mouse.down()
    for part in (0.3, 0.6, 1.0):
        page.mouse.move(x + 4 + part * (to[0] - x), y - 3 + part * (to[1] - y))
    during = meaning(page)
    higher = float(during["threshold"]) > float(before["threshold"])
    assert higher == (dropped == "more") and during["threshold"] != before["threshold"]
    assert middle(dots.nth(number)) == pytest.approx(to, abs=10)  # it follows the pointer
    assert middle(dots.nth(1 - number)) != other
    settled(page)
    assert "threshold=" not in page.url and costs(page) == figures  # not before it is let go
    page.mouse.up()
    page.wait_for_url("**threshold=**")
    settled(page)
    assert meaning(page)["threshold"] == during["threshold"]
    assert costs(page) != figures
    agree(page)


def test_a_drag_is_taken_back_by_escape(visit, url):
    page = visit(f"{url}/screen?collection=sample")
    dot = page.locator(".to-dot").first
    dot.scroll_into_view_if_needed()
    settled(page)
    before = meaning(page)
    x, y = middle(dot)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 90, y + 40)
    assert meaning(page) != before
    page.keyboard.press("Escape")
    assert meaning(page) == before
    page.mouse.up()
    settled(page)
    assert meaning(page) == before and "threshold=" not in page.url


@pytest.mark.parametrize("number", [0, 1])
def test_keys_move_the_point_along_each_curve(visit, url, number):
    page = visit(f"{url}/screen?collection=sample")
    point = page.locator(".to-point").nth(number)
    expect(point).to_have_role("slider")
    point.scroll_into_view_if_needed()
    settled(page)
    begin, figures = float(meaning(page)["threshold"]), costs(page)
    across = float(point.get_attribute("aria-valuenow"))
    point.focus()
    key, back = ("ArrowRight", "ArrowLeft") if number == 0 else ("ArrowLeft", "ArrowRight")
    for _ in range(5):  # to the right more is dropped, or kept
        page.keyboard.press(key)
    page.keyboard.press(back)
    page.wait_for_url("**threshold=**")
    settled(page)
    assert in_link(page) > begin
    assert costs(page) != figures
    now = float(point.get_attribute("aria-valuenow"))
    assert now > across if number == 0 else now < across
    agree(page)
    expect(point).to_be_focused()  # and goes on from there
    page.keyboard.press("End" if number == 1 else "Home")
    page.wait_for_url(re.compile("threshold=0(&|$)"))
    settled(page)
    assert meaning(page)["kept"] == "100 %"
    agree(page)


def test_a_finger_taps_and_drags_and_the_page_fits(chromium, url):
    with chromium.new_context(
        viewport={"width": 420, "height": 800}, has_touch=True, color_scheme="dark"
    ) as phone:
        page = phone.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.goto(f"{url}/screen?collection=sample")
        dot, curve = page.locator(".to-dot").first, page.locator(".to-svg").first
        dot.scroll_into_view_if_needed()
        settled(page)
        assert page.evaluate(OVERFLOWS) == [0, 0]
        box = curve.bounding_box()
        assert box is not None
        page.touchscreen.tap(box["x"] + 0.7 * box["width"], box["y"] + 0.5 * box["height"])
        page.wait_for_url("**threshold=**")
        settled(page)
        agree(page)
        tapped = in_link(page)
        x, y = middle(dot)
        finger = phone.new_cdp_session(page)
        for kind, off in [("Start", 0), ("Move", -20), ("Move", -60), ("End", None)]:
            at = [] if off is None else [{"x": x + off, "y": y + off / 2}]
            finger.send("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": at})
        page.wait_for_function("before => !location.href.includes(before)", arg=f"={tapped:.3g}")
        settled(page)
        assert in_link(page) < tapped
        agree(page)


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

    # at the highest threshold the images left are dropped; one of them should not be
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
    page.reload()  # answers outlast the visit
    settled(page)
    expect(page.get_by_text(f"Of {n} looked at 1 should have been kept")).to_be_visible()

    page.get_by_role("button", name="Sort more images").click()
    settled(page)
    expect(page.get_by_text("Sort some images")).to_be_visible()
    expect(page.locator(".sorting .accept")).to_contain_text("Keep 6")
