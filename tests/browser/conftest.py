"""A real Chromium, and the real `streamlit run` for it to look at.

Everything ends with this package: playwright's synchronous interface keeps an event loop running,
which tests elsewhere must not meet.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

ROOT = Path(__file__).parents[2]
START_S = 60
PATIENCE_MS = 30_000  # machines that draw WebGL in software are slow
# as root without a sandbox; nothing fetched in the background; WebGL in software
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

Serve = Callable[..., str]
OpenPage = Callable[..., Page]


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """The system's Chromium; the test is skipped where there is none."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("no Chromium on this machine: install the system's chromium package")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """`serve(app_path, env) -> url`: start an application; every one ends with the package."""
    started: list[subprocess.Popen[bytes]] = []

    def start(app: Path | str, env: Mapping[str, str] | None = None) -> str:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        folder = tmp_path_factory.mktemp("server")
        log, own = folder / "log", {"PLANKTON_WORKSPACE": str(folder / "workspace")}
        command = [sys.executable, "-m", "streamlit", "run", str(app)]
        command += ["--server.port", str(port), "--server.address", "127.0.0.1"]
        command += ["--server.headless", "true", "--server.fileWatcherType", "none"]
        command += ["--browser.gatherUsageStats", "false"]
        with log.open("wb") as out:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**os.environ, **own, **(env or {})},
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        started.append(process)
        url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + START_S
        while not healthy(url):
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"{app} did not start: {log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.2)
        return url

    yield start
    for process in started:
        try:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(10)
        except ProcessLookupError:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)


def healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/_stcore/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


@pytest.fixture(scope="package")
def context(chromium: Browser) -> Iterator[BrowserContext]:
    """One for all, so that Streamlit's own files are fetched and compiled once."""
    context = chromium.new_context()
    expect.set_options(timeout=PATIENCE_MS)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[OpenPage]:
    """`page(url, width=, height=, dark=) -> Page`; an uncaught error on any of them fails."""
    pages: list[Page] = []
    errors: list[str] = []

    def open_page(url: str, *, width: int = 1400, height: int = 900, dark: bool = False) -> Page:
        opened = context.new_page()
        pages.append(opened)
        opened.set_viewport_size({"width": width, "height": height})
        opened.emulate_media(color_scheme="dark" if dark else "light")
        opened.set_default_timeout(PATIENCE_MS)
        opened.on("pageerror", lambda error: errors.append(str(error)))
        opened.goto(url)
        return opened

    yield open_page
    for opened in pages:
        opened.close()
    assert not errors, f"uncaught errors on the page: {errors}"
