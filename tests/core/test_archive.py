from __future__ import annotations

import os
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from core.errors import SourceError
from core.images import encode_png, read_image
from core.sources import ImageRef, Skipped, ZipSource, open_source
from core.sources import archive as archive_module
from core.sources.uri import join

PNG = encode_png(np.full((4, 6, 3), 90, np.uint8))


def zipped(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def images(source: ZipSource) -> dict[str, ImageRef]:
    return {found.id: found for found in source.refs() if isinstance(found, ImageRef)}


def skipped(source: ZipSource) -> dict[str, str]:
    return {
        found.uri.rpartition("#")[2]: found.reason
        for found in source.refs()
        if isinstance(found, Skipped)
    }


def test_pictures_are_read_where_they_lie(tmp_path: Path):
    members = {
        "top/": b"",
        "top/b/2.png": PNG,
        "top/a #1 50%.png": PNG,
        "top/<img onerror=alert(1)>.png": PNG,
        "top/notes.txt": b"",
        "top/inner.zip": b"",
        "__MACOSX/top/._a.png": b"",
        "top/.hidden.png": b"",
    }
    path = zipped(tmp_path / "Run 7.zip", members)
    source = open_source(str(path), labels="folder", um_per_px=2)
    assert source.name == "Run 7"
    found = images(source)
    assert list(found) == [
        "Run 7/top/<img onerror=alert(1)>.png",
        "Run 7/top/a #1 50%.png",
        "Run 7/top/b/2.png",
    ]
    ref = found["Run 7/top/b/2.png"]
    assert (ref.label, ref.um_per_px, ref.inner) == ("b", 2, "top/b/2.png")
    assert ref.stamp.endswith(f":{len(PNG)}")
    for ref in found.values():
        assert read_image(join(source.root, ref.inner)).shape == (4, 6, 3)
    assert skipped(source) == {
        "top/inner.zip": "not a picture (.zip)",
        "top/notes.txt": "not a picture (.txt)",
    }
    assert list(tmp_path.iterdir()) == [path]
    assert next(iter(images(ZipSource(path, name="other")))).startswith("other/")


def test_names_from_windows(tmp_path: Path):
    path = zipped(tmp_path / "w.zip", {"run_a.png": PNG, "run/b.png": PNG})
    path.write_bytes(path.read_bytes().replace(b"run_a.png", b"run\\a.png"))
    source = ZipSource(path, labels="folder")
    found = images(source)
    assert {id_: ref.label for id_, ref in found.items()} == {
        "w/run/a.png": "run",
        "w/run/b.png": "run",
    }
    for ref in found.values():
        assert read_image(join(source.root, ref.inner)).shape == (4, 6, 3)


def test_a_path_that_is_there_twice(tmp_path: Path):
    other = encode_png(np.zeros((2, 2, 3), np.uint8))
    path = zipped(
        tmp_path / "t.zip", {"a.png": PNG, "b.png": other, "c_d.png": PNG, "c/d.png": PNG}
    )
    data = path.read_bytes().replace(b"b.png", b"a.png").replace(b"c_d.png", b"c\\d.png")
    path.write_bytes(data)
    source = ZipSource(path)
    assert len(images(source)) == 2
    assert read_image(join(source.root, "a.png")).shape == (2, 2, 3)
    assert set(skipped(source).values()) == {
        "the zip holds this path more than once; the last is taken",
        "another file of this zip has the same path",
    }


def test_encrypted_members_and_links(tmp_path: Path):
    path = tmp_path / "e.zip"
    link = zipfile.ZipInfo("link.png")
    link.create_system, link.external_attr = 3, 0o120777 << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("secret.png", PNG)
        archive.writestr("open.png", PNG)
        archive.writestr(link, "/etc/passwd")
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    source = ZipSource(path)
    assert set(images(source)) == {"e/open.png"}
    assert skipped(source) == {
        "secret.png": "encrypted; pack it without a password",
        "link.png": "a link",
    }


@pytest.mark.parametrize(
    "name", ["../a.png", "x/../../a.png", "/etc/a.png", "..\\a.png", "C:\\a.png", "c:/a.png"]
)
def test_names_outside_the_zip(tmp_path: Path, name: str):
    path = zipped(tmp_path / "n.zip", {"a.png": PNG, name: PNG})
    with pytest.raises(SourceError, match=r"n\.zip names a file outside itself"):
        open_source(str(path))


def test_two_dots_within_a_name_are_harmless(tmp_path: Path):
    assert images(ZipSource(zipped(tmp_path / "d.zip", {"a..b/c...png": PNG})))


def test_bombs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = zipped(tmp_path / "b.zip", {"a.png": bytes(20_000_000)})
    with pytest.raises(
        SourceError, match=r"'a\.png' in b\.zip unpacks to .* looks like a zip bomb"
    ):
        open_source(str(path))
    many = zipped(tmp_path / "m.zip", {f"{i}.png": bytes(5_000_000) for i in range(4)})
    with pytest.raises(SourceError, match=r"m\.zip unpacks to \d+ times its size, more than"):
        open_source(str(many))
    good = zipped(tmp_path / "g.zip", {f"{i}.png": PNG for i in range(4)})
    with pytest.raises(SourceError, match=r"g\.zip holds 4 files, more than the 3 allowed"):
        ZipSource(good, max_members=3)
    with pytest.raises(SourceError, match=r"unpacks to .* bytes, more than the 100 allowed"):
        ZipSource(good, max_unpacked=100)
    monkeypatch.setattr(archive_module, "MAX_DIRECTORY", 50)
    with pytest.raises(SourceError, match="table of contents"):
        ZipSource(good)


def test_the_number_of_members_is_counted_not_believed(tmp_path: Path):
    path = zipped(tmp_path / "c.zip", {f"{i}.png": PNG for i in range(4)})
    data = bytearray(path.read_bytes())
    end = data.rindex(b"PK\x05\x06")
    struct.pack_into("<HH", data, end + 8, 1, 1)
    path.write_bytes(data)
    with pytest.raises(SourceError, match="holds 4 files, more than the 3 allowed"):
        ZipSource(path, max_members=3)


def test_more_members_than_a_small_zip_can_count(tmp_path: Path):
    path = zipped(tmp_path / "z.zip", {f"{i}.png": b"" for i in range(65_600)}, zipfile.ZIP_STORED)
    with pytest.raises(SourceError, match="holds 65,600 files, more than the 65,536 allowed"):
        ZipSource(path, max_members=65_536)


@pytest.mark.parametrize("stated", [3, 1])
def test_a_large_table_of_contents_behind_a_small_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stated: int
):
    """Of two sets of numbers zipfile takes the larger kind, and of them only the size."""
    path = zipped(tmp_path / "d.zip", {f"{i}.png": PNG for i in range(3)})
    data = path.read_bytes()
    end = data.rindex(b"PK\x05\x06")
    size, start = struct.unpack_from("<LL", data, end + 12)
    large = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, stated, stated, size, start)
    where = struct.pack("<4sLQL", b"PK\6\7", 0, end, 1)
    small = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, 50, start, 0)
    path.write_bytes(data[:end] + large + where + small)
    assert len(images(ZipSource(path))) == 3

    def unread(*_: object, **__: object) -> None:
        raise AssertionError("the table of contents was read whole")

    monkeypatch.setattr(zipfile, "ZipFile", unread)
    with pytest.raises(SourceError, match="holds 3 files, more than the 2 allowed"):
        ZipSource(path, max_members=2)


def test_files_that_are_no_zip(tmp_path: Path):
    whole = zipped(tmp_path / "w.zip", {"a.png": PNG}).read_bytes()
    bad = tmp_path / "bad.zip"
    central = whole.index(b"PK\x01\x02")
    for data in (b"", b"text", whole[:-10], whole[:central] + bytes(46) + whole[central + 46 :]):
        bad.write_bytes(data)
        with pytest.raises(SourceError, match=r"bad\.zip is not a zip, or is damaged"):
            open_source(str(bad))
    os.mkfifo(tmp_path / "pipe.zip")
    with pytest.raises(SourceError, match=r"pipe\.zip is not a zip"):
        ZipSource(tmp_path / "pipe.zip")
    with pytest.raises(SourceError, match="there is no zip"):
        ZipSource(tmp_path / "none.zip")
    (tmp_path / "a.png").write_bytes(whole)
    with pytest.raises(SourceError, match=r"expected a file whose name ends in \.zip"):
        ZipSource(tmp_path / "a.png")


def test_zips_without_pictures(tmp_path: Path):
    empty = tmp_path / "empty.zip"
    empty.write_bytes(b"PK\x05\x06" + bytes(18))
    with pytest.raises(SourceError, match="holds no pictures: it is empty"):
        open_source(str(empty))
    texts = zipped(tmp_path / "t.zip", {"a.txt": b"", "b.csv": b""})
    with pytest.raises(SourceError, match="2 files, none of them a picture"):
        open_source(str(texts))


def test_any_bytes_for_a_zip(tmp_path: Path):
    rng = np.random.default_rng(5)
    whole = bytearray(zipped(tmp_path / "f.zip", {"a.png": PNG, "b/c.png": PNG}).read_bytes())
    path = tmp_path / "g.zip"
    for _ in range(300):
        data = bytearray(whole)
        for at in rng.integers(0, len(data), 4):
            data[at] = rng.integers(0, 256)
        path.write_bytes(data)
        try:
            source = ZipSource(path)
            for ref in images(source).values():
                ref.id.encode()
        except SourceError as error:
            assert str(error)
