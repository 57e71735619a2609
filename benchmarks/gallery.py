"""Is the gallery smooth with 500 tiles, and whole with 2,000?

Serves made-up pictures under the real gallery and drives it in headless Chromium: how long until
the first pictures are there, what a frame costs while scrolling, how long a click, a rubber band
and "a" take to be answered, and what the browser works for a rerun that changes nothing.

    python benchmarks/gallery.py [TILES ...]
"""

from __future__ import annotations

import argparse
import json
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from functools import lru_cache
from pathlib import Path

import streamlit as st
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
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
ROUNDS = 3
# what of the grid is in the window, and how much of that has its picture
IN_VIEW = """() => {
  const host = [...document.querySelectorAll('[data-testid=stBidiComponentIsolated]')]
    .find((h) => h.shadowRoot?.querySelector('.tile'));
  if (!host) return [0, 0];
  const images = [...host.shadowRoot.querySelectorAll('.tile img')].filter((image) => {
    const box = image.parentElement.getBoundingClientRect();
    return box.bottom > 0 && box.top < innerHeight;
  });
  return [images.length, images.filter((i) => i.complete && i.naturalWidth).length];
}"""
SCROLL = """() => new Promise((done) => {
  const main = document.querySelector('[data-testid=stMain]');
  const frames = [];
  let before = performance.now();
  const end = main.scrollHeight - main.clientHeight;
  const step = (now) => {
    frames.push(now - before);
    before = now;
    main.scrollTop += 40;
    if (main.scrollTop < end - 1) requestAnimationFrame(step);
    else done({ frames: frames.slice(2), height: end });
  };
  requestAnimationFrame(step);
})"""


@lru_cache(maxsize=512)
def picture(row: int) -> bytes:
    """A made-up vignette of about the size a thumbnail has."""
    import numpy as np

    from core.images import thumbnail

    rng = np.random.default_rng(row)
    y, x = np.mgrid[-1:1:160j, -1:1:200j]
    body = np.exp(-6 * ((x * rng.uniform(0.6, 2)) ** 2 + (y * rng.uniform(0.6, 2)) ** 2))
    grey = 200 - 150 * body + rng.normal(0, 6, body.shape)
    return thumbnail(np.repeat(grey[..., None], 3, axis=2).clip(0, 255).astype(np.uint8))


def script() -> None:
    """The page: the gallery, and what it told."""
    from dashboard.parts.gallery import Tile, gallery

    n = int(st.query_params.get("n", 500))
    st.set_page_config(layout="wide")
    st.sidebar.button("Run again")
    tiles = [
        Tile(f"/thumb/{row}", f"made up {row:05}.png", (f"distance {row / n:.3f}", "ESD 96 µm"),
             width=200, height=160, um_per_px=1.1)
        for row in range(n)
    ]  # fmt: skip
    event = gallery(tiles, key="grid", revision=f"{n}")
    st.session_state.events = st.session_state.get("events", 0) + (event is not None)
    st.session_state.runs = st.session_state.get("runs", 0) + 1
    if event is not None:
        st.session_state.chosen = len(event.selected)
    sent = json.dumps(st.session_state.get("grid", {}), default=str)
    st.sidebar.code(
        f"runs {st.session_state.runs} events {st.session_state.events} "
        f"chosen {st.session_state.get('chosen', 0)} bytes {len(sent)} ."
    )


def serve() -> tuple[subprocess.Popen[bytes], str]:
    """This file as an application on a free port, once it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", __file__, "--server.port", str(port),
         "--server.headless", "true", "--server.fileWatcherType", "none"],
        cwd=Path(__file__).resolve().parent.parent,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    for _ in range(120):
        try:
            with urllib.request.urlopen(f"{url}/_stcore/health", timeout=2):
                return server, url
        except OSError:
            time.sleep(0.5)
    server.terminate()
    raise SystemExit("the page did not start within a minute")


def measure(browser, url: str, n: int) -> dict[str, float]:
    """One visit with an empty cache."""
    from playwright.sync_api import expect

    context = browser.new_context(viewport={"width": 1400, "height": 900})
    page = context.new_page()
    page.set_default_timeout(120_000)
    expect.set_options(timeout=120_000)
    told = page.locator("[data-testid=stSidebar] code")
    cdp = context.new_cdp_session(page)
    cdp.send("Performance.enable")

    def worked() -> float:
        metrics = cdp.send("Performance.getMetrics")["metrics"]
        return 1000 * next(m["value"] for m in metrics if m["name"] == "TaskDuration")

    def answered(act, sign: str) -> float:
        started = time.perf_counter()
        act()
        expect(told).to_contain_text(sign)
        return 1000 * (time.perf_counter() - started)

    started = time.perf_counter()
    page.goto(f"{url}/?n={n}")
    page.wait_for_function(f"() => {{ const [n, there] = ({IN_VIEW})(); return n && there === n }}")
    found = {"first pictures (ms)": 1000 * (time.perf_counter() - started)}
    tile = page.locator(".tile")
    expect(tile).to_have_count(n)
    expect(told).to_contain_text("runs 1 ")
    page.wait_for_timeout(800)
    loaded = page.locator(".tile img").evaluate_all("all => all.filter(i => i.complete).length")
    found["pictures fetched before scrolling"] = loaded

    found["click answered (ms)"] = answered(tile.nth(5).click, "events 1 ")
    found["a selects all, answered (ms)"] = answered(lambda: page.keyboard.press("a"), "events 2 ")
    expect(told).to_contain_text(f"chosen {n} ")
    found["bytes of that event"] = int(told.inner_text().split("bytes ")[1].split(" ")[0])
    before = worked()
    again = page.get_by_role("button", name="Run again")
    found["rerun, nothing changed (ms)"] = answered(again.click, "runs 4 ")
    page.wait_for_timeout(300)
    found["of that the browser's work (ms)"] = worked() - before

    before = worked()
    scrolled = page.evaluate(SCROLL)
    found["work per screen scrolled (ms)"] = (worked() - before) / (scrolled["height"] / 900)
    frames = sorted(scrolled["frames"])
    found["scrolling: median frame (ms)"] = statistics.median(frames)
    found["scrolling: 95 % of frames under (ms)"] = frames[int(0.95 * len(frames))]
    found["scrolling: slowest frame (ms)"] = frames[-1]
    context.close()
    return found


def main() -> None:
    """Serve, open, print."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tiles", nargs="*", type=int, default=[500, 2_000])
    sizes = parser.parse_args().tiles
    server, url = serve()
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=FLAGS
            )
            measure(browser, url, 24)  # the server's own first page
            rounds = {n: [measure(browser, url, n) for _ in range(ROUNDS)] for n in sizes}
            browser.close()
    finally:
        server.terminate()
        server.wait(timeout=20)
    print(f"{'medians of ' + str(ROUNDS) + ' visits':40}", *(f"{n:>7,} tiles" for n in sizes))
    for name in rounds[sizes[0]][0]:
        medians = [statistics.median(one[name] for one in rounds[n]) for n in sizes]
        print(f"{name:40}", *(f"{value:13.1f}" for value in medians))


async def thumb(request: Request) -> Response:
    return Response(
        picture(request.path_params["row"]),
        media_type="image/webp",
        headers={"Cache-Control": "private, max-age=31536000, immutable"},
    )


if st.runtime.scriptrunner.get_script_run_ctx(suppress_warning=True) is not None:
    script()
elif __name__ == "__main__":
    main()
else:
    app = st.App(Path(__file__).resolve(), routes=[Route("/thumb/{row:int}", thumb)])
