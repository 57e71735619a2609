"""Collections listed, renamed, moved and deleted; original files are never touched."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from core import analysis, labels, managing, screen_answers
from core.errors import NotFoundError, SourceError
from core.images import read_image
from core.indexing import index
from core.library import Library
from core.settings import Settings
from tests.core.conftest import Pictures
from tests.core.prepared import IDS, IMAGES, prepared, source
from tests.core.remote_servers import Bucket, s3_server


@pytest.fixture
def library(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    prepared(tmp_path_factory, settings.workspace)
    opened = Library.open(settings)
    yield opened
    opened.close()


@pytest.fixture
def run(library: Library, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return source(tmp_path_factory)


def test_one_entry_a_collection_and_encoder(library: Library):
    entry = {"name": "run", "encoder": "descriptors", "images": IMAGES}
    (found,) = managing.summary(library)
    assert found.items() >= entry.items()
    assert found["dimension"] > 0


def test_a_collection_whose_first_run_ended_early_is_listed(library: Library):
    library.catalogue.create("begun", encoder="descriptors", options={})
    found = managing.summary(library)[0]
    assert (found["name"], found["dimension"], found["images"]) == ("begun", None, 0)
    assert "no image of it was read yet" in found["why"]


def test_a_damaged_snapshot_hides_no_other_collection(library: Library):
    for path in library.workspace.root.glob("snapshots/*/*/*/rows.*"):
        path.write_bytes(b"")
    library.catalogue.create("other", encoder="descriptors", options={})
    found = {each["name"]: each for each in managing.summary(library)}
    assert found["run"]["images"] is None
    assert "doctor --repair" in found["run"]["why"]
    assert found["other"]["images"] == 0


def test_size_on_disk(library: Library):
    collection = library.catalogue.collection("run")
    before = managing.size_on_disk(library, collection)
    (library.workspace.thumbnails(collection.uid) / "more").write_bytes(b"x" * 1000)
    assert managing.size_on_disk(library, collection) == before + 1000


def test_renaming(library: Library):
    assert managing.rename(library, "run", "walk") == {"renamed": "run", "to": "walk"}
    assert [c.name for c in library.catalogue.collections()] == ["walk"]
    view = library.vectors(library.catalogue.collection("walk"))
    assert view.snapshot.ids[0] == IDS[0]


def test_deleting_keeps_files_and_labels(library: Library, run: Path):
    collection = library.catalogue.collection("run")
    view = library.vectors(collection)
    analysis.make_map(library, view, method="pca", seed=0)
    before = labels.current(library.catalogue, collection.uid)
    labels.record(library.catalogue, collection.uid, [labels.Decision(IDS[1], "Ciliate")], by="me")
    screen_answers.add(library.workspace, collection.uid, "filter", {IDS[1]: True})
    done = managing.delete(library, "run")
    assert done == {"deleted": "run", "encoders": ["descriptors"], "images": IMAGES}
    assert managing.summary(library) == []
    left = [p for p in library.workspace.root.rglob("*") if collection.uid in p.parts]
    assert left == []
    assert len(list(run.rglob("*.png"))) == IMAGES

    again = index(library, collection="run", source=str(run))
    assert again.indexed == IMAGES
    now = labels.current(library.catalogue, library.catalogue.collection("run").uid)
    assert now[IDS[1]].label == "Ciliate"
    assert {id: label.label for id, label in now.items() if id != IDS[1]} == {
        id: label.label for id, label in before.items() if id != IDS[1]
    }


def test_deleting_what_is_not_there(library: Library):
    with pytest.raises(NotFoundError, match=r"called 'ran'; did you mean 'run'\?"):
        managing.delete(library, "ran")
    with pytest.raises(NotFoundError, match="no vectors of encoder 'timm:x'"):
        managing.delete(library, "run", encoder="timm:x")


def test_the_only_encoder_is_not_deleted_alone(library: Library):
    with pytest.raises(SourceError, match="only encoder of collection 'run'; delete the whole"):
        managing.delete(library, "run", encoder="descriptors")
    assert managing.summary(library)[0]["images"] == IMAGES


# relocating


def test_relocating_a_folder(library: Library, run: Path, tmp_path: Path):
    moved = tmp_path / "50% moved #2"
    shutil.copytree(run, moved)
    done = managing.relocate(library, "run", None, str(moved))
    assert done == {"relocated": "run", "to": str(moved), "images": IMAGES}
    collection = library.catalogue.collection("run")
    image = library.catalogue.image(collection.uid, IDS[0])
    assert "50%25 moved %232" in image.uri
    read_image(image.uri)
    assert labels.current(library.catalogue, collection.uid)[IDS[0]].label == "Copepod"
    assert index(library, collection="run", source=str(moved), source_name="run").indexed == 0


def test_relocating_into_a_zip(library: Library, run: Path, tmp_path: Path):
    packed = tmp_path / "packed.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for id in IDS:
            archive.write(run.parent / id, id.removeprefix("run/"))
    managing.relocate(library, "run", "run", str(packed))
    collection = library.catalogue.collection("run")
    uri = library.catalogue.image(collection.uid, IDS[0]).uri
    assert uri == f"{packed}#Copepod/00.png"
    read_image(uri)


@pytest.mark.slow
def test_relocating_into_a_bucket(library: Library, run: Path):
    with s3_server() as url:
        bucket = Bucket(url, public=True)
        for id in IDS:
            bucket.put(id, (run.parent / id).read_bytes())
        where = f"s3://{bucket.name}/run"
        with pytest.raises(SourceError, match="holds none of the images looked for"):
            managing.relocate(library, "run", None, f"{where}/none#via=anonymous,{url}")
        managing.relocate(library, "run", None, f"{where}/#via=anonymous,{url}")
        collection = library.catalogue.collection("run")
        uri = library.catalogue.image(collection.uid, IDS[0]).uri
        assert uri == f"{where}/Copepod/00.png#via=anonymous,{url}"
        read_image(uri)
        managing.relocate(library, "run", None, where)  # read as before
        assert library.catalogue.image(collection.uid, IDS[0]).uri == uri
        done = index(library, collection="run", source=where, anonymous=True, endpoint_url=url)
        assert (done.indexed, done.updated, done.already) == (0, IMAGES, 0)


def test_relocating_to_where_nothing_is(library: Library, run: Path, tmp_path: Path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.txt").write_text("x")
    for wrong in ("empty", "a.txt"):
        with pytest.raises(SourceError, match="holds none of the images looked for, such as 'Cope"):
            managing.relocate(library, "run", None, str(tmp_path / wrong))
    with pytest.raises(SourceError, match="does not exist; expected where 'run' lies now"):
        managing.relocate(library, "run", None, str(tmp_path / "nowhere"))
    with pytest.raises(NotFoundError, match=r"no source called 'ran'; did you mean 'run'\?"):
        managing.relocate(library, "run", "ran", str(run))
    collection = library.catalogue.collection("run")
    assert library.catalogue.roots(collection.uid) == {"run": str(run)}


def test_which_of_several_sources(library: Library, pictures: Pictures, run: Path):
    index(library, collection="run", source=str(pictures(2, name="more", seed=4)))
    with pytest.raises(NotFoundError, match=r"has 2 sources \(.*\); say which with --source-name"):
        managing.relocate(library, "run", None, str(run))
