"""Collections listed, renamed, moved and deleted."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from core.catalogue import Collection, nearby
from core.errors import ImageError, NotFoundError, SourceError, WorkspaceError
from core.library import Library
from core.snapshot import count
from core.sources.reading import read_address
from core.sources.uri import REMOTE, join, parse, quote_path, scheme_of
from core.workspace import slug

PARTS = ("snapshots", "measures", "maps", "clusterings")
"""Folders of the workspace that have one for each encoder of a collection."""
EVERY = (*PARTS, "thumbnails", "screens", "audits", "evaluations")
"""Those and the ones that go with the collection only."""

LOOKED_FOR = 20
"""Images looked for where a source is said to lie now."""


def summary(library: Library) -> list[dict[str, Any]]:
    """One entry a (collection, encoder): its name, encoder, dimension and number of images."""
    entries: list[dict[str, Any]] = []
    for collection in library.catalogue.collections():
        encodings = library.catalogue.encodings(collection.uid)
        for encoding in encodings:
            entry: dict[str, Any] = {
                "name": collection.name,
                "encoder": encoding.encoder,
                "dimension": encoding.identity.dimension,
                "images": 0,
            }
            folder = library.workspace.snapshot(
                collection.uid, encoding.encoder, encoding.generation
            )
            try:
                entry["images"] = count(folder)
            except WorkspaceError as error:  # the others can still be used
                entry |= {"images": None, "why": str(error)}
            entries.append(entry)
        if not encodings:
            entries.append(
                {
                    "name": collection.name,
                    "encoder": collection.encoder,
                    "dimension": None,
                    "images": 0,
                    "why": "its first indexing did not finish; run it again and it continues"
                    if library.catalogue.count(collection.uid)
                    else "no image of it was read yet; index it again, or delete it",
                }
            )
    return entries


def size_on_disk(library: Library, collection: Collection) -> int:
    """Bytes the collection takes in the workspace, Chroma's shared files not counted."""
    workspace, uid = library.workspace, collection.uid
    return sum(
        path.stat().st_size
        for folder in (workspace.root / part / uid for part in EVERY)
        if folder.is_dir()
        for path in folder.rglob("*")
        if path.is_file()
    )


def delete(library: Library, name: str, *, encoder: str | None = None) -> dict[str, Any]:
    """Delete a collection, or one encoder's vectors of it; original files are never touched.

    Label events stay and return when the same ids are indexed under that name again.
    """
    from core.store import Store

    collection = library.catalogue.collection(name)
    workspace, uid = library.workspace, collection.uid
    images = library.catalogue.count(uid)
    with workspace.writing(f"delete --collection {name}"):
        encodings = library.catalogue.encodings(uid)
        if encoder is not None:
            only = len(encodings) == 1
            encodings = [library.catalogue.encoding(collection, encoder)]
            if only:
                raise SourceError(
                    f"{encoder} is the only encoder of collection {name!r}; delete the whole "
                    "collection (leave out --encoder), or index it with another encoder first"
                )
        store = Store.open(library.settings, workspace) if encodings else None
        whole = encoder is None
        if whole:
            library.catalogue.delete(uid)  # first, so that no page meets half a collection
        for encoding in encodings:
            if not whole:
                library.catalogue.delete_encoding(uid, encoding.encoder)
            if store is not None:
                store.drop(workspace, uid, encoding.encoder, encoding.generation)
            for part in PARTS:
                folder = workspace.root / part / uid / slug(encoding.encoder)
                shutil.rmtree(folder, ignore_errors=True)
        if whole:
            for part in EVERY:
                shutil.rmtree(workspace.root / part / uid, ignore_errors=True)
    return {
        "deleted": name,
        "encoders": [e.encoder for e in encodings],
        "images": images if whole else 0,
    }


def rename(library: Library, name: str, new: str) -> dict[str, Any]:
    """Give a collection another name; ids and labels stay."""
    with library.workspace.writing(f"rename --collection {name}"):
        library.catalogue.rename(name, new)
    return {"renamed": name, "to": new}


def relocate(library: Library, name: str, source: str | None, root: str) -> dict[str, Any]:
    """Say that a source's folder, zip or bucket lies elsewhere now; ids and labels stay.

    Parameters
    ----------
    source : str, optional
        The SOURCE of its ids; may be left out when the collection has one.
    root : path or address
        Where it is now; an ``s3://`` address is read as the old one was, unless its ``#via=``
        says how.

    Raises
    ------
    SourceError
        If none of the collection's images is found there.
    """
    from core.store import Store

    collection = library.catalogue.collection(name)
    known = library.catalogue.roots(collection.uid)
    if source is None:
        if len(known) != 1:
            raise NotFoundError(
                f"collection {name!r} has {len(known)} sources ({', '.join(known) or 'none'}); "
                "say which with --source-name"
            )
        source = next(iter(known))
    if source not in known:
        raise NotFoundError(
            f"collection {name!r} has no source called {source!r}; {nearby(source, list(known))}"
        )
    place, shown = _place(root, before=known[source])
    if scheme_of(place) == "" and not Path(shown).exists():
        raise SourceError(f"{shown} does not exist; expected where {source!r} lies now")
    rows = [r for r in library.catalogue.image_rows(collection.uid) if r.source == source]
    sample = rows[:: max(1, len(rows) // LOOKED_FOR)]
    if rows and not any(_readable(join(place, row.inner)) for row in sample):
        raise SourceError(
            f"{shown} holds none of the images looked for, such as {rows[0].inner!r}; "
            f"expected what was {known[source] or 'read from addresses of their own'}"
        )
    with library.workspace.writing(f"relocate --collection {name}"):
        library.catalogue.relocate(collection.uid, source, place)
        store = Store.open(library.settings, library.workspace)
        images = {i.id: i.uri for i in library.catalogue.images(collection.uid)}
        for encoding in library.catalogue.encodings(collection.uid):
            writer = store.vectors(library.workspace, collection.uid, encoding)
            ids = [row.id for row in rows if row.id in writer]
            writer.set_uris(ids, [images[id] for id in ids])
    return {"relocated": source, "to": shown, "images": len(rows)}


def _place(root: str, *, before: str) -> tuple[str, str]:
    """A source's new root, and how a person wrote it."""
    if scheme_of(root) in REMOTE:
        place, via, how = root.partition("#via=")
        if not via and scheme_of(before):
            _, via, how = before.partition("#via=")
        return f"{place.rstrip('/')}{via}{how}", root
    folder = Path(root).expanduser().resolve()
    return quote_path(folder), str(folder)


def _readable(uri: str) -> bool:
    try:
        read_address(uri, parse(uri))
    except ImageError:
        return False
    return True
