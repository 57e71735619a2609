"""The map: two coordinates an image, kept with what they were made with."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np

from core.arrays import Coordinates, Vectors, check_vectors
from core.errors import RangeError, ShapeError
from core.neighbours import coarse_similarities, nearest_rows
from core.reduction import (
    ENOUGH_FOR_UMAP,
    distinct_rows,
    library_versions,
    principal_components,
    umap_components,
)
from core.results import Column, load_result, save_result

Method: TypeAlias = Literal["umap", "pca"]
METHODS: tuple[Method, ...] = ("umap", "pca")
QUERIES_AT_ONCE = 32


@dataclass(frozen=True)
class Projection:
    """Where each image lies on a map, and how that came about."""

    coordinates: Coordinates
    method: str
    """What it is, which may not be what was asked for: see `why`."""
    parameters: dict[str, Any]
    """Includes seed, library versions and seconds."""
    why: str | None
    """Why another method than the one asked for was used, None when it was not."""


@dataclass(frozen=True)
class StoredProjection:
    """A projection as it was kept."""

    ids: list[str]
    coordinates: Coordinates
    meta: dict[str, Any]
    """method, parameters, why, fingerprint and points."""


def project(
    vectors: Vectors,
    *,
    method: str,
    seed: int,
    n_neighbors: int = 15,
    min_dist: float = 0.1,
    on_progress: Callable[[str, float | None], None] | None = None,
) -> Projection:
    """Lay images out in the plane so that alike ones lie together.

    Identical vectors get one and the same place. Fewer than 16 different images are laid out by
    PCA whatever was asked for, and the result says so.

    Parameters
    ----------
    vectors : (n, d) float32
        Unit rows; any n, none included.
    method : {"umap", "pca"}
    seed : int
        The same seed, vectors and versions give the same map.
    n_neighbors : int
        Of UMAP, at least 2: small shows detail, large the whole.
    min_dist : float
        Of UMAP, 0 to 1: how closely points may be packed.
    on_progress : callable, optional
        Told what is being done and the fraction done, None where that is not known.

    Returns
    -------
    Projection

    Raises
    ------
    ShapeError
        If vectors are not (n, d) float32 unit rows.
    RangeError
        If the method is unknown or a parameter out of range.

    References
    ----------
    McInnes, Healy & Melville (2018), UMAP, arXiv 1802.03426.
    """
    if method not in METHODS:
        raise RangeError(f"there is no projection {method!r}; expected one of {', '.join(METHODS)}")
    if n_neighbors < 2:
        raise RangeError(f"n_neighbors is {n_neighbors}; expected at least 2")
    if not 0 <= min_dist <= 1:
        raise RangeError(f"min_dist is {min_dist}; expected 0 to 1")
    check_vectors(vectors)
    tell = on_progress or _silent
    began = time.perf_counter()
    n = len(vectors)

    why: str | None = None
    used = method
    parameters: dict[str, Any] = {"seed": seed}
    if method == "umap":
        tell("looking for identical images", 0.0)
        first, inverse = distinct_rows(vectors)
        why = _why_not_umap(n, len(first))
        used = "umap" if why is None else "pca"
    if used == "umap":
        tell("laying out the map", None)
        unique = np.asarray(vectors) if len(first) == n else np.asarray(vectors)[first]
        placed = umap_components(
            unique, components=2, n_neighbors=n_neighbors, min_dist=min_dist, seed=seed
        )
        coordinates = placed[inverse]
        parameters |= {
            "metric": "cosine",
            "init": "pca",
            "n_neighbors": min(n_neighbors, len(first) - 1),
            "min_dist": min_dist,
            "distinct": len(first),
            "versions": library_versions("umap-learn", "pynndescent", "numba", "numpy"),
        }
    else:
        tell("computing principal components", None)
        coordinates = principal_components(vectors, 2)
        parameters["versions"] = library_versions("numpy")
    parameters["seconds"] = round(time.perf_counter() - began, 3)
    tell("map done", 1.0)
    return Projection(coordinates=coordinates, method=used, parameters=parameters, why=why)


def place(
    coordinates: Coordinates, vectors: Vectors, new_vectors: Vectors, *, k: int = 10
) -> Coordinates:
    """Where new images belong on a map that is already drawn.

    The mean place of the k nearest images, weighted by similarity: unlike `umap.transform` it does
    not depend on what else is placed with them. A copy of an image lies on that image.

    Parameters
    ----------
    coordinates : (n, 2) float32
        Of the images on the map.
    vectors : (n, d) float32 unit rows
        Of the same images.
    new_vectors : (m, d) float32 unit rows
    k : int
        Neighbours, at least 1; all images where there are fewer, and all that are as near as the
        last of them.

    Returns
    -------
    (m, 2) float32

    Raises
    ------
    ShapeError
        If the arrays do not fit together.
    RangeError
        If k is below 1 or the map is empty.
    """
    if coordinates.shape != (len(vectors), 2):
        raise ShapeError(
            f"coordinates are {coordinates.shape} for {len(vectors)} vectors; "
            f"expected ({len(vectors)}, 2)"
        )
    check_vectors(new_vectors, dimension=vectors.shape[1])
    if k < 1:
        raise RangeError(f"k is {k}; expected at least 1 neighbour")
    if len(vectors) == 0:
        raise RangeError("the map has no images; expected at least 1 to place others by")
    out = np.empty((len(new_vectors), 2), dtype=np.float32)
    for start in range(0, len(new_vectors), QUERIES_AT_ONCE):
        batch = new_vectors[start : start + QUERIES_AT_ONCE]
        coarse = coarse_similarities(vectors, batch)
        for number, query in enumerate(batch):
            rows, distances = nearest_rows(vectors, query, coarse[number], k=k)
            if distances.min() == 0:
                rows, distances = rows[distances == 0], distances[distances == 0]
            weights = np.maximum(1 - distances, 0)
            if weights.sum() == 0:  # nothing is alike: no neighbour counts more than another
                weights = np.ones(len(rows))
            # summed with the nearest first, so that the order of rows changes no digit
            order = np.lexsort((*coordinates[rows].T, distances))
            weights = weights[order] / weights.sum()
            out[start + number] = (weights[:, None] * coordinates[rows[order]]).sum(axis=0)
    return out


def save_projection(
    path: Path, projection: Projection, ids: Sequence[str], fingerprint: str
) -> None:
    """Keep a map with the ids it covers and the fingerprint of the vectors it was made from.

    Raises
    ------
    ShapeError
        If there are not as many ids as coordinates.
    WorkspaceError
        If the file cannot be written.
    """
    if len(ids) != len(projection.coordinates):
        raise ShapeError(
            f"{len(ids)} ids for {len(projection.coordinates)} points; expected one each"
        )
    meta = {
        "kind": "projection",
        "method": projection.method,
        "parameters": projection.parameters,
        "why": projection.why,
        "fingerprint": fingerprint,
        "points": len(ids),
    }
    columns: dict[str, Column] = {
        "id": list(ids),
        "x": np.ascontiguousarray(projection.coordinates[:, 0]),
        "y": np.ascontiguousarray(projection.coordinates[:, 1]),
    }
    save_result(path, columns, meta)


def load_projection(path: Path) -> StoredProjection:
    """A map as `save_projection` kept it.

    Raises
    ------
    NotFoundError
        If there is none.
    WorkspaceError
        If it is damaged.
    """
    result = load_result(path, columns=("id", "x", "y"))
    coordinates = np.column_stack([result.columns["x"], result.columns["y"]]).astype(np.float32)
    return StoredProjection(ids=result.ids, coordinates=coordinates, meta=result.meta)


def _why_not_umap(n: int, distinct: int) -> str | None:
    if n < ENOUGH_FOR_UMAP:
        images = "1 image" if n == 1 else f"{n} images"
        return f"{images}: below {ENOUGH_FOR_UMAP} a UMAP means nothing, so this is a PCA"
    if distinct < ENOUGH_FOR_UMAP:
        return (
            f"{n} images, of which {distinct} differ: below {ENOUGH_FOR_UMAP} different ones "
            "a UMAP means nothing, so this is a PCA"
        )
    return None


def _silent(message: str, fraction: float | None) -> None:
    pass
