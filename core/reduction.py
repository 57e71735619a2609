"""Fewer dimensions: principal components and UMAP, as the map and the clusterings need them."""

from __future__ import annotations

import hashlib
import warnings

import numpy as np
from numpy.typing import NDArray

from core.arrays import Vectors
from core.neighbours import blocks, nearest_first

BLOCK_ROWS = 8192
EXACT_UP_TO = 20_000
"""Rows whose neighbours are all measured: up to here quicker than compiling a search for them."""
ENOUGH_FOR_UMAP = 16
"""Distinct images below which a UMAP means nothing (and `umap` raises on 2 or 3)."""


def distinct_rows(vectors: Vectors) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which rows are the first of their kind, and which of these each row equals.

    Returns
    -------
    first : (u,) int64
        Ascending rows.
    inverse : (n,) int64
        ``vectors[first][inverse]`` equals `vectors`.

    Examples
    --------
    >>> first, inverse = distinct_rows(np.eye(2, dtype=np.float32)[[1, 0, 1]])
    >>> first.tolist(), inverse.tolist()
    ([0, 1], [0, 1, 0])
    """
    matrix = np.asarray(vectors)
    number: dict[bytes, int] = {}
    first: list[int] = []
    inverse = np.empty(len(matrix), dtype=np.int64)
    for row in range(len(matrix)):
        key = hashlib.blake2b((matrix[row] + 0.0).tobytes(), digest_size=16).digest()
        known = number.setdefault(key, len(first))
        if known == len(first):
            first.append(row)
        inverse[row] = known
    return np.array(first, dtype=np.int64), inverse


def principal_components(vectors: NDArray[np.float32], components: int) -> NDArray[np.float32]:
    """Coordinates along the directions of largest variance, exact, the same on every run.

    The covariance is summed block by block, so that a memory map is never copied whole. Of each
    direction's two signs the one is taken whose largest loading is positive.

    Parameters
    ----------
    vectors : (n, d) float32
    components : int
        Columns to give; those beyond what the images span are zero.

    Returns
    -------
    (n, components) float32
    """
    matrix = np.asarray(vectors)
    n, dimension = matrix.shape
    out = np.zeros((n, components), dtype=np.float32)
    if n < 2:
        return out
    mean = matrix.mean(axis=0, dtype=np.float64)
    kept = min(components, n - 1, dimension)
    if n <= dimension:
        axes = np.linalg.svd(matrix.astype(np.float64) - mean, full_matrices=False)[2][:kept].T
    else:
        covariance = np.zeros((dimension, dimension))
        for start in range(0, n, BLOCK_ROWS):
            block = matrix[start : start + BLOCK_ROWS].astype(np.float64) - mean
            covariance += block.T @ block
        axes = np.linalg.eigh(covariance)[1][:, ::-1][:, :kept]
    largest = np.abs(axes).argmax(axis=0)
    axes = axes * np.where(axes[largest, np.arange(kept)] < 0, -1.0, 1.0)
    for start in range(0, n, BLOCK_ROWS):
        block = matrix[start : start + BLOCK_ROWS].astype(np.float64) - mean
        out[start : start + BLOCK_ROWS, :kept] = block @ axes
    return out


def umap_components(
    vectors: NDArray[np.float32],
    *,
    components: int,
    n_neighbors: int,
    min_dist: float,
    seed: int,
    epochs: int | None = None,
) -> NDArray[np.float32]:
    """A seeded UMAP of distinct unit rows by cosine.

    It starts from the principal components: as good a start as the graph's eigenvectors
    (Kobak & Linderman 2021, doi 10.1038/s41587-020-00809-z), and one that exists when the graph
    falls apart into islands.

    Parameters
    ----------
    vectors : (n, d) float32
        Distinct rows, at least `ENOUGH_FOR_UMAP`.
    components : int
        At most d.
    epochs : int, optional
        By default 500 for up to 10,000 rows, else 200.

    Returns
    -------
    (n, components) float32
    """
    with warnings.catch_warnings():
        # umap says so on every import; its parametric variant is not used here
        warnings.filterwarnings("ignore", "Tensorflow not installed", ImportWarning)
        import umap

    matrix = np.asarray(vectors)
    n = len(matrix)
    near = min(n_neighbors, n - 1)
    start = principal_components(matrix, components)
    spread = float(start[:, 0].std()) or 1.0
    # a column of zeros would be divided by its own range
    noise = np.random.default_rng(seed).normal(scale=1e-4 * spread, size=start.shape)
    known = (*exact_neighbours(matrix, near), None) if n <= EXACT_UP_TO else (None, None, None)
    model = umap.UMAP(
        n_neighbors=near,
        n_components=components,
        metric="cosine",
        min_dist=min_dist,
        n_epochs=epochs,
        init=(start + noise).astype(np.float32),
        random_state=seed,
        n_jobs=1,  # a seed allows no other number; said so, umap does not warn
        disconnection_distance=np.inf,  # at 2, opposite images would be cut off with a warning
        low_memory=n > 100_000,  # below, the faster neighbour search fits
        precomputed_knn=known,
    )
    with warnings.catch_warnings():
        # `transform` is not used: new images are placed by `core.projection.place`
        warnings.filterwarnings("ignore", r"precomputed_knn\[2\].*is not an NNDescent object")
        return np.asarray(model.fit_transform(matrix), dtype=np.float32)


def exact_neighbours(
    vectors: NDArray[np.float32], k: int
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Each row's k nearest by cosine, itself first, in time quadratic in n.

    Parameters
    ----------
    vectors : (n, d) float32 unit rows
    k : int
        1 to n, the row itself counted.

    Returns
    -------
    rows : (n, k) int32
    distances : (n, k) float32
        1 - cosine, ascending.
    """
    n = len(vectors)
    rows = np.empty((n, k), dtype=np.int32)
    distances = np.empty((n, k), dtype=np.float32)
    for part in blocks(n, 4 * n):
        similarity = vectors[part] @ vectors.T
        here = np.arange(part.stop - part.start)
        similarity[here, here + part.start] = np.inf
        rows[part], near = nearest_first(similarity, k)
        distances[part] = np.maximum(0, 1 - near)
    return rows, distances


def library_versions(*names: str) -> dict[str, str]:
    """Versions of installed packages, for a result's provenance.

    Examples
    --------
    >>> sorted(library_versions("numpy", "umap-learn"))
    ['numpy', 'umap-learn']
    """
    from importlib.metadata import version

    return {name: version(name) for name in names}
