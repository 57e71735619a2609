"""Each image's nearest others and how well its own kind ranks, in one pass over similarities."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.arrays import Vectors, check_vectors
from core.errors import RangeError
from core.neighbours import largest_columns

BLOCK_BYTES = 4 << 20
"""Of similarities held at once; ranking them takes some twenty times that."""

Codes = NDArray[np.integer]
Near = NDArray[np.int32]
"""(n, k) rows of each image's nearest others, the nearest first."""


@dataclass(frozen=True)
class Ranked:
    """What one pass over all pairs gave."""

    near: Near
    average_precision: NDArray[np.float64] | None
    """(n,) of each image's own kind among all others, 0 where it is the only one; None without
    kinds."""
    gains: NDArray[np.float64] | None
    """(n,) by how much the others' together grows when an image is taken away."""
    elsewhere: Near | None = None
    """The same as `near` among images of other samples; None without samples, or where an image
    has none elsewhere."""


def rank(
    vectors: Vectors,
    *,
    k: int,
    codes: Codes | None = None,
    samples: Codes | None = None,
    tell: Callable[[int], None] | None = None,
) -> Ranked:
    """Rank all images for each one, by cosine; an image is never its own neighbour.

    Parameters
    ----------
    vectors : (n, d) float32 unit rows
    k : int
        Neighbours to keep, 1 to n - 1. Equally near ones come in the order of their rows, which
        must therefore say nothing about kinds.
    codes : (n,) int, optional
        The kind of each image.
    samples : (n,) int, optional
        The sample of each image, numbered from 0.
    tell : callable, optional
        Told how many images were done since it was told before.

    Raises
    ------
    RangeError
        If k is not in 1 to n - 1.
    ShapeError
        If vectors are not unit rows.

    References
    ----------
    Manning, Raghavan & Schütze (2008), Introduction to Information Retrieval, 8.4; equally near
    images count together, as in scikit-learn's `average_precision_score`.
    """
    n = len(vectors)
    if not 1 <= k < n:
        raise RangeError(f"k is {k}; expected 1 to {n - 1} for {n} images")
    check_vectors(vectors)
    near = np.empty((n, k), np.int32)
    precision, gains = np.zeros(n), np.zeros(n)
    others = 0 if samples is None else min(k, n - int(np.bincount(samples).max()))
    elsewhere = np.empty((n, others), np.int32)
    for part, similarity in similarities(vectors):
        near[part] = largest(similarity, k)
        if codes is not None:
            order = np.argsort(-similarity, axis=1)[:, :-1]  # itself is the last
            relevant = codes[order] == codes[part, None]
            precision[part], changes = average_precisions(
                relevant, np.take_along_axis(similarity, order, axis=1)
            )
            gains += np.bincount(order.ravel(), changes.ravel(), n)
        if samples is not None and others:
            similarity[samples[part, None] == samples] = -np.inf
            elsewhere[part] = largest(similarity, others)
        if tell is not None:
            tell(part.stop - part.start)
    apart = elsewhere if others else None
    if codes is None:
        return Ranked(near, None, None, apart)
    return Ranked(near, precision, gains, apart)


def similarities(vectors: Vectors) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Blocks of rows of the similarity of all pairs; -inf to itself."""
    n = len(vectors)
    step = max(1, BLOCK_BYTES // (4 * n))
    for start in range(0, n, step):
        part = slice(start, min(n, start + step))
        block = np.asarray(vectors[part]) @ np.asarray(vectors).T
        each = np.arange(part.stop - part.start)
        block[each, start + each] = -np.inf
        yield part, block


def largest(similarity: NDArray[np.float32], k: int) -> NDArray[np.intp]:
    """(b, k) columns of the largest of each row, the largest first, ties by column."""
    found = np.sort(largest_columns(similarity, k), axis=1)
    values = np.take_along_axis(similarity, found, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")
    found = np.take_along_axis(found, order, axis=1)
    last = values.min(axis=1, keepdims=True)
    for row in np.flatnonzero((similarity >= last).sum(axis=1) > k):  # a tie across the edge
        found[row] = np.argsort(-similarity[row], kind="stable")[:k]
    return found


def average_precisions(
    relevant: NDArray[np.bool_], similarity: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Average precision of rankings, and what taking one of the ranked away would change.

    Parameters
    ----------
    relevant : (b, m) bool
        Whether each of the ranked is of the kind looked for, the nearest first.
    similarity : (b, m) float32
        Never growing; those of equal similarity count together, as in scikit-learn.

    Returns
    -------
    (b,) float64
        0 where nothing is relevant.
    (b, m) float64
        The average precision without each of them, less that with it; ties set aside.

    Examples
    --------
    >>> found, change = average_precisions(np.array([[False, True]]), np.array([[0.9, 0.5]]))
    >>> found.tolist(), change.tolist()
    ([0.5], [[0.5, -0.5]])
    """
    place = np.arange(1, relevant.shape[1] + 1)
    count = np.cumsum(relevant, axis=1)
    total = count[:, -1:]
    part = np.where(relevant, count / place, 0.0)
    before = np.cumsum(part, axis=1)
    value = before[:, -1:] / np.maximum(total, 1)
    moved = np.maximum(place - 1, 1)
    up = np.where(relevant, count / moved, 0.0)
    down = np.where(relevant, (count - 1) / moved, 0.0)
    after_up, after_down = (
        each.sum(axis=1, keepdims=True) - np.cumsum(each, axis=1) for each in (up, down)
    )
    without = np.where(
        relevant,
        (before - part + after_down) / np.maximum(total - 1, 1),
        (before + after_up) / np.maximum(total, 1),
    )
    tied = np.flatnonzero((similarity[:, 1:] == similarity[:, :-1]).any(axis=1))
    changes = without - value
    for row in tied:
        value[row] = _tied(relevant[row], similarity[row])
    return value[:, 0], changes


def _tied(relevant: NDArray[np.bool_], similarity: NDArray[np.float32]) -> float:
    last = np.flatnonzero(np.append(similarity[1:] != similarity[:-1], True))
    count = np.cumsum(relevant)[last]
    new = np.diff(count, prepend=0)
    return float((new * count / (last + 1)).sum() / max(int(count[-1]), 1))


def votes(near: Codes) -> NDArray[np.int64]:
    """The most frequent kind of each row; of several the one whose first image is nearest.

    Parameters
    ----------
    near : (n, k) int
        Kinds of each image's neighbours, the nearest first.

    Examples
    --------
    >>> votes(np.array([[2, 0, 0], [2, 1, 0], [1, 2, 2]])).tolist()
    [0, 2, 2]
    """
    counts = (near[:, :, None] == near[:, None, :]).sum(axis=1)
    first = counts.argmax(axis=1)
    out: NDArray[np.int64] = np.take_along_axis(near, first[:, None], axis=1)[:, 0].astype(np.int64)
    return out
