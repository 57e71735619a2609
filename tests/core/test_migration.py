"""Workspaces that earlier versions made are opened, searched, indexed into and found healthy.

`workspaces/formatN` was made by the program as it was, format 1 by commit 7b7db8b: three drawn
pictures inside the workspace indexed with `--labels folder --um-per-px 2.5`, one label by a person,
`project --method pca`, `cluster --method kmeans --k 2`, and the lock taken away. When the format
grows, the one of the version before is made likewise, of its own pictures, and put beside it.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core import doctor, exporting, labels, matching
from core.analysis import maps, placed_map
from core.errors import WorkspaceError
from core.indexing import index
from core.library import Library
from core.settings import Settings
from core.workspace import FORMAT, Workspace
from tests.core.conftest import Command

KEPT = Path(__file__).parent / "workspaces"
DRAWN_NS = 1_767_268_800 * 10**9
"""When the pictures were drawn; a checkout does not keep it."""
IDS = ["pictures/Disc/deep.png", "pictures/Disc/disc.png", "pictures/Rod/rod.png"]


@pytest.fixture(params=sorted(path.name for path in KEPT.iterdir()))
def workspace(request: pytest.FixtureRequest, settings: Settings) -> Path:
    """A copy of one of them, elsewhere than where it was made."""
    shutil.copytree(KEPT / request.param, settings.workspace)
    for path in (settings.workspace / "pictures").rglob("*.png"):
        os.utime(path, ns=(DRAWN_NS, DRAWN_NS))
    return settings.workspace


@pytest.fixture
def old(workspace: Path, settings: Settings) -> Iterator[Library]:
    opened = Library.open(settings)
    yield opened
    opened.close()


def test_every_format_there_was_is_kept():
    assert {path.name for path in KEPT.iterdir()} >= {f"format{n + 1}" for n in range(FORMAT)}
    for path in KEPT.iterdir():
        stated = json.loads((path / "workspace.json").read_text())["format"]
        assert path.name == f"format{stated}"
        assert sum(f.stat().st_size for f in path.rglob("*") if f.is_file()) < 2**20


def test_images_and_decisions_are_there(old: Library, workspace: Path):
    collection = old.catalogue.collection("small")
    images = old.catalogue.images(collection.uid)
    assert [image.id for image in images] == IDS
    assert [image.uri for image in images] == [f"{workspace}/{id}" for id in IDS]
    assert {image.um_per_px for image in images} == {2.5}
    known = labels.current(old.catalogue, collection.uid)
    assert [known[id].label for id in IDS] == ["Disc", "Disc", "Rhizosolenia"]
    assert labels.decided_by_people(old.catalogue, collection.uid) == {IDS[2]}


def test_it_is_searched(old: Library, workspace: Path):
    view = old.vectors(old.catalogue.collection("small"))
    found = matching.similar_to_id(old, view, IDS[1], k=2)
    assert [(m.image.id, round(m.distance, 4)) for m in found.matches] == [
        (IDS[1], 0.0),
        (IDS[0], 1.0868),
        (IDS[2], 1.4092),
    ]
    for id in IDS:  # as the pictures were encoded then
        data = (workspace / id).read_bytes()
        again = matching.similar_to_image(old, view, data, name=id, k=1, um_per_px=2.5)
        assert again.matches[0].image.id == id
        assert again.matches[0].distance == pytest.approx(0, abs=1e-6)


def test_its_map_and_clusters_are_used(old: Library, tmp_path: Path):
    view = old.vectors(old.catalogue.collection("small"))
    assert "pca" in maps(old, view)
    assert np.isfinite(placed_map(old, view, method="pca").coordinates).all()
    done = exporting.export(old, view, to=tmp_path / "small.csv", format="csv")
    assert done["images"] == 3
    assert "Rhizosolenia" in (tmp_path / "small.csv").read_text("utf-8")


def test_it_is_healthy_and_nothing_is_read_again(old: Library, workspace: Path):
    assert doctor.examine(old) == {"ok": True, "problems": []}
    done = index(old, collection="small", source=str(workspace / "pictures"))
    assert (done.indexed, done.updated, done.already, done.skipped) == (0, 0, 3, [])
    assert done.value_range is None  # its deep picture was encoded by its stated depth


def test_it_is_indexed_into(old: Library, workspace: Path):
    y, x = np.mgrid[:40, :40] - 19.5
    ring = np.where(np.abs(np.hypot(x, y) - 14) < 3, 50, 215).astype(np.uint8)
    Image.fromarray(ring).save(workspace / "pictures" / "ring.png")
    done = index(old, collection="small", source=str(workspace / "pictures"), um_per_px=2.5)
    assert (done.indexed, done.updated, done.already) == (1, 0, 3)
    view = old.vectors(old.catalogue.collection("small"))
    assert set(view.snapshot.ids) == {*IDS, "pictures/ring.png"}
    assert labels.current(old.catalogue, view.collection.uid)[IDS[2]].label == "Rhizosolenia"
    assert doctor.examine(old) == {"ok": True, "problems": []}


def test_its_snapshot_is_made_again_from_its_store(old: Library, workspace: Path):
    before = old.vectors(old.catalogue.collection("small")).snapshot
    rows = {id: np.array(before.vectors[n]) for n, id in enumerate(before.ids)}
    del before
    shutil.rmtree(workspace / "snapshots")
    assert doctor.examine(old, repair=True)["ok"]
    after = old.vectors(old.catalogue.collection("small")).snapshot
    assert set(after.ids) == set(IDS)
    for n, id in enumerate(after.ids):
        assert after.vectors[n] == pytest.approx(rows[id], abs=1e-6)


@pytest.mark.slow
def test_the_command_line_works_on_it(workspace: Path, command: Command):
    listed = json.loads(command("collections", "--json").stdout)["collections"]
    assert [(c["name"], c["encoder"], c["images"]) for c in listed] == [("small", "descriptors", 3)]


def test_a_newer_one_is_refused_untouched(workspace: Path, settings: Settings):
    marker = workspace / "workspace.json"
    marker.write_text(json.dumps({"format": FORMAT + 1}))
    before = {path: path.stat().st_mtime_ns for path in workspace.rglob("*")}
    with pytest.raises(WorkspaceError, match="update Plankton Explorer"):
        Workspace.open(settings)
    with pytest.raises(WorkspaceError, match=f"has format {FORMAT + 1}"):
        Library.open(settings)
    assert {path: path.stat().st_mtime_ns for path in workspace.rglob("*")} == before
