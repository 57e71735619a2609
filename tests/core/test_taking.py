"""Originals to take away: the same bytes, names every system can unpack, a list of all."""

from __future__ import annotations

import csv
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Picture

from core import labels, taking
from core.catalogue import Collection, Image, NewImage
from core.errors import CoreError, NotFoundError, SourceError
from core.images import decode_image
from core.indexing import index
from core.library import Library
from core.taking import (
    MANIFEST,
    check_limit,
    expected_size,
    file_name,
    fits_at_once,
    key_of,
    read_ids,
    write_ids,
    zip_bytes,
    zip_of,
)
from tests.core.conftest import Pictures


@pytest.fixture
def run(library: Library, pictures: Pictures) -> Collection:
    index(library, collection="run", source=str(pictures(6, folders=("Copepod", "Detritus"))))
    return library.catalogue.collection("run")


def manifest(archive: zipfile.ZipFile) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(archive.read(MANIFEST).decode("utf-8-sig"))))


def put(library: Library, uid: str, *images: NewImage) -> list[Image]:
    library.catalogue.put_images(uid, images)
    return library.catalogue.images(uid, [image.id for image in images])


def test_the_zip_holds_the_very_files_and_what_is_known_of_them(
    library: Library, run: Collection, tmp_path: Path
):
    ids = ["run/Detritus/00003.png", "run/Copepod/00000.png"]
    labels.record(
        library.catalogue, run.uid, [labels.Decision(ids[1], "Copepod")], by="ann", how="set"
    )
    images = library.catalogue.images(run.uid, ids)
    done = zip_of(library, run.uid, images, to=tmp_path / "out.zip")
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [*ids, MANIFEST]
        for image in images:
            assert archive.read(image.id) == Path(image.uri).read_bytes()
        rows = manifest(archive)
    assert [(r["id"], r["file"], r["uri"], r["label"], r["label_status"]) for r in rows] == [
        (ids[0], ids[0], images[0].uri, "", ""),
        (ids[1], ids[1], images[1].uri, "Copepod", "validated"),
    ]
    assert int(rows[0]["width"]) == images[0].width and not rows[0]["problem"]
    assert (done["images"], done["unreadable"], done["skipped"]) == (2, 0, [])
    assert done["bytes"] == (tmp_path / "out.zip").stat().st_size
    assert [path.name for path in tmp_path.glob(".*")] == []


def test_what_cannot_be_read_is_listed_with_its_reason(
    library: Library, run: Collection, tmp_path: Path
):
    images = library.catalogue.images(run.uid)
    Path(images[2].uri).unlink()
    done = zip_of(library, run.uid, images, to=tmp_path / "out.zip")
    assert (done["images"], done["unreadable"]) == (5, 1)
    assert done["skipped"] == [{"uri": images[2].uri, "reason": "there is no such file"}]
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert len(archive.namelist()) == 6
        row = manifest(archive)[2]
    assert (row["file"], row["problem"]) == ("", "there is no such file")


def test_parts_of_files_become_pictures_of_their_own(library: Library, run: Collection):
    root = Path(library.catalogue.roots(run.uid)["run"])
    collage = np.arange(64 * 64, dtype=np.uint8).reshape(64, 64)
    Picture.fromarray(collage).save(root / "collage.tif")
    where = {"source": "run", "stamp": "1", "content_hash": ""}
    images = put(
        library,
        run.uid,
        NewImage(id="flow_1", inner="collage.tif#xywh=4,8,20,10", **where),
        NewImage(id="whole", inner="collage.tif", **where),
    )
    with zipfile.ZipFile(io.BytesIO(zip_bytes(library, run.uid, images))) as archive:
        cut = decode_image(archive.read("flow_1.png"), name="x")
        assert (cut[:, :, 0] == collage[8:18, 4:24]).all()
        assert archive.read("whole.tif") == (root / "collage.tif").read_bytes()
        assert archive.getinfo("whole.tif").compress_type == zipfile.ZIP_DEFLATED
        assert archive.getinfo("flow_1.png").compress_type == zipfile.ZIP_STORED


def test_a_spreadsheet_is_given_no_formula(library: Library, run: Collection):
    row = NewImage(id="=1+1", source="run", inner="gone.png", stamp="", content_hash="")
    packed = zip_bytes(library, run.uid, put(library, run.uid, row))
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        assert manifest(archive)[0]["id"] == "'=1+1"


def test_too_much_is_refused_before_and_while_it_is_read(
    library: Library, run: Collection, tmp_path: Path
):
    images = library.catalogue.images(run.uid)
    size = expected_size(images)
    assert size == sum(Path(image.uri).stat().st_size for image in images)
    check_limit(images, size)
    with pytest.raises(SourceError, match=r"these 6 images .* --format zip --ids-from FILE"):
        check_limit(images, size - 1)
    grown = Path(images[5].uri)
    grown.write_bytes(grown.read_bytes() + bytes(1000))
    with pytest.raises(SourceError, match="take fewer"):
        zip_of(library, run.uid, images, to=tmp_path / "out.zip", limit=size)
    assert list(tmp_path.glob("*.zip")) == list(tmp_path.glob(".*.part")) == []


def test_what_a_page_packs_at_once(
    library: Library, run: Collection, monkeypatch: pytest.MonkeyPatch
):
    images = library.catalogue.images(run.uid)
    assert fits_at_once(images) and not fits_at_once(images * 100)
    monkeypatch.setattr(taking, "AT_ONCE", expected_size(images) - 1)
    assert not fits_at_once(images)
    remote = put(
        library,
        run.uid,
        NewImage(id="far", source="run", inner="s3://bucket/far.png", stamp="an-etag",
                 content_hash=""),
    )  # fmt: skip
    assert expected_size(remote) == taking.UNKNOWN and expected_size(remote, unknown=0) == 0


def test_the_name_of_a_zip_changes_with_its_images(library: Library, run: Collection):
    images = library.catalogue.images(run.uid)
    assert key_of(run.uid, images) == key_of(run.uid, library.catalogue.images(run.uid))
    others = [images[:5], images[::-1]]
    row = library.catalogue.image_rows(run.uid)[0]
    library.catalogue.put_images(run.uid, [NewImage(**{**vars(row), "stamp": "9:9"})])
    others.append(library.catalogue.images(run.uid))
    keys = {key_of(run.uid, each) for each in (images, *others)} | {key_of("other", images)}
    assert len(keys) == 5


def test_where_it_cannot_be_written(library: Library, run: Collection, tmp_path: Path):
    images = library.catalogue.images(run.uid)[:1]
    with pytest.raises(SourceError, match="is no folder"):
        zip_of(library, run.uid, images, to=tmp_path / "nowhere" / "out.zip")
    (tmp_path / "taken.zip").mkdir()
    with pytest.raises(CoreError, match="cannot be written"):
        zip_of(library, run.uid, images, to=tmp_path / "taken.zip")


@given(st.lists(st.text(max_size=40), max_size=12), st.sampled_from(["", ".png", ".tif"]))
def test_names_are_safe_and_each_their_own(ids: list[str], suffix: str):
    taken = {MANIFEST}
    names = [file_name(id, suffix, taken) for id in ids]
    assert len({name.lower() for name in names} | {MANIFEST}) == len(ids) + 1
    for name in names:
        assert name.endswith(suffix) and not name.startswith("/") and "\\" not in name
        for part in name.split("/"):
            assert part not in ("", ".", "..") and part == part.strip(" ")
            assert not set(part) & set('<>:"|?*\x00\n')


@pytest.mark.parametrize(
    ("id", "suffix", "name"),
    [
        ("/etc/passwd", ".png", "etc/passwd.png"),
        ("../../x.png", ".png", "x.png"),
        ("C:\\run\\x.png", ".png", "C__run_x.png"),
        ("con.png", ".png", "_con.png"),
        ("https://a.org/x.jpg?size=9", ".jpg", "https_/a.org/x.jpg_size=9.jpg"),
        ("", "", "image"),
        ("..", ".png", "image.png"),
    ],
)
def test_names_of_odd_ids(id: str, suffix: str, name: str):
    assert file_name(id, suffix, set()) == name


def test_long_names_keep_their_ends():
    name = file_name("é" * 300 + "_00012", ".png", set())
    assert name.endswith("_00012.png") and len(name.encode()) <= 110


def test_ids_from_a_file(tmp_path: Path):
    known = ["run/a.png", "run/b.png", "=odd", "'=kept", "two\nlines", "\udcff.png"]
    path = tmp_path / "ids.txt"
    path.write_bytes(b"\xef\xbb\xbfrun/b.png\r\n\n=odd\nrun/b.png\n")
    assert read_ids(path, known) == ["run/b.png", "=odd"]
    table = tmp_path / "ids.csv"
    write_ids(table, known)
    assert read_ids(table, known) == known
    table.write_text("rank,id\n0,'=odd\n1,'=kept\n")
    assert read_ids(table, known) == ["=odd", "'=kept"]


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("ids.txt", b"\n  \n", "names no image"),
        ("ids.txt", b"\xff\xfe\x00", "no text in UTF-8"),
        ("ids.csv", b"name\nx\n", "no column 'id'"),
    ],
)
def test_files_that_name_no_ids(tmp_path: Path, name: str, data: bytes, says: str):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(SourceError, match=says):
        read_ids(tmp_path / name, ["run/a.png"])


def test_ids_that_are_not_there_and_files_that_are_not(tmp_path: Path):
    (tmp_path / "ids.txt").write_text("run/a.pgn\nrun/a.png\n")
    with pytest.raises(NotFoundError, match=r"1 images .* 'run/a.pgn'; did you mean 'run/a.png'"):
        read_ids(tmp_path / "ids.txt", ["run/a.png"])
    with pytest.raises(SourceError, match="cannot be read"):
        read_ids(tmp_path / "none.txt", ["run/a.png"])
