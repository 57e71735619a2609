"""Vectors in a real Chroma, embedded and served, and the snapshot beside them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.arrays import Vectors
from core.catalogue import Encoding
from core.encoders.card import Identity
from core.errors import ShapeError, SourceError, StoreError
from core.library import Library
from core.settings import Settings
from core.snapshot import fingerprint_of, open_snapshot
from core.store import Store, VectorWriter, chroma_name, read_foreign
from core.workspace import Workspace, write_json
from tests.core.conftest import chroma_server, rows_of

D = 4
LAST_BIT = 2e-7
"""A collection of cosine space normalises what it is given once more."""
ENCODING = Encoding(
    encoder="made:up",
    identity=Identity("made:up", weights="none", preprocessing=1, dimension=D),
    generation=1,
    created="2026-01-01T00:00:00+00:00",
)
Opener = Callable[..., VectorWriter]


@pytest.fixture(params=["embedded", "server"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    url = request.getfixturevalue("server") if request.param == "server" else None
    return Settings(workspace=tmp_path / "workspace", store_url=url)


@pytest.fixture
def workspace(settings: Settings) -> Workspace:
    return Workspace.open(settings)


@pytest.fixture
def uid(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The shared server holds the collections of other tests too."""
    return f"{abs(hash((request.node.name, str(tmp_path)))):x}"


@pytest.fixture
def writer(settings: Settings, workspace: Workspace, uid: str) -> Opener:
    def opened(*, recover: bool = True) -> VectorWriter:
        store = Store.open(settings, workspace)
        return store.vectors(workspace, uid, ENCODING, recover=recover)

    return opened


def ids_of(n: int) -> list[str]:
    return [f"run/{number:05d}.png" for number in range(n)]


def check(writer: VectorWriter, ids: list[str], vectors: Vectors) -> None:
    """Store and snapshot hold exactly these ids and, but for Chroma's last bit, these vectors."""
    assert sorted(writer.ids()) == sorted(ids) and writer.count() == len(ids)
    for start in range(0, len(ids), 3_000):
        part = ids[start : start + 3_000]
        held = writer.get(part)
        assert list(held) == part
        stored = np.stack(list(held.values()))
        np.testing.assert_allclose(stored, vectors[start : start + 3_000], atol=LAST_BIT)
    read = open_snapshot(writer.snapshot.folder)
    assert set(read.ids) == set(ids) and len(read) == len(ids)
    rows = writer.snapshot.read(ids)
    assert read.fingerprint == fingerprint_of(ids, rows)
    np.testing.assert_allclose(rows, vectors, atol=LAST_BIT)


def test_put_replace_remove(writer: Opener):
    one, ids, vectors = writer(), ids_of(10), rows_of(10, D)
    one.put(ids, ids, vectors)
    check(one, ids, vectors)
    vectors[[2, 7]] = rows_of(2, D, seed=9)
    one.put([ids[7], ids[2]], ["a", "b"], vectors[[7, 2]])
    one = writer()
    check(one, ids, vectors)
    one.remove([ids[0], "unknown", ids[9]])
    again = writer()
    check(again, ids[1:9], vectors[1:9])
    assert ids[1] in again and ids[0] not in again and len(again) == 8
    assert not (again.snapshot.folder / "pending.json").exists()


def test_uris_ride_along_and_can_change(writer: Opener):
    one = writer()
    one.put(["a", "b"], ["/x/a.png", "/x/b.png"], rows_of(2, D))
    one.set_uris(["b"], ["/y/b.png"])
    found = one._collection.get(ids=["a", "b"], include=["uris"])
    assert dict(zip(found["ids"], found["uris"], strict=True)) == {"a": "/x/a.png", "b": "/y/b.png"}


@pytest.mark.slow
def test_more_than_a_batch_and_more_than_one_read_holds(writer: Opener):
    """Chroma takes 5,461 a batch here and fails to read 32,767 at once."""
    n = 33_000
    one, ids, vectors = writer(), ids_of(n), rows_of(n, D)
    one.put(ids, ids, vectors)
    check(one, ids, vectors)
    again = writer()
    again.remove(ids[100:12_000])
    kept = ids[:100] + ids[12_000:]
    check(again, kept, vectors[[*range(100), *range(12_000, n)]])


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        (rows_of(2, D + 1), "vectors have 5 numbers; expected 4"),
        (rows_of(3, D), "3 vectors for 2 images"),
        (rows_of(2, D) * 2, "expected unit-length rows"),
        (rows_of(2, D) * np.float32(np.nan), "expected unit-length rows"),
        (rows_of(2, D).astype(np.float64), "expected float32"),
    ],
)
def test_what_is_no_vector_is_refused(writer: Opener, vectors: Vectors, message: str):
    one = writer()
    with pytest.raises(ShapeError, match=message):
        one.put(["a", "b"], ["a", "b"], vectors)
    check(one, [], rows_of(1, D)[:0])


def test_another_dimension_is_refused(
    settings: Settings, workspace: Workspace, uid: str, writer: Opener
):
    writer().put(["a"], ["a"], rows_of(1, D))
    other = replace(ENCODING, identity=replace(ENCODING.identity, dimension=D + 1))
    with pytest.raises(ShapeError, match="holds rows of 4 numbers; expected 5"):
        Store.open(settings, workspace).vectors(workspace, uid, other)


def test_a_crash_after_the_store_took_a_batch(writer: Opener):
    """The snapshot reads back that batch: new ids and replaced ones."""
    one, ids, vectors = writer(), ids_of(6), rows_of(6, D)
    one.put(ids[:4], ids[:4], vectors[:4])
    before = one.snapshot._log_path.stat().st_size
    vectors[1] = rows_of(1, D, seed=5)[0]
    batch = [ids[1], *ids[4:]]
    write_json(one._pending, {"put": batch})
    one._collection.upsert(ids=batch, embeddings=vectors[[1, 4, 5]], uris=batch)
    again = writer()
    check(again, ids, vectors)
    written = again.snapshot._log_path.read_bytes()[before:]
    assert written.count(b".png") == 3  # only the difference
    assert not again._pending.exists()


def test_a_crash_before_the_store_took_a_batch(writer: Opener):
    one, ids, vectors = writer(), ids_of(4), rows_of(4, D)
    one.put(ids, ids, vectors)
    write_json(one._pending, {"put": [ids[0], "never/came.png"]})
    check(writer(), ids, vectors)


def test_a_crash_while_removing(writer: Opener):
    one, ids, vectors = writer(), ids_of(5), rows_of(5, D)
    one.put(ids, ids, vectors)
    write_json(one._pending, {"remove": ids[:2]})  # asked, not done
    one = writer()
    check(one, ids, vectors)
    write_json(one._pending, {"remove": ids[:2]})
    one._collection.delete(ids=ids[:2])  # done, not noted
    check(writer(), ids[2:], vectors[2:])


def test_a_store_that_is_ahead_is_read_back(writer: Opener):
    """The snapshot's folder was lost, or copied from an older backup."""
    one, ids, vectors = writer(), ids_of(8), rows_of(8, D)
    one.put(ids, ids, vectors)
    for path in one.snapshot.folder.iterdir():
        path.unlink()
    check(writer(), ids, vectors)


def test_a_store_that_lost_rows_is_not_believed(writer: Opener):
    one, ids, vectors = writer(), ids_of(8), rows_of(8, D)
    one.put(ids, ids, vectors)
    one._collection.delete(ids=ids[:3])
    write_json(one._pending, {"put": ids[:1]})
    with pytest.raises(StoreError, match=r"lost 3 vectors .* `doctor --repair`"):
        writer()
    kept = open_snapshot(one.snapshot.folder)
    assert kept.fingerprint == fingerprint_of(ids, vectors)
    mending = writer(recover=False)
    assert mending.restore({id: f"/x/{id}" for id in ids}) == 3
    check(writer(), ids, vectors)


def test_generations_and_what_is_left_of_them(settings: Settings, workspace: Workspace, uid: str):
    store = Store.open(settings, workspace)
    for generation in (1, 2, 3, 12):
        encoding = replace(ENCODING, generation=generation)
        store.vectors(workspace, uid, encoding).put(["a"], ["a"], rows_of(1, D))
    other = replace(ENCODING, encoder="made:up2")
    store.vectors(workspace, uid, other).put(["a"], ["a"], rows_of(1, D))
    store.drop_others(workspace, uid, ENCODING.encoder, keep=12)
    mine = {name for name in store.names() if name.startswith(uid)}
    assert mine == {chroma_name(uid, "made:up", 12), chroma_name(uid, "made:up2", 1)}
    assert [p.name for p in workspace.snapshot(uid, "made:up", 1).parent.iterdir()] == ["g12"]
    store.drop(workspace, uid, "made:up", 12)
    store.drop(workspace, uid, "made:up", 12)  # nothing to delete is fine
    assert not workspace.snapshot(uid, "made:up", 12).exists()


def test_nearest_from_the_store(settings: Settings, workspace: Workspace, uid: str, writer: Opener):
    ids, vectors = ids_of(50), rows_of(50, D)
    writer().put(ids, ids, vectors)
    store = Store.open(settings, workspace)
    found = store.query(uid, ENCODING, vectors[7], k=5)
    truth = np.argsort(1 - vectors @ vectors[7], kind="stable")[:5]
    assert [id for id, _ in found] == [ids[row] for row in truth]
    np.testing.assert_allclose(
        [distance for _, distance in found], 1 - vectors[truth] @ vectors[7], atol=1e-5
    )


@pytest.mark.parametrize("encoder", ["timm:a/b.c d", "ä" * 300, "x" * 600, "..", "precomputed:é"])
def test_any_encoder_makes_a_name_chroma_takes(encoder: str):
    name = chroma_name("0123456789abcdef", encoder, 3)
    assert re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9._-]{1,510}[a-zA-Z0-9]", name)
    assert name != chroma_name("0123456789abcdef", encoder + "x", 3)


def test_a_server_that_is_not_there(tmp_path: Path):
    settings = Settings(workspace=tmp_path / "w", store_url="http://127.0.0.1:9")
    with pytest.raises(StoreError, match=r"no Chroma server answers at http://127.0.0.1:9") as info:
        Store.open(settings, Workspace.open(settings))
    assert "\n" not in str(info.value) and "chroma run" in str(info.value)


@pytest.mark.slow
def test_a_server_that_goes_away_and_comes_back(tmp_path: Path):
    ids, vectors = ids_of(4), rows_of(4, D)
    with chroma_server(tmp_path / "server") as (url, process):
        settings = Settings(workspace=tmp_path / "w", store_url=url)
        workspace = Workspace.open(settings)
        writer = Store.open(settings, workspace).vectors(workspace, "u1", ENCODING)
        writer.put(ids[:2], ids[:2], vectors[:2])
        process.kill()
        process.wait()
        with pytest.raises(StoreError, match=r"failed \(.*it continues where it was") as info:
            writer.put(ids[2:], ids[2:], vectors[2:])
        assert "\n" not in str(info.value)
        assert open_snapshot(writer.snapshot.folder).ids == ids[:2]
    with chroma_server(tmp_path / "server") as (url, _):
        settings = Settings(workspace=tmp_path / "w", store_url=url)
        writer = Store.open(settings, workspace).vectors(workspace, "u1", ENCODING)
        check(writer, ids[:2], vectors[:2])
        writer.put(ids[2:], ids[2:], vectors[2:])
        check(writer, ids, vectors)


def test_files_that_are_no_store(tmp_path: Path):
    settings = Settings(workspace=tmp_path / "w")
    workspace = Workspace.open(settings)
    workspace.chroma.mkdir()
    (workspace.chroma / "chroma.sqlite3").write_bytes(b"no database at all" * 1000)
    with pytest.raises(StoreError, match=r"cannot be opened|failed") as info:
        Store.open(settings, workspace).vectors(workspace, "u1", ENCODING)
    assert "\n" not in str(info.value)
    with pytest.raises((StoreError, SourceError)):
        read_foreign(f"{workspace.chroma}#any", workspace=workspace)


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("nowhere", r"expected PATH#NAME or http"),
        ("#name", r"expected PATH#NAME or http"),
        ("/no/such/folder#name", r"is no Chroma store; expected a folder with chroma.sqlite3"),
    ],
)
def test_no_foreign_store(library: Library, where: str, message: str):
    with pytest.raises(SourceError, match=message):
        read_foreign(where, workspace=library.workspace)
