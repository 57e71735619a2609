"""Which points of a map lie inside what was drawn around them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core.arrays import Coordinates
from core.errors import RangeError, ShapeError

MAX_CORNERS = 50_000
"""A hand that draws for minutes comes to some thousands."""


def inside(coordinates: Coordinates, x: Sequence[float], y: Sequence[float]) -> NDArray[np.bool_]:
    """Whether each point lies inside a box or a polygon, by the same arithmetic as the browser's.

    Parameters
    ----------
    coordinates : (n, 2) float32
    x, y : numbers
        The corners: two opposite ones of a box, its sides included, or three and more of a
        polygon, which is closed by itself. Where it crosses itself, what is enclosed an odd number
        of times is inside.

    Returns
    -------
    (n,) bool

    Raises
    ------
    ShapeError
        If there are not as many x as y, or fewer than two corners.
    RangeError
        If there are too many corners, or one is not a finite number.

    References
    ----------
    Shimrat (1962), Algorithm 112: position of point relative to polygon, CACM 5(8).
    """
    if len(x) != len(y) or len(x) < 2:
        raise ShapeError(f"a shape has {len(x)} x and {len(y)} y; expected one each, at least 2")
    if len(x) > MAX_CORNERS:
        raise RangeError(f"a shape has {len(x):,} corners; expected up to {MAX_CORNERS:,}")
    xs, ys = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if not (np.isfinite(xs).all() and np.isfinite(ys).all()):
        raise RangeError("a corner is not a finite number; draw the shape again")
    px, py = coordinates[:, 0].astype(np.float64), coordinates[:, 1].astype(np.float64)
    boxed = (px >= xs.min()) & (px <= xs.max()) & (py >= ys.min()) & (py <= ys.max())
    return boxed if len(xs) == 2 else _in_polygon(px, py, xs, ys, np.flatnonzero(boxed))


def _in_polygon(
    px: NDArray[np.float64],
    py: NDArray[np.float64],
    xs: NDArray[np.float64],
    ys: NDArray[np.float64],
    maybe: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """Each side is held against the points at its height only, found among points sorted by y."""
    order = maybe[np.argsort(py[maybe], kind="stable")]
    qx, qy = px[order], py[order]
    odd = np.zeros(len(order), bool)
    lower = np.searchsorted(qy, np.minimum(ys, np.roll(ys, 1)))
    upper = np.searchsorted(qy, np.maximum(ys, np.roll(ys, 1)))
    for i in np.flatnonzero(upper > lower):
        j = i - 1
        part = slice(lower[i], upper[i])
        odd[part] ^= qx[part] < (xs[j] - xs[i]) * (qy[part] - ys[i]) / (ys[j] - ys[i]) + xs[i]
    out = np.zeros(len(px), bool)
    out[order[odd]] = True
    return out
