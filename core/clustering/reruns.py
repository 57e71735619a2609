"""The whole way from vectors to clusters again, without a fifth of the images and with other seeds.

UMAP makes clumps out of noise, and clusters found in one fixed UMAP come back whatever is left out
of it: on 1,000 gaussian vectors k-means in a kept UMAP had a stability of 0.59. So every re-run
reduces anew, from its own images and its own seed (0.26 on the same vectors). And because cuts
through one shapeless cloud can come back as well, the same is done with vectors that have the mean
and the covariance of these but no groups.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.arrays import Vectors, unit_rows
from core.clustering.methods import Found, Method, Progress
from core.clustering.space import NOISE, reduce_for_clustering, silhouette

RUNS = 5
SHARE = 0.8
POINTS = 4_000
"""Images of a re-run: seven UMAPs of 4,000 cost about as much as one of 100,000."""
NEEDS = 10
"""Images below which leaving out a fifth leaves out nothing in particular."""
NULL_RUNS = 2
EPOCHS = 200
"""Of a re-run's UMAP, as many as UMAP takes by itself above 10,000 rows."""


@dataclass(frozen=True)
class Rerun:
    """One clustering of a part of the images."""

    rows: NDArray[np.int64]
    """Which of the images, ascending."""
    labels: Found
    """A label each, in a numbering of its own."""
    silhouette: float | None
    """In its own reduced space, 0 for noise; None where there is none or it was not measured.

    Left out, noise would flatter a method that finds a few tight clumps in a shapeless cloud:
    HDBSCAN's silhouette there was 0.37 with nearly all of it noise.
    """


def size(n: int) -> int:
    """How many of n images a re-run has."""
    return min(round(SHARE * n), POINTS)


def reruns(
    vectors: Vectors,
    method: Method,
    parameters: dict[str, Any],
    *,
    seed: int,
    tell: Progress,
) -> Iterator[Rerun]:
    """Five re-runs on 80 % of the images, on at most 4,000.

    A method that clusters the vectors themselves is reduced only for the silhouettes that are
    compared with those of `shapeless` vectors.
    """
    n = len(vectors)
    part = size(n)
    for run in range(RUNS):
        tell("clustering again without some images", 0.5 + 0.3 * run / RUNS)
        rng = np.random.default_rng([seed, run])
        rows = np.sort(rng.choice(n, part, replace=False))
        yield _run(
            np.asarray(vectors)[rows], rows, method, parameters, part / n,
            seed=int(rng.integers(2**32)), measured=run < NULL_RUNS,
        )  # fmt: skip


def null_runs(
    vectors: Vectors,
    method: Method,
    parameters: dict[str, Any],
    *,
    seed: int,
    tell: Progress,
) -> Iterator[Rerun]:
    """Two runs of as many shapeless vectors as a re-run has images; rows mean nothing."""
    n = len(vectors)
    part = size(n)
    for run in range(NULL_RUNS):
        tell("clustering shapeless vectors", 0.8 + 0.2 * run / NULL_RUNS)
        rng = np.random.default_rng([seed, RUNS + run])
        drawn = shapeless(vectors, part, seed=int(rng.integers(2**32)))
        yield _run(
            drawn, np.arange(part), method, parameters, part / n,
            seed=int(rng.integers(2**32)), measured=True,
        )  # fmt: skip


def shapeless(vectors: Vectors, n: int, *, seed: int) -> Vectors:
    """n vectors of one gaussian cloud with the mean and the covariance of these.

    Random sums of the centred rows have their covariance, so that none has to be taken apart.

    References
    ----------
    Liu, Hayes, Nobel & Marron (2008), doi 10.1198/016214508000000454: one gaussian of the same
    covariance is what clusters have to be told from.
    """
    rng = np.random.default_rng(seed)
    matrix = np.asarray(vectors)
    if len(matrix) > POINTS:
        matrix = matrix[np.sort(rng.choice(len(matrix), POINTS, replace=False))]
    rows = matrix.astype(np.float64)
    mean = rows.mean(axis=0)
    weights = rng.standard_normal((n, len(rows))) / np.sqrt(len(rows))
    return unit_rows(weights @ (rows - mean) + mean)


def _run(
    vectors: Vectors,
    rows: NDArray[np.int64],
    method: Method,
    parameters: dict[str, Any],
    share: float,
    *,
    seed: int,
    measured: bool,
) -> Rerun:
    value = None
    if method.reduces or measured:
        points = reduce_for_clustering(vectors, seed=seed, epochs=EPOCHS).points
    labels = method.again(points if method.reduces else vectors, parameters, share=share, seed=seed)
    if measured:
        value, _ = silhouette(points, labels, seed=seed)
        if value is not None:
            value = round(value * float((labels != NOISE).mean()), 6)
    return Rerun(rows=rows, labels=labels, silhouette=value)
