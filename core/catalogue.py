"""One catalogue: collections, their images, and what is known of each."""

from __future__ import annotations

import difflib
import json
import os
import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from core import schema
from core.encoders.card import Identity
from core.errors import CoreError, NotFoundError, SourceError, WorkspaceError
from core.settings import Settings
from core.sources.uri import join, quote_path
from core.workspace import Workspace, now

HOME = "workspace:"
"""Begins a root that lies in the workspace, so that copying the workspace copies everything."""

SUGGESTED_FROM = 2_000  # ids a mistyped one is compared with: a quarter of a second

BATCH = 500  # ids per query: far under SQLite's limit on variables


@dataclass(frozen=True)
class Collection:
    """A named set of images."""

    uid: str
    name: str
    created: str
    encoder: str
    """The encoder it was first indexed with."""
    revision: int
    options: Mapping[str, Any]


@dataclass(frozen=True)
class Image:
    """What the catalogue knows of one image."""

    id: str
    uri: str
    stamp: str
    content_hash: str
    width: int | None
    height: int | None
    um_per_px: float | None
    sample: str | None
    metadata: Mapping[str, Any]


@dataclass(frozen=True)
class NewImage:
    """An image on its way into the catalogue."""

    id: str
    source: str
    inner: str
    stamp: str
    content_hash: str
    width: int | None = None
    height: int | None = None
    um_per_px: float | None = None
    sample: str | None = None
    metadata: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Encoding:
    """One encoder's vectors of one collection."""

    encoder: str
    identity: Identity
    generation: int
    created: str
    fit: Mapping[str, Any] | None = None
    made_by: str | None = None
    provenance: Mapping[str, Any] | None = None


def nearby(wanted: str, known: Sequence[str]) -> str:
    """ "; did you mean ...?" or the names there are, for the end of an error."""
    close = difflib.get_close_matches(wanted, known, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    shown = ", ".join(repr(name) for name in list(known)[:8])
    return f"there is {shown}" if known else "there is none yet"


class Catalogue:
    """Collections and images in SQLite (WAL), or another database by url."""

    def __init__(self, url: str | sa.URL, *, home: str = "") -> None:
        self._home = home
        try:
            parsed = sa.make_url(url)
            self.engine = sa.create_engine(
                parsed,
                connect_args={"timeout": 30} if parsed.get_backend_name() == "sqlite" else {},
                json_serializer=lambda value: json.dumps(
                    value, ensure_ascii=False, allow_nan=False
                ),
            )
        except (sa.exc.ArgumentError, ImportError) as error:
            raise WorkspaceError(
                f"the catalogue's url cannot be used ({' '.join(str(error).split())}); expected "
                "one such as postgresql+psycopg://user@host/name, or leave out PLANKTON_CATALOGUE"
            ) from error
        if self.engine.dialect.name == "sqlite":
            sa.event.listen(self.engine, "connect", _sqlite_pragmas)

    @classmethod
    def open(cls, settings: Settings) -> Catalogue:
        """The catalogue of this workspace; its tables are made when they are not there."""
        workspace = Workspace.open(settings)
        home = quote_path(workspace.root)
        if settings.catalogue_url:
            catalogue = cls(settings.catalogue_url, home=home)
        elif os.access(workspace.root, os.W_OK):
            catalogue = cls(sa.URL.create("sqlite", database=str(workspace.catalogue)), home=home)
        else:
            return cls(_read_only(workspace.catalogue), home=home)
        catalogue._make_tables()
        return catalogue

    def _make_tables(self) -> None:
        with self._errors(), self.engine.begin() as connection:
            there = set(sa.inspect(connection).get_table_names())
            if there >= set(schema.tables.tables):
                return
        with self._errors(), self.engine.begin() as connection:
            if self.engine.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")  # another process may do it too
            schema.tables.create_all(connection)

    def close(self) -> None:
        self.engine.dispose()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sa.exc.DBAPIError as error:
            raise WorkspaceError(
                f"the catalogue cannot be used ({error.orig}); check that "
                f"{self.engine.url.render_as_string()} can be written and its disk has room"
            ) from error

    @contextmanager
    def begin(self) -> Iterator[sa.Connection]:
        """One transaction: all of it is on disk when the block ends, or none."""
        with self._errors(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def connect(self) -> Iterator[sa.Connection]:
        """A connection to read from."""
        with self._errors(), self.engine.connect() as connection:
            yield connection

    # collections

    def collections(self) -> list[Collection]:
        """Every collection, by name."""
        table = schema.collections
        query = sa.select(table).where(table.c.deleted.is_(None)).order_by(table.c.name)
        with self.connect() as connection:
            return [_collection(row) for row in connection.execute(query)]

    def every_uid(self) -> set[str]:
        """Uids of all collections there ever were."""
        with self.connect() as connection:
            return set(connection.execute(sa.select(schema.collections.c.uid)).scalars())

    def collection(self, name: str) -> Collection:
        """The collection of that name.

        Raises
        ------
        NotFoundError
            If there is none; suggests one.
        """
        table = schema.collections
        query = sa.select(table).where(table.c.name == name, table.c.deleted.is_(None))
        with self.connect() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            names = [c.name for c in self.collections()]
            raise NotFoundError(f"no collection is called {name!r}; {nearby(name, names)}")
        return _collection(row)

    def create(self, name: str, *, encoder: str, options: Mapping[str, Any]) -> Collection:
        """The collection of that name, made when it is not there.

        A deleted collection of that name comes back empty, and with it its label events.
        """
        check_name(name)
        table = schema.collections
        with self.begin() as connection:
            row = connection.execute(sa.select(table).where(table.c.name == name)).one_or_none()
            if row is None:
                connection.execute(
                    table.insert().values(
                        uid=secrets.token_hex(8),
                        name=name,
                        created=now(),
                        encoder=encoder,
                        revision=0,
                        options=dict(options),
                    )
                )
            elif row.deleted is not None:
                connection.execute(
                    table.update()
                    .where(table.c.uid == row.uid)
                    .values(created=now(), deleted=None, encoder=encoder, options=dict(options))
                )
        return self.collection(name)

    def rename(self, name: str, new: str) -> Collection:
        """Give a collection another name."""
        check_name(new)
        collection = self.collection(name)
        table = schema.collections
        with self.begin() as connection:
            other = connection.execute(sa.select(table).where(table.c.name == new)).one_or_none()
            if other is not None and other.uid != collection.uid:
                if other.deleted is None:
                    raise SourceError(
                        f"a collection is already called {new!r}; choose another name"
                    )
                events = schema.label_events
                kept = connection.execute(
                    sa.select(sa.func.count()).where(events.c.collection == other.uid)
                ).scalar_one()
                if kept:
                    raise SourceError(
                        f"a deleted collection called {new!r} keeps {kept} label events, which "
                        "return when it is indexed again; choose another name"
                    )
                connection.execute(table.delete().where(table.c.uid == other.uid))
            connection.execute(table.update().where(table.c.uid == collection.uid).values(name=new))
        return self.collection(new)

    def delete(self, uid: str) -> None:
        """Forget the collection's images and encodings; its label events stay."""
        with self.begin() as connection:
            for table in (schema.images, schema.encodings, schema.roots):
                connection.execute(table.delete().where(table.c.collection == uid))
            connection.execute(
                schema.collections.update()
                .where(schema.collections.c.uid == uid)
                .values(deleted=now(), revision=schema.collections.c.revision + 1)
            )

    def options(self, uid: str) -> dict[str, Any]:
        """What was noted of the collection as a whole; empty when there is no such collection."""
        table = schema.collections
        query = sa.select(table.c.options).where(table.c.uid == uid)
        with self.connect() as connection:
            return dict(connection.execute(query).scalar_one_or_none() or {})

    def set_options(self, uid: str, options: Mapping[str, Any]) -> None:
        """Replace the collection's options."""
        with self.begin() as connection:
            connection.execute(
                schema.collections.update()
                .where(schema.collections.c.uid == uid)
                .values(options=dict(options), revision=schema.collections.c.revision + 1)
            )

    # roots

    def roots(self, uid: str) -> dict[str, str]:
        """SOURCE -> root."""
        table = schema.roots
        with self.connect() as connection:
            rows = connection.execute(sa.select(table).where(table.c.collection == uid))
            return {row.source: self._absolute(row.root) for row in rows}

    def _absolute(self, root: str) -> str:
        """A root inside the workspace moves with it."""
        return self._home + root.removeprefix(HOME) if root.startswith(HOME) else root

    def _relative(self, root: str) -> str:
        inside = bool(self._home) and root.startswith(f"{self._home}/")
        return HOME + root.removeprefix(self._home) if inside else root

    def add_root(self, uid: str, source: str, root: str) -> None:
        """Note where SOURCE lies.

        Raises
        ------
        SourceError
            If another root already goes by that name in this collection.
        """
        known = self.roots(uid)
        if source in known:
            if known[source] != root:
                raise SourceError(
                    f"this collection already has a source called {source!r} at {known[source]}, "
                    f"and {root} would give the same ids; name it with --source-name, "
                    "or use `relocate` if the folder was moved"
                )
            return
        with self.begin() as connection:
            connection.execute(
                schema.roots.insert().values(
                    collection=uid, source=source, root=self._relative(root)
                )
            )

    def relocate(self, uid: str, source: str, root: str) -> None:
        """Say that SOURCE now lies elsewhere; ids and labels stay."""
        known = self.roots(uid)
        if source not in known:
            raise NotFoundError(
                f"the collection has no source called {source!r}; {nearby(source, list(known))}"
            )
        with self.begin() as connection:
            connection.execute(
                schema.roots.update()
                .where(schema.roots.c.collection == uid, schema.roots.c.source == source)
                .values(root=self._relative(root))
            )
            self._touch(connection, uid)

    # images

    def put_images(self, uid: str, new: Iterable[NewImage]) -> None:
        """Add images, or bring known ones up to date, in one transaction."""
        rows = [
            {
                "collection": uid,
                "id": image.id,
                "source": image.source,
                "inner": image.inner,
                "stamp": image.stamp,
                "content_hash": image.content_hash,
                "width": image.width,
                "height": image.height,
                "um_per_px": image.um_per_px,
                "sample": image.sample,
                "metadata": dict(image.metadata or {}),
            }
            for image in new
        ]
        if not rows:
            return
        table = schema.images
        dialect = postgresql if self.engine.dialect.name == "postgresql" else sqlite
        insert = dialect.insert(table)
        changed = {c: insert.excluded[c] for c in rows[0] if c not in ("collection", "id")}
        statement = insert.on_conflict_do_update(
            index_elements=[table.c.collection, table.c.id], set_=changed
        )
        with self.begin() as connection:
            connection.execute(statement, rows)
            self._touch(connection, uid)

    def remove_images(self, uid: str, ids: Sequence[str]) -> None:
        """Forget these images; their label events stay."""
        table = schema.images
        with self.begin() as connection:
            for start in range(0, len(ids), BATCH):
                connection.execute(
                    table.delete().where(
                        table.c.collection == uid, table.c.id.in_(ids[start : start + BATCH])
                    )
                )
            self._touch(connection, uid)

    def _touch(self, connection: sa.Connection, uid: str) -> None:
        table = schema.collections
        connection.execute(
            table.update().where(table.c.uid == uid).values(revision=table.c.revision + 1)
        )

    def revision(self, uid: str) -> int:
        """A number that grows with every change to the collection's images."""
        table = schema.collections
        with self.connect() as connection:
            found = connection.execute(
                sa.select(table.c.revision).where(table.c.uid == uid)
            ).scalar_one_or_none()
        return -1 if found is None else int(found)

    def count(self, uid: str) -> int:
        """How many images the collection has."""
        table = schema.images
        with self.connect() as connection:
            return connection.execute(
                sa.select(sa.func.count()).where(table.c.collection == uid)
            ).scalar_one()

    def stamps(self, uid: str) -> dict[str, str]:
        """id -> stamp of every image, in the order they came."""
        table = schema.images
        query = (
            sa.select(table.c.id, table.c.stamp)
            .where(table.c.collection == uid)
            .order_by(table.c.position)
        )
        with self.connect() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def column(self, uid: str, name: str) -> dict[str, Any]:
        """id -> one of content_hash, width, height, um_per_px, sample, metadata."""
        table = schema.images
        query = (
            sa.select(table.c.id, table.c[name])
            .where(table.c.collection == uid)
            .order_by(table.c.position)
        )
        with self.connect() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def table(self, uid: str, names: Sequence[str]) -> Iterator[Sequence[Any]]:
        """These columns of every image, a row an image, in the order they came."""
        table = schema.images
        chosen = [table.c[name] for name in names]
        query = sa.select(*chosen).where(table.c.collection == uid).order_by(table.c.position)
        with self.connect() as connection:
            yield from connection.execute(query).yield_per(BATCH)

    def image(self, uid: str, id: str) -> Image:
        """What is known of one image.

        Raises
        ------
        NotFoundError
            If the collection has no image of that id.
        """
        found = self.images(uid, [id])
        if not found:
            table = schema.images
            with self.connect() as connection:
                some = sa.select(table.c.id).where(table.c.collection == uid)
                named = table.c.id.contains(Path(id).name, autoescape=True)
                close = list(connection.execute(some.where(named).limit(1)).scalars())
                if not close:
                    first = connection.execute(some.limit(SUGGESTED_FROM)).scalars()
                    close = difflib.get_close_matches(id, list(first), n=1)
            hint = f"did you mean {close[0]!r}?" if close else "ids look like SOURCE/path/in/it.png"
            raise NotFoundError(f"the collection has no image {id!r}; {hint}")
        return found[0]

    def find(self, uid: str, text: str, *, limit: int) -> list[str]:
        """Ids that are this text, or else end with it, or else contain it."""
        table = schema.images
        ours = sa.select(table.c.id).where(table.c.collection == uid).limit(limit)
        with self.connect() as connection:
            for condition in (
                table.c.id == text,
                table.c.id.endswith(f"/{text}", autoescape=True),
                table.c.id.contains(text, autoescape=True),
            ):
                found = list(connection.execute(ours.where(condition)).scalars())
                if found:
                    return found
        return []

    def images(self, uid: str, ids: Sequence[str] | None = None) -> list[Image]:
        """These images in the order asked for, unknown ids left out; None asks for all."""
        roots = self.roots(uid)
        table = schema.images
        query = sa.select(table).where(table.c.collection == uid).order_by(table.c.position)
        with self.connect() as connection:
            if ids is None:
                return [_image(row, roots) for row in connection.execute(query)]
            found: dict[str, Image] = {}
            for start in range(0, len(ids), BATCH):
                chosen = query.where(table.c.id.in_(ids[start : start + BATCH]))
                found.update((row.id, _image(row, roots)) for row in connection.execute(chosen))
        return [found[id] for id in ids if id in found]

    def image_rows(self, uid: str) -> list[NewImage]:
        """Every image as it was put in, in the order they came."""
        table = schema.images
        query = sa.select(table).where(table.c.collection == uid).order_by(table.c.position)
        with self.connect() as connection:
            return [
                NewImage(
                    id=row.id,
                    source=row.source,
                    inner=row.inner,
                    stamp=row.stamp,
                    content_hash=row.content_hash,
                    width=row.width,
                    height=row.height,
                    um_per_px=row.um_per_px,
                    sample=row.sample,
                    metadata=row.metadata,
                )
                for row in connection.execute(query)
            ]

    # encodings

    def encodings(self, uid: str) -> list[Encoding]:
        """Every encoder's vectors of the collection, the oldest first."""
        table = schema.encodings
        query = sa.select(table).where(table.c.collection == uid).order_by(table.c.created)
        with self.connect() as connection:
            return [_encoding(row) for row in connection.execute(query)]

    def encoding(self, collection: Collection, encoder: str | None = None) -> Encoding:
        """The collection's vectors of that encoder; None is the one it was first indexed with.

        Raises
        ------
        NotFoundError
            If the collection was not indexed with it.
        """
        wanted = encoder or collection.encoder
        every = self.encodings(collection.uid)
        for encoding in every:
            if encoding.encoder == wanted:
                return encoding
        names = ", ".join(e.encoder for e in every) or "none yet"
        raise NotFoundError(
            f"collection {collection.name!r} has no vectors of encoder {wanted!r} (it has: {names})"
            f"; index it again with --encoder {wanted}"
        )

    def put_encoding(self, uid: str, encoding: Encoding) -> None:
        """Add or replace an encoder's entry; readers see the old generation or the new one."""
        table = schema.encodings
        values: dict[str, Any] = {
            "created": encoding.created,
            "generation": encoding.generation,
            "identity": encoding.identity.as_json(),
            "fit": None if encoding.fit is None else dict(encoding.fit),
            "made_by": encoding.made_by,
            "provenance": dict(encoding.provenance or {}),
        }
        with self.begin() as connection:
            where = sa.and_(table.c.collection == uid, table.c.encoder == encoding.encoder)
            done = connection.execute(table.update().where(where).values(**values))
            if not done.rowcount:
                connection.execute(
                    table.insert().values(collection=uid, encoder=encoding.encoder, **values)
                )
            self._touch(connection, uid)

    def delete_encoding(self, uid: str, encoder: str) -> None:
        """Forget an encoder's entry; were it the default, the oldest left takes its place."""
        table, owner = schema.encodings, schema.collections
        oldest = (
            sa.select(table.c.encoder)
            .where(table.c.collection == uid)
            .order_by(table.c.created)
            .limit(1)
        )
        with self.begin() as connection:
            connection.execute(
                table.delete().where(table.c.collection == uid, table.c.encoder == encoder)
            )
            left = connection.execute(oldest).scalar_one_or_none()
            if left is not None:
                connection.execute(
                    owner.update()
                    .where(owner.c.uid == uid, owner.c.encoder == encoder)
                    .values(encoder=left)
                )
            self._touch(connection, uid)


def check_name(name: str) -> None:
    """Refuse a collection name that would not work on a command line, in a link or on screen.

    Raises
    ------
    CoreError
        Saying what is allowed.
    """
    if not name or len(name) > 100 or name != name.strip() or not name.isprintable() or "/" in name:
        raise CoreError(
            f"collection name is {name[:120]!r}; expected 1 to 100 printable characters "
            "without '/' and without blanks at its ends"
        )


def _collection(row: Any) -> Collection:
    return Collection(row.uid, row.name, row.created, row.encoder, row.revision, row.options)


def _image(row: Any, roots: Mapping[str, str]) -> Image:
    return Image(
        id=row.id,
        uri=join(roots.get(row.source, ""), row.inner),
        stamp=row.stamp,
        content_hash=row.content_hash,
        width=row.width,
        height=row.height,
        um_per_px=row.um_per_px,
        sample=row.sample,
        metadata=row.metadata,
    )


def _encoding(row: Any) -> Encoding:
    return Encoding(
        encoder=row.encoder,
        identity=Identity.from_json(row.identity),
        generation=row.generation,
        created=row.created,
        fit=row.fit,
        made_by=row.made_by,
        provenance=row.provenance,
    )


def _read_only(path: Path) -> sa.URL:
    """A catalogue that can be looked at and not written, where WAL would want to write beside it.

    While its writer's WAL is there SQLite reads both; without it the file is whole and may be
    taken for unchanging.
    """
    query = {"mode": "ro", "uri": "true"}
    if not all(path.with_name(path.name + end).exists() for end in ("-wal", "-shm")):
        query["immutable"] = "1"
    return sa.URL.create("sqlite", database=f"file:{quote(str(path))}", query=query)


def _sqlite_pragmas(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA busy_timeout=30000")
    with suppress(sqlite3.Error):  # a read-only file keeps the mode it has
        cursor.execute("PRAGMA journal_mode=WAL")
    with suppress(sqlite3.Error):
        cursor.execute("PRAGMA synchronous=FULL")  # a decision is on disk before the page says so
    cursor.close()
