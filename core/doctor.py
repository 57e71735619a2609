"""Catalogue against store against snapshot against thumbnails: what disagrees, and mending it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from core import encoders, ranging
from core.catalogue import Collection, Encoding, Image
from core.errors import CoreError, ImageError, NotFoundError
from core.images import ValueRange, read_picture
from core.library import Library
from core.managing import EVERY
from core.preparing import thumbnail_path, write_thumbnail
from core.progress import Meter, Progress, Report, nobody
from core.results import load_result
from core.snapshot import open_snapshot
from core.store import Store, chroma_name

CHECKED = 5
"""Stored images encoded again to see whether an upgrade changed the encoder."""

CHANGED = 1e-3
"""1 - cosine above which the same image's vector is another one."""


def examine(library: Library, *, repair: bool = False, report: Report = nobody) -> dict[str, Any]:
    """Look at everything, and mend what can be mended.

    Returns
    -------
    dict
        ``ok``, and ``problems``: sentences that name the collection and the next step. With
        `repair`, ``repaired`` says what was done and ``problems`` what is left.
    """
    with library.workspace.writing("doctor"):
        patient = _Patient(library, repair, report)
        patient.examine()
    left = patient.problems
    found: dict[str, Any] = {"ok": not left, "problems": left}
    if repair:
        found["repaired"] = patient.repaired
    return found


class _Patient:
    def __init__(self, library: Library, repair: bool, report: Report) -> None:
        self._library = library
        self._workspace = library.workspace
        self._repair = repair
        self._report = report
        there = library.settings.store_url or (library.workspace.chroma / "chroma.sqlite3").exists()
        # opening an embedded store makes its files: where there are none, looking must not
        self._store = Store.open(library.settings, library.workspace) if there or repair else None
        self.problems: list[str] = []
        self.repaired: list[str] = []

    def _say(self, problem: str, mended: bool) -> None:
        (self.repaired if mended else self.problems).append(problem)

    def examine(self) -> None:
        collections = self._library.catalogue.collections()
        encodings = {c.uid: self._library.catalogue.encodings(c.uid) for c in collections}
        for collection in collections:
            for encoding in encodings[collection.uid]:
                if self._vectors(collection, encoding):
                    self._encoder(collection, encoding)
            self._results(collection)
            self._thumbnails(collection)
        self._leftovers(encodings)

    def _vectors(self, collection: Collection, encoding: Encoding) -> bool:
        """Compare the three lists of ids; whether the snapshot can be read afterwards."""
        where = f"{collection.name} / {encoding.encoder}"
        self._report(Progress(f"Comparing {where}", 0, None))
        catalogued = set(self._library.catalogue.stamps(collection.uid))
        stored = set(self._store.ids(collection.uid, encoding)) if self._store else set()
        folder = self._workspace.snapshot(collection.uid, encoding.encoder, encoding.generation)
        readable = True
        try:
            known = set(open_snapshot(folder).ids)
        except (CoreError, OSError, ValueError, KeyError, TypeError) as error:
            if stored or not isinstance(error, NotFoundError):  # none of either is no damage
                self._say(f"{where}: the snapshot cannot be read ({error})", self._repair)
            known, readable = set(), False
            if self._repair:
                shutil.rmtree(folder, ignore_errors=True)  # the store gives it back
        self._differences(
            where,
            {
                "vectors are in the snapshot and not in the store": known - stored,
                "vectors are in the store and not in the snapshot": stored - known,
                "vectors belong to no image of the catalogue": (stored | known) - catalogued,
            }
            if readable
            else {"vectors belong to no image of the catalogue": stored - catalogued},
        )
        if self._repair and self._store is not None:
            writer = self._store.vectors(self._workspace, collection.uid, encoding, recover=False)
            if known - stored:
                uris = {i.id: i.uri for i in self._library.catalogue.images(collection.uid)}
                writer.restore(uris)
            writer.rebuild()
            writer.remove(sorted((stored | known) - catalogued))
            writer.close()
            readable = True
        missing = catalogued - stored - known
        if missing:
            advice = f"run `index --collection {collection.name} --encoder {encoding.encoder}`"
            if encoding.encoder.startswith("precomputed:"):
                advice = "index the file or store of vectors again if it has them now"
            elif encoding.encoder.startswith("joined:"):
                advice = "index with each of its encoders, then join them again (`evaluate --help`)"
            self._say(f"{where}: {len(missing):,} images have no vector; {advice}", False)
        return readable

    def _differences(self, where: str, found: dict[str, set[str]]) -> None:
        for what, ids in found.items():
            if ids:
                self._say(f"{where}: {len(ids):,} {what}, such as {min(ids)!r}", self._repair)

    def _encoder(self, collection: Collection, encoding: Encoding) -> None:
        """Encode a few stored images again: an upgrade may have changed what comes out."""
        where = f"{collection.name} / {encoding.encoder}"
        if encoders.vectors_only(encoding.encoder):
            return
        try:
            view = self._library.vectors(collection, encoding.encoder)
            encoder = encoders.load(
                encoding.encoder, fit=dict(encoding.fit) if encoding.fit else None
            )
        except CoreError as error:
            self._say(f"{where}: {error}", False)
            return
        again = f"encode all again with `index --collection {collection.name} --encoder " + (
            f"{encoding.encoder} --again`"
        )
        if encoder.identity != encoding.identity:
            self._say(
                f"{where}: the encoder installed is not the one that made these; {again}", False
            )
            return
        ids = view.snapshot.ids
        rows = range(0, len(ids), max(1, len(ids) // CHECKED))
        value_range = ranging.value_range_of(collection.options)
        worst = 0.0
        for row in rows:
            images = self._library.catalogue.images(collection.uid, [ids[row]])
            if not images:
                continue
            try:
                picture = read_picture(images[0].uri, value_range=value_range)
            except ImageError:
                continue  # a file that moved is no sign of a changed encoder
            if picture.content_hash != images[0].content_hash:
                continue  # and neither is one that changed
            vector = encoder.encode(
                [encoder.prepare(picture.pixels)], um_per_px=[images[0].um_per_px]
            )[0]
            stored = np.asarray(view.snapshot.vectors[row])
            worst = max(worst, 1.0 - float(vector @ stored))
        if worst > CHANGED:
            self._say(
                f"{where}: images encoded again differ from what is stored (1 - cosine up to "
                f"{worst:.2g}); {again}",
                False,
            )

    def _results(self, collection: Collection) -> None:
        """Maps and clusterings that cannot be read are only taken away: they are made again."""
        for part, made_by in (("maps", "project"), ("clusterings", "cluster")):
            folder = self._workspace.root / part / collection.uid
            for path in sorted(folder.rglob("*.parquet")):
                try:
                    load_result(path)
                except CoreError:
                    if self._repair:
                        path.unlink()
                    self._say(
                        f"{collection.name}: {path.relative_to(self._workspace.root)} cannot be "
                        f"read; make it again with `{made_by} --collection {collection.name}`",
                        self._repair,
                    )

    def _thumbnails(self, collection: Collection) -> None:
        folder = self._workspace.thumbnails(collection.uid)
        hashes = self._library.catalogue.column(collection.uid, "content_hash")
        missing = [
            id for id, digest in hashes.items() if digest and _empty(thumbnail_path(folder, digest))
        ]
        if not missing:
            return
        if not self._repair:
            self._say(f"{collection.name}: {len(missing):,} thumbnails are missing", False)
            return
        meter = Meter(self._report, "Making thumbnails", len(missing))
        failed = 0
        value_range = ranging.value_range_of(collection.options)
        for image in self._library.catalogue.images(collection.uid, missing):
            path = thumbnail_path(folder, image.content_hash)
            failed += not _make_thumbnail(image, path, value_range)
            meter.advance()
        if len(missing) - failed:
            self._say(f"{collection.name}: {len(missing) - failed:,} thumbnails were missing", True)
        if failed:
            self._say(
                f"{collection.name}: {failed:,} thumbnails are missing and their images are gone "
                "or changed; if the folder was moved use `relocate`, else index it again",
                False,
            )

    def _leftovers(self, encodings: dict[str, list[Encoding]]) -> None:
        """What no encoding names: an unfinished refit or deletion left it."""
        wanted = {
            chroma_name(uid, each.encoder, each.generation)
            for uid, every in encodings.items()
            for each in every
        }
        ours = self._library.catalogue.every_uid()  # a server may hold other people's collections
        names = self._store.names() if self._store else []
        left = [name for name in names if name not in wanted and name.split(".")[0] in ours]
        if left and self._repair and self._store:
            for name in left:
                self._store.drop_named(name)
        if left:
            self._say(f"{len(left)} unused sets of vectors are in the store", self._repair)
        for part in EVERY:
            for path in _folders(self._workspace.root / part):
                if path.name not in encodings:
                    self._left(path, "belongs to no collection")
        for path in _folders(self._workspace.uploads):
            if path.name.startswith("chroma-"):  # no other command runs while this one does
                self._left(path, "is a copy of a Chroma store that was not read to its end")
        for uid, every in encodings.items():
            kept = {self._workspace.snapshot(uid, e.encoder, e.generation) for e in every}
            for encoder in _folders(self._workspace.snapshots(uid)):
                for path in _folders(encoder):
                    if path not in kept:
                        self._left(path, "belongs to no encoder's vectors")

    def _left(self, path: Path, what: str) -> None:
        if self._repair:
            shutil.rmtree(path, ignore_errors=True)
        self._say(f"{path.relative_to(self._workspace.root)} {what}", self._repair)


def _folders(path: Path) -> list[Path]:
    return sorted(p for p in path.iterdir() if p.is_dir()) if path.is_dir() else []


def _empty(path: Path) -> bool:
    try:
        return path.stat().st_size == 0  # as a power cut leaves it
    except FileNotFoundError:
        return True


def _make_thumbnail(image: Image, path: Path, value_range: ValueRange | None) -> bool:
    """Whether the picture could be read and is still the one that was indexed."""
    try:
        picture = read_picture(image.uri, value_range=value_range)
    except ImageError:
        return False
    if picture.content_hash != image.content_hash:
        return False
    path.unlink(missing_ok=True)
    write_thumbnail(picture.pixels, path)
    return True
