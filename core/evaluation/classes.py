"""How decisions go with the truth: figures over kinds, and which kinds are taken for which."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import ShapeError

LOST = 0.5
"""A kind is not told apart when even the upper end of its recall's interval is below this."""
ENOUGH = 5
"""Images of a kind below which nothing is said of it."""
WHOM = 3
"""Kinds named as what a kind is taken for."""

Codes = NDArray[np.integer]
Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Taken:
    """A cell of the confusion matrix off its diagonal."""

    kind: int
    """What it was taken for."""
    images: int
    share: float
    """Of the images of the true kind."""


def confusion(truth: Codes, decided: Codes, kinds: int) -> NDArray[np.int64]:
    """(kinds, kinds) images by what they are (rows) and what was decided (columns).

    Raises
    ------
    ShapeError
        If there is not one decision an image.
    """
    if len(truth) != len(decided):
        raise ShapeError(f"{len(decided)} decisions for {len(truth)} images; expected one each")
    from sklearn.metrics import confusion_matrix

    found: NDArray[np.int64] = confusion_matrix(truth, decided, labels=np.arange(kinds))
    return found


def rows_behind(truth: Codes, decided: Codes, *, kind: int, taken_for: int) -> NDArray[np.intp]:
    """The images of a cell."""
    return np.flatnonzero((truth == kind) & (decided == taken_for))


def macro_f1(truth: Codes, decided: Codes, weights: Floats | None = None) -> float:
    """Mean over kinds of F1, as scikit-learn's `f1_score(average="macro")`; quick for many draws.

    Parameters
    ----------
    weights : (n,) floating, optional
        How often each image counts.
    """
    there, asked, right = _sums(truth, decided, weights)
    both = there + asked
    return float((2 * right[both > 0] / both[both > 0]).mean())


def balanced_accuracy(truth: Codes, decided: Codes, weights: Floats | None = None) -> float:
    """Mean over kinds of the share that was decided right, as scikit-learn's."""
    there, _, right = _sums(truth, decided, weights)
    return float((right[there > 0] / there[there > 0]).mean())


def _sums(truth: Codes, decided: Codes, weights: Floats | None) -> tuple[Floats, Floats, Floats]:
    each = np.ones(len(truth)) if weights is None else np.asarray(weights, np.float64)
    kinds = int(max(truth.max(), decided.max())) + 1
    right = np.where(truth == decided, each, 0)
    there, asked, hit = (
        np.asarray(np.bincount(of, counted, kinds), np.float64)
        for of, counted in ((truth, each), (decided, each), (truth, right))
    )
    return there, asked, hit


def taken_for(matrix: NDArray[np.int64], kind: int) -> list[Taken]:
    """What a kind is most often taken for, the most frequent first."""
    row = matrix[kind].copy()
    total = int(row.sum())
    row[kind] = 0
    order = np.argsort(-row, kind="stable")[:WHOM]
    return [Taken(int(k), int(row[k]), float(row[k] / total)) for k in order if row[k]]


def recall_range(right: int, images: int) -> tuple[float, float]:
    """The 95 % interval of a share.

    References
    ----------
    Clopper & Pearson (1934), doi 10.1093/biomet/26.4.404.

    Examples
    --------
    >>> [round(end, 3) for end in recall_range(5, 10)]
    [0.187, 0.813]
    """
    from scipy.stats import binomtest

    found = binomtest(right, images).proportion_ci(0.95, "exact")
    return float(found.low), float(found.high)


def not_told_apart(matrices: list[NDArray[np.int64]]) -> list[int]:
    """Kinds that every way gets wrong more often than right, chance set aside.

    Parameters
    ----------
    matrices : at least one (kinds, kinds)
        Confusions of the same images, one a way to decide.
    """
    lost = []
    for kind in range(len(matrices[0])):
        images = int(matrices[0][kind].sum())
        best = max(int(matrix[kind, kind]) for matrix in matrices)
        if images >= ENOUGH and recall_range(best, images)[1] < LOST:
            lost.append(kind)
    return lost
