from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ImageError
from core.sources import files
from core.sources.reading import read_bytes
from core.sources.uri import join, quote_path, unquote_path


def reason(uri: str, **options: int) -> str:
    with pytest.raises(ImageError) as caught:
        read_bytes(uri, **options)
    assert caught.value.path == uri
    return caught.value.reason


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_every_path_comes_back(text: str):
    path = Path("/" + text)
    quoted = quote_path(path)
    assert unquote_path(quoted) == path
    assert unquote_path(quoted + "#inner/x.png") == path
    assert "#" not in quoted


def test_join():
    assert join("/data", "a/x%23.png") == "/data/a/x%23.png"
    assert join("/", "x.png") == "/x.png"
    assert join("/data/C.ZIP", "a/x.png") == "/data/C.ZIP#a/x.png"
    assert join("", "/data/x.png") == "/data/x.png"


@pytest.mark.parametrize("name", ["a.png", "50%.png", "#1.png", "%23.png", "a b\n.png", "é.png"])
def test_read_what_was_joined(tmp_path: Path, name: str):
    (tmp_path / name).write_bytes(b"abc")
    with zipfile.ZipFile(tmp_path / "c#.zip", "w") as archive:
        archive.writestr("in/" + name, b"def")
    assert read_bytes(join(quote_path(tmp_path), quote_path(name))) == b"abc"
    assert read_bytes(join(quote_path(tmp_path / "c#.zip"), quote_path("in/" + name))) == b"def"


def test_a_folder_called_zip(tmp_path: Path):
    (tmp_path / "c.zip").mkdir()
    (tmp_path / "c.zip" / "a.png").write_bytes(b"abc")
    assert read_bytes(join(quote_path(tmp_path / "c.zip"), "a.png")) == b"abc"


def test_what_cannot_be_read(tmp_path: Path):
    at = str(tmp_path)
    assert reason(at + "/none.png") == "there is no such file"
    assert reason(at + "/none/none.png") == "there is no such file"
    assert reason(at) == "it is a folder; expected a file"
    assert reason(at + "/" + "x" * 300) == "the name is longer than this system allows"
    assert "name" in reason(at + "/a\0b.png")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert reason(at + "/loop") == "its links lead in a circle"
    (tmp_path / "a.tif").write_bytes(b"12345")
    assert "names a part of a .tif" in reason(at + "/a.tif#page=2")
    assert reason(at + "/a.tif", limit=4) == "5 bytes is more than the 4 allowed for one picture"
    assert read_bytes(at + "/a.tif", limit=5) == b"12345"


def test_an_unreadable_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "a.png"
    path.write_bytes(b"abc")

    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    assert reason(str(path)) == "it may not be read (no permission)"


def test_pipes_and_devices_do_not_hang(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.png")
    for path in (str(tmp_path / "pipe.png"), "/dev/zero"):
        assert reason(path) == "it is not a regular file (a pipe, socket or device)"


def test_unknown_addresses(tmp_path: Path):
    assert "expected a file" in reason("ftp://x.org/a.png")
    assert "expected a file" in reason("data:image/png;base64,AAAA")


def test_members_that_cannot_be_read(tmp_path: Path):
    path = tmp_path / "c.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", b"a" * 1000)
        archive.writestr("b.png", b"b" * 1000)
    assert reason(f"{path}#none.png") == "c.zip holds no such file"
    assert reason(f"{path}#a.png", limit=999).startswith("1,000 bytes is more than the 999")
    assert read_bytes(f"{path}#a.png", limit=1000) == b"a" * 1000
    assert reason(f"{tmp_path}/none.zip#a.png") == "there is no such file"
    (tmp_path / "text.zip").write_text("no zip")
    assert reason(f"{tmp_path}/text.zip#a.png") == "text.zip is not a zip, or is damaged here"
    os.mkfifo(tmp_path / "pipe.zip")
    assert "pipe.zip is not a zip" in reason(f"{tmp_path}/pipe.zip#a.png")


def patched(data: bytes, at_central: int, at_local: int, value: bytes) -> bytes:
    """A zip of one member, other bytes in both of its headers."""
    out = bytearray(data)
    for magic, at in ((b"PK\x01\x02", at_central), (b"PK\x03\x04", at_local)):
        start = out.index(magic) + at
        out[start : start + len(value)] = value
    return bytes(out)


def test_a_member_that_lies(tmp_path: Path):
    path = tmp_path / "c.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", bytes(300_000))
    whole = path.read_bytes()
    for size in (100, 2**32 - 2):  # says it is smaller, larger, than it is
        path.write_bytes(patched(whole, 24, 22, size.to_bytes(4, "little")))
        assert reason(f"{path}#a.png", limit=200_000)
    path.write_bytes(patched(whole, 8, 6, b"\1"))
    assert reason(f"{path}#a.png") == "it is encrypted"
    path.write_bytes(patched(whole, 10, 8, b"\x63"))
    assert reason(f"{path}#a.png") == "it is packed by a method that cannot be unpacked here"
    path.write_bytes(whole[:60] + b"\xff" * 30 + whole[90:])
    assert reason(f"{path}#a.png") == "c.zip is not a zip, or is damaged here"


def test_a_zip_written_anew_is_read_anew(tmp_path: Path):
    path = tmp_path / "c.zip"
    for content in (b"first", b"the second"):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.png", content)
        assert read_bytes(f"{path}#a.png") == content


def test_only_a_few_zips_stay_open(tmp_path: Path):
    for i in range(files.OPEN_ZIPS + 3):
        with zipfile.ZipFile(tmp_path / f"{i}.zip", "w") as archive:
            archive.writestr("a.png", str(i))
    for _ in range(2):
        for i in range(files.OPEN_ZIPS + 3):
            assert read_bytes(f"{tmp_path}/{i}.zip#a.png") == str(i).encode()
    assert len(files._zips.open) == files.OPEN_ZIPS
