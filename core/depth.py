"""Numbers of any depth as the 8 bits of a screen.

What is deeper than 8 bits is scaled by what is *stated*, never by a picture's own darkest and
brightest pixel, so that a dark picture stays dark and pictures of a collection stay comparable:

- with `value_range`, the collection's range, from its low (black) to its high (white);
- integers by their bit depth: a 12-bit TIFF from 0 to 4095. Wider integers than 16 bits, in which
  programs keep 16-bit numbers, by 65,535 unless one is larger. In a PNG, 12 bits (sBIT) fill all
  16 by the standard; some cameras leave the upper 4 empty, which the lower 4 give away;
- floats by the first of 0-1, 0-255 and 0-65535 that holds the picture but for 1 % of overshoot:
  this tells the unit, not the contrast. Floats outside all three are cut to 0-1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_UNITS = (1.0, 255.0, 65535.0)


def scaled(
    values: NDArray[Any], full: float | None, value_range: tuple[float, float] | None
) -> NDArray[np.uint8]:
    """Numbers of any real type as uint8.

    Parameters
    ----------
    values : array of any shape
        NaN becomes black, what lies outside the range its nearer end.
    full : float or None
        What white is in integers; None for floats, whose unit is recognised.
    value_range : (low, high) or None
        Taken instead, when given.

    Examples
    --------
    >>> scaled(np.array([0, 2048, 4095], np.uint16), 4095.0, None)
    array([  0, 128, 255], dtype=uint8)
    >>> scaled(np.array([0.0, 0.5, 1.003]), None, None), scaled(np.array([0.0, 200.0]), None, None)
    (array([  0, 128, 255], dtype=uint8), array([  0, 200], dtype=uint8))
    """
    low, high = value_range or (0.0, full if full is not None else _unit(values))
    if values.dtype.kind == "u" and values.dtype.itemsize <= 2:  # few values: look each up
        every = np.arange(2 ** (8 * values.dtype.itemsize), dtype=np.float64)
        table = np.rint(np.clip((every - low) * 255 / (high - low), 0, 255))
        out: NDArray[np.uint8] = table.astype(np.uint8)[values]
        return out
    out = np.empty(values.shape, np.uint8)
    for i in range(len(values)):  # a row at a time, so that no copy in floats is held
        row = np.nan_to_num(values[i].astype(np.float64), nan=low, posinf=high, neginf=low)
        out[i] = np.rint(np.clip((row - low) * 255 / (high - low), 0, 255))
    return out


def _unit(values: NDArray[Any]) -> float:
    finite = values[np.isfinite(values)]
    if finite.size:
        low, high = float(finite.min()), float(finite.max())
        for unit in _UNITS:
            if low >= -0.01 * min(unit, 255.0) and high <= 1.01 * unit:
                return unit
    return 1.0


def wide_depth(values: NDArray[Any], stated: float) -> float:
    """What white is in integers of more than 16 bits."""
    return 65535.0 if not values.size or int(values.max()) <= 65535 else stated


def png_depth(data: bytes, values: NDArray[Any]) -> float:
    """65535, unless sBIT states fewer bits and they lie at the lower end."""
    at = data.find(b"sBIT", 8, data.find(b"IDAT"))
    bits = data[at + 4] if at > 0 else 16
    if not 8 <= bits < 16 or not values.size or int(values.max()) >= 2**bits:
        return 65535.0
    spare = 16 - bits
    lower = values & (2**spare - 1)
    # by the standard the spare bits repeat the upper ones, or are left at zero
    at_upper_end = bool(((lower == 0) | (lower == values >> bits)).all())
    return 65535.0 if at_upper_end else float(2**bits - 1)
