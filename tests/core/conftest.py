"""What tests of the core share: a workspace of their own and folders of drawn pictures."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.arrays import Vectors, unit_rows
from core.library import Library
from core.settings import Settings
from tests.core.tiny_models import drawn

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data"
"""Real images for development; tests that want them skip when they are not there."""

Pictures = Callable[..., Path]
Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(workspace=tmp_path / "workspace")


@pytest.fixture
def library(settings: Settings) -> Iterator[Library]:
    opened = Library.open(settings)
    yield opened
    opened.close()


@pytest.fixture
def pictures(tmp_path: Path) -> Pictures:
    """Writes a folder: ``pictures(40, seed=1, name="run", folders=("Copepod", "Detritus"))``."""

    def write(
        n: int, *, seed: int = 0, name: str = "run", folders: Sequence[str] = (), start: int = 0
    ) -> Path:
        root = tmp_path / name
        for number, image in enumerate(drawn(n, seed=seed), start):
            folder = root / folders[number % len(folders)] if folders else root
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(folder / f"{number:05d}.png")
        return root

    return write


@pytest.fixture
def command(settings: Settings) -> Command:
    """Runs ``python -m core ...`` on the test's workspace in a process of its own."""

    def run(*arguments: str, timeout_s: float = 240) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "core", *arguments, "--workspace", str(settings.workspace)],
            cwd=ROOT,
            env=quiet_environment(),
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    return run


def quiet_environment() -> dict[str, str]:
    """The environment without settings of whoever runs the tests, one thread a process."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PLANKTON_")}
    return kept | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def rows_of(n: int, d: int, *, seed: int = 0) -> Vectors:
    """(n, d) unit rows drawn with this seed."""
    return unit_rows(np.random.default_rng(seed).normal(size=(n, d)))


@contextlib.contextmanager
def chroma_server(folder: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A ``chroma run`` of its own on a free loopback port: its url and its process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = Path(sys.executable).with_name("chroma")
    options = ["--path", str(folder), "--host", "127.0.0.1", "--port", str(port)]
    server = subprocess.Popen(
        [program, "run", *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=quiet_environment() | {"ANONYMIZED_TELEMETRY": "False"},
    )
    try:
        wait_for(lambda: answers(port), timeout_s=60)
        yield f"http://127.0.0.1:{port}", server
    finally:
        server.kill()
        server.wait()


def answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def wait_for(what: Callable[[], object], *, timeout_s: float) -> None:
    """Look until it is so; fails after the time."""
    end = time.monotonic() + timeout_s
    while not what():
        assert time.monotonic() < end, f"not so after {timeout_s} s"
        time.sleep(0.02)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The url of a Chroma server that all tests share."""
    with chroma_server(tmp_path_factory.mktemp("server")) as (url, _):
        yield url
