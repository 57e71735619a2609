"""An index run killed at any moment and started again ends where an undisturbed one does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from core.library import Library
from core.settings import Settings
from core.store import Store, chroma_name
from tests.core.conftest import ROOT, Pictures, quiet_environment, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SMALL_BATCHES = """
import sys
import core.indexing, core.target
core.indexing.BATCH, core.target.BATCH, core.target.FIT_IMAGES = 16, 16, {fit}
from core.__main__ import main
sys.exit(main(sys.argv[1:]))
"""
"""The command line with batches small enough for 200 pictures to have many."""


@dataclass
class Place:
    """One workspace and the files by which one sees how far a run has come."""

    root: Path
    pictures: Path
    fit: int

    def start(self, *more: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [
                *(sys.executable, "-c", SMALL_BATCHES.format(fit=self.fit)),
                *("index", str(self.pictures), "--collection", "c", "--workspace", str(self.root)),
                *("--json", *more),
            ],
            cwd=ROOT,
            env=quiet_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def finish(self, *more: str) -> dict[str, int]:
        process = self.start(*more)
        out, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
        result: dict[str, int] = json.loads(out)
        return result

    def kill_when(self, moment: Callable[[], bool], *more: str) -> None:
        process = self.start(*more)
        wait_for(lambda: moment() or process.poll() is not None, timeout_s=200)
        assert process.poll() is None, "it ended before the moment to kill it came"
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        end = time.monotonic() + 15  # workers look for their parent twice a second
        while (left := session(process.pid)) and time.monotonic() < end:
            time.sleep(0.1)
        assert not left

    # how far it has come

    def thumbnails(self) -> int:
        return sum(1 for _ in self.root.glob("thumbnails/*/*/*.webp"))

    def measured(self) -> int:
        return self._rows("measures/*/*/*")

    def stored(self, generation: int) -> int:
        return self._rows(f"snapshots/*/*/g{generation}")

    def putting(self, generation: int) -> bool:
        """Chroma has a batch, or gets it, that the snapshot has not."""
        return any(self.root.glob(f"snapshots/*/*/g{generation}/pending.json"))

    def _rows(self, folder: str) -> int:
        found = 0
        for log in self.root.glob(f"{folder}/log.*.jsonl"):
            found += log.read_bytes().count(b".png")
        return found

    # where it ended

    def vectors(self) -> dict[str, np.ndarray]:
        """Of catalogue, snapshot and Chroma alike, each image once."""
        settings = Settings(workspace=self.root)
        library = Library.open(settings)
        try:
            collection = library.catalogue.collection("c")
            view = library.vectors(collection)
            held = dict(zip(view.snapshot.ids, np.array(view.snapshot.vectors), strict=True))
            catalogued = [image.id for image in library.catalogue.images(collection.uid)]
            assert len(catalogued) == len(set(catalogued)) == len(view.snapshot)
            assert set(catalogued) == set(held)
            with library.workspace.writing("a test"):
                store = Store.open(settings, library.workspace)
                writer = store.vectors(library.workspace, collection.uid, view.encoding)
                stored = writer.ids()
                assert len(stored) == len(set(stored)) and set(stored) == set(held)
                rows = writer.get(stored)
                for id, row in held.items():
                    np.testing.assert_allclose(rows[id], row, atol=1e-6)
                encoding = view.encoding
                assert store.names() == [
                    chroma_name(collection.uid, encoding.encoder, encoding.generation)
                ]
            folder = library.workspace.snapshots(collection.uid) / "descriptors"
            assert [p.name for p in folder.iterdir()] == [f"g{encoding.generation}"]
            return held
        finally:
            library.close()


def session(leader: int) -> list[str]:
    """Command lines of what still runs of a process's session, but for zombies."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            after_name = stat.read_text().rpartition(")")[2].split()
            line = (stat.parent / "cmdline").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(after_name[3]) == leader and after_name[0] not in "ZX":
            found.append(line)
    return found


def compare(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert found.keys() == expected.keys()
    for id, row in expected.items():
        np.testing.assert_allclose(found[id], row, atol=1e-6)


def test_killed_and_started_again(pictures: Pictures, tmp_path: Path):
    root = pictures(200)
    undisturbed = Place(tmp_path / "undisturbed", root, fit=100)
    assert undisturbed.finish()["indexed"] == 200
    expected = undisturbed.vectors()

    place = Place(tmp_path / "killed", root, fit=100)
    place.kill_when(lambda: place.thumbnails() >= 5)  # before anything was confirmed
    place.kill_when(lambda: place.measured() >= 32)  # before the fit
    place.kill_when(lambda: place.putting(1))  # while the first vectors are written
    place.kill_when(lambda: place.stored(1) >= 160)  # after the fit, with images to come
    done = place.finish()
    assert done["indexed"] + done["already"] == 200
    compare(place.vectors(), expected)
    assert place.finish()["already"] == 200


def test_killed_while_fitted_anew(pictures: Pictures, tmp_path: Path):
    """New images below the size of the fit, and pixel sizes: the old vectors stay until then."""
    root = pictures(60)
    place = Place(tmp_path / "killed", root, fit=2_000)
    assert place.finish()["indexed"] == 60
    before = place.vectors()
    pictures(60, seed=1, start=60)
    place.kill_when(lambda: place.stored(2) >= 32)
    library = Library.open(Settings(workspace=place.root))
    view = library.vectors(library.catalogue.collection("c"))
    library.close()
    compare(dict(zip(view.snapshot.ids, np.array(view.snapshot.vectors), strict=True)), before)
    place.kill_when(lambda: place.stored(2) >= 64)  # begun anew, and killed anew
    assert place.finish()["indexed"] == 60
    undisturbed = Place(tmp_path / "undisturbed", root, fit=2_000)
    undisturbed.finish()
    compare(place.vectors(), undisturbed.vectors())
    place.kill_when(lambda: place.putting(3), "--um-per-px", "2.5")
    assert place.finish()["already"] == 120  # the fit that was due is made, unasked
    undisturbed.finish("--um-per-px", "2.5")
    compare(place.vectors(), undisturbed.vectors())
