"""The only file that knows Chroma: vectors go there, and each confirmed batch into the snapshot."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from core.arrays import Vectors, check_vectors
from core.catalogue import Encoding
from core.errors import CoreError, SourceError, StoreError
from core.settings import Settings
from core.snapshot import SnapshotWriter
from core.workspace import Workspace, read_json, write_json

PAGE = 5_000  # rows per read: Chroma fails at 32,767


class Store:
    """A Chroma client: the workspace's own, or a ``chroma run`` server."""

    def __init__(self, client: Any, where: str) -> None:
        self._client = client
        self._where = where

    @classmethod
    def open(cls, settings: Settings, workspace: Workspace) -> Store:
        """Connect; an embedded store only under `Workspace.writing`, and one at a time.

        Raises
        ------
        StoreError
            If the server does not answer, or the files cannot be opened.
        """
        if settings.store_url:
            return cls(_http_client(settings.store_url), settings.store_url)
        return cls(_fresh_client(workspace.chroma), str(workspace.chroma))

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except CoreError:
            raise
        except Exception as error:  # chroma raises many kinds, httpx's among them
            raise StoreError(
                f"the vector store {self._where} failed ({_one_line(error)}); check that it runs "
                "and its disk has room, then run the command again: it continues where it was"
            ) from error

    def vectors(
        self, workspace: Workspace, uid: str, encoding: Encoding, *, recover: bool = True
    ) -> VectorWriter:
        """Open one encoder's vectors of one collection for writing, and mend a crashed batch."""
        name = chroma_name(uid, encoding.encoder, encoding.generation)
        with self._errors():
            collection = self._client.get_or_create_collection(
                name,
                embedding_function=None,
                configuration={"hnsw": {"space": "cosine"}},
                metadata={"collection": uid, "encoder": encoding.encoder},
            )
            batch = min(int(self._client.get_max_batch_size()), PAGE)
        folder = workspace.snapshot(uid, encoding.encoder, encoding.generation)
        snapshot = SnapshotWriter(folder, dimension=encoding.identity.dimension)
        writer = VectorWriter(self, collection, snapshot, batch)
        if recover:
            writer.recover()
        return writer

    def drop(self, workspace: Workspace, uid: str, encoder: str, generation: int) -> None:
        """Delete one generation of vectors; nothing to delete is fine."""
        name = chroma_name(uid, encoder, generation)
        with self._errors():
            if name in self.names():
                self._client.delete_collection(name)
        folder = workspace.snapshot(uid, encoder, generation)
        (folder / "current.json").unlink(missing_ok=True)  # first: a reader meets all of it or none
        shutil.rmtree(folder, ignore_errors=True)

    def drop_others(self, workspace: Workspace, uid: str, encoder: str, *, keep: int) -> None:
        """Delete every generation but one: what a killed refit or deletion left."""
        stem = chroma_name(uid, encoder, 0).removesuffix("0")
        found = {n.removeprefix(stem) for n in self.names() if n.startswith(stem)}
        snapshots = workspace.snapshot(uid, encoder, 0).parent
        if snapshots.is_dir():
            found |= {path.name.removeprefix("g") for path in snapshots.iterdir()}
        for generation in found:
            if generation.isdigit() and int(generation) != keep:
                self.drop(workspace, uid, encoder, int(generation))

    def drop_named(self, name: str) -> None:
        """Delete a Chroma collection by its own name."""
        with self._errors():
            self._client.delete_collection(name)

    def names(self) -> list[str]:
        """Every Chroma collection's name."""
        found: list[str] = []
        with self._errors():
            while page := self._client.list_collections(limit=1000, offset=len(found)):
                found.extend(c.name for c in page)
        return found

    def ids(self, uid: str, encoding: Encoding) -> list[str]:
        """Every id of one encoder's vectors; looks only, and makes nothing that is not there."""
        name = chroma_name(uid, encoding.encoder, encoding.generation)
        if name not in self.names():
            return []
        with self._errors():
            return _every_id(self._client.get_collection(name, embedding_function=None))

    def query(
        self, uid: str, encoding: Encoding, vector: NDArray[np.float32], *, k: int
    ) -> list[tuple[str, float]]:
        """The server's approximate nearest (id, distance), for what does not fit in memory."""
        name = chroma_name(uid, encoding.encoder, encoding.generation)
        with self._errors():
            collection = self._client.get_collection(name, embedding_function=None)
            found = collection.query(
                query_embeddings=[vector.tolist()], n_results=k, include=["distances"]
            )
        return list(zip(found["ids"][0], map(float, found["distances"][0]), strict=True))


class VectorWriter:
    """One encoder's vectors of one collection: the store first, then the snapshot."""

    def __init__(self, store: Store, collection: Any, snapshot: SnapshotWriter, batch: int) -> None:
        self._store = store
        self._collection = collection
        self.snapshot = snapshot
        self._batch = batch
        self._pending = snapshot.folder / "pending.json"

    def __contains__(self, id: str) -> bool:
        return id in self.snapshot

    def __len__(self) -> int:
        return len(self.snapshot)

    def put(self, ids: Sequence[str], uris: Sequence[str], vectors: Vectors) -> None:
        """Add vectors or replace those of known ids; on disk when it returns."""
        check_vectors(vectors, rows=len(ids), dimension=self.snapshot.dimension)
        for start in range(0, len(ids), self._batch):
            part = slice(start, start + self._batch)
            write_json(self._pending, {"put": list(ids[part])})  # what a crash leaves to compare
            with self._store._errors():
                self._collection.upsert(
                    ids=list(ids[part]), embeddings=vectors[part], uris=list(uris[part])
                )
            self.snapshot.append(ids[part], vectors[part])
            self._pending.unlink()

    def remove(self, ids: Sequence[str]) -> None:
        """Take vectors away; unknown ids are ignored."""
        gone = [id for id in ids if id in self.snapshot]
        for start in range(0, len(gone), self._batch):
            part = gone[start : start + self._batch]
            write_json(self._pending, {"remove": part})
            with self._store._errors():
                self._collection.delete(ids=part)
            self.snapshot.remove(part)
            self._pending.unlink()

    def set_uris(self, ids: Sequence[str], uris: Sequence[str]) -> None:
        """Note that images lie elsewhere now."""
        for start in range(0, len(ids), self._batch):
            part = slice(start, start + self._batch)
            with self._store._errors():
                self._collection.update(ids=list(ids[part]), uris=list(uris[part]))

    def recover(self) -> None:
        """Make the snapshot hold what the store holds, reading back only the difference."""
        pending = read_json(self._pending)
        if pending is not None:
            for ids in pending.values():
                self._read_back(ids)
            gone = pending.get("remove", [])
            self.snapshot.remove(set(gone) - self.get(gone).keys())
            self._pending.unlink()
        if self.count() != len(self.snapshot):
            held = set(self.ids())
            lost = sum(id not in held for id in self.snapshot.live)
            if lost:
                raise StoreError(
                    f"the vector store lost {lost:,} vectors that the snapshot still has; "
                    "give them back with `doctor --repair`"
                )
            self.rebuild()

    def count(self) -> int:
        """How many vectors the store holds."""
        with self._store._errors():
            return int(self._collection.count())

    def ids(self) -> list[str]:
        """Every id in the store, a page at a time."""
        with self._store._errors():
            return _every_id(self._collection)

    def rebuild(self) -> None:
        """Compare ids with the store and mend the snapshot."""
        held = self.ids()
        known = set(held)
        self.snapshot.remove([id for id in self.snapshot.live if id not in known])
        self._read_back([id for id in held if id not in self.snapshot])

    def restore(self, uris: dict[str, str]) -> int:
        """Give the store back what only the snapshot still holds; says how many."""
        held = set(self.ids())
        lost = [id for id in self.snapshot.live if id not in held]
        for start in range(0, len(lost), PAGE):
            part = lost[start : start + PAGE]
            self.put(part, [uris.get(id, id) for id in part], self.snapshot.read(part))
        return len(lost)

    def _read_back(self, ids: Sequence[str]) -> None:
        for start in range(0, len(ids), PAGE):
            found = self.get(ids[start : start + PAGE])
            if found:
                self.snapshot.append(list(found), np.stack(list(found.values())))

    def get(self, ids: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """id -> vector of those of these ids (5,000 at most) that the store holds."""
        if not ids:
            return {}  # asking Chroma for none is an error
        with self._store._errors():
            found = self._collection.get(ids=list(ids), include=["embeddings"])
        rows = np.asarray(found["embeddings"], dtype=np.float32)  # handed back as float64
        held = dict(zip(found["ids"], rows, strict=True))  # in Chroma's order, not in ours
        return {id: held[id] for id in ids if id in held}

    def close(self) -> None:
        """Compact the snapshot when that is worth it."""
        self.snapshot.compact()


def _every_id(collection: Any) -> list[str]:
    found: list[str] = []
    while page := collection.get(limit=PAGE, offset=len(found), include=[])["ids"]:
        found.extend(page)
    return found


def chroma_name(uid: str, encoder: str, generation: int) -> str:
    """A name Chroma takes (3-512 of ``[a-zA-Z0-9._-]``) for any encoder.

    Examples
    --------
    >>> chroma_name("0f", "descriptors", 1)
    '0f.descriptors.ad3985f5.g1'
    """
    readable = "".join(c if c.isascii() and c.isalnum() else "-" for c in encoder)[:60]
    digest = hashlib.blake2b(encoder.encode(), digest_size=4).hexdigest()
    return f"{uid}.{readable}.{digest}.g{generation}"


@dataclass(frozen=True)
class ForeignVectors:
    """What somebody else's Chroma collection holds."""

    name: str
    ids: list[str]
    uris: list[str]
    vectors: NDArray[np.float32]
    metadata: list[dict[str, Any]]


def read_foreign(where: str, *, workspace: Workspace) -> ForeignVectors:
    """Read all of an existing Chroma collection; it is never written to.

    Parameters
    ----------
    where : str
        ``PATH#NAME`` (the folder is copied first: opening can migrate it) or ``http://host:port#NAME``.

    Raises
    ------
    SourceError
        If there is no such store or collection; names those there are.
    """
    place, _, name = where.rpartition("#")
    if not place or not name:
        raise SourceError(f"chroma store is {where!r}; expected PATH#NAME or http://host:port#NAME")
    if place.startswith(("http://", "https://")):
        return _read_all(_http_client(place), name, place)
    folder = Path(place).expanduser().resolve()
    if not (folder / "chroma.sqlite3").is_file():
        raise SourceError(f"{folder} is no Chroma store; expected a folder with chroma.sqlite3")
    workspace.uploads.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=workspace.uploads, prefix="chroma-") as copy:
        _copy(folder, Path(copy))
        client = _embedded_client(Path(copy))
        try:
            return _read_all(client, name, str(folder))
        finally:
            client.close()


def _copy(folder: Path, to: Path) -> None:
    """
    Raises
    ------
    SourceError
        If a file cannot be read, or there is no room for the copy.
    """
    try:
        shutil.copytree(folder, to, dirs_exist_ok=True)
    except shutil.Error as error:  # carries (from, to, why) of each file, and no errno
        why = str(error.args[0][0][2])
        raise SourceError(
            f"the Chroma store {folder} cannot be copied to be read ({why}); allow reading it, and "
            f"free as much space as it takes in {to.parent}"
        ) from error


def _read_all(client: Any, name: str, place: str) -> ForeignVectors:
    try:
        return _read_pages(client, name, place)
    except CoreError:
        raise
    except Exception as error:  # chroma raises many kinds
        raise SourceError(
            f"the Chroma store {place} cannot be read ({_one_line(error)}); expected one that "
            "chromadb itself opens"
        ) from error


def _read_pages(client: Any, name: str, place: str) -> ForeignVectors:
    names = sorted(c.name for c in client.list_collections(limit=10_000))
    if name not in names:
        listed = ", ".join(names) or "none"
        raise SourceError(f"{place} has no collection {name!r}; it has: {listed}")
    collection = client.get_collection(name, embedding_function=None)
    count = int(collection.count())
    ids: list[str] = []
    uris: list[str] = []
    metadata: list[dict[str, Any]] = []
    vectors = np.zeros((0, 0), np.float32)
    while len(ids) < count:
        page = collection.get(
            limit=PAGE, offset=len(ids), include=["embeddings", "metadatas", "uris"]
        )
        if not page["ids"]:
            break
        rows = np.asarray(page["embeddings"], dtype=np.float32)
        if not ids:  # 300,000 x 2,048 are 2.5 GB: held once
            vectors = np.zeros((count, rows.shape[1]), np.float32)
        part = slice(len(ids), len(ids) + len(rows))
        vectors[part] = rows[: len(vectors[part])]
        for row, id in enumerate(page["ids"]):
            fields = dict((page["metadatas"] or [])[row] or {}) if page["metadatas"] else {}
            named = page["uris"][row] if page["uris"] else None
            uris.append(named or fields.get("uri") or fields.get("url") or id)
            metadata.append(fields)
        ids.extend(page["ids"])
    if not ids:
        raise SourceError(f"collection {name!r} of {place} is empty; expected vectors")
    n = min(len(ids), count)  # somebody may be writing to a server meanwhile
    return ForeignVectors(name, ids[:n], uris[:n], vectors[:n], metadata[:n])


_embedded: dict[Path, Any] = {}


def _fresh_client(folder: Path) -> Any:
    """An embedded client that sees what other processes wrote since this one last held the lock.

    Chroma keeps one system a path and process, with the index in memory: closing it lets go of it.
    """
    stale = _embedded.pop(folder, None)
    if stale is not None:
        stale.close()
    _embedded[folder] = _embedded_client(folder)
    return _embedded[folder]


def _settings() -> Any:
    from chromadb.config import Settings as ChromaSettings

    return ChromaSettings(anonymized_telemetry=False)


def _embedded_client(folder: Path) -> Any:
    import chromadb

    try:
        return chromadb.PersistentClient(path=str(folder), settings=_settings())
    except Exception as error:
        raise StoreError(
            f"the vector store {folder} cannot be opened ({_one_line(error)}); check that it can "
            "be written and its disk has room, or run `doctor`"
        ) from error


def _http_client(url: str) -> Any:
    import chromadb

    parts = urlsplit(url)
    try:
        client = chromadb.HttpClient(
            host=parts.hostname or "localhost",
            port=parts.port or (443 if parts.scheme == "https" else 8000),
            ssl=parts.scheme == "https",
            settings=_settings(),
        )
        client.heartbeat()
    except Exception as error:
        raise StoreError(
            f"no Chroma server answers at {url} ({_one_line(error)}); start one with "
            "`chroma run --path FOLDER`, or leave out --store"
        ) from error
    return client


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text[:200]
