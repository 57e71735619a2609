"""How much of what is found is of the kind that was looked for; against chance and a ceiling."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from core.evaluation.figures import Figure

SHUFFLES = 100

Codes = NDArray[np.integer]
Scores = NDArray[np.float64]


def precision(near: Codes, codes: Codes, *, k: int) -> Scores:
    """Share of each image's k nearest others that are of its kind.

    Parameters
    ----------
    near : (n, at least k) int
        Rows of the neighbours, the nearest first.
    codes : (n,) int
        The kind of each image.
    """
    return np.asarray((codes[near[:, :k]] == codes[:, None]).mean(axis=1), np.float64)


def precision_ceiling(codes: Codes, *, k: int) -> Scores:
    """What a perfect encoder scores for each image: 1 only where its kind has k others.

    Examples
    --------
    >>> precision_ceiling(np.array([0, 0, 0, 1]), k=2).tolist()
    [1.0, 1.0, 1.0, 0.0]
    """
    others = np.bincount(codes)[codes] - 1
    return np.asarray(np.minimum(others, k) / k)


def average_precision_ceiling(codes: Codes) -> Scores:
    """1, and 0 for the only image of a kind."""
    return np.asarray((np.bincount(codes)[codes] > 1).astype(np.float64))


def elsewhere(codes: Codes, samples: Codes) -> NDArray[np.bool_]:
    """Whether another sample has an image of the same kind.

    Examples
    --------
    >>> elsewhere(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])).tolist()
    [True, True, False, False]
    """
    pairs = np.unique(np.stack([codes, samples], axis=1), axis=0)
    return np.asarray(np.bincount(pairs[:, 0])[codes] > 1)


def average_precision_by_chance(codes: Codes) -> Scores:
    """What a random order is expected to score for each image, exactly.

    References
    ----------
    Bestgen (2015), Exact expected average precision of the random baseline, PBML 103.

    Examples
    --------
    >>> average_precision_by_chance(np.array([0, 0, 1])).round(3).tolist()  # first or second of two
    [0.75, 0.75, 0.0]
    """
    n = len(codes) - 1  # others
    others = np.bincount(codes)[codes] - 1
    harmonic = float((1 / np.arange(1, n + 1)).sum())
    rest = (others - 1) / max(n - 1, 1) * (n - harmonic)
    return np.asarray(np.where(others > 0, (harmonic + rest) / max(n, 1), 0.0))


def by_chance(codes: Codes, measure: Callable[[Codes], float], *, seed: int) -> Figure:
    """What shuffled labels score: the mean, and the middle 95 % of the shuffles.

    Parameters
    ----------
    measure : callable
        The figure for (n,) labels.
    """
    rng = np.random.default_rng(seed)
    found = np.array([measure(rng.permutation(codes)) for _ in range(SHUFFLES)])
    low, high = np.quantile(found, [0.025, 0.975])
    return Figure(float(found.mean()), float(low), float(high))
