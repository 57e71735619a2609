"""A workspace with one collection, made once a session; tests take a copy of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from core.indexing import index
from core.library import Library
from core.settings import Settings
from tests.core.tiny_models import drawn

IMAGES = 20
FOLDERS = ("Copepod", "Detritus")
IDS = [f"run/{FOLDERS[n % 2]}/{n:02d}.png" for n in range(IMAGES)]
"""In the order they were drawn; the last is a copy of the first."""
UNLABELLED = 40


def prepared(factory: pytest.TempPathFactory, workspace: Path) -> Path:
    """A copy of the workspace that holds the collection ``run``, labelled by folder."""
    base = factory.getbasetemp() / "prepared"
    if not base.exists():
        _prepare(base)
    shutil.copytree(base / "workspace", workspace)
    return workspace


def unlabelled(factory: pytest.TempPathFactory, workspace: Path) -> Path:
    """A copy of a workspace whose collection ``run`` holds `UNLABELLED` drawn images, no labels."""
    base = factory.getbasetemp() / "unlabelled"
    if not base.exists():
        for n, image in enumerate(drawn(UNLABELLED, seed=5)):
            path = base / "run" / ("a" if n % 2 else "b") / f"{n:02d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path)
        library = Library.open(Settings(workspace=base / "workspace"))
        index(library, collection="run", source=str(base / "run"))
        library.close()
    shutil.copytree(base / "workspace", workspace)
    return workspace


def source(factory: pytest.TempPathFactory) -> Path:
    """The folder its images were indexed from; tests leave it as it is."""
    return factory.getbasetemp() / "prepared" / "run"


def _prepare(base: Path) -> None:
    images = [*drawn(IMAGES - 1, seed=11)]
    for id, image in zip(IDS, [*images, images[0]], strict=True):
        path = base / id
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    library = Library.open(Settings(workspace=base / "workspace"))
    done = index(library, collection="run", source=str(base / "run"), labels_from="folder")
    library.close()
    assert done.indexed == IMAGES, done.skipped


def answer(capsys: pytest.CaptureFixture[str], status: int) -> Any:
    """The one JSON object that a command which works has printed."""
    out, err = capsys.readouterr()
    assert status == 0, err
    assert out.count("\n") == 1
    return json.loads(out, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))
