"""Groups found without labels, against the labels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.arrays import Vectors
from core.clustering import DEFAULT_METHOD, METHODS, by_size, reduce_for_clustering
from core.clustering.methods import Wish
from core.evaluation.bootstrap import Resamples
from core.evaluation.figures import Figure

DRAWS = 200
"""Draws for the intervals of AMI and ARI, which take a while each."""

Codes = NDArray[np.integer]


def clustered(vectors: Vectors, *, seed: int) -> NDArray[np.int32]:
    """The default clustering as `cluster` makes it, its stability not measured; -1 is noise."""
    reduced = reduce_for_clustering(vectors, seed=seed)
    if reduced.distinct < 2:
        return np.zeros(len(vectors), np.int32)
    method = METHODS[DEFAULT_METHOD]
    points = reduced.points if method.reduces else np.asarray(vectors)
    found = method.find(points, reduced, Wish(), seed, lambda _message, _done: None)
    return by_size(found.labels)


def agreement(codes: Codes, groups: Codes, resamples: Resamples) -> dict[str, Figure]:
    """Adjusted mutual information and adjusted Rand index; noise is one more group.

    References
    ----------
    Vinh, Epps & Bailey (2010), JMLR 11:2837; Hubert & Arabie (1985), doi 10.1007/BF01908075.
    """
    from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score

    found = {}
    for name, score in (("ami", adjusted_mutual_info_score), ("ari", adjusted_rand_score)):

        def drawn(weights: NDArray[np.floating], score=score) -> float:  # type: ignore[no-untyped-def]
            rows = np.repeat(np.arange(len(codes)), weights.astype(np.int64))
            return float(score(codes[rows], groups[rows]))

        found[name] = resamples.figure(float(score(codes, groups)), drawn, times=DRAWS)
    return found


def silhouettes(vectors: Vectors, codes: Codes) -> NDArray[np.float64] | None:
    """(n,) how much nearer an image is to its own kind than to the next, -1 to 1, by cosine.

    Returns
    -------
    (n,) float64 or None
        None unless there are between 2 and n - 1 kinds; 0 for the only image of a kind.

    Exactly scikit-learn's `silhouette_samples`, which measures all pairs one by one: of unit rows
    the mean distance to a kind is 1 less the product with the mean of its rows.

    References
    ----------
    Rousseeuw (1987), doi 10.1016/0377-0427(87)90125-7.
    """
    kinds, own, counts = np.unique(codes, return_inverse=True, return_counts=True)
    n = len(codes)
    if not 2 <= len(kinds) < n:
        return None
    rows = np.asarray(vectors, np.float64)
    sums = np.zeros((len(kinds), rows.shape[1]))
    np.add.at(sums, own, rows)
    apart = 1 - rows @ (sums / counts[:, None]).T
    each = np.arange(n)
    others = np.maximum(counts[own] - 1, 1)
    inside = apart[each, own] * counts[own] / others  # itself, at distance 0, does not count
    apart[each, own] = np.inf
    beside = apart.min(axis=1)
    out = (beside - inside) / np.maximum(np.maximum(inside, beside), 1e-12)
    return np.asarray(np.where(counts[own] > 1, out, 0.0))
