"""Where clusters are looked for: fewer dimensions, made from the vectors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.arrays import Vectors
from core.reduction import distinct_rows, principal_components, umap_components

NOISE = -1
COMPONENTS = 50
NEIGHBORS = 30
ENOUGH_FOR_UMAP = 100
"""Different images below which 30 neighbours are a third of everything."""
SILHOUETTE_POINTS = 5_000


@dataclass(frozen=True)
class Reduced:
    """The space the clusters are looked for in."""

    points: NDArray[np.float32]
    """(n, c)"""
    meta: dict[str, Any]
    """How it was made, and why so where it is not UMAP."""
    distinct: int
    """How many of the images differ."""


def reduce_for_clustering(vectors: Vectors, *, seed: int, epochs: int | None = None) -> Reduced:
    """The space in which images are clustered: UMAP, 30 neighbours, at most 50 dimensions.

    Identical vectors get one place. Below 100 different images it is the principal components, or
    the vectors themselves where they have no more than 50 numbers; `meta` says which and why.

    Parameters
    ----------
    vectors : (n, d) float32 unit rows
    seed : int
    epochs : int, optional
        Of the UMAP, by default its own.

    Returns
    -------
    Reduced

    References
    ----------
    Lowe et al. (2023), Zero-shot clustering of embeddings with self-supervised learnt encoders,
    NeurIPS SSL workshop, arXiv 2406.02465.
    """
    matrix = np.asarray(vectors)
    n, dimension = matrix.shape
    first, inverse = distinct_rows(vectors)
    distinct = len(first)
    if distinct >= ENOUGH_FOR_UMAP:
        components = min(COMPONENTS, dimension)
        unique = matrix if distinct == n else matrix[first]
        points = umap_components(
            unique,
            components=components,
            n_neighbors=NEIGHBORS,
            min_dist=0.0,
            seed=seed,
            epochs=epochs,
        )[inverse]
        meta: dict[str, Any] = {
            "space": "umap",
            "components": components,
            "n_neighbors": NEIGHBORS,
            "min_dist": 0.0,
            "metric": "cosine",
            "distinct": distinct,
            "why": None,
        }
        return Reduced(points=points, meta=meta, distinct=distinct)
    why = f"{distinct} different images: below {ENOUGH_FOR_UMAP} a UMAP says little"
    if dimension <= COMPONENTS:
        points, space = matrix.copy(), "vectors"
    else:
        points = principal_components(matrix, max(1, min(COMPONENTS, distinct - 1)))
        points, space = points[first][inverse], "pca"  # equal rows stay equal to the last digit
    meta = {"space": space, "components": points.shape[1], "distinct": distinct, "why": why}
    return Reduced(points=points, meta=meta, distinct=distinct)


def silhouette(
    points: NDArray[np.float32], labels: NDArray[np.integer], *, seed: int
) -> tuple[float | None, str | None]:
    """Mean silhouette of at most 5,000 points that are not noise; where there is none, why.

    References
    ----------
    Rousseeuw (1987), doi 10.1016/0377-0427(87)90125-7.
    """
    from sklearn.metrics import silhouette_score

    rows = np.flatnonzero(labels != NOISE)
    if len(rows) > SILHOUETTE_POINTS:
        rows = np.sort(np.random.default_rng(seed).choice(rows, SILHOUETTE_POINTS, replace=False))
    found = len(np.unique(labels[rows]))
    if found < 2:
        return None, f"{clusters_text(found)}: a silhouette needs at least 2"
    if found >= len(rows):
        return None, f"{clusters_text(found)} of one image each: a silhouette needs larger ones"
    return round(float(silhouette_score(points[rows], labels[rows])), 6), None


def clusters_text(count: int) -> str:
    return "1 cluster" if count == 1 else f"{count or 'no'} clusters"


def images_text(count: int) -> str:
    return "image" if count == 1 else "images"
