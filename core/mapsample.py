"""Which points of a large map are drawn: a sample in which what is rare is whole."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core.arrays import Coordinates
from core.errors import RangeError, ShapeError

LIMIT = 100_000
"""Points drawn at most: 1.4 MB on the wire."""
WHOLE = 400
"""A group of up to so many points is drawn whole."""
ALONE = 3
"""A point with so few about it, itself included, lies apart."""
SQUARES = 256

# of the places at most, so that half of them are left for everything in proportion
SHARE_ALWAYS = 0.2
SHARE_WHOLE = 0.1
SHARE_APART = 0.05


def sample_rows(
    coordinates: Coordinates,
    groups: NDArray[np.int64],
    *,
    limit: int = LIMIT,
    whole: Sequence[NDArray[np.int64]] = (),
    always: Sequence[NDArray[np.bool_]] = (),
    seed: int = 0,
) -> NDArray[np.int64]:
    """Rows to draw of a map with more points than can be drawn.

    In it are: what is asked for `always`; the small groups of every grouping, whole; the points
    that lie apart from all others; and of each larger group a share in proportion to its size,
    chosen by chance. The same points, groups and seed give the same rows.

    Parameters
    ----------
    coordinates : (n, 2) float32
    groups : (n,) int64
        The group each point is coloured by, 0 and up. Up to forty and some: with more there may be
        no place for all the small ones.
    limit : int
        Rows to choose; all of them where there are no more.
    whole : sequence of (n,) int
        Other groupings, such as clusters while samples are coloured; -1 is no group. Their groups
        of up to 400 points are in, the smallest first, up to a tenth of the places each.
    always : sequence of (n,) bool
        Points that are in, such as labelled ones; of more than a fifth of the places a part.
    seed : int

    Returns
    -------
    (m,) int64
        Ascending; m is the smaller of n and `limit`.

    Raises
    ------
    ShapeError
        If the arrays are not of one length.
    RangeError
        If `limit` is below 0.
    """
    n = len(coordinates)
    if any(len(each) != n for each in (groups, *whole, *always)):
        raise ShapeError(f"groups and masks are not of the {n} points; expected one value a point")
    if limit < 0:
        raise RangeError(f"limit is {limit}; expected at least 0")
    if n <= limit:
        return np.arange(n)
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(n)
    chosen = np.zeros(n, bool)
    for mask in always:
        chosen[shuffled[mask[shuffled]][: int(limit * SHARE_ALWAYS)]] = True
    for codes in whole:
        chosen[small_groups(codes, int(limit * SHARE_WHOLE))] = True
    chosen[apart(coordinates)[: int(limit * SHARE_APART)]] = True
    if np.count_nonzero(chosen) > limit:  # many wishes at once
        chosen[shuffled[chosen[shuffled]][limit:]] = False
    left = shuffled[~chosen[shuffled]]
    places = limit - (n - len(left))
    sizes = np.bincount(groups[left], minlength=int(groups.max()) + 1)
    order = np.argsort(groups[left], kind="stable")  # group by group, by chance within each
    ends = np.cumsum(sizes)
    for end, size, take in zip(ends, sizes, shares(sizes, places), strict=True):
        chosen[left[order[end - size : end - size + take]]] = True
    return np.flatnonzero(chosen)


def shares(sizes: NDArray[np.int64], places: int) -> NDArray[np.int64]:
    """How many of each group get one of the places: small groups whole, the others in proportion.

    Examples
    --------
    >>> shares(np.array([10, 20_000, 60_000]), 8_000).tolist()
    [10, 2179, 5811]
    """
    filled = int(np.count_nonzero(sizes))
    if int(sizes.sum()) <= places:
        return sizes.astype(np.int64)
    floor = min(WHOLE, places // max(2 * filled, 1))
    out = np.minimum(sizes, floor).astype(np.int64)
    rest = sizes - out
    exact = rest * (places - out.sum()) / max(int(rest.sum()), 1)
    out += np.floor(exact).astype(np.int64)
    missing = places - int(out.sum())
    out[np.argsort(np.floor(exact) - exact, kind="stable")[:missing]] += 1
    return out


def small_groups(codes: NDArray[np.int64], places: int) -> NDArray[np.int64]:
    """The points of groups of up to 400, the smallest groups first, as long as whole ones fit."""
    sizes = np.bincount(codes[codes >= 0])
    order = np.argsort(sizes, kind="stable")
    order = order[(sizes[order] > 0) & (sizes[order] <= WHOLE)]
    fits = order[np.cumsum(sizes[order]) <= places]
    return np.flatnonzero(np.isin(codes, fits))


def apart(coordinates: Coordinates) -> NDArray[np.int64]:
    """Points with hardly another in their square of the map or the eight around, loneliest first.

    A square is a 256th of the map's longer side.
    """
    low = coordinates.min(axis=0).astype(np.float64)
    side = float((coordinates.max(axis=0) - low).max()) / SQUARES or 1.0
    places = ((coordinates - low) / side).astype(np.int64) + 1
    wide = SQUARES + 3
    counts = np.bincount(places[:, 1] * wide + places[:, 0], minlength=wide * wide)
    grid = counts.reshape(wide, wide)
    rows = grid[:-2] + grid[1:-1] + grid[2:]
    around = np.zeros_like(grid)
    around[1:-1, 1:-1] = rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]
    company = around[places[:, 1], places[:, 0]]
    lonely = np.flatnonzero(company <= ALONE)
    return lonely[np.argsort(company[lonely], kind="stable")]
