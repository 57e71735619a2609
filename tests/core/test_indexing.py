"""From a folder of pictures to vectors, with the real encoder and a real Chroma."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core import labels, target
from core.catalogue import Collection
from core.errors import EncoderError, IdentityError, NotFoundError, SourceError, StoreError
from core.indexing import IndexReport, index
from core.labels import IMPORT
from core.library import Library
from core.managing import delete
from core.preparing import thumbnail_path
from core.settings import Settings
from core.snapshot import open_snapshot
from core.sources.base import ImageRef, Skipped
from core.store import Store, chroma_name
from core.target import FittedTarget, Target, rescale
from tests.core.conftest import DATA, Pictures, chroma_server
from tests.core.tiny_models import drawn

TIMM = "timm:test_resnet/random"
slow = pytest.mark.slow


def vectors(library: Library, encoder: str | None = None) -> dict[str, np.ndarray]:
    """id -> vector, and a look at whether everything that keeps them agrees."""
    collection = library.catalogue.collection("c")
    view = library.vectors(collection, encoder)
    held = dict(zip(view.snapshot.ids, np.array(view.snapshot.vectors), strict=True))
    store = Store.open(library.settings, library.workspace)
    writer = store.vectors(library.workspace, collection.uid, view.encoding, recover=False)
    assert sorted(writer.ids()) == sorted(held)
    assert held.keys() <= library.catalogue.stamps(collection.uid).keys()
    stored = writer.get(list(held))
    for id, row in held.items():
        np.testing.assert_allclose(stored[id], row, atol=2e-7)
    return held


def counts(report: IndexReport) -> tuple[int, int, int, int]:
    return report.indexed, report.updated, report.already, report.skipped_count


def touch(path: Path, image: np.ndarray) -> None:
    Image.fromarray(image).save(path)
    os.utime(path, ns=(time.time_ns(), time.time_ns() + 10**9))


def test_a_folder_is_indexed_once(library: Library, pictures: Pictures):
    root = pictures(12)
    (root / "notes.txt").write_text("no picture")
    (root / "torn.png").write_bytes((root / "00000.png").read_bytes()[:60])
    first = index(library, collection="c", source=str(root))
    assert counts(first) == (12, 0, 0, 2)
    assert {Path(s.uri).name for s in first.skipped} == {"notes.txt", "torn.png"}
    assert all(s.reason for s in first.skipped)
    before = vectors(library)
    assert sorted(before) == [f"run/{n:05d}.png" for n in range(12)]
    second = index(library, collection="c", source=str(root))
    assert counts(second) == (0, 0, 12, 2) and not second.refitted
    assert {id: row.tobytes() for id, row in vectors(library).items()} == {
        id: row.tobytes() for id, row in before.items()
    }
    uid = library.catalogue.collection("c").uid
    for image in library.catalogue.images(uid):
        assert thumbnail_path(library.workspace.thumbnails(uid), image.content_hash).exists()
        assert image.width and image.height and image.uri.endswith(Path(image.id).name)


def test_images_that_come_later(library: Library, pictures: Pictures):
    index(library, collection="c", source=str(pictures(8)))
    report = index(library, collection="c", source=str(pictures(5, seed=9, start=8)))
    assert counts(report) == (5, 0, 8, 0)
    assert len(vectors(library)) == 13


def test_a_changed_file_is_encoded_again(library: Library, pictures: Pictures):
    root = pictures(12)
    index(library, collection="c", source=str(root), um_per_px=2.0)
    before = vectors(library)
    touch(root / "00003.png", drawn(1, seed=77)[0])
    report = index(library, collection="c", source=str(root))
    assert counts(report) == (0, 1, 11, 0)
    after = vectors(library)
    assert after.keys() == before.keys()
    changed = [id for id in before if not np.allclose(before[id], after[id], atol=1e-4)]
    assert changed == ["run/00003.png"]
    image = library.catalogue.image(library.catalogue.collection("c").uid, "run/00003.png")
    assert image.um_per_px == 2.0  # said before and not taken back
    assert counts(index(library, collection="c", source=str(root))) == (0, 0, 12, 0)


@slow
def test_a_changed_file_loses_what_other_encoders_made_of_it(library: Library, pictures: Pictures):
    root = pictures(10)
    index(library, collection="c", source=str(root))
    index(library, collection="c", encoder=TIMM)
    before = vectors(library)
    touch(root / "00003.png", drawn(1, seed=77)[0])
    assert counts(index(library, collection="c", source=str(root), encoder=TIMM)) == (0, 1, 9, 0)
    assert sorted(vectors(library)) == sorted(before.keys() - {"run/00003.png"})
    report = index(library, collection="c")  # not from the measures of the old picture
    assert counts(report) == (1, 0, 9, 0)
    after = vectors(library)
    assert not np.allclose(after["run/00003.png"], before["run/00003.png"], atol=1e-4)
    assert len(vectors(library, TIMM)) == 10


@slow
def test_a_second_encoder_without_a_source(library: Library, pictures: Pictures):
    index(library, collection="c", source=str(pictures(10)), um_per_px=1.5)
    before = vectors(library)
    assert counts(index(library, collection="c", encoder=TIMM)) == (10, 0, 0, 0)
    assert counts(index(library, collection="c", encoder=TIMM)) == (0, 0, 10, 0)
    assert vectors(library, TIMM).keys() == vectors(library).keys() == before.keys()
    collection = library.catalogue.collection("c")
    assert collection.encoder == "descriptors"
    assert set(library.catalogue.column(collection.uid, "um_per_px").values()) == {1.5}
    delete(library, "c", encoder=TIMM)
    with pytest.raises(NotFoundError, match="has no vectors of encoder"):
        library.vectors(collection, TIMM)
    assert counts(index(library, collection="c", encoder=TIMM)) == (10, 0, 0, 0)


def test_no_source_and_no_collection(library: Library):
    with pytest.raises(NotFoundError, match="no collection is called 'c'"):
        index(library, collection="c")
    assert library.catalogue.collections() == []


def test_labels_and_samples_of_folders(library: Library, pictures: Pictures):
    root = pictures(8, folders=("Copepod", "Detritus"))
    index(library, collection="c", source=str(root))
    uid = library.catalogue.collection("c").uid
    assert labels.current(library.catalogue, uid) == {}
    report = index(library, collection="c", source=str(root), labels_from="folder")
    assert counts(report) == (0, 0, 8, 0)
    now = labels.current(library.catalogue, uid)
    assert {id: label.label for id, label in now.items()} == {
        id: id.split("/")[1] for id in vectors(library)
    }
    assert {(label.by, label.status) for label in now.values()} == {(IMPORT, "validated")}
    revision = labels.revision(library.catalogue, uid)
    index(library, collection="c", source=str(root), labels_from="folder")
    assert labels.revision(library.catalogue, uid) == revision  # nothing is said twice
    index(library, collection="c", source=str(root), samples_from="folder")
    samples = library.catalogue.column(uid, "sample")
    assert samples == {id: id.split("/")[1] for id in samples}


def test_an_import_never_overrules_a_person(library: Library, pictures: Pictures):
    root = pictures(4, folders=("Copepod",))
    index(library, collection="c", source=str(root), labels_from="folder")
    uid = library.catalogue.collection("c").uid
    ids = sorted(labels.current(library.catalogue, uid))
    said = [labels.Decision(ids[0], "Nauplius"), labels.Decision(ids[1], None)]
    labels.record(library.catalogue, uid, said, by="ann")
    touch(root / "Copepod" / Path(ids[1]).name, drawn(1, seed=5)[0])
    index(library, collection="c", source=str(root), labels_from="folder")
    now = labels.current(library.catalogue, uid)
    assert (now[ids[0]].label, now[ids[0]].by) == ("Nauplius", "ann")
    assert ids[1] not in now  # she took it away
    assert {now[id].label for id in ids[2:]} == {"Copepod"}


def test_labels_of_a_deleted_collection_return(library: Library, pictures: Pictures):
    root = pictures(4)
    index(library, collection="c", source=str(root))
    uid = library.catalogue.collection("c").uid
    labels.record(library.catalogue, uid, [labels.Decision("run/00001.png", "Salp")], by="ann")
    delete(library, "c")
    assert library.catalogue.collections() == []
    touch(root / "00002.png", drawn(1, seed=31)[0])
    assert counts(index(library, collection="c", source=str(root))) == (4, 0, 0, 0)
    assert library.catalogue.collection("c").uid == uid
    assert labels.current(library.catalogue, uid)["run/00001.png"].label == "Salp"
    assert len(vectors(library)) == 4


def test_pixel_sizes_given_later(library: Library, pictures: Pictures):
    root = pictures(10)
    index(library, collection="c", source=str(root))
    collection = library.catalogue.collection("c")
    before = library.catalogue.encoding(collection)
    assert before.fit and before.fit["unit"] == "px"
    report = index(library, collection="c", source=str(root), um_per_px=3.0)
    assert counts(report) == (0, 0, 10, 0)
    after = library.catalogue.encoding(collection)
    assert after.fit and after.fit["unit"] == "um"
    assert after.generation == before.generation + 1
    assert len(vectors(library)) == 10
    index(library, collection="c", um_per_px=3.0)  # said already
    assert library.catalogue.encoding(collection) == after
    index(library, collection="c", um_per_px=4.0)  # to what the collection has
    assert set(library.catalogue.column(collection.uid, "um_per_px").values()) == {4.0}
    assert library.catalogue.encoding(collection).generation == after.generation + 1


def test_two_folders_of_one_name(library: Library, pictures: Pictures, tmp_path: Path):
    index(library, collection="c", source=str(pictures(3)))
    other = pictures(3, seed=5, name="elsewhere/run")
    with pytest.raises(SourceError, match=r"already has a source called 'run' .*--source-name"):
        index(library, collection="c", source=str(other))
    assert len(vectors(library)) == 3
    report = index(library, collection="c", source=str(other), source_name="run-2")
    assert counts(report) == (3, 0, 0, 0)
    assert {id.split("/")[0] for id in vectors(library)} == {"run", "run-2"}


class Listed:
    """A source that names what it is given."""

    kind, noun, notes = "List", "pictures", ("what was assumed",)

    def __init__(self, root: Path, ids: list[tuple[str, str]]) -> None:
        self.name, self.root, self._ids = "listed", str(root), ids

    def refs(self) -> Iterator[ImageRef | Skipped]:
        for id, inner in self._ids:
            yield ImageRef(id=id, inner=inner, stamp="1")


def test_an_id_that_comes_twice(library: Library, pictures: Pictures):
    root = pictures(3)
    source = Listed(root, [("a", "00000.png"), ("b", "00001.png"), ("a", "00002.png")])
    report = index(library, collection="c", source=source)
    assert counts(report) == (2, 0, 0, 1)
    assert report.notes == ["what was assumed"]
    assert report.skipped[0].reason == "the id 'a' came before"
    assert report.skipped[0].uri.endswith("00002.png")
    assert sorted(vectors(library)) == ["a", "b"]


@slow
def test_only_the_first_thousand_skipped_are_listed(library: Library, pictures: Pictures):
    root = pictures(1)
    ids = [("a", "00000.png"), *((f"gone/{n}", f"{n}-gone.png") for n in range(1_200))]
    report = index(library, collection="c", source=Listed(root, ids))
    assert counts(report) == (1, 0, 0, 1_200)
    assert len(report.skipped) == 1_000


def tampered(library: Library) -> Collection:
    collection = library.catalogue.collection("c")
    encoding = library.catalogue.encoding(collection)
    other = replace(encoding.identity, preprocessing=encoding.identity.preprocessing - 1)
    library.catalogue.put_encoding(collection.uid, replace(encoding, identity=other))
    return collection


def test_vectors_of_another_identity_are_refused(library: Library, pictures: Pictures):
    root = pictures(5)
    index(library, collection="c", source=str(root))
    collection = tampered(library)
    before = {
        p: p.stat().st_mtime_ns for p in library.workspace.snapshots(collection.uid).rglob("*")
    }
    pictures(3, seed=8, start=5)
    with pytest.raises(IdentityError, match=r"--encoder descriptors --again"):
        index(library, collection="c", source=str(root))
    after = {
        p: p.stat().st_mtime_ns for p in library.workspace.snapshots(collection.uid).rglob("*")
    }
    assert after == before
    assert library.catalogue.count(collection.uid) == 5


def test_everything_again(library: Library, pictures: Pictures):
    root = pictures(6)
    index(library, collection="c", source=str(root))
    index(library, collection="c", source=str(pictures(4, seed=3, name="more")))
    before = vectors(library)
    collection = tampered(library)
    old = library.catalogue.encoding(collection)
    report = index(library, collection="c", source=str(root), again=True)
    assert counts(report) == (10, 0, 0, 0)  # those of the other source as well
    after = vectors(library)
    assert {id: row.tobytes() for id, row in after.items()} == {
        id: row.tobytes() for id, row in before.items()
    }
    assert library.catalogue.encoding(collection).generation == old.generation + 1
    no_leftovers(library, collection)
    assert counts(index(library, collection="c", source=str(root))) == (0, 0, 6, 0)


@pytest.mark.parametrize("encoder", ["descriptors", pytest.param(TIMM, marks=slow)])
def test_again_without_the_images_keeps_what_there_is(
    library: Library, pictures: Pictures, encoder: str
):
    root = pictures(6)
    index(library, collection="c", source=str(root), encoder=encoder)
    before = vectors(library)
    away = root.rename(root.with_name("unplugged"))
    with pytest.raises(EncoderError, match=r"only 0 of 6 images could be read again.*relocate"):
        index(library, collection="c", again=True)
    assert {id: row.tobytes() for id, row in vectors(library).items()} == {
        id: row.tobytes() for id, row in before.items()
    }
    away.rename(root)
    assert counts(index(library, collection="c", again=True)) == (6, 0, 0, 0)
    assert vectors(library).keys() == before.keys()
    no_leftovers(library, library.catalogue.collection("c"))


@pytest.mark.parametrize("encoder", ["descriptors", pytest.param(TIMM, marks=slow)])
def test_a_changed_file_is_not_forgotten_when_again_was_cut_off(
    library: Library, pictures: Pictures, encoder: str, monkeypatch: pytest.MonkeyPatch
):
    root = pictures(6)
    index(library, collection="c", source=str(root), encoder=encoder)
    before = vectors(library)
    touch(root / "00000.png", drawn(1, seed=9)[0])

    def killed(*_: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patched, pytest.raises(RuntimeError, match="killed"):
        patched.setattr(Target, "finish", killed)
        patched.setattr(FittedTarget, "finish", killed)
        index(library, collection="c", source=str(root), again=True)
    assert counts(index(library, collection="c", source=str(root))) == (1, 0, 5, 0)
    after = vectors(library)
    assert after.keys() == before.keys()
    changed = [id for id in before if not np.allclose(before[id], after[id], atol=1e-6)]
    assert changed == ["run/00000.png"]
    no_leftovers(library, library.catalogue.collection("c"))


def no_leftovers(library: Library, collection: Collection) -> None:
    """One generation an encoder, in Chroma and beside it; one folder of measures."""
    encodings = library.catalogue.encodings(collection.uid)
    wanted = {chroma_name(collection.uid, e.encoder, e.generation) for e in encodings}
    assert set(Store.open(library.settings, library.workspace).names()) == wanted
    folders = set(library.workspace.snapshots(collection.uid).glob("*/*"))
    assert folders == {
        library.workspace.snapshot(collection.uid, e.encoder, e.generation) for e in encodings
    }
    assert not list((library.workspace.root / "measures" / collection.uid).glob("*/*.again"))


@slow
def test_the_fit_follows_a_collection_until_it_is_large(
    library: Library, pictures: Pictures, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(target, "FIT_IMAGES", 20)
    root = pictures(12)
    index(library, collection="c", source=str(root))
    collection = library.catalogue.collection("c")
    fits = [library.catalogue.encoding(collection)]
    for start in (12, 18, 24):
        before = vectors(library)
        index(library, collection="c", source=str(pictures(6, seed=start, start=start)))
        fits.append(library.catalogue.encoding(collection))
        after = vectors(library)
        assert len(after) == start + 6
        moved = any(before[id].tobytes() != after[id].tobytes() for id in before)
        assert moved == (fits[-1].identity != fits[-2].identity)
        no_leftovers(library, collection)
    assert [(f.provenance or {})["fit_images"] for f in fits] == [12, 18, 20, 20]
    assert [f.generation for f in fits] == [1, 2, 3, 3]
    with library.workspace.writing("a look"):
        held = open_snapshot(
            library.workspace.measures(
                collection.uid, "descriptors", fits[-1].identity.preprocessing
            )
        )
    from core.encoders.descriptors import Descriptors

    rows = dict(zip(held.ids, held.vectors, strict=True))
    ids = sorted(rows)
    fitted = Descriptors().fit([rows[id] for id in ids[:20]])
    assert fitted.identity == fits[-1].identity  # on the first twenty that came
    np.testing.assert_array_equal(
        fitted.encode([rows[id] for id in ids]), np.stack([vectors(library)[id] for id in ids])
    )


def test_a_large_first_run_is_fitted_on_the_way(
    library: Library, pictures: Pictures, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(target, "FIT_IMAGES", 20)
    monkeypatch.setattr("core.indexing.BATCH", 8)
    index(library, collection="c", source=str(pictures(30)))
    collection = library.catalogue.collection("c")
    encoding = library.catalogue.encoding(collection)
    assert encoding.generation == 1 and (encoding.provenance or {})["fit_images"] == 20
    assert len(vectors(library)) == 30
    no_leftovers(library, collection)


def test_a_report_says_that_all_was_fitted_anew(library: Library, pictures: Pictures):
    assert not index(library, collection="c", source=str(pictures(4))).refitted  # the first fit
    more = index(library, collection="c", source=str(pictures(4, seed=5, name="more")))
    assert more.refitted and more.as_json()["refitted"]


def test_rescale(library: Library, pictures: Pictures):
    index(library, collection="c", source=str(pictures(12)))
    before = vectors(library)
    assert rescale(library, collection="c") == 12
    after = vectors(library)
    assert {id: row.tobytes() for id, row in after.items()} == {
        id: row.tobytes() for id, row in before.items()
    }
    collection = library.catalogue.collection("c")
    assert library.catalogue.encoding(collection).generation == 2
    no_leftovers(library, collection)
    with pytest.raises(NotFoundError, match="has no vectors of encoder 'timm:nothing'"):
        rescale(library, collection="c", encoder="timm:nothing")
    folder = library.workspace.root / "measures"
    folder.rename(folder.with_name(".lost"))
    with pytest.raises(EncoderError, match="nothing was measured"):
        rescale(library, collection="c")


def test_lost_measures_are_taken_again_and_cost_no_vector(library: Library, pictures: Pictures):
    root, more = pictures(6), pictures(4, seed=4, name="more")
    index(library, collection="c", source=str(root))
    index(library, collection="c", source=str(more))
    measures = library.workspace.root / "measures"
    measures.rename(measures.with_name(".lost"))
    index(library, collection="c", source=str(more), um_per_px=2.0)
    assert len(vectors(library)) == 10  # a fit on four would have dropped six
    with pytest.raises(EncoderError, match=r"measures of 6 images .* index their source again"):
        rescale(library, collection="c")
    assert counts(index(library, collection="c", source=str(root))) == (0, 0, 0, 0)
    assert len(vectors(library)) == 10
    assert rescale(library, collection="c") == 10


def test_a_refit_that_a_crash_left_undone_is_done(library: Library, pictures: Pictures):
    """Killed between the catalogue learning of pixel sizes and the fit."""
    root = pictures(10)
    index(library, collection="c", source=str(root))
    collection = library.catalogue.collection("c")
    target.open_target(library, "c", None, source=None).sizes_change()
    rows = [replace(row, um_per_px=2.0) for row in library.catalogue.image_rows(collection.uid)]
    library.catalogue.put_images(collection.uid, rows)
    index(library, collection="c", source=str(root))
    fit = library.catalogue.encoding(collection).fit
    assert fit and fit["unit"] == "um"


def test_what_a_killed_refit_left_is_dropped(library: Library, pictures: Pictures):
    root = pictures(5)
    index(library, collection="c", source=str(root))
    collection = library.catalogue.collection("c")
    encoding = library.catalogue.encoding(collection)
    store = Store.open(library.settings, library.workspace)
    for generation in (2, 7):
        left = replace(encoding, generation=generation)
        writer = store.vectors(library.workspace, collection.uid, left)
        writer.put(["x"], ["x"], np.eye(1, encoding.identity.dimension, dtype=np.float32))
    index(library, collection="c", source=str(root))
    no_leftovers(library, collection)


def test_into_a_server(tmp_path: Path, pictures: Pictures):
    with chroma_server(tmp_path / "server") as (url, process):
        library = Library.open(Settings(workspace=tmp_path / "w", store_url=url))
        root = pictures(6)
        assert counts(index(library, collection="c", source=str(root))) == (6, 0, 0, 0)
        assert len(vectors(library)) == 6
        process.kill()
        process.wait()
        pictures(2, seed=5, start=6)
        with pytest.raises(StoreError, match="no Chroma server answers"):
            index(library, collection="c", source=str(root))
        assert len(library.vectors(library.catalogue.collection("c")).snapshot) == 6
    library.close()


def test_hostile_files_cost_themselves_only(library: Library, pictures: Pictures):
    root = pictures(4)
    whole = (root / "00000.png").read_bytes()
    files = {
        "empty.png": b"",
        "torn.png": whole[: len(whole) // 2],
        "text.png": b"this is no picture",
        "zeros.tif": b"\0" * 5000,
        "bomb.svg": b"<svg xmlns='http://www.w3.org/2000/svg' width='9e9' height='9e9'/>",
        "ends in dot.": whole,
        "quote'\"`$(x).png": whole,
        "percent%41#hash?.png": whole,
        "new\nline.png": whole,
        "𝓅🦐.png": whole,
        "-rf.png": whole,
    }
    for name, data in files.items():
        (root / name).write_bytes(data)
    Image.new("RGB", (1, 1)).save(root / "dot.png")
    Image.new("L", (3000, 1), 7).save(root / "line.png")
    Image.new("RGB", (64, 64), (9, 9, 9)).save(root / "flat.png")
    (root / "gone.png").symlink_to(root / "nowhere.png")
    (root / "circle").symlink_to(root)
    (root / "folder.png").mkdir()
    os.mkfifo(root / "pipe.png")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(root / "s.png"))
        report = index(library, collection="c", source=str(root))
    files_there = sum(not p.is_dir() or p.is_symlink() for p in root.rglob("*"))
    assert report.indexed + report.skipped_count == files_there
    assert len(vectors(library)) == report.indexed
    reasons = {Path(s.uri).name: s.reason for s in report.skipped}
    assert {"empty.png", "torn.png", "text.png", "zeros.tif", "pipe.png"} <= reasons.keys()
    again = index(library, collection="c", source=str(root))
    assert (again.indexed, again.already) == (0, report.indexed)


@slow
@pytest.mark.skipif(not (DATA / "odd").is_dir(), reason="shared/data/odd is not here")
def test_odd_files(library: Library):
    root = DATA / "odd"
    report = index(library, collection="c", source=str(root))
    files = sum(p.is_file() for p in root.rglob("*") if not p.name.startswith("."))
    assert report.indexed + report.skipped_count == files
    assert len(vectors(library)) == report.indexed > 0


def test_a_full_disk_says_so(library: Library, pictures: Pictures, monkeypatch: pytest.MonkeyPatch):
    """The one part that cannot be real here: a device without room."""
    from core.errors import WorkspaceError

    root = pictures(3)

    def full(*_arguments: object, **_options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("core.preparing.write_thumbnail", full)
    with pytest.raises(WorkspaceError, match=r"No space left on device.*free some space"):
        index(library, collection="c", source=str(root))
    monkeypatch.undo()
    assert counts(index(library, collection="c", source=str(root))) == (3, 0, 0, 0)


def test_an_id_of_another_source_is_not_taken(library: Library, pictures: Pictures):
    """Ids that came with somebody else's vectors may look like a folder's."""
    root = pictures(3, name="run")
    index(library, collection="ours", source=str(root))
    uid = library.catalogue.collection("ours").uid
    (row, *_) = library.catalogue.image_rows(uid)
    library.catalogue.put_images(uid, [replace(row, source="notebook", inner="/elsewhere.png")])
    done = index(library, collection="ours", source=str(root))
    assert (done.already, done.updated, done.skipped_count) == (2, 0, 1)
    assert "'notebook' has an image of the id" in done.skipped[0].reason
    assert library.catalogue.image(uid, row.id).uri.endswith("elsewhere.png")
