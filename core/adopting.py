"""Vectors made elsewhere become a collection, or one more encoder of one.

They come out of a Chroma collection as notebooks leave it, or of a file (`core.sources.vectors`).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from core import encoders
from core.arrays import unit_rows
from core.catalogue import Collection, Encoding, NewImage
from core.encoders.base import FittedEncoder
from core.encoders.card import Identity
from core.errors import EncoderError, ImageError, SourceError
from core.images import read_image
from core.indexing import IndexReport, new_image
from core.labels import Decision, Imported
from core.library import Library
from core.progress import Meter, Report, nobody
from core.sources.base import ImageRef, Skipped
from core.sources.uri import join, quote_path
from core.sources.vectors import VectorSource
from core.store import ForeignVectors, Store, VectorWriter, read_foreign
from core.target import versions
from core.workspace import now

CHECKED = 5
"""Images encoded again to see whether an encoder made the vectors."""

ALIKE = 0.99
"""Cosine at which two vectors of one image are the same encoder's, resizing aside."""

SAME = 1e-5
"""Cosines closer than this do not tell two images apart."""

BATCH = 4_096

PREFIX = "precomputed:"

Rows32: TypeAlias = NDArray[np.float32]
"""(n, d) float32, as they were made: of any length."""


class Incoming(Protocol):
    """Vectors made elsewhere, some of them in memory at a time."""

    @property
    def where(self) -> str:
        """For a person."""
        ...

    @property
    def name(self) -> str:
        """The SOURCE of their images."""
        ...

    @property
    def root(self) -> str:
        """What the images' `inner` is under."""
        ...

    @property
    def count(self) -> int: ...

    @property
    def dimension(self) -> int: ...

    @property
    def notes(self) -> Sequence[str]: ...

    def ids(self) -> Iterator[str]:
        """Every id, without reading vectors."""
        ...

    def blocks(self) -> Iterator[tuple[list[ImageRef], Rows32] | Skipped]:
        """Images and their vectors, in an order that is the same every time."""
        ...


def adopt(
    library: Library,
    where: str,
    *,
    collection: str,
    made_by: str | None = None,
    report: Report = nobody,
) -> IndexReport:
    """Copy vectors and ids of a Chroma collection; the original is never written to.

    Parameters
    ----------
    where : str
        ``PATH#NAME`` or ``http://host:port#NAME``.
    collection : str
        What it will be called here; its encoder is ``precomputed:NAME``. Of a collection that has
        images of these ids they become one more encoder.
    made_by : str, optional
        The encoder that made the vectors: a few images are encoded again to see whether it did.
        Uploads can then be searched for.

    Raises
    ------
    SourceError
        If there is no such store or collection, or no id is one of a collection that is there.
    EncoderError
        If `made_by` gives other vectors, or no image could be read to check it.
    """
    started = time.monotonic()
    with library.workspace.writing(f"index --collection {collection}"):
        found = read_foreign(where, workspace=library.workspace)
        name = f"{PREFIX}{found.name}"
        result = _Adoption(library, _Notebook(where, found), collection, name, made_by).run(report)
    result.seconds = time.monotonic() - started
    return result


def adopt_file(
    library: Library,
    vectors: VectorSource,
    *,
    collection: str,
    encoder: str | None = None,
    made_by: str | None = None,
    report: Report = nobody,
) -> IndexReport:
    """Copy the vectors of a file.

    Parameters
    ----------
    vectors : VectorSource
        What `core.sources.open_source` made of a .npz file, or of a .parquet with vectors.
    collection : str
        Its name here; of a collection that has images of these ids they become one more encoder.
    encoder : str, optional
        ``precomputed:NAME``; NAME is the file's own by default.
    made_by : str, optional
        As for `adopt`.

    Raises
    ------
    SourceError
        If nothing of it can be used, or no id is one of a collection that is there.
    EncoderError
        If `encoder` or `made_by` cannot be the one that made them.
    """
    started = time.monotonic()
    name = vectors.encoder if encoder is None else encoder
    if not name.startswith(PREFIX) or name != name.strip() or not name.removeprefix(PREFIX):
        raise EncoderError(
            f"encoder {name!r} did not make the vectors of {vectors.where}; leave it out, or give "
            f"them a name such as {vectors.encoder}, and say with --made-by what made them"
        )
    with library.workspace.writing(f"index --collection {collection}"):
        adoption = _Adoption(library, vectors, collection, name, made_by)
        adoption.said = {
            "--labels": vectors.given.labels,
            "--samples": vectors.given.samples,
            "--um-per-px": vectors.given.um_per_px,
        }
        result = adoption.run(report)
    result.seconds = time.monotonic() - started
    return result


class _Notebook:
    """A Chroma collection as it was read."""

    root = ""
    notes: Sequence[str] = ()

    def __init__(self, where: str, found: ForeignVectors) -> None:
        self.where = where
        self.name = f"{PREFIX}{found.name}"
        self.count, self.dimension = found.vectors.shape
        self._found = found

    def ids(self) -> Iterator[str]:
        return iter(self._found.ids)

    def blocks(self) -> Iterator[tuple[list[ImageRef], Rows32] | Skipped]:
        for start in range(0, self.count, BATCH):
            rows = range(start, min(start + BATCH, self.count))
            yield [self._ref(row) for row in rows], self._found.vectors[rows.start : rows.stop]

    def _ref(self, row: int) -> ImageRef:
        fields: dict[str, Any] = {
            key: value
            for key, value in self._found.metadata[row].items()
            if not key.startswith("chroma:")
            and not (isinstance(value, float) and not isfinite(value))
        }
        return ImageRef(self._found.ids[row], _uri(self._found.uris[row]), metadata=fields)


class _Adoption:
    """One copying of vectors, under the writer's lock."""

    def __init__(
        self, library: Library, found: Incoming, collection: str, encoder: str, made_by: str | None
    ) -> None:
        self._library = library
        self._catalogue = library.catalogue
        self._found = found
        self._name = collection
        self._encoder = encoder
        self._made_by = made_by
        self.said: Mapping[str, Any] = {}
        """What a person said of the images, by option."""
        self._result = IndexReport()
        self._known: dict[str, NewImage] = {}
        self._had: set[str] = set()

    def run(self, report: Report) -> IndexReport:
        known = {c.name: c for c in self._catalogue.collections()}.get(self._name)
        before = self._before(known)
        # the images are another source's: only vectors are taken
        beside = False
        if known is not None and known.encoder != self._encoder:
            beside = True
            self._check_beside(known)
        self._known = (
            {} if known is None else {i.id: i for i in self._catalogue.image_rows(known.uid)}
        )
        if self._made_by is not None:
            roots = {} if known is None or not beside else self._catalogue.roots(known.uid)
            check_made_by(self._some(roots, beside), self._found.dimension, self._made_by)
        writer: VectorWriter | None = None
        meter = Meter(report, "Copying vectors", self._found.count)
        foreign = 0
        for block in self._found.blocks():
            if isinstance(block, Skipped):
                self._result.skip(block.uri, block.reason, block.count)
                meter.advance(block.count)
                continue
            refs, vectors = block
            total = len(refs)
            refs, vectors = self._finite(refs, vectors)
            if beside:
                ours = [n for n, ref in enumerate(refs) if ref.id in self._known]
                foreign += len(refs) - len(ours)
                refs, vectors = _chosen(refs, vectors, ours)
            else:
                refs, vectors = self._ours(refs, vectors)
            if refs:
                if writer is None:
                    writer = self._open(known, before, beside)
                self._put(writer, refs, unit_rows(vectors), beside=beside)
            meter.advance(total)
        self._result.notes = list(self._found.notes)
        if writer is None:
            why = f": {self._result.skipped[0].reason}" if self._result.skipped else ""
            raise SourceError(f"none of the vectors of {self._found.where} can be used{why}")
        if beside:
            self._tell_beside(writer, foreign)
        writer.close()
        return self._result

    # what there is

    def _before(self, known: Collection | None) -> Encoding | None:
        if known is None:
            return None
        every = {e.encoder: e for e in self._catalogue.encodings(known.uid)}
        before = every.get(self._encoder)
        dimension = self._found.dimension
        if before is not None and before.identity != self._identity():
            raise EncoderError(
                f"collection {self._name!r} holds vectors of {before.identity.dimension} numbers, "
                f"these have {dimension}; choose another --collection"
            )
        return before

    def _identity(self) -> Identity:
        return Identity(
            self._encoder, weights="unknown", preprocessing=0, dimension=self._found.dimension
        )

    def _check_beside(self, known: Collection) -> None:
        """
        Raises
        ------
        SourceError
            If none of the ids is one of the collection's, or more was said of its images.
        """
        if unused := [option for option, value in self.said.items() if value is not None]:
            raise SourceError(
                f"{', '.join(unused)}: collection {self._name!r} has its images already, and these "
                "are but more vectors of them; leave out"
            )
        ours = self._catalogue.stamps(known.uid)
        first = ""
        for id in self._found.ids():
            if id in ours:
                return
            first = first or id
        names = ", ".join(e.encoder for e in self._catalogue.encodings(known.uid)) or "nothing"
        raise SourceError(
            f"collection {self._name!r} exists and holds {names}; choose another name for these "
            f"vectors with --collection, or give them the ids of its images: theirs are such as "
            f"{first!r}, its own such as {next(iter(ours), 'none yet')!r}, and none is the same"
        )

    def _some(
        self, roots: Mapping[str, str], beside: bool
    ) -> Iterator[tuple[str, NDArray[np.float32]]]:
        """Uris and vectors of a few images from all over."""
        step = max(1, self._found.count // (CHECKED * 4))
        row = 0
        for block in self._found.blocks():
            if isinstance(block, Skipped):
                continue
            refs, vectors = block
            for number, ref in enumerate(refs):
                image = self._known.get(ref.id)
                row += image is not None or not beside
                if (row - 1) % step or (beside and image is None):
                    continue
                uri = join(self._found.root, ref.inner)
                if beside and image is not None:
                    uri = join(roots.get(image.source, ""), image.inner)
                if np.isfinite(vectors[number]).all():
                    yield uri, vectors[number]

    # copying

    def _open(
        self, known: Collection | None, before: Encoding | None, beside: bool
    ) -> VectorWriter:
        library = self._library
        ours = known or self._catalogue.create(self._name, encoder=self._encoder, options={})
        encoding = before or Encoding(
            encoder=self._encoder,
            identity=self._identity(),
            generation=1,
            created=now(),
            provenance=versions(),
        )
        if self._made_by is not None:
            encoding = replace(encoding, made_by=self._made_by)
        if not beside:
            self._catalogue.add_root(ours.uid, self._found.name, self._found.root)
        if encoding != before:
            self._catalogue.put_encoding(ours.uid, encoding)
        store = Store.open(library.settings, library.workspace)
        if before is None:  # what a killed deletion left
            store.drop_others(library.workspace, ours.uid, self._encoder, keep=0)
        writer = store.vectors(library.workspace, ours.uid, encoding)
        self._uid = ours.uid
        self._roots = self._catalogue.roots(ours.uid)
        self._had = set(writer.snapshot.live)
        self._labels = Imported(self._catalogue, ours.uid)
        return writer

    def _finite(self, refs: list[ImageRef], vectors: Rows32) -> tuple[list[ImageRef], Rows32]:
        wrong = set(np.flatnonzero(~np.isfinite(vectors).all(axis=1)).tolist())
        for number in sorted(wrong):
            self._result.skip(refs[number].id, "its vector has NaN or infinity")
        return _chosen(refs, vectors, [n for n in range(len(refs)) if n not in wrong])

    def _ours(self, refs: list[ImageRef], vectors: Rows32) -> tuple[list[ImageRef], Rows32]:
        """Without ids that are another source's."""
        good: list[int] = []
        for number, ref in enumerate(refs):
            known = self._known.get(ref.id)
            if known is None or known.source == self._found.name:
                good.append(number)
                continue
            self._result.skip(
                ref.id,
                f"source {known.source!r} has an image of the id {ref.id!r}; name this one with "
                "--source-name",
            )
        return _chosen(refs, vectors, good)

    def _put(
        self, writer: VectorWriter, refs: list[ImageRef], vectors: Rows32, *, beside: bool
    ) -> None:
        changed = self._changed(writer, refs, vectors, beside)
        if changed:
            ids = [refs[number].id for number in changed]
            uris = [self._uri(refs[number], beside) for number in changed]
            writer.put(ids, uris, vectors[changed])
        new = sum(ref.id not in self._had for ref in refs)
        self._result.indexed += new
        self._result.updated += len(changed) - new
        self._result.already += len(refs) - len(changed)
        if not beside:
            images = [new_image(ref, self._found.name) for ref in refs]
            images = [_merged(image, self._known.get(image.id)) for image in images]
            self._catalogue.put_images(
                self._uid, [image for image in images if image != self._known.get(image.id)]
            )
            self._labels.record(Decision(ref.id, ref.label, ref.label_status) for ref in refs)

    def _changed(
        self, writer: VectorWriter, refs: list[ImageRef], vectors: Rows32, beside: bool
    ) -> list[int]:
        """Rows that are new, have another vector than before, or lie elsewhere."""
        there = [number for number, ref in enumerate(refs) if ref.id in self._had]
        same: set[int] = set()
        if there:
            rows = writer.snapshot.read([refs[number].id for number in there])
            equal = (rows == vectors[there]).all(axis=1)
            same = {number for number, alike in zip(there, equal, strict=True) if alike}
        return [
            number
            for number, ref in enumerate(refs)
            if number not in same
            or not (beside or (ref.id in self._known and self._known[ref.id].inner == ref.inner))
        ]

    def _uri(self, ref: ImageRef, beside: bool) -> str:
        if beside:
            known = self._known[ref.id]
            return join(self._roots.get(known.source, ""), known.inner)
        return join(self._found.root, ref.inner)

    def _tell_beside(self, writer: VectorWriter, foreign: int) -> None:
        have = set(writer.snapshot.live)
        lacking = sum(id not in have for id in self._known)
        matched = self._result.indexed + self._result.updated + self._result.already
        said = f"{matched:,} vectors are of images of collection {self._name!r}"
        if lacking:
            said += f"; {lacking:,} of its images have none"
        self._result.notes.append(f"{said}; labels and metadata beside the vectors were not read")
        if foreign:
            self._result.skip(
                self._found.where,
                f"{foreign:,} vectors are of no image of collection {self._name!r}",
                foreign,
            )


def _chosen(
    refs: list[ImageRef], vectors: Rows32, rows: list[int]
) -> tuple[list[ImageRef], Rows32]:
    if len(rows) == len(refs):
        return refs, vectors
    return [refs[row] for row in rows], vectors[rows]


def check_made_by(
    some: Iterable[tuple[str, NDArray[np.float32]]], dimension: int, made_by: str
) -> None:
    """Encode a few images again and compare.

    Parameters
    ----------
    some : pairs of uri and (d,) float32
        Images and their vectors; as many are read as it takes to have 5.

    Raises
    ------
    EncoderError
        If they differ, or none of the images can be read.
    """
    encoder = encoders.load(made_by)
    if isinstance(encoder, FittedEncoder):
        raise EncoderError(
            f"encoder {made_by!r} is fitted to a collection, so nothing it made elsewhere can be "
            "compared; leave out --made-by, or name the encoder that made them"
        )
    if encoder.card.dimension != dimension:
        raise EncoderError(
            f"encoder {made_by!r} gives {encoder.card.dimension} numbers, these vectors have "
            f"{dimension}; leave out --made-by, or name the encoder that made them"
        )
    theirs: list[NDArray[np.float32]] = []
    vectors: list[NDArray[np.float32]] = []
    why = "none was tried"
    for uri, vector in some:
        try:
            image = read_image(uri)
        except ImageError as error:
            why = str(error)
            continue
        theirs.append(vector)
        vectors.append(encoder.encode([encoder.prepare(image)]))
        if len(vectors) == CHECKED:
            break
    if not vectors:
        raise EncoderError(
            f"none of the images could be read to check --made-by ({why}); leave it out, or make "
            "the images readable"
        )
    cosines = np.concatenate(vectors) @ unit_rows(np.stack(theirs)).T
    own = np.diag(cosines)
    # some models' vectors of any two images are alike: each must also be nearest to its own
    if own.min() < ALIKE or (own < cosines.max(axis=1) - SAME).any():
        raise EncoderError(
            f"encoder {made_by!r} did not make these vectors: encoding {len(vectors)} images again "
            f"gave cosines of {own.min():.3f} to {own.max():.3f} with their own, expected {ALIKE} "
            "or more and none nearer to another's; leave out --made-by, or name the encoder that "
            "made them"
        )


def _uri(text: str) -> str:
    """A notebook's relative path is one from where it ran, and so must this be run."""
    if "://" in text:
        return text
    try:
        return quote_path(Path(text).absolute() if Path(text).exists() else text)
    except (OSError, ValueError):  # too long or with a NUL: an id that is no path
        return quote_path(text)


def _merged(image: NewImage, known: NewImage | None) -> NewImage:
    """What was found out or said of an image since it was first adopted stays."""
    if known is None:
        return image
    return replace(
        known,
        inner=image.inner,
        um_per_px=known.um_per_px if image.um_per_px is None else image.um_per_px,
        sample=known.sample if image.sample is None else image.sample,
        metadata={**(known.metadata or {}), **(image.metadata or {})},
    )
