"""Similar: the nearest matches of an image in the collection, a new picture or a description."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core import encoders, labels, ranging
from core.catalogue import Image
from core.columns import Columns, columns
from core.encoders.base import Encoder
from core.errors import EncoderError, NotFoundError, RangeError
from core.filtering import Filter, passing
from core.library import Library, View
from core.search import Match, collapse_identical, mean_direction, nearest
from core.sources import MAX_UM_PER_PX

MAX_K = 1_000

MUCH = 5.0
"""A match so many times larger or smaller than the query is marked."""


@dataclass(frozen=True)
class Found:
    """One match, with what a person wants to know of it."""

    image: Image
    distance: float
    label: str | None
    label_status: str | None


@dataclass(frozen=True)
class Result:
    """Matches of one query, the nearest first."""

    query: Mapping[str, Any]
    exact: bool
    matches: list[Found]
    notes: list[str] = field(default_factory=list)
    asked: Image | None = None
    """What was asked with: the collection's image, or a picture as if it were one; None for words.
    """

    def as_json(self) -> dict[str, Any]:
        return {
            "query": dict(self.query),
            "exact": self.exact,
            "matches": [
                {
                    "id": m.image.id,
                    "distance": m.distance,
                    "label": m.label,
                    "uri": m.image.uri,
                    "label_status": m.label_status,
                }
                for m in self.matches
            ],
            "notes": self.notes,
        }


def size_of(image: Image) -> tuple[float, str] | None:
    """Longest side of an image and its unit: micrometres where the pixel size is known."""
    if image.width is None or image.height is None:
        return None
    longest = max(image.width, image.height)
    if image.um_per_px is None:
        return float(longest), "px"
    return longest * image.um_per_px, "µm"


def esd_of(image: Image) -> float | None:
    """Equivalent spherical diameter in micrometres, where the instrument measured it."""
    value = image.metadata.get("esd_um")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 < value < float("inf") else None


def times_larger(image: Image, query: Image | None) -> float | None:
    """How many times larger an image is than the query; None when they cannot be compared.

    By their diameters where both were measured, else by the longest sides of the pictures: one
    says nothing beside the other, nor do micrometres beside pixels.
    """
    if query is None:
        return None
    esd, other_esd = esd_of(image), esd_of(query)
    if esd is not None and other_esd is not None:
        return esd / other_esd
    own, other = size_of(image), size_of(query)
    if own is None or other is None or own[1] != other[1] or not other[0]:
        return None
    return own[0] / other[0]


def by_size(matches: Sequence[Found]) -> list[Found]:
    """The smallest first; after those in micrometres those in pixels, then those of no known size.

    By measured diameters where all have one, else by the longest sides of the pictures. Among equal
    sizes the order stays.
    """
    if all(esd_of(match.image) is not None for match in matches):
        return sorted(matches, key=lambda match: esd_of(match.image) or 0.0)

    def rank(match: Found) -> tuple[int, float]:
        size = size_of(match.image)
        return (2, 0.0) if size is None else (int(size[1] != "µm"), size[0])

    return sorted(matches, key=rank)


def similar_to_id(
    library: Library,
    view: View,
    id: str,
    *,
    k: int = 24,
    only: Filter | None = None,
    known: Columns | None = None,
) -> Result:
    """The image itself at distance 0, then its k nearest.

    Parameters
    ----------
    only : Filter, optional
        What its matches must be.
    known : Columns, optional
        The view's columns when they were read already.

    Raises
    ------
    NotFoundError
        If the collection has no such image, or no vector of it from this encoder yet.
    """
    image = library.catalogue.image(view.collection.uid, id)
    try:
        row = view.snapshot.ids.index(id)
    except ValueError:
        raise NotFoundError(
            f"image {id!r} has no vector of encoder {view.encoding.encoder!r} yet; run "
            f"`index --collection {view.collection.name} --encoder {view.encoding.encoder}`"
        ) from None
    vector = np.asarray(view.snapshot.vectors[row])
    found = _search(
        library, view, vector, k=k, only=only, known=known, query={"id": id}, self_id=id
    )
    return replace(found, asked=image)


def similar_to_image(
    library: Library,
    view: View,
    data: bytes,
    *,
    name: str,
    k: int = 24,
    um_per_px: float | None = None,
    encoder: Encoder | None = None,
    only: Filter | None = None,
    known: Columns | None = None,
) -> Result:
    """The k nearest of a picture that need not be in the collection.

    Parameters
    ----------
    data : bytes
        The file as it was uploaded.
    name : str
        What to call it in errors.
    um_per_px : float, optional
        Micrometres per pixel of the picture.
    encoder : Encoder, optional
        The view's encoder when it is loaded already.

    Raises
    ------
    ImageError
        If it is no picture.
    RangeError
        If k or um_per_px is outside its range.
    EncoderError
        If the collection's vectors were made elsewhere by an unknown encoder.
    """
    from core.images import decode_image

    _check_k(k)
    if um_per_px is not None and not 0 < um_per_px <= MAX_UM_PER_PX:
        raise RangeError(
            f"the pixel size is {um_per_px} micrometres; expected more than 0 and at most "
            f"{MAX_UM_PER_PX:,.0f}"
        )
    encoder = encoder or encoder_of(view)
    value_range = ranging.value_range_of(view.collection.options)
    image = decode_image(data, name=name, value_range=value_range)
    vector = encoder.encode([encoder.prepare(image)], um_per_px=[um_per_px])[0]
    notes = []
    fit = view.encoding.fit or {}
    if um_per_px is None and fit.get("unit") == "um":
        notes.append(
            "The picture's pixel size is not known; the collection's usual one was assumed."
        )
    found = _search(
        library, view, vector, k=k, only=only, known=known, query={"image": name}, notes=notes
    )
    height, width = image.shape[:2]
    return replace(found, asked=Image(name, "", "", "", width, height, um_per_px, None, {}))


def similar_to_text(
    library: Library,
    view: View,
    text: str,
    *,
    k: int = 24,
    encoder: Encoder | None = None,
    only: Filter | None = None,
    known: Columns | None = None,
) -> Result:
    """The k images a description fits best.

    Raises
    ------
    EncoderError
        If the encoder does not read text.
    """
    _check_k(k)
    if not text.strip():
        raise RangeError("the description is empty; expected words, e.g. 'a chain of round cells'")
    encoder = encoder or encoder_of(view)
    vector = encoder.encode_text([text])[0]
    return _search(library, view, vector, k=k, only=only, known=known, query={"text": text})


def similar_to_set(
    library: Library,
    view: View,
    ids: Sequence[str],
    *,
    unlike: Sequence[str] = (),
    k: int = 24,
    only: Filter | None = None,
    known: Columns | None = None,
) -> Result:
    """The k nearest to the middle of some images, away from others; none of either among them.

    Parameters
    ----------
    ids : sequence of str
        At least one image that has a vector.
    unlike : sequence of str
        Images it should not be like; one that is also in `ids` counts as unlike.

    Raises
    ------
    NotFoundError
        If none of `ids` is left in the collection.
    RangeError
        If k is outside its range, or the chosen images cancel each other out.
    """
    _check_k(k)
    place = {id: row for row, id in enumerate(view.snapshot.ids)}
    away = set(unlike)
    like = [place[id] for id in ids if id in place and id not in away]
    less = [place[id] for id in away if id in place]
    if not like:
        raise NotFoundError(
            f"none of the {len(ids):,} chosen images has a vector of encoder "
            f"{view.encoding.encoder!r}; choose images of this collection"
        )
    missing = sum(id not in place for id in {*ids, *away})
    notes = [f"{missing:,} of the chosen images are not here any more."] if missing else []
    vector = mean_direction(view.snapshot.vectors, like, less)
    return _search(
        library, view, vector, k=k, only=only, known=known, notes=notes,
        query={"set": len(like), "unlike": len(less)}, without={*ids, *away},
    )  # fmt: skip


def encoder_of(view: View) -> Encoder:
    """The encoder that made a view's vectors, loaded and checked to be the same.

    Raises
    ------
    EncoderError
        If it is not known, or another one than that which made them.
    """
    name = view.encoding.made_by or view.encoding.encoder
    if name.startswith("precomputed:"):
        raise EncoderError(
            f"the vectors of collection {view.collection.name!r} were made elsewhere, so a new "
            "picture cannot be encoded; index the store again with --made-by ENCODER if you know "
            "which encoder made them, or choose images of the collection"
        )
    encoder = encoders.load(name, fit=dict(view.encoding.fit) if view.encoding.fit else None)
    if view.encoding.made_by is None and encoder.identity != view.encoding.identity:
        raise EncoderError(
            f"encoder {name!r} is not the one that made these vectors any more; encode all again "
            f"with `index --collection {view.collection.name} --encoder {name} --again`"
        )
    return encoder


def _search(
    library: Library,
    view: View,
    vector: NDArray[np.float32],
    *,
    k: int,
    only: Filter | None,
    known: Columns | None,
    query: Mapping[str, Any],
    self_id: str | None = None,
    notes: list[str] | None = None,
    without: frozenset[str] | set[str] = frozenset(),
) -> Result:
    _check_k(k)
    only = only or Filter()
    uid = view.collection.uid
    want = k + (self_id is not None)
    # a server knows neither labels nor sizes, so what is filtered is searched here
    exact = library.settings.store_url is None or only.active or _fits(view)
    rows: NDArray[np.int64] | None = None
    if without:
        kept = [row for row, id in enumerate(view.snapshot.ids) if id not in without]
        rows = np.asarray(kept, dtype=np.int64)
    if only.active:
        # copies are told apart below, once the nearest of them is known
        allowed = passing(known or columns(library, view), replace(only, collapse=False))
        passed = np.flatnonzero(allowed).astype(np.int64)
        rows = passed if rows is None else np.intersect1d(rows, passed)

    def nearest_of(count: int) -> list[Match]:
        if not exact:
            found = _approximate(library, view, vector, k=count + len(without), self_id=self_id)
            return [match for match in found if match.id not in without][:count]
        vectors, ids = view.snapshot.vectors, view.snapshot.ids
        return nearest(vectors, ids, vector, k=count, rows=rows, self_id=self_id)

    matches = nearest_of(want)
    if exact and len(library.catalogue.images(uid, [m.id for m in matches])) < len(matches):
        # an index run has stored vectors that it has not catalogued yet: they are nobody's match
        catalogued = library.catalogue.stamps(uid)
        every = range(len(view.snapshot.ids)) if rows is None else rows.tolist()
        kept = [row for row in every if view.snapshot.ids[row] in catalogued]
        rows = np.asarray(kept, dtype=np.int64)
        matches = nearest_of(want)
    if only.collapse:
        ask, found = want, matches
        matches = _once(library, uid, found)
        while len(matches) < want and len(found) == ask:  # copies took the place of others
            ask *= 4
            found = nearest_of(ask)
            matches = _once(library, uid, found)
    images = {i.id: i for i in library.catalogue.images(uid, [m.id for m in matches])}
    current = labels.current(library.catalogue, uid, list(images))
    shown = [
        Found(
            image=images[m.id],
            distance=m.distance,
            label=current[m.id].label if m.id in current else None,
            label_status=current[m.id].status if m.id in current else None,
        )
        for m in matches
        if m.id in images  # a server's index may hold what is not catalogued yet
    ]
    return Result(query, exact, shown[:want], notes or [])


def _once(library: Library, uid: str, matches: Sequence[Match]) -> list[Match]:
    images = library.catalogue.images(uid, [match.id for match in matches])
    return collapse_identical(matches, {i.id: i.content_hash for i in images if i.content_hash})


def _check_k(k: int) -> None:
    if not 1 <= k <= MAX_K:
        raise RangeError(f"k is {k}; expected 1 to {MAX_K:,} matches")


def _approximate(
    library: Library, view: View, vector: NDArray[np.float32], *, k: int, self_id: str | None
) -> list[Match]:
    """What a server's index finds: it may miss some, so the image itself is put first."""
    from core.store import Store

    store = Store.open(library.settings, library.workspace)
    found = store.query(view.collection.uid, view.encoding, vector, k=k)
    matches = [Match(id=id, distance=d, row=-1) for id, d in found if id != self_id]
    matches.sort(key=lambda match: (match.distance, match.id))
    if self_id is not None:
        matches.insert(0, Match(id=self_id, distance=0.0, row=-1))
    return matches[:k]


def _fits(view: View) -> bool:
    if not hasattr(os, "sysconf"):  # Windows: the operating system's paging decides
        return True
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return view.snapshot.vectors.nbytes < memory / 2
