"""How long until a page shows its pictures, with 10,000 and more images in the collection?

Makes a workspace of made-up vectors and thumbnails, serves it, opens each page in headless
Chromium with an empty cache and prints the seconds until its first picture (or the map's drawing)
is there. The server has answered one page before: what is measured is a page, not a start-up.

    python benchmarks/first_paint.py [IMAGES]
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from core.analysis import make_clustering, make_map
from core.arrays import unit_rows
from core.catalogue import Encoding, NewImage
from core.encoders.card import Identity
from core.library import Library
from core.preparing import thumbnail_path, write_thumbnail
from core.settings import Settings
from core.store import Store

FLAGS = [
    "--no-sandbox",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
]
PAGES = {
    "home": ("/", ".tile img"),
    "similar": ("/similar", ".tile img"),
    "map": ("/map", ".pm-root canvas"),
    "collections": ("/collections", "h1"),
}
ROUNDS = 3
ENCODER = "precomputed:made-up"


def fill(workspace: Path, n: int) -> None:
    """A collection of n images in 20 kinds, with thumbnails, a map and a clustering."""
    rng = np.random.default_rng(0)
    library = Library.open(Settings(workspace))
    collection = library.catalogue.create("made-up", encoder=ENCODER, options={})
    identity = Identity(ENCODER, weights="none", preprocessing=0, dimension=64)
    encoding = Encoding(ENCODER, identity, 1, "2026-01-01T00:00:00+00:00")
    library.catalogue.put_encoding(collection.uid, encoding)
    kinds = rng.normal(size=(20, 64))
    which = rng.integers(0, 20, n)
    vectors = unit_rows(kinds[which] + 0.6 * rng.normal(size=(n, 64)))
    ids = [f"made-up/{row:07}.png" for row in range(n)]
    hashes = [f"{row % 500:032x}" for row in range(n)]
    for digest in hashes[:500]:
        picture = rng.integers(0, 255, (80, 100, 3)).astype(np.uint8)
        write_thumbnail(
            picture, thumbnail_path(library.workspace.thumbnails(collection.uid), digest)
        )
    images = [
        NewImage(id, "made-up", id, "", digest, 100, 80, 0.7, f"S{row % 12}", {"depth_m": row % 90})
        for row, (id, digest) in enumerate(zip(ids, hashes, strict=True))
    ]
    with library.workspace.writing("fill"):
        writer = Store.open(library.settings, library.workspace).vectors(
            library.workspace, collection.uid, encoding
        )
        for start in range(0, n, 5_000):
            part = slice(start, start + 5_000)
            writer.put(ids[part], ids[part], vectors[part])
            library.catalogue.put_images(collection.uid, images[part])
    view = library.vectors(library.catalogue.collection("made-up"))
    make_map(library, view, method="pca", seed=0)
    make_clustering(library, view, method="kmeans", k=20, seed=0)
    library.close()


def serve(workspace: Path) -> tuple[subprocess.Popen[bytes], str]:
    """The dashboard on a free port, once it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", "dashboard/app.py", "--server.port", str(port)],
        cwd=Path(__file__).resolve().parent.parent,
        env={**os.environ, "PLANKTON_WORKSPACE": str(workspace)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://localhost:{port}"
    for _ in range(120):
        try:
            with urllib.request.urlopen(f"{url}/_stcore/health", timeout=2):
                return server, url
        except OSError:
            time.sleep(0.5)
    server.terminate()
    raise SystemExit("the dashboard did not start within a minute")


def main() -> None:
    """Fill, serve, open, print."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", nargs="?", type=int, default=10_000)
    n = parser.parse_args().images
    with tempfile.TemporaryDirectory() as folder:
        fill(Path(folder) / "workspace", n)
        server, url = serve(Path(folder) / "workspace")
        try:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path=shutil.which("chromium"), args=FLAGS
                )
                measure(browser, url, "home")  # the server's own first page
                print(f"{n:,} images; seconds until the first picture, of {ROUNDS} visits")
                print(f"{'page':12} {'median':>8} {'slowest':>8}")
                for page in PAGES:
                    seconds = [measure(browser, url, page) for _ in range(ROUNDS)]
                    print(f"{page:12} {statistics.median(seconds):8.2f} {max(seconds):8.2f}")
                browser.close()
        finally:
            server.terminate()
            server.wait(timeout=20)


def measure(browser, url: str, page: str) -> float:
    """One visit with an empty cache."""
    path, sign = PAGES[page]
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    tab = context.new_page()
    started = time.perf_counter()
    tab.goto(url + path)
    tab.wait_for_selector(sign, timeout=120_000)
    seconds = time.perf_counter() - started
    context.close()
    return seconds


if __name__ == "__main__":
    main()
