"""Nearest neighbours: exact, and in an order that never changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from core.arrays import Vectors, check_vectors
from core.errors import NotFoundError, RangeError, ShapeError
from core.neighbours import coarse_similarities, nearest_rows

REJECTED_WEIGHT = 0.2


@dataclass(frozen=True)
class Match:
    """One image found."""

    id: str
    distance: float
    """1 - cosine, 0 (same direction) to 2 (opposite), to 6 decimals."""
    row: int
    """Its row in the vectors searched."""
    copies: int = 1
    """How many identical images it stands for, itself included; see `collapse_identical`."""


def nearest(
    vectors: Vectors,
    ids: Sequence[str],
    query: NDArray[np.float32],
    *,
    k: int,
    rows: NDArray[np.int64] | None = None,
    self_id: str | None = None,
) -> list[Match]:
    """The k images nearest to a query by cosine, nearest first, ties by id.

    Parameters
    ----------
    vectors : (n, d) float32
        Unit rows; a memory map is read in blocks and never copied whole.
    ids : n strings
    query : (d,) float32
        A unit row.
    k : int
        How many, at least 1, the item itself counted; all where there are fewer.
    rows : (r,) integers, optional
        Search only these rows.
    self_id : str, optional
        The image the query is the vector of: it comes first at distance 0, before its duplicates,
        and even when it is not among `rows`.

    Returns
    -------
    list of Match

    Raises
    ------
    ShapeError
        If vectors, ids and query do not fit together or the query is not of unit length.
    RangeError
        If k is below 1 or a row does not exist.
    NotFoundError
        If self_id is not among ids.

    Examples
    --------
    >>> found = nearest(np.eye(3, dtype=np.float32), ["a", "b", "c"],
    ...                 np.array([0.6, 0.8, 0.0], np.float32), k=2)
    >>> [(match.id, match.distance) for match in found]
    [('b', 0.2), ('a', 0.4)]
    """
    if vectors.ndim != 2 or vectors.dtype != np.float32:
        raise ShapeError(f"vectors are {vectors.dtype} {vectors.shape}; expected float32 (n, d)")
    n, dimension = vectors.shape
    if len(ids) != n:
        raise ShapeError(f"{n} vectors for {len(ids)} ids; expected one each")
    if query.ndim != 1:
        raise ShapeError(f"the query is {query.shape}; expected ({dimension},)")
    check_vectors(query[None], dimension=dimension)
    if k < 1:
        raise RangeError(f"k is {k}; expected at least 1 image to look for")
    if rows is not None:
        rows = _checked_rows(rows, n)

    itself: int | None = None
    if self_id is not None:
        try:
            itself = ids.index(self_id)
        except ValueError:
            raise NotFoundError(
                f"there is no image {self_id!r} among these {n}; choose an id of this collection"
            ) from None
        if rows is not None:
            rows = np.union1d(rows, [itself])
    if (n if rows is None else len(rows)) == 0:
        return []

    coarse = coarse_similarities(vectors, query[None], rows)[0]
    found, distances = nearest_rows(vectors, query, coarse, k=k, rows=rows)
    matches = [
        Match(id=ids[row], distance=float(distance), row=int(row))
        for row, distance in zip(found, distances, strict=True)
        if row != itself
    ]
    matches.sort(key=lambda match: (match.distance, match.id, match.row))
    if itself is not None:
        matches.insert(0, Match(id=ids[itself], distance=0.0, row=itself))
    return matches[:k]


def collapse_identical(matches: Sequence[Match], hashes: Mapping[str, str]) -> list[Match]:
    """Keep the first of each content hash, with how many it stands for.

    Parameters
    ----------
    matches : matches in the order to keep
    hashes : id -> hash of the image's content
        An image without one is kept: nothing says that it is a copy.

    Examples
    --------
    >>> some = [Match("a", 0.0, 0), Match("b", 0.0, 1), Match("c", 0.3, 2)]
    >>> [(m.id, m.copies) for m in collapse_identical(some, {"a": "x", "b": "x", "c": "y"})]
    [('a', 2), ('c', 1)]
    """
    kept: dict[tuple[bool, str], Match] = {}
    for match in matches:
        known = match.id in hashes
        key = (known, hashes[match.id] if known else match.id)
        first = kept.get(key)
        if first is None:
            kept[key] = match
        else:
            kept[key] = replace(first, copies=first.copies + match.copies)
    return list(kept.values())


def mean_direction(
    vectors: Vectors, rows: Sequence[int], rejected_rows: Sequence[int] = ()
) -> NDArray[np.float32]:
    """Where "more like these, less like those" points.

    The mean of the chosen vectors less a fifth of the mean of the rejected, the balance of the
    reference's 0.75 to 0.15.

    Parameters
    ----------
    vectors : (n, d) float32 unit rows
    rows : rows of the chosen images, at least one
    rejected_rows : rows of images it should not be like

    Returns
    -------
    (d,) float32 unit row

    Raises
    ------
    RangeError
        If nothing is chosen, a row does not exist, or the chosen cancel each other out.

    References
    ----------
    Manning, Raghavan & Schütze (2008), Introduction to Information Retrieval, 9.1.1 (Rocchio).
    """
    chosen = _checked_rows(rows, len(vectors))
    rejected = _checked_rows(rejected_rows, len(vectors))
    if len(chosen) == 0:
        raise RangeError("no image is chosen; expected at least 1 to look for more of")
    direction = vectors[chosen].astype(np.float64).mean(axis=0)
    if len(rejected):
        direction -= REJECTED_WEIGHT * vectors[rejected].astype(np.float64).mean(axis=0)
    length = float(np.linalg.norm(direction))
    if length < 1e-6:
        raise RangeError(
            f"the {len(chosen)} chosen images point in opposite directions and cancel out; "
            "choose images that are more alike"
        )
    unit: NDArray[np.float32] = (direction / length).astype(np.float32)
    return unit


def _checked_rows(rows: Sequence[int] | NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Each row once, ascending."""
    out = np.unique(np.asarray(rows, dtype=np.int64))
    if len(out) and not (out[0] >= 0 and out[-1] < n):
        wrong = int(out[0]) if out[0] < 0 else int(out[-1])
        raise RangeError(f"there is no row {wrong}; expected 0 to {n - 1}")
    return out
