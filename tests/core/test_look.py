"""`python -m core look`: what a source is, before it is indexed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.__main__ import main
from core.settings import Settings
from tests.core.conftest import DATA, Pictures

Run = Callable[..., Any]


@pytest.fixture
def run(settings: Settings, capsys: pytest.CaptureFixture[str]) -> Run:
    """Gives exit status, the JSON printed (None when there is none) and what stderr says."""

    def call(*arguments: str) -> tuple[int, Any, str]:
        status = main(["look", *arguments, "--json", "--workspace", str(settings.workspace)])
        out, err = capsys.readouterr()
        return status, json.loads(out) if out else None, err

    return call


def test_fields_of_a_folder(run: Run, pictures: Pictures):
    folder = pictures(14, folders=("Copepod", "Detritus"))
    (folder / "notes.txt").write_text("words")
    status, told, err = run(str(folder), "--um-per-px", "0.5", "--samples", "folder")
    assert (status, err) == (0, "")
    assert told["kind"] == "Folder"
    assert (told["noun"], told["name"], told["count"]) == ("pictures", "run", 14)
    assert (told["um_per_px"], told["um_per_px_range"]) == (0.5, [0.5, 0.5])
    assert (told["samples"], told["labelled"], told["dates"]) == (2, 0, None)
    assert told["skipped_count"] == 1
    assert told["skipped"] == [
        {"uri": str(folder / "notes.txt"), "reason": "not a picture (.txt)", "count": 1}
    ]
    assert told["sentence"] == "Folder, 14 pictures in 2 samples, 0.5 µm/px"
    assert told["notes"] == []
    assert len(told["first"]) == 12
    assert told["first"][0] == {
        "id": "run/Copepod/00000.png", "uri": str(folder / "Copepod" / "00000.png"),
    }  # fmt: skip
    assert "why" not in told


def test_a_pixel_size_that_is_not_known_says_why(run: Run, pictures: Pictures):
    _, told, _ = run(str(pictures(2)), "--labels", "folder", "--source-name", "mine")
    assert told["um_per_px"] is None
    assert "--um-per-px" in told["why"]
    assert told["first"][0]["id"] == "mine/00000.png"


def test_labels_from_folders(run: Run, pictures: Pictures):
    _, told, _ = run(str(pictures(4, folders=("Copepod", "Detritus"))), "--labels", "folder")
    assert (told["labelled"], told["labels"]) == (4, ["Copepod", "Detritus"])


@pytest.mark.parametrize("where", ["nowhere", "", "ftp://example.org/x", "chroma:x#y"])
def test_what_is_no_source_is_one_line(run: Run, tmp_path: Path, where: str):
    status, told, err = run(str(tmp_path / where) if where == "nowhere" else where)
    assert (status, told) == (2, None)
    assert err.startswith("error: ")
    assert err.count("\n") == 1


def test_nothing_is_brought_in(run: Run, pictures: Pictures, settings: Settings):
    run(str(pictures(3)))
    assert not (settings.workspace / "thumbnails").exists()


@pytest.mark.skipif(not DATA.is_dir(), reason="the real images are not on this machine")
def test_real_pictures(run: Run):
    status, told, _ = run(str(DATA / "plankton_camera"), "--labels", "folder")
    assert status == 0
    assert told["labelled"] == told["count"] > 1_000
