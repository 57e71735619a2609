"""How densely the points of a map lie: a small grid of shades over all of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.arrays import Coordinates
from core.errors import RangeError

CELLS = 160
"""Along the longer side of the map."""
MARGIN = 0.05
BLUR = 2.6
"""Standard deviation of the smoothing, in cells."""
PEAK = 0.99
"""A cell counts no more than so large a share of them: a heap of copies outshines no other."""


@dataclass(frozen=True)
class Density:
    """Shades, and the part of the map they lie over."""

    shades: NDArray[np.uint8]
    """(h, w); row 0 is at the lowest y."""
    x: tuple[float, float]
    y: tuple[float, float]


def counted(
    coordinates: Coordinates, among: NDArray[np.bool_] | None = None, *, cells: int = CELLS
) -> tuple[NDArray[np.int64], tuple[float, float], tuple[float, float]]:
    """How many points lie in each square cell, and where the cells begin and end.

    Parameters
    ----------
    coordinates : (n, 2) float32
        The cells cover all of these, with a margin.
    among : (n,) bool, optional
        Which of them are counted; the cells stay where they are.
    cells : int
        Along the longer side, at least 1.

    Returns
    -------
    counts : (h, w) int64
    x, y : (low, high)
    """
    if cells < 1:
        raise RangeError(f"cells is {cells}; expected at least 1")
    low, high = np.zeros(2), np.ones(2)
    if len(coordinates):
        low = coordinates.min(axis=0).astype(np.float64)
        high = coordinates.max(axis=0).astype(np.float64)
    span = high - low
    widest = float(span.max()) or 1.0
    side = widest * (1 + 2 * MARGIN) / cells
    shape = np.maximum(np.ceil(span / side + 2 * MARGIN * cells / (1 + 2 * MARGIN)), 1).astype(int)
    start = (low + high) / 2 - shape * side / 2
    places = ((coordinates - start) / side).astype(np.int64)
    np.clip(places, 0, shape - 1, out=places)  # rounding at the rim
    if among is not None:
        places = places[among]
    flat = np.bincount(places[:, 1] * shape[0] + places[:, 0], minlength=int(shape.prod()))
    end = start + shape * side
    counts = flat.reshape(shape[1], shape[0]).astype(np.int64)
    return counts, (float(start[0]), float(end[0])), (float(start[1]), float(end[1]))


def density(
    coordinates: Coordinates, among: NDArray[np.bool_] | None = None, *, cells: int = CELLS
) -> Density:
    """The counts made soft, as shades from 0 (nobody) to 255 (as dense as it gets).

    A shade grows with the square root of the density, so that middling parts are seen too.
    """
    counts, x, y = counted(coordinates, among, cells=cells)
    filled = counts[counts > 0]
    most = float(np.quantile(filled, PEAK)) if len(filled) else 1.0
    smooth = _kernel(counts.shape[0]) @ np.minimum(counts, most) @ _kernel(counts.shape[1])
    shades = np.rint(255 * np.sqrt(smooth / (float(smooth.max()) or 1.0)))
    return Density(shades.astype(np.uint8), x, y)


def _kernel(n: int) -> NDArray[np.float64]:
    """A matrix that smooths n cells in a row; what is counted stays within them."""
    apart = np.arange(n)[:, None] - np.arange(n)[None, :]
    weights = np.exp(-0.5 * (apart / BLUR) ** 2)
    smoothing: NDArray[np.float64] = weights / weights.sum(axis=0).max()
    return smoothing
