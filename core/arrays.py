"""Array aliases and the checks every stage shares."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from core.errors import ShapeError

Rgb: TypeAlias = NDArray[np.uint8]
"""(h, w, 3) uint8, red first."""

Vectors: TypeAlias = NDArray[np.float32]
"""(n, d) float32, one unit-length row per image."""

Coordinates: TypeAlias = NDArray[np.float32]
"""(n, 2) float32, where each image lies on a map."""

BLOCK = 65_536  # rows looked at together: a memory map is never copied whole

UNIT_TOLERANCE = 1e-3  # float32 rows of 2,048 numbers, once through a store, stay within 1e-6


def check_vectors(
    vectors: NDArray[np.generic], *, rows: int | None = None, dimension: int | None = None
) -> None:
    """Refuse what is not (n, d) finite float32 with unit-length rows.

    Raises
    ------
    ShapeError
        Saying which of these failed.

    Examples
    --------
    >>> check_vectors(np.eye(3, dtype=np.float32), rows=3)
    >>> check_vectors(np.ones((2, 2), np.float32))
    Traceback (most recent call last):
    ...
    core.errors.ShapeError: row 0 has length 1.414; expected unit-length rows
    """
    if vectors.ndim != 2 or vectors.dtype != np.float32:
        raise ShapeError(f"vectors are {vectors.dtype} {vectors.shape}; expected float32 (n, d)")
    if rows is not None and len(vectors) != rows:
        raise ShapeError(f"{len(vectors)} vectors for {rows} images; expected one each")
    if dimension is not None and vectors.shape[1] != dimension:
        raise ShapeError(f"vectors have {vectors.shape[1]} numbers; expected {dimension}")
    for start in range(0, len(vectors), BLOCK):
        block = vectors[start : start + BLOCK].astype(np.float64)
        lengths = np.sqrt(np.einsum("nd,nd->n", block, block))
        wrong = np.flatnonzero(~(np.abs(lengths - 1) <= UNIT_TOLERANCE))  # NaN counts as wrong
        if len(wrong):
            row, length = start + int(wrong[0]), lengths[wrong[0]]
            raise ShapeError(f"row {row} has length {length:.4g}; expected unit-length rows")


def unit_rows(rows: NDArray[np.floating]) -> Vectors:
    """Scale every row to length 1.

    Parameters
    ----------
    rows : (n, d) floating
        A row of zeros has no direction and becomes the first axis, so that it still finds itself.

    Raises
    ------
    ShapeError
        If rows is not (n, d), or a number is not finite.

    Examples
    --------
    >>> unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]]))
    array([[0.6, 0.8],
           [1. , 0. ]], dtype=float32)
    """
    if rows.ndim != 2 or rows.shape[1] == 0:
        raise ShapeError(f"rows are {rows.shape}; expected (n, d)")
    if not np.isfinite(rows).all():
        raise ShapeError("a row has NaN or infinity; expected finite numbers")
    out = rows.astype(np.float64)
    lengths = np.linalg.norm(out, axis=1)
    out[lengths == 0, 0] = 1.0
    lengths[lengths == 0] = 1.0
    unit: Vectors = (out / lengths[:, None]).astype(np.float32)
    return unit
