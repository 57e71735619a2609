"""Uploads: from our own page only, streamed, gathered in batches that cannot be left, swept."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from core import managing
from core.catalogue import NewImage
from core.errors import NotFoundError
from core.indexing import index
from core.sources.uri import quote_path
from core.workspace import write_json
from dashboard import receiving, routes, state, uploads

ORIGIN = "http://testserver"
OURS = {"Origin": ORIGIN, "X-Plankton": state.PAGE_SECRET}
ZIP = "application/zip"


@pytest.fixture
def client(filled: Path) -> Iterator[TestClient]:
    with TestClient(Starlette(routes=routes.routes())) as client:
        yield client


def sent(workspace: Path) -> list[Path]:
    return sorted(p for p in (workspace / "uploads").rglob("*") if p.is_file())


def send(client: TestClient, name: str = "pictures.zip", **how: Any) -> Any:
    how = {"headers": OURS, "content": b"PK" * 50_000} | how
    return client.post("/upload", params={"name": name}, **how)


def test_an_upload_is_kept_byte_for_byte(client, filled):
    content = np.random.default_rng(0).bytes(3_000_000)
    answer = send(client, content=iter([content[:1_000_000], content[1_000_000:]]))
    assert answer.status_code == 200
    assert answer.json()["bytes"] == len(content)
    (path,) = sent(filled)
    assert path == filled / "uploads" / answer.json()["upload"]
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Plankton": state.PAGE_SECRET},
        {"Origin": ORIGIN},
        {"Origin": ORIGIN, "X-Plankton": ""},
        {"Origin": ORIGIN, "X-Plankton": "1"},
        {"Origin": "http://elsewhere.example", "X-Plankton": state.PAGE_SECRET},
        {"Origin": "http://testserver.elsewhere.example", "X-Plankton": state.PAGE_SECRET},
        {"Origin": "null", "X-Plankton": state.PAGE_SECRET},
        {"Origin": "http://[", "X-Plankton": state.PAGE_SECRET},
        {"Origin": "", "Host": "", "X-Plankton": state.PAGE_SECRET},
    ],
)
def test_uploads_come_from_our_own_page_only(client, filled, headers):
    assert send(client, headers=headers).status_code == 403
    assert not sent(filled)


def test_a_form_of_another_site_cannot_upload(client, filled):
    answer = client.post(
        "/upload?name=a.zip", files={"f": ("a.zip", b"PK", ZIP)}, headers={"Origin": ORIGIN}
    )
    assert answer.status_code == 403
    assert client.get("/upload?name=a.zip").status_code == 405
    assert not sent(filled)


@pytest.mark.parametrize(
    "name", ["a.svg", "a.zip.exe", "zip", ".zip", ".png", "", "a.zip/..", "a.tar.gz", "a.pkl", "a/"]
)
def test_only_what_may_become_images_is_taken(client, filled, name):
    answer = send(client, name=name)
    assert answer.status_code == 415
    assert ".zip" in answer.text
    assert not sent(filled)


@pytest.mark.parametrize(
    "name",
    [
        "../../evil.zip", "/etc/evil.zip", "..\\..\\evil.zip", "a/../../evil.zip", "nul\0.zip",
        "x" * 500 + ".zip", "浮" * 300 + ".zip", "<img src=x>.zip", " . .zip .zip", "a\nb.zip",
    ],
)  # fmt: skip
def test_a_name_cannot_leave_the_uploads(client, filled, name):
    answer = send(client, name=name)
    assert answer.status_code == 200, answer.text
    (path,) = sent(filled)
    assert path == filled / "uploads" / answer.json()["upload"]
    assert path.parent.parent == filled / "uploads"
    assert path.suffix == ".zip"
    assert not (filled.parent / "evil.zip").exists()


def test_a_file_over_the_limit_is_refused_and_leaves_nothing(client, filled, monkeypatch):
    monkeypatch.setattr(uploads, "UPLOAD_LIMIT", 100_000)
    answer = send(client, content=b"P" * 100_001)  # declared: refused before it is sent
    assert answer.status_code == 413
    assert "can be uploaded" in answer.text
    answer = send(client, content=iter([b"P" * 60_000] * 3))  # not declared: cut off
    assert answer.status_code == 413
    assert not list((filled / "uploads").glob("*"))
    assert send(client, content=iter([b"P" * 50_000] * 2)).status_code == 200


def test_a_dashboard_that_only_shows_takes_nothing(client, filled, monkeypatch):
    monkeypatch.setenv("PLANKTON_READ_ONLY", "1")
    assert send(client).status_code == 403
    assert not sent(filled)


def test_beyond_localhost_without_a_login_nothing_is_taken(client, filled, monkeypatch):
    monkeypatch.setattr(state, "on_localhost", lambda: False)
    assert send(client).status_code == 403
    monkeypatch.setattr(state, "has_login", lambda: True)
    state._settings.cache_clear()
    assert send(client).status_code == 200


def test_a_length_that_is_no_number_is_not_believed(client, filled):
    answer = send(client, headers={**OURS, "Content-Length": "many"})
    assert answer.status_code == 200


def test_an_upload_that_is_cut_off_leaves_nothing(filled):
    """The client goes away half-way: what had come is deleted."""
    messages = [
        {"type": "http.request", "body": b"P" * 70_000, "more_body": True},
        {"type": "http.disconnect"},
    ]
    seen: list[int] = []

    async def receive() -> dict[str, Any]:
        seen.append(sum(p.stat().st_size for p in sent(filled)))
        return messages.pop(0)

    async def answer(_message: Any) -> None:
        """Nobody reads it."""

    headers = {"host": "testserver", **{k.lower(): v for k, v in OURS.items()}}
    scope = {
        "type": "http", "method": "POST", "path": "/upload", "query_string": b"name=a.zip",
        "headers": [(k.encode(), v.encode()) for k, v in headers.items()],
    }  # fmt: skip
    asyncio.run(Starlette(routes=routes.routes())(scope, receive, answer))
    assert not messages
    assert not list((filled / "uploads").glob("*"))


def test_an_upload_is_written_as_it_comes(filled):
    """Nothing but one piece is in memory: the file grows between the pieces."""
    piece = b"P" * 2_000_000
    sizes: list[int] = []
    answers: list[Any] = []

    async def receive() -> dict[str, Any]:
        sizes.append(sum(p.stat().st_size for p in sent(filled)))
        return {"type": "http.request", "body": piece, "more_body": len(sizes) < 4}

    async def answer(message: Any) -> None:
        answers.append(message)

    headers = {"host": "testserver", **{k.lower(): v for k, v in OURS.items()}}
    scope = {
        "type": "http", "method": "POST", "path": "/upload", "query_string": b"name=a.zip",
        "headers": [(k.encode(), v.encode()) for k, v in headers.items()],
    }  # fmt: skip
    asyncio.run(Starlette(routes=routes.routes())(scope, receive, answer))
    assert answers[0]["status"] == 200
    assert sizes == sorted(sizes)
    assert sizes[2] >= len(piece)


def test_a_full_disk_is_one_sentence(client, filled):
    folder = state.library().workspace.uploads
    folder.rmdir() if folder.is_dir() else None
    folder.write_text("in the way")
    answer = send(client)
    assert answer.status_code == 507
    assert "cannot be written" in answer.text


# several files


def add(client: TestClient, name: str, batch: str = "", content: bytes = b"words") -> Any:
    return client.post(
        "/upload", params={"name": name, "batch": batch}, headers=OURS, content=content
    )


def test_files_of_one_drop_keep_their_folders(client, filled):
    first = add(client, "run/a.png").json()
    batch = first["batch"]
    assert first["upload"] == f"{batch}/run/a.png"
    for name in ("run/deep/er/b#1 50%.tif", "run/x.lst", "run/.hidden.csv"):
        assert add(client, name, batch).json()["batch"] == batch
    folder = filled / "uploads" / batch
    assert [p.relative_to(folder).as_posix() for p in sent(filled)] == [
        "run/a.png", "run/deep/er/b#1 50%.tif", "run/hidden.csv", "run/x.lst",
    ]  # fmt: skip
    assert uploads.arrived(state.library().workspace, batch) == uploads.Arrived(
        folder / "run", None
    )


@pytest.mark.parametrize(
    "name, lies",
    [
        ("../../a.png", "a.png"),
        ("run/../../../a.png", "run/a.png"),
        ("/etc/a.png", "etc/a.png"),
        ("C:\\Users\\me\\a.png", "C_/Users/me/a.png"),
        ("run//./a.png", "run/a.png"),
        ("a\0b/\x1b[2J.png", "a_b/_[2J.png"),
        ("... /a.png", "a.png"),
    ],
)
def test_no_path_leaves_its_batch(client, filled, name, lies):
    answer = add(client, name)
    assert answer.status_code == 200, answer.text
    batch = answer.json()["batch"]
    assert sent(filled) == [filled / "uploads" / batch / lies]


@pytest.mark.parametrize("batch", ["..", "../..", "0" * 16, "x", "0123456789abcdef/..", "%2e%2e"])
def test_a_batch_is_one_that_is_here(client, filled, batch):
    (filled / "uploads").mkdir()
    answer = add(client, "a.png", batch)
    assert answer.status_code == 404
    assert "choose the files again" in answer.text
    assert not sent(filled)
    assert client.delete("/upload", params={"batch": batch}, headers=OURS).status_code == 200
    assert (filled / "workspace.json").is_file()


def test_no_file_takes_anothers_place(client, filled):
    batch = add(client, "run/a.png", content=b"first").json()["batch"]
    answer = add(client, "run/a.png", batch, b"second")
    assert answer.status_code == 409
    assert "came twice" in answer.text
    answer = add(client, "run/a.png/b.png", batch)
    assert answer.status_code == 409
    (path,) = sent(filled)
    assert path.read_bytes() == b"first"
    assert add(client, "run/b.png", batch).status_code == 200


def test_a_batch_is_bounded_in_files_and_bytes(client, filled, monkeypatch):
    monkeypatch.setattr(uploads, "FILES_LIMIT", 3)
    monkeypatch.setattr(uploads, "UPLOAD_LIMIT", 100)
    batch = add(client, "a.png", content=b"P" * 40).json()["batch"]
    assert add(client, "b.png", batch, b"P" * 61).status_code == 413
    receiving._batches.clear()  # a restart: what is there is counted again
    assert add(client, "b.png", batch, b"P" * 61).status_code == 413
    for name in ("b.png", "c.png"):
        assert add(client, name, batch, b"P" * 30).status_code == 200
    answer = add(client, "d.png", batch, b"")
    assert answer.status_code == 413
    assert "more than 3 files" in answer.text
    assert [p.name for p in sent(filled)] == ["a.png", "b.png", "c.png"]


def test_a_file_that_is_cut_off_does_not_take_its_batch_along(client, filled):
    batch = add(client, "run/a.png").json()["batch"]
    messages = [
        {"type": "http.request", "body": b"P" * 70_000, "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    async def answer(_message: Any) -> None:
        """Nobody reads it."""

    headers = {"host": "testserver", **{k.lower(): v for k, v in OURS.items()}}
    scope = {
        "type": "http", "method": "POST", "path": "/upload",
        "query_string": f"name=run/b.png&batch={batch}".encode(),
        "headers": [(k.encode(), v.encode()) for k, v in headers.items()],
    }  # fmt: skip
    asyncio.run(Starlette(routes=routes.routes())(scope, receive, answer))
    assert [p.name for p in sent(filled)] == ["a.png"]
    assert add(client, "run/b.png", batch).status_code == 200  # it is simply sent again


def test_a_zip_comes_alone(client, filled):
    batch = add(client, "a.png").json()["batch"]
    answer = add(client, "b.zip", batch)
    assert answer.status_code == 415
    assert "on its own" in answer.text
    assert [p.name for p in sent(filled)] == ["a.png"]


@pytest.mark.parametrize(
    "names, path, name",
    [
        (["run.zip"], "run.zip", None),
        (["table.csv"], "table.csv", None),
        (["run/a.png", "run/b.png"], "run", None),
        (["a.png"], "", "a"),
        (["x1.lst", "x1_000001.tif", "x1_000002.tif"], "", "x1"),
        (["D20200101T000000_IFCB1.adc", "D20200101T000000_IFCB1.roi"], "",
         "D20200101T000000_IFCB1"),
        (["cell_01.png", "cell_02.png"], "", "cell"),
        (["one/a.png", "two/b.png"], "", "upload-"),
    ],
)  # fmt: skip
def test_what_arrived_is_called_after_what_it_is(client, filled, names, path, name):
    batch = ""
    for each in names:
        batch = add(client, each, batch).json()["batch"]
    found = uploads.arrived(state.library().workspace, batch)
    assert found.path == filled / "uploads" / batch / path
    if name == "upload-":
        assert found.name is not None
        assert found.name.startswith(f"upload-{time.gmtime().tm_year}")
    else:
        assert found.name == name


@pytest.mark.parametrize("batch", ["", "..", "../..", "0" * 16, "/etc"])
def test_what_did_not_arrive_is_one_sentence(filled, batch):
    with pytest.raises(NotFoundError, match="choose the files again"):
        uploads.arrived(state.library().workspace, batch)


# what nobody uses


def long_ago(folder: Path) -> None:
    for path in (*folder.rglob("*"), folder):
        os.utime(path, (1e9, 1e9))


def picture(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(1).integers(0, 255, (40, 40, 3), np.uint8)).save(path)
    return path


def test_only_what_nothing_reads_from_is_swept(client, filled):
    lib = state.library()
    folder = lib.workspace.uploads
    names = {n: f"{n:016x}" for n in range(4)}
    for name in names.values():
        picture(folder / name / "run" / "a.png")
        long_ago(folder / name)
    index(lib, collection="one", source=str(folder / names[0] / "run"))
    index(lib, collection="two", source=str(folder / names[1] / "run"))
    managing.delete(lib, "two")
    job = {"title": "x", "arguments": ["index", str(folder / names[2])], "created": "2026-01-01"}
    write_json(lib.workspace.jobs / "20260101-000000-abcdef" / "job.json", job)
    (folder / names[3] / "run" / "b.png").write_bytes(b"it came just now")
    assert uploads.sweep(lib) == [names[1]]
    assert sorted(p.name for p in folder.iterdir()) == [names[0], names[2], names[3]]


def test_an_upload_of_images_at_places_of_their_own_stays(client, filled):
    lib = state.library()
    path = picture(lib.workspace.uploads / "0123456789abcdef" / "a.png")
    made = lib.catalogue.collection("run")
    lib.catalogue.add_root(made.uid, "table", "")
    image = NewImage("table/1", "table", quote_path(path), "", "", None, None, None, None, {})
    lib.catalogue.put_images(made.uid, [image])
    long_ago(path.parent)
    assert uploads.sweep(lib) == []
    assert path.is_file()


def test_a_new_upload_sweeps(client, filled):
    old = picture(filled / "uploads" / "0123456789abcdef" / "a.png").parent
    long_ago(old)
    assert add(client, "b.png").status_code == 200
    assert not old.exists()


def test_nothing_is_swept_when_all_uploads_were_indexed_at_once(client, filled):
    lib = state.library()
    batch = picture(lib.workspace.uploads / "0123456789abcdef" / "a.png").parent
    index(lib, collection="all", source=str(lib.workspace.uploads))
    long_ago(batch)
    assert uploads.sweep(lib) == []
    assert batch.is_dir()


def test_a_batch_is_thrown_away_unless_something_was_indexed_from_it(client, filled):
    batch = add(client, "a.png").json()["batch"]
    wrong = {"Origin": ORIGIN, "X-Plankton": "no"}
    assert client.delete("/upload", params={"batch": batch}, headers=wrong).status_code == 403
    assert sent(filled)
    picture(filled / "uploads" / batch / "b.png")
    index(state.library(), collection="b", source=str(filled / "uploads" / batch))
    answer = client.delete("/upload", params={"batch": batch}, headers=OURS)
    assert answer.status_code == 409
    assert sent(filled)
    managing.delete(state.library(), "b")
    assert client.delete("/upload", params={"batch": batch}, headers=OURS).status_code == 200
    assert not list((filled / "uploads").iterdir())
