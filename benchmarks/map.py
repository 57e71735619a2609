"""How large and how quick is the map of 10,000, 100,000 and 500,000 images?

Makes a workspace of made-up vectors, a map of blobs and drawn thumbnails, serves it, opens the map
page in headless Chromium, which draws in software, and prints what a visit costs: bytes on the
wire, seconds until the points are drawn, milliseconds from a hover to its card with its picture,
from a click to the opened image, and from a box around many points to their number.

    python benchmarks/map.py [IMAGES ...] [--keep FOLDER]
"""

from __future__ import annotations

import argparse
import random
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from first_paint import ENCODER, FLAGS, serve

from core.arrays import unit_rows
from core.catalogue import Encoding, NewImage
from core.clustering import Clustering, save_clustering
from core.encoders.card import Identity
from core.library import Library
from core.preparing import thumbnail_path, write_thumbnail
from core.projection import Projection, save_projection
from core.settings import Settings
from core.snapshot import SnapshotWriter

SIZES = (10_000, 100_000, 500_000)
KINDS = 30
PICTURES = 300
AT_ONCE = 10_000
HOVERS, CLICKS = 15, 7

READY = """() => document.querySelector('.pm-plot .modebar')
  && document.querySelector('.pm-message').hidden"""
# the time of the last thing the mouse did, and of the last card that was shown with its picture
CLOCK = """() => {
  for (const kind of ['mousemove', 'mousedown', 'mouseup']) {
    addEventListener(kind, () => { window.acted = performance.now(); }, true);
  }
  const card = document.querySelector('.pm-card');
  new MutationObserver(() => {
    if (card.hidden) return;
    const img = card.querySelector('img');
    const shown = () => { window.carded = performance.now(); };
    if (!img || img.complete) shown(); else img.addEventListener('load', shown);
  }).observe(card, { attributes: true, childList: true, subtree: true });
}"""
# points on the screen that are well within the drawing, in CSS pixels
PLACES = """() => {
  const plot = document.querySelector('.pm-plot'), { xaxis, yaxis } = plot._fullLayout;
  const box = plot.getBoundingClientRect(), found = [];
  for (const trace of plot._fullData.filter((t) => t.hoverinfo === 'none')) {
    for (let i = 0; i < trace.x.length; i += 97) {
      const at = [xaxis.d2p(trace.x[i]), yaxis.d2p(trace.y[i])];
      if (at[0] > 20 && at[0] < box.width - 20 && at[1] > 60 && at[1] < box.height - 60) {
        found.push([box.left + at[0], box.top + at[1]]);
      }
    }
  }
  return found;
}"""
CARDED = "() => window.carded > window.acted && window.carded - window.acted"
PICTURE = """[...document.querySelectorAll('.st-key-opened, .st-key-opened *')]
  .map((e) => e.shadowRoot?.querySelector('img')).find(Boolean)"""
OPENED = f"""(before) => {{
  const img = {PICTURE};
  return img && img.src !== before && img.complete && performance.now() - window.acted;
}}"""
SOURCE = f"() => ({PICTURE})?.src ?? ''"
GATHERED = """() => [...document.querySelectorAll('h4')].some((h) => /selected/.test(h.innerText))
  && performance.now() - window.acted"""


def fill(workspace: Path, n: int) -> None:
    """A collection of n images in 30 kinds of very different size, one in ten of them noise."""
    rng = np.random.default_rng(0)
    library = Library.open(Settings(workspace))
    collection = library.catalogue.create("made-up", encoder=ENCODER, options={})
    identity = Identity(ENCODER, weights="none", preprocessing=0, dimension=32)
    encoding = Encoding(ENCODER, identity, 1, "2026-01-01T00:00:00+00:00")
    library.catalogue.put_encoding(collection.uid, encoding)
    share = 0.8 ** np.arange(KINDS)
    kind = np.sort(rng.choice(KINDS, n, p=share / share.sum()))
    noise = rng.random(n) < 0.1
    wide = np.where(noise, 6.0, 1.0)[:, None]
    vectors = unit_rows(rng.normal(size=(KINDS, 32))[kind] + 0.15 * wide * rng.normal(size=(n, 32)))
    middle = rng.uniform(-12, 12, (KINDS, 2))[kind]
    coordinates = (middle + 0.9 * wide * rng.normal(size=(n, 2))).astype(np.float32)
    ids = [f"made-up/{row:07}.png" for row in range(n)]
    folder = library.workspace.thumbnails(collection.uid)
    hashes = draw_thumbnails(folder)
    images = (
        NewImage(id, "made-up", id, "", hashes[row % len(hashes)], 100, 80, 0.7, f"S{row % 12}", {})
        for row, id in enumerate(ids)
    )
    writer = SnapshotWriter(library.workspace.snapshot(collection.uid, ENCODER, 1), dimension=32)
    for start in range(0, n, AT_ONCE):
        part = slice(start, start + AT_ONCE)
        writer.append(ids[part], vectors[part])
    library.catalogue.put_images(collection.uid, images)
    fingerprint = library.vectors(collection).snapshot.fingerprint
    provenance = {"generation": 1, "at": "2026-01-01T00:00:00+00:00", "seed": 0}
    save_projection(
        library.workspace.projection(collection.uid, ENCODER, "umap"),
        Projection(coordinates, "umap", provenance, None), ids, fingerprint,
    )  # fmt: skip
    save_clustering(
        library.workspace.clustering(collection.uid, ENCODER, "made-up"),
        Clustering(np.where(noise, -1, kind).astype(np.int32), "kmeans", provenance, None, None,
                   {"silhouette": "made up", "stability": "made up"}),
        ids, fingerprint,
    )  # fmt: skip
    library.close()


def draw_thumbnails(folder: Path) -> list[str]:
    """Drawn vignettes; one stands for many images."""
    from core.images import read_picture
    from core.sources.sample import draw_sample

    hashes = []
    with tempfile.TemporaryDirectory() as drawn:
        draw_sample(Path(drawn), n=PICTURES, seed=4)
        for path in sorted(Path(drawn).rglob("*.png")):
            picture = read_picture(str(path))
            write_thumbnail(picture.pixels, thumbnail_path(folder, picture.content_hash))
            hashes.append(picture.content_hash)
    return hashes


def visit(browser, url: str):
    """The map page with an empty cache: the page, seconds until drawn, bytes of its points."""
    tab = browser.new_context(viewport={"width": 1400, "height": 1000}).new_page()
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    started = time.perf_counter()
    tab.goto(f"{url}/map")
    tab.wait_for_function(READY, timeout=300_000)
    seconds = time.perf_counter() - started
    tab.wait_for_timeout(3_000)
    figure = {address for address in asked if "/points?" in address or "/density?" in address}
    return tab, seconds, sum(len(tab.request.get(address).body()) for address in figure)


def touch(tab) -> tuple[list[float], list[float], float]:
    """Milliseconds of hovers, of clicks, and of a box around the middle."""
    tab.evaluate(CLOCK)
    chance = random.Random(1)
    places = chance.sample(tab.evaluate(PLACES), HOVERS + CLICKS)
    hovers, clicks = [], []
    for place in places[:HOVERS]:
        tab.mouse.move(*place)
        hovers.append(tab.wait_for_function(CARDED, timeout=60_000, polling=5).json_value())
    for place in places[HOVERS:]:
        before = tab.evaluate(SOURCE)
        tab.mouse.move(*place)
        tab.wait_for_timeout(500)
        tab.mouse.click(*place)
        opened = tab.wait_for_function(OPENED, arg=before, timeout=60_000, polling=5)
        clicks.append(opened.json_value())
        tab.wait_for_timeout(1_500)
    tab.locator('.modebar-btn[data-val="select"]').click()
    tab.wait_for_timeout(1_000)
    box = tab.locator(".pm-plot").bounding_box()
    left, top = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    tab.mouse.move(left - 120, top - 120)
    tab.mouse.down()
    tab.mouse.move(left + 120, top + 120, steps=5)
    tab.mouse.up()
    gathered = tab.wait_for_function(GATHERED, timeout=120_000, polling=5).json_value()
    return hovers, clicks, gathered


def measure(n: int, folder: Path) -> None:
    """One line of the table."""
    from playwright.sync_api import sync_playwright

    if not (folder / "workspace.json").exists():
        fill(folder, n)
    server, url = serve(folder)
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=FLAGS
            )
            tab, first, _ = visit(browser, url)  # the server reads everything
            tab.close()
            tab, again, figure = visit(browser, url)
            hovers, clicks, gathered = touch(tab)
            browser.close()
    finally:
        server.terminate()
        server.wait(timeout=20)
    print(
        f"{n:>9,} {figure / 1e6:>8.2f} {first:>8.1f} {again:>8.1f} "
        f"{statistics.median(hovers):>8.0f} {max(hovers):>8.0f} "
        f"{statistics.median(clicks):>8.0f} {max(clicks):>8.0f} {gathered:>8.0f}",
        flush=True,
    )


def main() -> None:
    """Fill, serve, open, touch, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", nargs="*", type=int, default=SIZES)
    parser.add_argument("--keep", type=Path, help="where the made-up workspaces stay")
    asked = parser.parse_args()
    print(
        "points and shading on the wire in MB (the drawing library, cached for good, is 4.5 more)"
    )
    print(
        "seconds until drawn: a server that has read nothing yet, one that has; then milliseconds"
    )
    print(
        f"{'images':>9} {'MB':>8} {'first':>8} {'again':>8} {'hover':>8} {'slowest':>8} "
        f"{'click':>8} {'slowest':>8} {'box':>8}"
    )
    with tempfile.TemporaryDirectory() as temporary:
        for n in asked.images:
            measure(n, (asked.keep or Path(temporary)) / str(n))


if __name__ == "__main__":
    main()
