"""What can be said of encoders without any label."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.arrays import Vectors
from core.errors import RangeError
from core.evaluation.bootstrap import Resamples
from core.evaluation.neighbours import Near

ALIKE = 0.05
"""Of the median distance to the nearest: what is nearer is nearly the same picture."""


def shared_share(first: Near, second: Near) -> NDArray[np.float64]:
    """(n,) share of each image's nearest others that both encoders find.

    Examples
    --------
    >>> shared_share(np.array([[1, 2], [0, 2]]), np.array([[2, 3], [2, 0]])).tolist()
    [0.5, 1.0]
    """
    both = (first[:, :, None] == second[:, None, :]).any(axis=2)
    return np.asarray(both.mean(axis=1), np.float64)


def agreements(near: Mapping[str, Near], resamples: Resamples) -> list[dict[str, Any]]:
    """How far encoders name the same neighbours: where they do not, one of them is wrong.

    Returns
    -------
    list of dict
        ``encoders``, ``shared`` as a figure, and what ``chance`` would give.
    """
    found = []
    for (one, first), (other, second) in combinations(near.items(), 2):
        share = shared_share(first, second)
        found.append(
            {
                "encoders": [one, other],
                "shared": resamples.mean(share).as_json(),
                "chance": round(first.shape[1] / (len(first) - 1), 6),
            }
        )
    return found


def nearly_same(vectors: Vectors, near: Near) -> int:
    """Images whose nearest other is nearly the same picture to the encoder."""
    rows = np.asarray(vectors, np.float64)
    apart = 1 - np.einsum("nd,nd->n", rows, rows[near[:, 0]])
    return int((apart < ALIKE * max(float(np.median(apart)), 0.0)).sum())


def well_chosen(vectors: Vectors, *, count: int = 50, seed: int) -> list[int]:
    """Images that show most of what there is, for a first estimate: the middles of groups.

    They are typical ones, so figures on their labels alone are higher than on all images.

    Parameters
    ----------
    vectors : (n, d) float32 unit rows
    count : int
        At least 1; all where there are fewer.

    Returns
    -------
    list of rows
        Of the largest group first.

    Raises
    ------
    RangeError
        If count is less than 1.
    """
    if count < 1:
        raise RangeError(f"count is {count}; expected 1 image or more")
    if count >= len(vectors):
        return list(range(len(vectors)))
    import warnings

    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    matrix = np.asarray(vectors)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer different images than groups
        groups = KMeans(count, n_init=1, random_state=seed).fit(matrix)
    apart = ((matrix - groups.cluster_centers_[groups.labels_]) ** 2).sum(axis=1)
    sizes = np.bincount(groups.labels_, minlength=count)
    order = np.lexsort((apart, groups.labels_))
    first = order[np.searchsorted(groups.labels_[order], np.flatnonzero(sizes))]
    first = first[np.argsort(-sizes[groups.labels_[first]], kind="stable")]
    return [int(row) for row in first]
