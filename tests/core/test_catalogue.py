"""Collections, roots and images in a real database file."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from core import labels
from core.catalogue import Catalogue, Encoding, NewImage
from core.encoders.card import Identity
from core.errors import CoreError, NotFoundError, SourceError, WorkspaceError
from core.images import read_image
from core.indexing import index
from core.library import Library
from core.settings import Settings
from tests.core.conftest import ROOT, Pictures

MANY = 33_000  # more than SQLite takes as variables of one statement


def image(id: str, **fields: object) -> NewImage:
    values: dict[str, object] = {"source": "run", "inner": id, "stamp": "1", "content_hash": "h"}
    return NewImage(id=id, **(values | fields))  # type: ignore[arg-type]


@pytest.fixture
def catalogue(library: Library) -> Catalogue:
    return library.catalogue


@pytest.fixture
def uid(catalogue: Catalogue) -> str:
    return catalogue.create("c", encoder="descriptors", options={}).uid


# collections


def test_collections_are_listed_by_name(catalogue: Catalogue):
    for name in ("b", "a"):
        catalogue.create(name, encoder="descriptors", options={"x": 1})
    assert [c.name for c in catalogue.collections()] == ["a", "b"]
    found = catalogue.collection("a")
    assert (found.encoder, found.options, found.revision) == ("descriptors", {"x": 1}, 0)


def test_creating_what_is_there_changes_nothing(catalogue: Catalogue, uid: str):
    again = catalogue.create("c", encoder="timm:x", options={"y": 2})
    assert (again.uid, again.encoder, again.options) == (uid, "descriptors", {})


@pytest.mark.parametrize("name", ["", " a", "a ", "a/b", "a\nb", "x" * 101, "\x1b[31m"])
def test_names_that_would_not_work(catalogue: Catalogue, name: str):
    with pytest.raises(CoreError, match=r"collection name is .*expected 1 to 100 printable"):
        catalogue.create(name, encoder="descriptors", options={})
    catalogue.create("fine", encoder="descriptors", options={})
    with pytest.raises(CoreError, match="expected 1 to 100 printable"):
        catalogue.rename("fine", name)


@pytest.mark.parametrize("name", ["Ångström 2024", "a.b-c_d", "<img onerror=x>", "%s'; --", ".."])
def test_names_that_work(catalogue: Catalogue, name: str):
    catalogue.create(name, encoder="descriptors", options={})
    assert catalogue.collection(name).name == name


def test_an_unknown_name_suggests_one(catalogue: Catalogue):
    with pytest.raises(NotFoundError, match=r"called 'camra'; there is none yet"):
        catalogue.collection("camra")
    catalogue.create("camera", encoder="descriptors", options={})
    with pytest.raises(NotFoundError, match=r"called 'camra'; did you mean 'camera'\?"):
        catalogue.collection("camra")
    with pytest.raises(NotFoundError, match=r"called 'zzz'; there is 'camera'"):
        catalogue.collection("zzz")


def test_renaming_keeps_images_and_labels(catalogue: Catalogue, uid: str):
    catalogue.put_images(uid, [image("a")])
    labels.record(catalogue, uid, [labels.Decision("a", "Copepod")], by="me")
    renamed = catalogue.rename("c", "d")
    assert (renamed.uid, renamed.name) == (uid, "d")
    assert labels.current(catalogue, uid)["a"].label == "Copepod"
    assert catalogue.count(uid) == 1
    with pytest.raises(NotFoundError):
        catalogue.collection("c")


def test_renaming_to_a_taken_name(catalogue: Catalogue, uid: str):
    catalogue.create("d", encoder="descriptors", options={})
    with pytest.raises(SourceError, match="a collection is already called 'd'; choose another"):
        catalogue.rename("c", "d")
    assert catalogue.rename("c", "c").uid == uid


def test_a_deleted_collection_gives_its_labels_back(catalogue: Catalogue, uid: str):
    catalogue.put_images(uid, [image("a")])
    catalogue.add_root(uid, "run", "/data/run")
    labels.record(catalogue, uid, [labels.Decision("a", "Copepod")], by="me")
    catalogue.delete(uid)
    assert catalogue.collections() == []
    assert uid in catalogue.every_uid()
    back = catalogue.create("c", encoder="timm:x", options={})
    assert (back.uid, back.encoder) == (uid, "timm:x")
    assert (catalogue.count(uid), catalogue.roots(uid)) == (0, {})
    assert back.revision > 0
    assert labels.current(catalogue, uid)["a"].label == "Copepod"


def test_a_deleted_collection_with_labels_keeps_its_name(catalogue: Catalogue, uid: str):
    labels.record(catalogue, uid, [labels.Decision("a", "Copepod")], by="me")
    catalogue.delete(uid)
    catalogue.create("d", encoder="descriptors", options={})
    with pytest.raises(SourceError, match="called 'c' keeps 1 label events"):
        catalogue.rename("d", "c")


def test_a_deleted_collection_without_labels_gives_its_name_up(catalogue: Catalogue, uid: str):
    catalogue.delete(uid)
    other = catalogue.create("d", encoder="descriptors", options={})
    assert catalogue.rename("d", "c").uid == other.uid
    assert other.uid != uid


def test_every_change_to_images_counts(catalogue: Catalogue, uid: str):
    seen = [catalogue.revision(uid)]
    catalogue.put_images(uid, [image("a")])
    seen.append(catalogue.revision(uid))
    catalogue.set_options(uid, {"z": 1})
    seen.append(catalogue.revision(uid))
    catalogue.remove_images(uid, ["a"])
    seen.append(catalogue.revision(uid))
    assert seen == sorted(set(seen))
    assert catalogue.revision("nobody") == -1
    assert catalogue.collection("c").options == {"z": 1}


# roots


def test_a_second_root_of_the_same_name(catalogue: Catalogue, uid: str):
    catalogue.add_root(uid, "run", "/a/run")
    catalogue.add_root(uid, "run", "/a/run")
    with pytest.raises(
        SourceError, match=r"already has a source called 'run' at /a/run.*--source-"
    ):
        catalogue.add_root(uid, "run", "/b/run")
    assert catalogue.roots(uid) == {"run": "/a/run"}


def test_relocating_moves_uris_and_nothing_else(catalogue: Catalogue, uid: str):
    catalogue.add_root(uid, "run", "/a/run")
    catalogue.put_images(uid, [image("run/x.png", inner="x.png")])
    assert catalogue.image(uid, "run/x.png").uri == "/a/run/x.png"
    catalogue.relocate(uid, "run", "/b/zip.zip")
    assert catalogue.image(uid, "run/x.png").uri == "/b/zip.zip#x.png"
    with pytest.raises(NotFoundError, match=r"no source called 'rum'; did you mean 'run'\?"):
        catalogue.relocate(uid, "rum", "/c")


@pytest.mark.parametrize("name", ["workspace", "50% of #3"])
def test_images_inside_the_workspace_move_with_it(tmp_path: Path, pictures: Pictures, name: str):
    library = Library.open(Settings(tmp_path / name))
    inside = library.workspace.uploads / "run"
    shutil.copytree(pictures(3), inside)
    index(library, collection="c", source=str(inside))
    library.close()
    moved = tmp_path / "elsewhere #2" / "copy"
    shutil.copytree(tmp_path / name, moved)
    shutil.rmtree(tmp_path / name)
    library = Library.open(Settings(moved))
    collection = library.catalogue.collection("c")
    for each in library.catalogue.images(collection.uid):
        assert read_image(each.uri).shape[2] == 3
    assert len(library.vectors(collection).snapshot) == 3
    assert index(library, collection="c", source=str(moved / "uploads" / "run")).already == 3
    library.close()


# images


def test_an_image_put_again_keeps_its_place(catalogue: Catalogue, uid: str):
    catalogue.put_images(uid, [image("b"), image("a")])
    catalogue.put_images(uid, [image("b", stamp="2", um_per_px=1.5, metadata={"depth": 3})])
    assert list(catalogue.stamps(uid).items()) == [("b", "2"), ("a", "1")]
    found = catalogue.image(uid, "b")
    assert (found.um_per_px, found.metadata) == (1.5, {"depth": 3})
    assert [row.id for row in catalogue.image_rows(uid)] == ["b", "a"]


def test_the_same_id_in_two_collections(catalogue: Catalogue, uid: str):
    other = catalogue.create("d", encoder="descriptors", options={}).uid
    catalogue.put_images(uid, [image("a", sample="one")])
    catalogue.put_images(other, [image("a", sample="two")])
    assert catalogue.image(uid, "a").sample == "one"
    catalogue.delete(uid)
    assert catalogue.image(other, "a").sample == "two"


def test_an_unknown_id_suggests_one(catalogue: Catalogue, uid: str):
    with pytest.raises(NotFoundError, match=r"no image 'x.png'; ids look like SOURCE/path"):
        catalogue.image(uid, "x.png")
    catalogue.put_images(uid, [image("run/Copepod/x_1.png")])
    with pytest.raises(NotFoundError, match=r"did you mean 'run/Copepod/x_1\.png'\?"):
        catalogue.image(uid, "x_1.png")
    with pytest.raises(NotFoundError, match=r"did you mean 'run/Copepod/x_1\.png'\?"):
        catalogue.image(uid, "run/Copepd/x_1.png")
    with pytest.raises(NotFoundError, match="ids look like"):
        catalogue.image(uid, "%")


def test_more_images_than_one_statement_takes(catalogue: Catalogue, uid: str):
    ids = [f"run/{n:05d}.png" for n in range(MANY)]
    catalogue.put_images(uid, [image(id, um_per_px=2.0) for id in ids])
    assert catalogue.count(uid) == MANY
    assert list(catalogue.stamps(uid)) == ids
    backwards = ids[::-1]
    assert [i.id for i in catalogue.images(uid, [*backwards, "unknown"])] == backwards
    assert catalogue.column(uid, "um_per_px")[ids[-1]] == 2.0
    catalogue.remove_images(uid, ids[:-1])
    assert [i.id for i in catalogue.images(uid)] == ids[-1:]


def test_odd_ids_come_back_as_they_were(catalogue: Catalogue, uid: str):
    odd = ["a\nb", "é", "e\u0301", "<img onerror=x>.png", "%_'\"", "🦐" * 60]
    catalogue.put_images(uid, [image(id, metadata={"name": id}) for id in odd])
    assert [i.id for i in catalogue.images(uid)] == odd
    assert [i.metadata["name"] for i in catalogue.images(uid, odd)] == odd


# encodings


def encoding(name: str, **fields: object) -> Encoding:
    identity = Identity(name, weights="w", preprocessing=1, dimension=3)
    values: dict[str, object] = {"generation": 1, "created": "2024-01-01"}
    return Encoding(name, identity, **(values | fields))  # type: ignore[arg-type]


def test_encodings_are_replaced_and_deleted(catalogue: Catalogue, uid: str):
    collection = catalogue.collection("c")
    with pytest.raises(NotFoundError, match=r"no vectors of encoder 'descriptors' \(it has: none"):
        catalogue.encoding(collection)
    catalogue.put_encoding(uid, encoding("descriptors", fit={"mean": [1.0]}))
    catalogue.put_encoding(uid, encoding("timm:x", created="2024-02-01"))
    catalogue.put_encoding(uid, encoding("descriptors", generation=2))
    assert [e.encoder for e in catalogue.encodings(uid)] == ["descriptors", "timm:x"]
    assert catalogue.encoding(collection).generation == 2
    assert catalogue.encoding(collection, "timm:x").identity.dimension == 3
    with pytest.raises(NotFoundError, match=r"\(it has: descriptors, timm:x\).*--encoder clip"):
        catalogue.encoding(collection, "clip")


def test_deleting_the_first_encoder_makes_the_next_the_default(catalogue: Catalogue, uid: str):
    catalogue.put_encoding(uid, encoding("descriptors"))
    catalogue.put_encoding(uid, encoding("timm:x", created="2024-02-01"))
    catalogue.delete_encoding(uid, "descriptors")
    assert catalogue.encoding(catalogue.collection("c")).encoder == "timm:x"


# the database


PUT = """
import sys
from pathlib import Path
from core.catalogue import Catalogue, NewImage
from core.settings import Settings
catalogue = Catalogue.open(Settings(Path(sys.argv[1])))
uid = catalogue.create("of " + sys.argv[2], encoder="descriptors", options={}).uid
for n in range(40):
    catalogue.put_images(uid, [NewImage(f"{sys.argv[2]}/{n}", "s", "i", "1", "h")])
"""


def test_two_processes_open_and_write_at_once(settings: Settings):
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PUT, str(settings.workspace), name],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in "ab"
    ]
    for process in processes:
        assert process.communicate(timeout=120)[1] == ""
        assert process.returncode == 0
    catalogue = Catalogue.open(settings)
    assert [catalogue.count(c.uid) for c in catalogue.collections()] == [40, 40]
    catalogue.close()


def test_a_transaction_is_whole_or_nothing(catalogue: Catalogue, uid: str):
    with pytest.raises(sa.exc.StatementError, match="not JSON compliant"):
        catalogue.put_images(uid, [image("a"), image("b", metadata={"x": float("nan")})])
    assert catalogue.count(uid) == 0


def test_a_path_with_what_a_url_gives_a_meaning(tmp_path: Path):
    settings = Settings(tmp_path / "what? 100% #1&x=1")
    catalogue = Catalogue.open(settings)
    catalogue.create("c", encoder="descriptors", options={})
    catalogue.close()
    assert (settings.workspace / "catalogue.sqlite").is_file()


def test_a_database_that_is_none(settings: Settings):
    Catalogue.open(settings).close()
    (settings.workspace / "catalogue.sqlite").write_bytes(b"no database" * 100)
    with pytest.raises(WorkspaceError, match=r"the catalogue cannot be used.*not a database"):
        Catalogue.open(settings)


@pytest.mark.parametrize("url", ["nonsense", "nodatabase://x", "oracle://nobody@nowhere/x"])
def test_a_url_that_cannot_be_used(settings: Settings, url: str):
    with pytest.raises(WorkspaceError, match=r"url cannot be used .*expected one such as"):
        Catalogue.open(Settings(settings.workspace, catalogue_url=url))


def test_a_catalogue_elsewhere_by_url(settings: Settings, tmp_path: Path):
    url = sa.URL.create("sqlite", database=str(tmp_path / "other.sqlite"))
    catalogue = Catalogue.open(
        Settings(settings.workspace, catalogue_url=url.render_as_string(hide_password=False))
    )
    catalogue.create("c", encoder="descriptors", options={})
    catalogue.close()
    assert (tmp_path / "other.sqlite").exists()
    assert not (settings.workspace / "catalogue.sqlite").exists()


def test_what_was_written_survives_the_process(settings: Settings):
    code = PUT + "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    done = subprocess.run(
        [sys.executable, "-c", code, str(settings.workspace), "a"],
        cwd=ROOT,
        env=os.environ,
        check=False,
    )
    assert done.returncode == -9
    catalogue = Catalogue.open(settings)
    assert catalogue.count(catalogue.collection("of a").uid) == 40
    catalogue.close()
