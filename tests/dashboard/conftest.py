"""What tests of the dashboard share: a filled workspace, and a script run without a browser."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from core import analysis
from core.indexing import index
from core.library import Library
from core.settings import Settings
from dashboard import state
from tests.core.tiny_models import drawn

ROOT = Path(__file__).parents[2]
MAIN = ROOT / "dashboard" / "main.py"
IMAGES = 30
HOSTILE = "<img src=x onerror=window.hacked=1>.png"
FOLDERS = ("Copepod", "Detritus")
IDS = [f"run/{FOLDERS[n % 2]}/{HOSTILE if n == 3 else f'{n:02d}.png'}" for n in range(IMAGES)]
"""In the order they were drawn."""

Open = Callable[..., AppTest]


@pytest.fixture(autouse=True)
def main_module() -> Iterator[None]:
    """An `AppTest` leaves its script as `__main__`, and child processes look there for theirs."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``pictures/run`` and ``workspace``: 30 images, labelled, a map, clusters."""
    base = tmp_path_factory.mktemp("dashboard")
    for id, image in zip(IDS, drawn(IMAGES, seed=5), strict=True):
        path = base / "pictures" / id
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    library = Library.open(Settings(workspace=base / "workspace"))
    source = str(base / "pictures" / "run")
    index(library, collection="run", source=source, labels_from="folder", samples_from="folder")
    view = library.vectors(library.catalogue.collection("run"))
    analysis.make_map(library, view, method="pca", seed=0)
    analysis.make_clustering(library, view, method="kmeans", k=3, seed=0)
    library.close()
    return base


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """No settings of whoever runs the tests, and nothing cached of another workspace."""
    caches = [found for found in vars(state).values() if hasattr(found, "cache_clear")]
    for name in [name for name in os.environ if name.startswith("PLANKTON_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(state, "on_localhost", lambda: True)
    monkeypatch.setattr(state, "has_login", lambda: False)
    yield monkeypatch
    for cache in caches:
        cache.cache_clear()


@pytest.fixture
def filled(made: Path, tmp_path: Path, clean: pytest.MonkeyPatch) -> Path:
    """A copy of the filled workspace, as the dashboard's own."""
    shutil.copytree(made / "workspace", tmp_path / "workspace")
    clean.setenv("PLANKTON_WORKSPACE", str(tmp_path / "workspace"))
    return tmp_path / "workspace"


@pytest.fixture
def empty(tmp_path: Path, clean: pytest.MonkeyPatch) -> Path:
    """A workspace that does not exist yet, as the dashboard's own."""
    clean.setenv("PLANKTON_WORKSPACE", str(tmp_path / "workspace"))
    return tmp_path / "workspace"


@pytest.fixture
def open_view() -> Open:
    """``open_view("map", colour="label")``: a page at a link, run once, without an exception."""

    def run(name: str = "home", **link: str) -> AppTest:
        at = AppTest.from_file(str(MAIN), default_timeout=60)
        if name != "home":
            at.switch_page(f"views/{name}.py")
        for key, value in link.items():
            at.query_params[key] = value
        return without_exception(at.run())

    return run


def without_exception(at: AppTest) -> AppTest:
    """The same, after a look for the red box."""
    assert not at.exception, [e.message for e in at.exception]
    return at


def said(at: AppTest) -> str:
    """Everything a page says, in one string."""
    parts = [at.title, at.subheader, at.markdown, at.caption, at.info, at.error, at.warning]
    return "\n".join(str(element.value) for part in parts for element in part)


def buttons(at: AppTest) -> list[str]:
    return [button.label for button in at.button]
