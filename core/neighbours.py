"""The exact nearest rows of a matrix, in blocks; search and the placing of new images share it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from core.arrays import Vectors

BLOCK_BYTES = 64 << 20
GROUP = 32  # columns of which the largest is looked at first
DECIMALS = 6  # of a distance: float32 vectors of up to 2,048 numbers carry no more
ROUNDING = 2.0**-24  # float32, one operation
LENGTHS = 4e-6  # what rows that are not quite of length 1 can move a similarity


def coarse_similarities(
    vectors: Vectors, queries: Vectors, rows: NDArray[np.int64] | None = None
) -> NDArray[np.float32]:
    """Similarities in float32, good enough to rule rows out.

    Parameters
    ----------
    vectors : (n, d) float32 unit rows
        May be a memory map: it is read in blocks of 64 MB.
    queries : (m, d) float32 unit rows
    rows : (r,) int64, optional
        Only these rows.

    Returns
    -------
    (m, n) or (m, r) float32
    """
    matrix = np.asarray(vectors)
    count = len(matrix) if rows is None else len(rows)
    out = np.empty((len(queries), count), dtype=np.float32)
    for part in blocks(count, matrix.shape[1] * 4):
        block = matrix[part] if rows is None else matrix[rows[part]]
        out[:, part] = (block @ queries.T).T
    return out


def nearest_rows(
    vectors: Vectors,
    query: NDArray[np.float32],
    coarse: NDArray[np.float32],
    *,
    k: int,
    rows: NDArray[np.int64] | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The k nearest rows and all that are exactly as near as the last of them.

    What can be among them by the rounding of `coarse` is measured again in float64, row by row,
    so that the outcome depends neither on the order of rows nor on how they were batched.

    Parameters
    ----------
    vectors : (n, d) float32 unit rows
    query : (d,) float32 unit row
    coarse : (n,) or (r,) float32
        `coarse_similarities` of this query.
    k : int
        At least 1; all rows where there are fewer.
    rows : (r,) int64, optional
        The rows that `coarse` is about.

    Returns
    -------
    rows : (c,) int64
        Ascending; at least k of them where there are that many.
    distances : (c,) float64
        1 - cosine in [0, 2], to 6 decimals.
    """
    matrix = np.asarray(vectors)
    if k < len(coarse):
        last = np.partition(coarse, len(coarse) - k)[len(coarse) - k]
        # Higham (2002), 3.1: a float32 dot product of unit rows is off by at most d roundings;
        # twice, because the last one may be off the other way
        margin = 2 * (matrix.shape[1] + 2) * ROUNDING + LENGTHS + 10.0**-DECIMALS
        within = np.flatnonzero(coarse >= float(last) - margin)
    else:
        within = np.arange(len(coarse))
    found = within if rows is None else rows[within]
    distances = exact_distances(matrix, query, found)
    if k < len(distances):
        near = distances <= np.partition(distances, k - 1)[k - 1]
        found, distances = found[near], distances[near]
    order = np.argsort(found, kind="stable")
    return found[order].astype(np.int64), distances[order]


def exact_distances(
    vectors: Vectors, query: NDArray[np.float32], rows: NDArray[np.int64]
) -> NDArray[np.float64]:
    """1 - cosine of some rows to a query, in float64, in [0, 2], to 6 decimals."""
    wide = query.astype(np.float64)
    wide /= np.sqrt((wide * wide).sum())
    out = np.empty(len(rows), dtype=np.float64)
    for part in blocks(len(rows), len(query) * 16):
        block = np.asarray(vectors)[rows[part]].astype(np.float64)
        lengths = np.sqrt((block * block).sum(axis=1))
        # a sum along each row, not a matrix product, whose rounding depends on the row's place
        out[part] = 1 - (block * wide).sum(axis=1) / lengths
    np.clip(out, 0.0, 2.0, out=out)
    np.round(out, DECIMALS, out=out)
    out += 0.0  # makes -0.0 plain
    return out


def largest_columns(values: NDArray[np.float32], k: int) -> NDArray[np.intp]:
    """(b, k) columns of the k largest of each row of (b, n), in no order; k is 1 to n."""
    b, n = values.shape
    groups = n // GROUP
    if groups < 2 * k or not b:
        return _largest(values, k)
    # the k-th largest of the groups' maxima leaves few to choose from, at less than half the time
    maxima = values[:, : groups * GROUP].reshape(b, groups, GROUP).max(axis=2)
    least = np.partition(maxima, groups - k, axis=1)[:, groups - k]
    if np.isneginf(least).any():  # what is left out counts too: no padding to tell it from
        return _largest(values, k)
    rows, columns = np.nonzero(values >= least[:, None])
    counts = np.bincount(rows, minlength=b)
    place = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    few = np.full((b, counts.max()), -np.inf, dtype=values.dtype)
    few[rows, place] = values[rows, columns]
    which = np.zeros(few.shape, dtype=np.intp)
    which[rows, place] = columns
    return np.take_along_axis(which, _largest(few, k), axis=1)


def nearest_first(
    similarity: NDArray[np.float32], k: int
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """(b, k) columns of the k largest of each row, the largest first, equal ones by column; and
    their similarities. k is 1 to n."""
    near = largest_columns(similarity, k)
    of = np.take_along_axis(similarity, near, axis=1)
    order = np.lexsort((near, -of), axis=1)
    return np.take_along_axis(near, order, axis=1), np.take_along_axis(of, order, axis=1)


def _largest(values: NDArray[np.float32], k: int) -> NDArray[np.intp]:
    first = values.shape[1] - k
    return np.argpartition(values, first, axis=1)[:, first:]


def blocks(count: int, row_bytes: int) -> Iterator[slice]:
    """Slices of 0 to `count` whose rows fill at most 64 MB."""
    step = max(1, BLOCK_BYTES // max(1, row_bytes))
    for start in range(0, count, step):
        yield slice(start, min(count, start + step))
