"""How diverse samples are, and how alike: numbers from a table of counts, and nothing else."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from core.errors import RangeError, ShapeError

Counts: TypeAlias = NDArray[np.int64]
"""(g, k): how many individuals of each of k kinds each of g samples holds."""

_lgamma = np.vectorize(math.lgamma, otypes=[np.float64])  # scipy's takes a second to import

OPTIMAL = 500
"""Samples up to which the leaves of the tree are turned so that neighbours are most alike; the
time grows with the cube: 500 took 0.3 s."""


def richness(counts: Counts) -> NDArray[np.int64]:
    """How many kinds each sample holds.

    Examples
    --------
    >>> richness(np.array([[3, 1, 0], [0, 0, 0]]))
    array([2, 0])
    """
    held: NDArray[np.int64] = (checked(counts) > 0).sum(axis=1)
    return held


def shannon(counts: Counts) -> NDArray[np.float64]:
    """Shannon's H' = -sum p ln p of each sample, in nats; NaN for a sample without individuals.

    The natural logarithm, as `scipy.stats.entropy` and R's vegan take it.

    References
    ----------
    Shannon (1948), A mathematical theory of communication; Pielou (1966), J. Theor. Biol. 13.

    Examples
    --------
    >>> shannon(np.array([[5, 5], [7, 0]])).round(4)
    array([0.6931, 0.    ])
    """
    totals = checked(counts).sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = counts / totals
        terms = np.where(p > 0, -p * np.log(p), 0.0)
    return np.where(totals[:, 0] > 0, terms.sum(axis=1), np.nan)


def evenness(counts: Counts) -> NDArray[np.float64]:
    """Pielou's J = H' / ln(richness), 1 where all kinds are equally frequent; NaN below two kinds.

    Examples
    --------
    >>> evenness(np.array([[5, 5, 0], [7, 0, 0]]))
    array([ 1., nan])
    """
    kinds = richness(counts)
    most = np.log(np.where(kinds > 1, kinds, np.nan))
    evenness: NDArray[np.float64] = shannon(counts) / most
    return evenness


def rarefied(counts: Counts, n: int) -> NDArray[np.float64]:
    """Kinds to be expected among n individuals drawn from each sample without replacement.

    Larger samples hold more kinds only because more was looked at; drawn down to one size, samples
    can be compared. NaN for a sample of fewer than n.

    Parameters
    ----------
    counts : (g, k) int
    n : int
        1 or more.

    References
    ----------
    Hurlbert (1971), The nonconcept of species diversity, Ecology 52, equation 16.

    Examples
    --------
    >>> rarefied(np.array([[2, 2], [1, 0]]), 2).round(4)  # both kinds in 4 of the 6 pairs
    array([1.6667,    nan])
    """
    if n < 1:
        raise RangeError(f"rarefied to {n} images; expected 1 or more")
    totals = checked(counts).sum(axis=1, keepdims=True)
    others = totals - counts

    def log_choose(of: NDArray[np.int64]) -> NDArray[np.float64]:
        can = np.where(of >= n, of, n)  # where none can be drawn the result is masked below
        chosen: NDArray[np.float64] = _lgamma(can + 1) - _lgamma(n + 1) - _lgamma(can - n + 1)
        return chosen

    missed = np.where(others >= n, np.exp(log_choose(others) - log_choose(totals)), 0.0)
    return np.where(totals[:, 0] >= n, (1 - missed).sum(axis=1), np.nan)


def alike_order(counts: Counts) -> NDArray[np.int64]:
    """The samples in an order that puts like compositions beside each other.

    Bray-Curtis dissimilarity of the shares, so that a sample's size does not count, a tree by
    average linkage (UPGMA), and its leaves from one end to the other; up to `OPTIMAL` samples the
    branches are turned so that neighbours are as alike as they can be. Samples without individuals
    come last.

    References
    ----------
    Bray & Curtis (1957), Ecol. Monogr. 27; Bar-Joseph et al. (2001), Bioinformatics 17.

    Examples
    --------
    >>> alike_order(np.array([[9, 1], [1, 9], [8, 2], [0, 0]])).tolist()
    [1, 2, 0, 3]
    """
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import pdist

    totals = checked(counts).sum(axis=1)
    there, without = np.flatnonzero(totals > 0), np.flatnonzero(totals == 0)
    if len(there) < 3:
        return np.concatenate([there, without])
    shares = counts[there] / totals[there, None]
    tree = linkage(pdist(shares, "braycurtis"), "average", optimal_ordering=len(there) <= OPTIMAL)
    return np.concatenate([there[leaves_list(tree)], without])


def checked(counts: Counts) -> Counts:
    """The same counts, after a look that they are some.

    Raises
    ------
    ShapeError
        If they are not (g, k) whole numbers.
    RangeError
        If one is negative.
    """
    if counts.ndim != 2 or counts.dtype.kind not in "iu":
        raise ShapeError(f"counts are {counts.shape} {counts.dtype}; expected (g, k) whole numbers")
    if counts.size and counts.min() < 0:
        raise RangeError(f"a count is {counts.min()}; expected 0 or more")
    return counts
