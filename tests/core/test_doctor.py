"""Every kind of damage is found, named and mended, and nothing is touched without being asked."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core import analysis, doctor
from core.arrays import unit_rows
from core.catalogue import NewImage
from core.library import Library
from core.settings import Settings
from core.snapshot import SnapshotWriter
from core.store import Store, VectorWriter
from tests.core.prepared import IDS, IMAGES, prepared

Damage = Callable[[Library], None]


@pytest.fixture
def library(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    prepared(tmp_path_factory, settings.workspace)
    opened = Library.open(settings)
    yield opened
    opened.close()


def uid_of(library: Library) -> str:
    return library.catalogue.collection("run").uid


def snapshot_folder(library: Library) -> Path:
    collection = library.catalogue.collection("run")
    encoding = library.catalogue.encoding(collection)
    return library.workspace.snapshot(collection.uid, encoding.encoder, encoding.generation)


def writer_of(library: Library) -> VectorWriter:
    collection = library.catalogue.collection("run")
    store = Store.open(library.settings, library.workspace)
    encoding = library.catalogue.encoding(collection)
    return store.vectors(library.workspace, collection.uid, encoding, recover=False)


def lost_thumbnails(library: Library) -> None:
    some = sorted(library.workspace.thumbnails(uid_of(library)).rglob("*.webp"))
    some[0].unlink()
    some[1].write_bytes(b"")


def lost_snapshot(library: Library) -> None:
    shutil.rmtree(snapshot_folder(library))


def cut_snapshot(library: Library) -> None:
    (path,) = snapshot_folder(library).glob("rows.*")
    path.write_bytes(path.read_bytes()[:1000])


def cut_log(library: Library) -> None:
    (path,) = snapshot_folder(library).glob("log.*")
    path.write_bytes(path.read_bytes()[:-5])


def scribbled_state(library: Library) -> None:
    (snapshot_folder(library) / "current.json").write_text("{}")


def lost_rows(library: Library) -> None:
    with library.workspace.writing("test"):
        writer_of(library)._collection.delete(ids=IDS[:3])


def lost_store(library: Library) -> None:
    shutil.rmtree(library.workspace.chroma)


def lost_chroma_collection(library: Library) -> None:
    with library.workspace.writing("test"):
        store = Store.open(library.settings, library.workspace)
        for name in store.names():
            store.drop_named(name)


def rows_without_images(library: Library) -> None:
    with library.workspace.writing("test"):
        writer = writer_of(library)
        rows = unit_rows(np.ones((1, writer.snapshot.dimension)))
        writer.put(["run/gone.png"], ["/gone"], rows)


def row_only_in_the_store(library: Library) -> None:
    with library.workspace.writing("test"):
        writer_of(library).snapshot.remove([IDS[2]])


def folders_of_nobody(library: Library) -> None:
    for part in ("snapshots", "measures", "thumbnails", "maps", "clusterings"):
        (library.workspace.root / part / "0123456789abcdef").mkdir(parents=True)


def another_generation(library: Library) -> None:
    folder = snapshot_folder(library).with_name("g99")
    SnapshotWriter(folder, dimension=3)


def unused_vectors(library: Library) -> None:
    collection = library.catalogue.collection("run")
    encoding = replace(library.catalogue.encoding(collection), generation=99)
    with library.workspace.writing("test"):
        store = Store.open(library.settings, library.workspace)
        store.vectors(library.workspace, collection.uid, encoding)
    shutil.rmtree(library.workspace.snapshot(collection.uid, encoding.encoder, 99))


def damaged_map(library: Library) -> None:
    view = library.vectors(library.catalogue.collection("run"))
    analysis.make_map(library, view, method="pca", seed=0)
    path = library.workspace.projection(uid_of(library), "descriptors", "pca")
    path.write_bytes(path.read_bytes()[:-9])


DAMAGE: list[tuple[Damage, str]] = [
    (lost_thumbnails, "run: 2 thumbnails are missing"),
    (lost_snapshot, "run / descriptors: the snapshot cannot be read"),
    (cut_snapshot, "run / descriptors: the snapshot cannot be read"),
    (cut_log, "vectors are in the store and not in the snapshot, such as 'run/"),
    (scribbled_state, "run / descriptors: the snapshot cannot be read"),
    (lost_rows, "run / descriptors: 3 vectors are in the snapshot and not in the store"),
    (lost_store, f"run / descriptors: {IMAGES} vectors are in the snapshot and not in the store"),
    (lost_chroma_collection, f"{IMAGES} vectors are in the snapshot and not in the store"),
    (rows_without_images, "1 vectors belong to no image of the catalogue, such as 'run/gone.png'"),
    (row_only_in_the_store, "1 vectors are in the store and not in the snapshot"),
    (folders_of_nobody, "maps/0123456789abcdef belongs to no collection"),
    (another_generation, "g99 belongs to no encoder's vectors"),
    (unused_vectors, "1 unused sets of vectors are in the store"),
    (damaged_map, "cannot be read; make it again with `project --collection run`"),
]


def contents(folder: Path) -> dict[str, bytes]:
    """Every file but locks and those Chroma writes anew whenever it opens a store."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and path.suffix not in (".lock", ".sqlite-shm", ".sqlite-wal")
        and path.relative_to(folder).parts[0] != "chroma"
    }


def stored(library: Library) -> list[str]:
    with library.workspace.writing("test"):
        return sorted(writer_of(library).ids())


def rows(library: Library) -> np.ndarray:
    view = library.vectors(library.catalogue.collection("run"))
    order = [view.snapshot.ids.index(id) for id in IDS]
    assert len(order) == len(view.snapshot)
    return np.asarray(view.snapshot.vectors)[order]


def test_a_sound_workspace(library: Library):
    assert doctor.examine(library) == {"ok": True, "problems": []}


def test_an_empty_workspace(settings: Settings):
    library = Library.open(settings)
    before = contents(settings.workspace)
    assert doctor.examine(library) == {"ok": True, "problems": []}
    assert contents(settings.workspace) == before
    assert not library.workspace.chroma.exists()
    assert doctor.examine(library, repair=True)["ok"]
    library.close()


@pytest.mark.parametrize(("damage", "words"), DAMAGE, ids=[d.__name__ for d, _ in DAMAGE])
def test_damage_is_found_and_mended(library: Library, damage: Damage, words: str):
    sound = rows(library)
    damage(library)
    before = contents(library.workspace.root)

    found = doctor.examine(library)
    assert not found["ok"]
    assert any(words in problem for problem in found["problems"]), found["problems"]
    assert contents(library.workspace.root) == before

    mended = doctor.examine(library, repair=True)
    assert mended["ok"], mended["problems"]
    assert mended["repaired"]
    assert doctor.examine(library) == {"ok": True, "problems": []}
    assert stored(library) == sorted(IDS)
    # what Chroma gives back differs in the last digit
    np.testing.assert_allclose(rows(library), sound, atol=1e-6)


def test_images_without_a_vector(library: Library):
    new = NewImage("run/new.png", "run", "new.png", "1", "")
    library.catalogue.put_images(uid_of(library), [new])
    for repair in (False, True):
        (problem,) = doctor.examine(library, repair=repair)["problems"]
        assert "1 images have no vector; run `index --collection run --encoder desc" in problem


def test_a_thumbnail_of_an_image_that_is_gone(library: Library):
    lost_thumbnails(library)
    library.catalogue.relocate(uid_of(library), "run", "/nowhere")
    found = doctor.examine(library, repair=True)
    assert any("2 thumbnails are missing and their images are gone" in p for p in found["problems"])


def test_an_encoder_that_changed(library: Library):
    collection = library.catalogue.collection("run")
    encoding = library.catalogue.encoding(collection)
    older = replace(encoding.identity, preprocessing=encoding.identity.preprocessing + 1)
    library.catalogue.put_encoding(collection.uid, replace(encoding, identity=older))
    (problem,) = doctor.examine(library, repair=True)["problems"]
    assert "the encoder installed is not the one that made these; encode all again" in problem
    assert "index --collection run --encoder descriptors --again" in problem


def test_a_library_that_computes_otherwise_now(library: Library):
    with library.workspace.writing("test"):
        writer = writer_of(library)
        rows = writer.snapshot.read(IDS)
        writer.put(IDS, IDS, unit_rows(rows + 0.3))
    (problem,) = doctor.examine(library)["problems"]
    assert "images encoded again differ from what is stored (1 - cosine up to" in problem


def test_a_copy_of_a_store_that_was_left_behind(library: Library):
    left = library.workspace.uploads / "chroma-abc"
    left.mkdir(parents=True)
    (left / "chroma.sqlite3").write_bytes(b"half")
    found = doctor.examine(library)
    assert any("uploads/chroma-abc is a copy" in problem for problem in found["problems"])
    assert left.exists()
    assert doctor.examine(library, repair=True)["ok"]
    assert not left.exists()
