from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

from core.errors import SourceError
from core.images import read_image
from core.sources import FolderSource, ImageRef, Skipped, Source, open_source
from core.sources.uri import join

CAMERA = Path(__file__).parents[2].parent / "shared" / "data" / "plankton_camera"
FLOWCAM = CAMERA.parent / "flowcam"


def write(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")


def images(source: Source) -> dict[str, ImageRef]:
    return {found.id: found for found in source.refs() if isinstance(found, ImageRef)}


def skipped(source: Source) -> dict[str, str]:
    return {
        found.uri.rpartition("/")[2]: found.reason
        for found in source.refs()
        if isinstance(found, Skipped)
    }


def test_ids_uris_and_order(tmp_path: Path):
    root = tmp_path / "run #1"
    write(root, "b/2.png", "b/10.png", "a.tif", "c/d/50%#.jpg", "none", "b.png")
    source = FolderSource(root)
    assert isinstance(source.root, str) and source.root.endswith("run %231")
    found = [ref for ref in source.refs() if isinstance(ref, ImageRef)]
    assert [ref.id for ref in found] == [
        "run #1/a.tif",
        "run #1/b/10.png",
        "run #1/b/2.png",
        "run #1/b.png",
        "run #1/c/d/50%#.jpg",
        "run #1/none",
    ]
    assert join(source.root, found[4].inner).endswith("/run %231/c/d/50%25%23.jpg")
    status = (root / "a.tif").stat()
    assert found[0].stamp == f"{status.st_size}:{status.st_mtime_ns}"
    assert list(source.refs()) == list(FolderSource(root).refs())
    assert next(iter(FolderSource(root, name="other").refs())).id == "other/a.tif"


def test_labels_and_samples(tmp_path: Path):
    root = tmp_path / "r"
    write(root, "top.png", "s1/Copepod/1.png", "s2/x/Copepod/2.png")

    def read(**options: object) -> list[tuple[str | None, str | None, object]]:
        found = images(FolderSource(root, **options))  # type: ignore[arg-type]
        order = ("r/top.png", "r/s1/Copepod/1.png", "r/s2/x/Copepod/2.png")
        refs = [found[each] for each in order]
        return [(ref.label, ref.sample, dict(ref.metadata)) for ref in refs]

    assert read() == [
        (None, None, {}),
        (None, None, {"folder": "s1/Copepod"}),
        (None, None, {"folder": "s2/x/Copepod"}),
    ]
    assert read(labels="folder") == [(None, None, {}), *[("Copepod", None, {})] * 2]
    assert [sample for _, sample, _ in read(samples="folder")] == [None, "Copepod", "Copepod"]
    assert read(labels="folder", samples="folder") == [
        (None, None, {}),
        ("Copepod", "s1", {}),
        ("Copepod", "s2", {}),
    ]
    assert all(r.um_per_px == 2.5 for r in images(FolderSource(root, um_per_px=2.5)).values())


def test_hidden_files_are_passed_over_and_others_are_named(tmp_path: Path):
    write(tmp_path, ".DS_Store", ".git/a.png", "__MACOSX/a.png", "Thumbs.db", "desktop.ini")
    write(tmp_path, "a.png", "notes.TXT", "table.csv", "more.zip", "b.jpeg")
    source = FolderSource(tmp_path, name="s")
    assert set(images(source)) == {"s/a.png", "s/b.jpeg"}
    assert skipped(source) == {
        "notes.TXT": "not a picture (.txt)",
        "table.csv": "not a picture (.csv)",
        "more.zip": "not a picture (.zip)",
    }


def test_a_workspace_kept_beside_the_pictures_is_no_source_of_more(tmp_path: Path):
    root = tmp_path / "run"
    write(root, "a.png", "ws/workspace.json", "ws/catalogue.sqlite", "ws/thumbnails/0f/0f.webp")
    source = FolderSource(root)
    assert list(images(source)) == ["run/a.png"]
    assert skipped(source) == {"ws": "a workspace: its thumbnails are no new pictures"}
    assert list(images(FolderSource(root / "ws" / "thumbnails"))) == ["thumbnails/0f/0f.webp"]


def test_links(tmp_path: Path):
    root, outside = tmp_path / "root", tmp_path / "root-beside"
    write(root, "in/a.png")
    write(outside, "secret.png")
    (root / "file.png").symlink_to(outside / "secret.png")
    (root / "folder").symlink_to(outside)
    (root / "circle").symlink_to(root)
    (root / "self.png").symlink_to(root / "self.png")
    (root / "dead.png").symlink_to(root / "gone.png")
    (root / "same.png").symlink_to(root / "in" / "a.png")
    source = FolderSource(root)
    assert set(images(source)) == {"root/in/a.png", "root/same.png"}
    found = skipped(source)
    assert found["file.png"] == found["folder"] == "a link that leads outside the folder"
    assert found["circle"] == "a link to a folder that is read where it is"
    assert found["dead.png"] == "a link to nothing"
    assert "self.png" in found
    (tmp_path / "link").symlink_to(root)
    assert FolderSource(tmp_path / "link").name == "root"


def test_pipes_and_sockets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write(tmp_path, "a.png")
    os.mkfifo(tmp_path / "pipe.png")
    monkeypatch.chdir(tmp_path)  # the name of a socket may not be long
    with socket.socket(socket.AF_UNIX) as there:
        there.bind("socket.png")
        source = FolderSource(tmp_path, name="s")
        why = "not a regular file (a pipe, socket or device)"
        assert skipped(source) == {"pipe.png": why, "socket.png": why}


def test_names_that_are_not_text(tmp_path: Path):
    write(tmp_path, "a.png", "<img onerror=alert(1)>.png")
    try:
        (Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.png"))).write_bytes(b"x")
        folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
        write(folder, "b.png")
    except OSError:
        pytest.skip("this file system takes only UTF-8")
    source = FolderSource(tmp_path, name="s")
    assert set(images(source)) == {"s/a.png", "s/<img onerror=alert(1)>.png"}
    found = skipped(source)
    assert len(found) == 2 and set(found.values()) == {"the name is not UTF-8; rename it"}
    json.dumps(found).encode()
    for uri in found:
        uri.encode()


def test_a_folder_inside_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write(tmp_path, "a.png", "locked/b.png")
    scan = os.scandir

    def refuse(path: Path) -> object:
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    source = FolderSource(tmp_path, name="s")
    assert skipped(source) == {"locked": "the folder cannot be read (Permission denied)"}
    with pytest.raises(SourceError, match=r"locked cannot be read \(Permission denied\)"):
        FolderSource(tmp_path / "locked")


def test_folders_that_cannot_be_used(tmp_path: Path):
    write(tmp_path, "plankton/a.png", "text/a.txt", "text/b.csv", "text/c/d.tsv")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match=r"there is no folder .*; did you mean plankton"):
        FolderSource(tmp_path / "planktn")
    with pytest.raises(SourceError, match="has no such name"):
        FolderSource(tmp_path / "zzzzzz")
    with pytest.raises(SourceError, match=f"of its path only {tmp_path} exists"):
        FolderSource(tmp_path / "x" / "y")
    with pytest.raises(SourceError, match=r"a\.png is a file; expected a folder"):
        FolderSource(tmp_path / "plankton" / "a.png")
    with pytest.raises(SourceError, match="3 files, none of them a picture; expected files such"):
        FolderSource(tmp_path / "text")
    with pytest.raises(SourceError, match="holds no pictures: it is empty"):
        FolderSource(tmp_path / "empty")
    with pytest.raises(SourceError, match="cannot be read"):
        FolderSource("a\0b")
    for name in ("", " ", "a/b", "a\nb", "\udcff"):
        with pytest.raises(SourceError, match=r"the source name is .* expected a word"):
            FolderSource(tmp_path / "plankton", name=name)


def test_open_source_finds_the_folder(tmp_path: Path):
    write(tmp_path, "run/Copepod/a.png")
    where = str(tmp_path / "run")
    source = open_source(where, name="r", labels="folder", samples="none", um_per_px=3)
    ref = images(source)["r/Copepod/a.png"]
    assert (ref.label, ref.sample, ref.um_per_px) == ("Copepod", None, 3)
    for wrong in (0, -1, 10_001, float("nan"), float("inf")):
        with pytest.raises(SourceError, match="expected more than 0 and at most 10,000"):
            open_source(where, um_per_px=wrong)
    with pytest.raises(SourceError, match="labels is 'file'; expected 'folder' or 'none'"):
        open_source(where, labels="file")
    with pytest.raises(SourceError, match="samples is ''"):
        open_source(where, samples="")
    with pytest.raises(SourceError, match="no source was named"):
        open_source(" ")
    with pytest.raises(SourceError, match="there is no zip"):
        open_source(where + "n.zip")
    with pytest.raises(SourceError, match="cannot be read as images; use a folder"):
        open_source(where + "/Copepod/a.png")


def test_what_is_no_source(tmp_path: Path):
    write(tmp_path, "vectors.npy", "notes.txt")
    for where in ("chroma:store#name", "ftp://x.org/a", str(tmp_path / "notes.txt")):
        with pytest.raises(SourceError, match=r"use a folder or \.zip of pictures"):
            open_source(where)


def test_the_file_that_was_named_says_of_which_kind_it_is(tmp_path: Path):
    (tmp_path / "run.lst").write_text("FlowCam\nnum-fields|0\n")
    (tmp_path / "run.csv").write_text("uri,station\nb.png,S1\n")
    write(tmp_path, "b.png")
    source = open_source(str(tmp_path / "run.csv"))
    assert source.kind == "Table"
    assert [ref.metadata["station"] for ref in images(source).values()] == ["S1"]
    with pytest.raises(SourceError, match=r"run\.lst"):
        open_source(str(tmp_path / "run.lst"))


@pytest.mark.skipif(not CAMERA.exists(), reason="the camera images are not here")
def test_the_camera_images():
    source = open_source(str(CAMERA), labels="folder")
    found = images(source)
    assert len(found) == 1572 and len({ref.label for ref in found.values()}) == 34
    ref = next(iter(found.values()))
    assert read_image(join(source.root, ref.inner)).shape[2] == 3
