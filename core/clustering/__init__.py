"""Groups found in the vectors without labels, and how far each clustering can be trusted."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core import trust
from core.arrays import Vectors, check_vectors
from core.clustering import reruns
from core.clustering.methods import FINENESS, METHODS, Method, Outcome, Progress, Wish
from core.clustering.space import (
    NOISE,
    Reduced,
    clusters_text,
    images_text,
    reduce_for_clustering,
    silhouette,
)
from core.errors import RangeError, ShapeError
from core.reduction import library_versions
from core.results import load_result, save_result

__all__ = [
    "DEFAULT_METHOD",
    "FINENESS",
    "METHODS",
    "NOISE",
    "Clustering",
    "Labels",
    "Reduced",
    "StoredClustering",
    "by_size",
    "cluster",
    "describe_fields",
    "load_clustering",
    "reduce_for_clustering",
    "save_clustering",
]

DEFAULT_METHOD = "hdbscan"
"""Nearest to the labels of the camera vignettes for each of three seeds: AMI 0.42 to 0.44, k-means
and Ward 0.40, EVoC 0.35 to 0.38 (`benchmarks/clustering.py`). Ward and k-means find fewer groups
that hold better."""

UNTRIED = trust.Verdict("nothing", "There is nothing to trust: it was not tried again.")

Labels = NDArray[np.int32]


@dataclass(frozen=True)
class Clustering:
    """A cluster for each image."""

    labels: Labels
    """(n,) int32: 0 is the largest cluster, -1 is noise."""
    method: str
    parameters: dict[str, Any]
    """Includes k or what stands for it, seed, the reduction and library versions."""
    silhouette: float | None
    """-1 to 1, in the reduced space, noise left out."""
    stability: float | None
    """Mean adjusted Rand index with re-runs on parts of the images: 1 the same, 0 by chance."""
    why: dict[str, str] = field(default_factory=dict)
    """For each figure that is None, and each wish that could not be met, the reason."""
    seconds: float = 0.0
    stability_range: tuple[float, float] | None = None
    """The lowest and the highest of the re-runs."""
    stability_images: int | None = None
    """How many images a re-run had."""
    cluster_stability: list[float | None] = field(default_factory=list)
    """For each cluster its mean best Jaccard index with a cluster of a re-run, 0 to 1."""
    rerun_silhouette: float | None = None
    """Mean silhouette of the re-runs, 0 for noise: what compares with `shapeless`."""
    shapeless: float | None = None
    """Silhouette of shapeless vectors clustered likewise, 0 for noise, the largest of two."""
    verdict: trust.Verdict = UNTRIED

    @property
    def clusters(self) -> int:
        """How many there are, noise not counted."""
        return int(self.labels.max(initial=NOISE)) + 1

    @property
    def noise(self) -> int:
        """How many images are in no cluster."""
        return int((self.labels == NOISE).sum())

    @property
    def noise_share(self) -> float | None:
        """The share of images in no cluster, None without images."""
        return self.noise / len(self.labels) if len(self.labels) else None


@dataclass(frozen=True)
class StoredClustering:
    """A clustering as it was kept."""

    ids: list[str]
    labels: Labels
    meta: dict[str, Any]
    """The fields of `describe_fields`, parameters, fingerprint and points."""


def cluster(
    vectors: Vectors,
    *,
    method: str,
    k: int | None = None,
    fineness: int = 0,
    seed: int,
    on_progress: Progress | None = None,
) -> Clustering:
    """Group images, number the groups by size, and measure how far they can be trusted.

    Measuring costs seven clusterings of at most 4,000 images (`core.clustering.reruns`): on 1,500
    images of 185 numbers it is most of the time this takes, on 100,000 about half.

    Parameters
    ----------
    vectors : (n, d) float32
        Unit rows; any n, none included.
    method : one of `METHODS`
    k : int, optional
        How many clusters, 1 to n; k-means and agglomerative only. By default that of a ladder of
        numbers with the largest silhouette.
    fineness : int
        -2 (much coarser) to 2 (much finer). Each step doubles, or halves, k; the
        smallest cluster of HDBSCAN and EVoC goes the other way.
    seed : int
    on_progress : callable, optional
        Told what is being done and the fraction done, None where that is not known.

    Returns
    -------
    Clustering
        Of HDBSCAN a cluster has at least max(5, n / 200) images at fineness 0. HDBSCAN above 50,000
        images and Ward above 20,000 run on a sample, and the others follow the nearest of it;
        ``why`` says so.

    Raises
    ------
    ShapeError
        If vectors are not (n, d) float32 unit rows.
    RangeError
        If the method is unknown, k is not in 1 to n or the method takes none, or fineness is none.

    References
    ----------
    Ward (1963), doi 10.1080/01621459.1963.10500845 (agglomerative).
    Campello, Moulavi & Sander (2013), doi 10.1007/978-3-642-37456-2_14 (HDBSCAN).
    McInnes (2024), https://github.com/TutteInstitute/evoc (EVoC).
    """
    wish = Wish(k, fineness)
    chosen = _check(method, wish, len(vectors))
    check_vectors(vectors)
    n = len(vectors)
    tell = on_progress or _silent
    began = time.perf_counter()

    tell("reducing dimensions", None)
    reduced = reduce_for_clustering(vectors, seed=seed)
    points = reduced.points if chosen.reduces else np.asarray(vectors)
    tell("clustering", 0.2)
    if reduced.distinct > 1:
        found = chosen.find(points, reduced, wish, seed, tell)
    else:  # no method tells identical images apart
        found = Outcome(np.zeros(n, dtype=np.int32), {"k": min(n, 1)}, {})
    labels, parameters, why = by_size(found.labels), found.parameters, dict(found.why)
    made = int(labels.max(initial=NOISE)) + 1
    if k is not None and made < k:
        why["k"] = (
            f"{k} clusters were asked for, {made} came out: {reduced.distinct} of {n} images differ"
        )
    tell("measuring the silhouette", 0.45)
    value, reason = silhouette(reduced.points, labels, seed=seed)
    if reason is not None:
        why["silhouette"] = reason
    stable, again, shapeless = _try_again(vectors, chosen, labels, parameters, seed, why, tell)
    tell("clusters done", 1.0)
    return Clustering(
        labels=labels,
        method=method,
        parameters=parameters
        | {
            "seed": seed,
            "fineness": fineness,
            "reduction": reduced.meta,
            "versions": library_versions("scikit-learn", "umap-learn", "evoc", "scipy", "numpy"),
        },
        silhouette=value,
        stability=stable.mean if stable else None,
        why=why,
        seconds=round(time.perf_counter() - began, 3),
        stability_range=(stable.low, stable.high) if stable else None,
        stability_images=reruns.size(n) if stable else None,
        cluster_stability=stable.clusters if stable else [None] * made,
        rerun_silhouette=again,
        shapeless=shapeless,
        verdict=trust.verdict(labels, stable=stable, silhouette=again, shapeless=shapeless),
    )


def _check(method: str, wish: Wish, n: int) -> Method:
    if method not in METHODS:
        raise RangeError(
            f"there is no clustering method {method!r}; expected one of {', '.join(METHODS)}"
        )
    chosen = METHODS[method]
    if wish.fineness not in FINENESS:
        raise RangeError(
            f"fineness is {wish.fineness}; expected {FINENESS[0]} (coarser) to {FINENESS[-1]} "
            "(finer)"
        )
    if wish.k is None:
        return chosen
    if not 1 <= wish.k <= n:
        raise RangeError(f"k is {wish.k}; expected 1 to {n} clusters for {n} images")
    if not chosen.takes_k:
        raise RangeError(
            f"k is {wish.k}, but {method} finds the number itself; leave k out, or say --fineness"
        )
    if wish.fineness:
        raise RangeError(
            f"k is {wish.k} and fineness {wish.fineness}: two ways to say the same; leave one out"
        )
    return chosen


def _try_again(
    vectors: Vectors,
    method: Method,
    labels: Labels,
    parameters: dict[str, Any],
    seed: int,
    why: dict[str, str],
    tell: Progress,
) -> tuple[trust.Stability | None, float | None, float | None]:
    """Stability, silhouette of the re-runs and of shapeless vectors; a reason in `why` if None."""
    n, found = len(labels), int(labels.max(initial=NOISE)) + 1
    if n < reruns.NEEDS:
        why["stability"] = f"{n} {images_text(n)}: stability needs at least {reruns.NEEDS}"
        return None, None, None
    if found < 2:
        why["stability"] = f"{clusters_text(found)}: stability needs at least 2"
        return None, None, None
    again = list(reruns.reruns(vectors, method, parameters, seed=seed, tell=tell))
    stable = trust.stability(labels, [(run.rows, run.labels) for run in again])
    null = reruns.null_runs(vectors, method, parameters, seed=seed, tell=tell)
    values = [run.silhouette for run in again if run.silhouette is not None]
    nulls = [run.silhouette for run in null if run.silhouette is not None]
    return (
        stable,
        round(float(np.mean(values)), 6) if values else None,
        max(nulls, default=None),
    )


def describe_fields(clustering: Clustering) -> dict[str, Any]:
    """What the command line and the pages say of a clustering; no NaN, None with a why."""
    low, high = clustering.stability_range or (None, None)
    return {
        "method": clustering.method,
        "clusters": clustering.clusters,
        "noise": clustering.noise,
        "noise_share": clustering.noise_share,
        "silhouette": clustering.silhouette,
        "rerun_silhouette": clustering.rerun_silhouette,
        "shapeless_silhouette": clustering.shapeless,
        "stability": clustering.stability,
        "stability_low": low,
        "stability_high": high,
        "stability_images": clustering.stability_images,
        "cluster_stability": list(clustering.cluster_stability),
        "verdict": clustering.verdict.word,
        "verdict_sentence": clustering.verdict.sentence,
        "why": dict(clustering.why),
        "seconds": clustering.seconds,
    }


def by_size(labels: NDArray[np.integer]) -> Labels:
    """Number clusters from the largest, ties from the one with the smallest row; keep noise.

    Examples
    --------
    >>> by_size(np.array([7, -1, 3, 3, 9])).tolist()
    [1, -1, 0, 0, 2]
    """
    out = np.full(len(labels), NOISE, dtype=np.int32)
    found, first, sizes = np.unique(labels, return_index=True, return_counts=True)
    real = found >= 0
    order = np.lexsort((first[real], -sizes[real]))
    for number, old in enumerate(found[real][order]):
        out[labels == old] = number
    return out


def save_clustering(
    path: Path, clustering: Clustering, ids: Sequence[str], fingerprint: str
) -> None:
    """Keep a clustering with the ids it covers and the fingerprint of their vectors.

    Raises
    ------
    ShapeError
        If there are not as many ids as labels.
    WorkspaceError
        If the file cannot be written.
    """
    if len(ids) != len(clustering.labels):
        raise ShapeError(f"{len(ids)} ids for {len(clustering.labels)} labels; expected one each")
    meta = describe_fields(clustering) | {
        "kind": "clustering",
        "parameters": clustering.parameters,
        "fingerprint": fingerprint,
        "points": len(ids),
    }
    save_result(path, {"id": list(ids), "cluster": clustering.labels}, meta)


def load_clustering(path: Path) -> StoredClustering:
    """A clustering as `save_clustering` kept it.

    Raises
    ------
    NotFoundError
        If there is none.
    WorkspaceError
        If it is damaged.
    """
    result = load_result(path, columns=("id", "cluster"))
    labels = np.asarray(result.columns["cluster"], dtype=np.int32)
    return StoredClustering(ids=result.ids, labels=labels, meta=result.meta)


def _silent(message: str, fraction: float | None) -> None:
    pass
