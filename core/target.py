"""Where an index run's vectors go: one encoder's vectors of one collection.

A plain encoder's vectors are stored batch by batch. A fitted encoder's prepared rows ("measures")
are kept as well; until its fit has settled they wait, then the fit and all vectors are made from
them as a new generation, which takes the old one's place in one step.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from core import encoders
from core.catalogue import Collection, Encoding
from core.encoders.base import Encoder, FittedEncoder, Prepared
from core.encoders.card import Identity
from core.errors import EncoderError, IdentityError
from core.library import Library
from core.progress import Meter, Progress, Report, nobody
from core.reduction import library_versions
from core.snapshot import SnapshotWriter, open_snapshot
from core.sources.base import Source
from core.store import Store, VectorWriter
from core.workspace import now, slug, write_json

FIT_IMAGES = 2_000
"""A fitted encoder is fitted on the first so many images of a collection."""

BATCH = 2_048  # rows a time when vectors are made from stored measures

REFIT = "refit.json"
"""Lies beside measures whose fit is not of the pixel sizes known now."""

AGAIN = ".again"
"""Ends the name of the folder of measures that take another's place when all is encoded again."""

ENOUGH = 0.5
"""Encoding all again replaces the old vectors when at least this share of images could be read."""


def open_target(
    library: Library,
    name: str,
    encoder: str | None,
    *,
    source: Source | None,
    again: bool = False,
) -> Target:
    """The vectors a run writes to; the collection is made when a source brings images.

    Raises
    ------
    NotFoundError
        If there is no such collection and no source to make it from.
    IdentityError
        If its vectors are another encoder's than the one installed.
    """
    catalogue = library.catalogue
    known = {c.name: c for c in catalogue.collections()}
    collection = known.get(name) if source is not None else catalogue.collection(name)
    wanted = encoder or (collection.encoder if collection else "descriptors")
    before = None
    if collection is not None:
        every = {e.encoder: e for e in catalogue.encodings(collection.uid)}
        before = every.get(wanted)
    if before is not None and before.encoder.startswith("precomputed:"):
        raise EncoderError(
            f"the vectors of collection {name!r} were made elsewhere, so images cannot be added; "
            f"encode what it has with `index --collection {name} --encoder descriptors`"
        )
    loaded = encoders.load(wanted, fit=dict(before.fit) if before and before.fit else None)
    if before is not None and loaded.identity != before.identity and not again:
        raise IdentityError(
            f"collection {name!r} holds vectors of {_say(before.identity)}, but this encoder is "
            f"{_say(loaded.identity)}; encode all again with `index --collection {name} --encoder "
            f"{wanted} --again`, or index into another collection"
        )
    store = Store.open(library.settings, library.workspace)
    if collection is None:
        collection = catalogue.create(name, encoder=wanted, options={})
    if source is not None:
        catalogue.add_root(collection.uid, source.name, source.root)
    kind = FittedTarget if isinstance(loaded, FittedEncoder) else Target
    return kind(library, store, collection, loaded, before, again=again and before is not None)


def _say(identity: Identity) -> str:
    text = f"{identity.name} (weights {identity.weights}, preprocessing {identity.preprocessing}"
    return text + (f", fit {identity.fit})" if identity.fit else ")")


class Target:
    """A plain encoder's vectors."""

    def __init__(
        self,
        library: Library,
        store: Store,
        collection: Collection,
        encoder: Encoder,
        before: Encoding | None,
        *,
        again: bool,
    ) -> None:
        self.library = library
        self.collection = collection
        self.encoder = encoder
        self.roots = library.catalogue.roots(collection.uid)
        self._store = store
        self._before = before
        self._again = again
        self._encoding = before
        self._writer: VectorWriter | None = None
        self._open()

    def _open(self) -> None:
        self._drop_leftovers()
        if self._before is None or self._again:
            generation = 1 if self._before is None else self._before.generation + 1
            self._encoding = self._new_encoding(self.encoder, generation)
            if self._before is None:
                self.library.catalogue.put_encoding(self.collection.uid, self._encoding)
        assert self._encoding is not None
        self._writer = self._vectors(self._encoding)

    def encoded(self) -> set[str]:
        """Ids that have a vector."""
        return set() if self._writer is None else set(self._writer.snapshot.live)

    def measured(self) -> set[str]:
        """Ids that need not be read again to be encoded."""
        return set()

    def complete(self) -> set[str]:
        """Ids of which all is there that this encoder keeps."""
        return self.encoded()

    def sizes_change(self) -> None:
        """Called before pixel sizes of known images change: what was fitted on them is not so."""
        for folder in self._every_measures():
            write_json(folder / REFIT, {"since": now()})

    def add(
        self,
        ids: Sequence[str],
        uris: Sequence[str],
        prepared: Sequence[Prepared],
        um_per_px: Sequence[float | None],
        *,
        changed: Sequence[str],
    ) -> None:
        """Encode and store one batch; what was made of changed files before is dropped."""
        self._forget(changed)
        if self._writer is not None:
            self._writer.put(ids, uris, self.encoder.encode(prepared, um_per_px=um_per_px))

    def settle(self, report: Report) -> None:
        """Called after each confirmed batch."""

    def finish(self, report: Report) -> None:
        """Called once, at the end of a run.

        Raises
        ------
        EncoderError
            If all was to be encoded again and most images could not be read; nothing changed then.
        """
        assert self._encoding is not None
        assert self._writer is not None
        self._writer.close()
        if self._again and self._before is not None:
            try:
                self._check_enough(self.encoded())
            except EncoderError:
                self._drop(self._encoding.generation)
                raise
            self.library.catalogue.put_encoding(self.collection.uid, self._encoding)
            self._drop(self._before.generation)

    def _check_enough(self, done: set[str]) -> None:
        assert self._before is not None
        had = set(self._vectors(self._before).snapshot.live)
        kept = len(had & done)
        if kept < ENOUGH * len(had):
            raise EncoderError(
                f"only {kept:,} of {len(had):,} images could be read again, so the vectors there "
                "were kept; make the images readable, or say where they are now with `relocate`"
            )

    def _forget(self, ids: Sequence[str]) -> None:
        if not ids:
            return
        ours = self.encoder.card.name
        for encoding in self.library.catalogue.encodings(self.collection.uid):
            # its own old vectors too when all is encoded again: a killed run leaves them in use
            if encoding.encoder != ours or self._again:
                writer = self._vectors(encoding)
                writer.remove(ids)
                writer.close()
        for folder in self._every_measures():
            old = self._again and folder.suffix != AGAIN
            if folder.parent.name != slug(ours) or old:
                rows = _open_rows(folder)
                if rows is not None:
                    rows.remove(ids)

    def _every_measures(self) -> list[Path]:
        """Folders of the measures that any fitted encoder took of this collection."""
        every = self.library.workspace.measures(self.collection.uid, "any", 0).parent.parent
        return [path.parent for path in every.glob("*/p*/current.json")]

    def _vectors(self, encoding: Encoding) -> VectorWriter:
        return self._store.vectors(self.library.workspace, self.collection.uid, encoding)

    def _drop(self, generation: int) -> None:
        self._store.drop(
            self.library.workspace, self.collection.uid, self.encoder.card.name, generation
        )

    def _drop_leftovers(self) -> None:
        """What a killed refit, or a killed deletion, left."""
        self._store.drop_others(
            self.library.workspace,
            self.collection.uid,
            self.encoder.card.name,
            keep=0 if self._before is None else self._before.generation,
        )

    def _new_encoding(
        self, encoder: Encoder, generation: int, *, fit_images: int | None = None
    ) -> Encoding:
        provenance: dict[str, Any] = {**versions(), "at": now()}
        if fit_images is not None:
            provenance["fit_images"] = fit_images
        return Encoding(
            encoder=encoder.card.name,
            identity=encoder.identity,
            generation=generation,
            created=self._before.created if self._before else now(),
            fit=encoder.fit_as_json() if isinstance(encoder, FittedEncoder) else None,
            provenance=provenance,
        )


class FittedTarget(Target):
    """A fitted encoder's measures and vectors."""

    encoder: FittedEncoder

    def _open(self) -> None:
        self._drop_leftovers()
        fresh = self._measures_folder.with_name(self._measures_folder.name + AGAIN)
        shutil.rmtree(fresh, ignore_errors=True)
        self._into = fresh if self._again else self._measures_folder
        if self._before is None and not self.library.catalogue.count(self.collection.uid):
            shutil.rmtree(self._into, ignore_errors=True)  # of a collection that was deleted
        self._measures = _open_rows(self._into)
        if self._before is not None:
            self._writer = self._vectors(self._before)

    @property
    def _measures_folder(self) -> Path:
        return self.library.workspace.measures(
            self.collection.uid, self.encoder.card.name, self.encoder.identity.preprocessing
        )

    @property
    def _fit_images(self) -> int:
        if self._encoding is None or self._again:
            return 0
        return int((self._encoding.provenance or {}).get("fit_images", 0))

    def encoded(self) -> set[str]:
        return set() if self._again else super().encoded()

    def measured(self) -> set[str]:
        return set() if self._measures is None else set(self._measures.live)

    def complete(self) -> set[str]:
        return self.encoded() & self.measured()

    def add(
        self,
        ids: Sequence[str],
        uris: Sequence[str],
        prepared: Sequence[Prepared],
        um_per_px: Sequence[float | None],
        *,
        changed: Sequence[str],
    ) -> None:
        rows = np.stack(prepared).astype(np.float32)
        if self._measures is None:
            self._measures = SnapshotWriter(self._into, dimension=rows.shape[1])
        self._measures.append(ids, rows)
        if self._fit_images >= FIT_IMAGES:
            super().add(ids, uris, prepared, um_per_px, changed=changed)
            return
        self._forget(changed)
        if self._writer is not None and not self._again:
            self._writer.remove(changed)  # until the next fit they have no vector

    def settle(self, report: Report) -> None:
        if self._again or self._fit_images >= FIT_IMAGES:
            return
        if len(self.measured()) >= FIT_IMAGES and not self._unmeasured():
            self.refit(report)  # large enough to be fitted for good: images appear from here on

    def finish(self, report: Report) -> None:
        if self._again:
            self._check_enough(self.measured())
        measured = self.measured()
        grown = self._fit_images < min(FIT_IMAGES, len(measured))
        due = grown or (self._measures_folder / REFIT).exists()
        if measured and due and not self._unmeasured():
            self.refit(report)
        elif measured and self._writer is not None:
            self._encode_missing()
        if self._measures is not None:
            self._measures.compact()
        if self._writer is not None:
            self._writer.close()

    def _unmeasured(self) -> set[str]:
        """Ids whose vectors a refit would lose, because their measures are not there."""
        if self._again or not (lacking := self.encoded() - self.measured()):
            return set()
        return lacking & self.library.catalogue.stamps(self.collection.uid).keys()

    def refit(self, report: Report = nobody) -> int:
        """Fit on the first images, encode all from their measures, swap generations."""
        if self._measures is None:
            raise EncoderError(
                f"nothing was measured in collection {self.collection.name!r}; index images first"
            )
        if lacking := self._unmeasured():
            raise EncoderError(
                f"the measures of {len(lacking):,} images of collection {self.collection.name!r} "
                "are missing, so their vectors cannot be made anew; index their source again"
            )
        catalogue, uid = self.library.catalogue, self.collection.uid
        sizes = catalogue.column(uid, "um_per_px")
        ids = [id for id in sizes if id in self._measures]
        first = ids[:FIT_IMAGES]
        report(Progress("Fitting the scale of the measures", 0, None))
        self.encoder = self.encoder.fit(
            list(self._measures.read(first)), um_per_px=[sizes[id] for id in first]
        )
        old = self._encoding
        generation = 1 if old is None else old.generation + 1
        encoding = self._new_encoding(self.encoder, generation, fit_images=len(first))
        self._drop(generation)  # what an unfinished attempt left
        self._writer = self._vectors(encoding)
        self._encode(ids, sizes, Meter(report, "Writing vectors", len(ids)))
        catalogue.put_encoding(uid, encoding)
        self._encoding = encoding
        if self._again:
            self._swap_measures()
        (self._measures_folder / REFIT).unlink(missing_ok=True)
        if old is not None:
            self._drop(old.generation)
        return len(first)

    def _swap_measures(self) -> None:
        """The measures taken again take the place of the old ones."""
        shutil.rmtree(self._measures_folder, ignore_errors=True)
        self._into.rename(self._measures_folder)
        self._into, self._again = self._measures_folder, False
        self._measures = _open_rows(self._into)

    def _encode_missing(self) -> None:
        """What a run that was killed had measured and not yet encoded."""
        sizes = self.library.catalogue.column(self.collection.uid, "um_per_px")
        have, measured = self.encoded(), self.measured()
        missing = [id for id in sizes if id in measured and id not in have]
        self._encode(missing, sizes, Meter(nobody, "", None))

    def _encode(self, ids: Sequence[str], sizes: dict[str, float | None], meter: Meter) -> None:
        assert self._measures is not None
        assert self._writer is not None
        catalogue = self.library.catalogue
        for start in range(0, len(ids), BATCH):
            part = ids[start : start + BATCH]
            uris = {image.id: image.uri for image in catalogue.images(self.collection.uid, part)}
            vectors = self.encoder.encode(
                list(self._measures.read(part)), um_per_px=[sizes[id] for id in part]
            )
            self._writer.put(part, [uris[id] for id in part], vectors)
            meter.advance(len(part))


def _open_rows(folder: Path) -> SnapshotWriter | None:
    """A folder of measures, whatever their number; None when there is none."""
    if not (folder / "current.json").exists():
        return None
    return SnapshotWriter(folder, dimension=open_snapshot(folder).vectors.shape[1])


def versions() -> dict[str, str]:
    """Versions of what results depend on: recorded, never a reason to refuse."""
    return library_versions(
        "numpy", "scikit-image", "pillow", "torch", "open_clip_torch", "timm", "chromadb"
    )


def rescale(
    library: Library, *, collection: str, encoder: str | None = None, report: Report = nobody
) -> int:
    """Fit an encoder anew on its collection, from the stored measures alone; says on how many."""
    with library.workspace.writing(f"rescale --collection {collection}"):
        library.catalogue.encoding(library.catalogue.collection(collection), encoder)
        target = open_target(library, collection, encoder, source=None)
        if not isinstance(target, FittedTarget):
            raise EncoderError(
                f"encoder {target.encoder.card.name} has no fitted scale; `rescale` is for "
                "descriptors"
            )
        return target.refit(report)
