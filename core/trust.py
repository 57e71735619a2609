"""How far a clustering can be trusted: figures that need no more than labels, and a verdict.

`core.clustering` runs the whole way from vectors to clusters again (`core.clustering.reruns`); what
came back is counted here. What depends on labels or on a second clustering is counted when shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from core.errors import ShapeError

NOISE = -1
HOLDS = 0.75
"""Hennig's mean Jaccard from which a cluster is called stable."""
DISSOLVED = 0.5
"""Below it a cluster is called dissolved."""
REPEATABLE, CHANCE = 0.7, 0.35
"""Stability from which the whole can be trusted, and below which it is chance.

Measured on vectors without groups: 0.09 to 0.29, on separate groups: 1.
"""
APART, NO_BETTER = 0.15, 0.05
"""How much larger the silhouette is than that of shapeless vectors: from, and below, which."""
MUCH_NOISE = 1 / 3

Integers = NDArray[np.integer]


@dataclass(frozen=True)
class Stability:
    """What came back when the clustering was made again without some of the images."""

    mean: float
    """Adjusted Rand index with the re-runs: 1 the same, 0 by chance; noise is one more group."""
    low: float
    high: float
    clusters: list[float | None]
    """For each cluster the mean, over re-runs, of the largest Jaccard index with any of theirs."""


@dataclass(frozen=True)
class Verdict:
    """What the figures together come to."""

    word: Literal["trust", "partly", "nothing"]
    sentence: str


def stability(labels: Integers, again: Sequence[tuple[Integers, Integers]]) -> Stability:
    """Compare a clustering with those of parts of its images.

    Parameters
    ----------
    labels : (n,) int
        0 to k - 1, -1 for noise.
    again : at least one of (rows, labels)
        Which images were clustered again, and what came out, in any numbering, -1 for noise.

    Returns
    -------
    Stability
        A cluster of which no re-run had an image has None.

    References
    ----------
    Hubert & Arabie (1985), doi 10.1007/BF01908075 (adjusted Rand index).
    Hennig (2007), Cluster-wise assessment of cluster stability, doi 10.1016/j.csda.2006.11.025.

    Examples
    --------
    >>> found = stability(np.array([0, 0, 1, 1]), [(np.array([0, 1, 2]), np.array([5, 5, 2]))])
    >>> found.mean, found.clusters
    (1.0, [1.0, 1.0])
    """
    from sklearn.metrics import adjusted_rand_score

    values = [float(adjusted_rand_score(labels[rows], found)) for rows, found in again]
    number = int(labels.max(initial=NOISE)) + 1
    sums, counts = np.zeros(number), np.zeros(number)
    for rows, found in again:
        best, there = _best_jaccard(labels[rows], found, number)
        sums[there] += best[there]
        counts[there] += 1
    each = [
        round(float(total / count), 4) if count else None
        for total, count in zip(sums, counts, strict=True)
    ]
    return Stability(
        mean=round(float(np.mean(values)), 6),
        low=round(min(values), 6),
        high=round(max(values), 6),
        clusters=each,
    )


def _best_jaccard(
    mine: Integers, theirs: Integers, number: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """For each cluster the largest Jaccard index with one of theirs, and whether it has images."""
    sizes = np.bincount(mine[mine != NOISE], minlength=number)
    best = np.zeros(number)
    for other in np.unique(theirs[theirs != NOISE]):
        inside = theirs == other
        common = np.bincount(mine[inside & (mine != NOISE)], minlength=number)
        best = np.maximum(best, common / np.maximum(sizes + inside.sum() - common, 1))
    return best, sizes > 0


def verdict(
    labels: Integers,
    *,
    stable: Stability | None,
    silhouette: float | None,
    shapeless: float | None,
) -> Verdict:
    """What the figures together come to; the rule, in this order:

    - ``nothing`` if there are fewer than two clusters, or too few images to run it again;
    - ``nothing`` if stability is below 0.35, or no cluster comes back (Jaccard of 0.5): on vectors
      without any groups it stays below 0.3;
    - ``nothing`` if re-runs are no better separated than shapeless vectors, which have the same
      mean and covariance but no groups, are cut by the same method (silhouettes less than 0.05
      apart);
    - ``trust`` if stability is at least 0.7, clusters that hold (Jaccard of 0.75) have three
      quarters of the clustered images, noise is at most a third, and the silhouette is at least
      0.15 above that of shapeless vectors;
    - ``partly`` in all other cases.

    Parameters
    ----------
    labels : (n,) int
    stable : Stability or None
        None where it could not be measured.
    silhouette, shapeless : float or None
        Mean over re-runs of the images, and the largest over runs of shapeless vectors; None where
        fewer than two clusters came out.
    """
    number = int(labels.max(initial=NOISE)) + 1
    if number == 0:
        return Verdict("nothing", "There is nothing to trust: no groups were found.")
    if number == 1:
        return Verdict("nothing", "There is nothing to trust: all is one group.")
    if stable is None:
        return Verdict("nothing", "There is nothing to trust: too few images to try it again.")
    sizes = np.bincount(labels[labels != NOISE], minlength=number)
    each = np.array([value or 0.0 for value in stable.clusters])
    back, holds = each >= DISSOLVED, each >= HOLDS
    if stable.mean < CHANCE or not back.any() or silhouette is None:
        return Verdict(
            "nothing",
            "There is nothing to trust: made again without a fifth of the images, other groups "
            "come out.",
        )
    gap = silhouette - (-1.0 if shapeless is None else shapeless)
    if gap < NO_BETTER:
        return Verdict(
            "nothing",
            "There is nothing to trust: vectors without any groups are cut into groups as well "
            "separated as these.",
        )
    held = sizes[holds].sum() / sizes.sum()
    noise = float((labels == NOISE).mean())
    if stable.mean >= REPEATABLE and held >= 0.75 and noise <= MUCH_NOISE and gap >= APART:
        return Verdict("trust", "These groups can be trusted: they come back, and stand apart.")
    reasons = []
    if stable.mean < REPEATABLE or held < 0.75:
        reasons.append(f"{int(holds.sum())} of {number} groups hold when images are left out")
    if noise > MUCH_NOISE:
        reasons.append(f"{noise:.0%} of the images fit no group")
    if gap < APART:
        reasons.append("they hardly stand apart better than cuts through one cloud would")
    return Verdict("partly", f"Trust these groups in part: {'; '.join(reasons)}.")


def agreement(first: Integers, second: Integers) -> dict[str, Any]:
    """How far two clusterings of the same images agree; noise is one more group of each.

    Returns
    -------
    dict
        ``ari`` and ``ami``, 1 the same and 0 by chance, and ``images``; None of none.

    References
    ----------
    Vinh, Epps & Bailey (2010), JMLR 11:2837 (adjusted mutual information).

    Examples
    --------
    >>> agreement(np.array([0, 0, 1, 1]), np.array([7, 7, 4, 4]))
    {'ari': 1.0, 'ami': 1.0, 'images': 4}
    """
    from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score

    if len(first) != len(second):
        raise ShapeError(f"{len(first)} and {len(second)} images; expected the same ones")
    if not len(first):
        return {"ari": None, "ami": None, "images": 0}
    return {
        "ari": round(float(adjusted_rand_score(first, second)), 6),
        "ami": round(float(adjusted_mutual_info_score(first, second)), 6),
        "images": len(first),
    }


def against_labels(clusters: Integers, words: Sequence[str | None]) -> dict[str, Any]:
    """How clusters go with labels, on the images that have one; noise is one more group.

    Parameters
    ----------
    clusters : (n,) int
    words : n labels
        None for an image without one.

    Returns
    -------
    dict
        ``ami`` (1 the same groups, 0 by chance), ``homogeneity`` (1: a cluster has one label),
        ``completeness`` (1: a label is in one cluster), ``images`` and ``labels`` counted. Figures
        are None below two labels, with ``why``.

    References
    ----------
    Rosenberg & Hirschberg (2007), V-measure, EMNLP-CoNLL 410-420.

    Examples
    --------
    >>> against_labels(np.array([0, 0, 1]), ["a", "a", None])["why"]
    'labels: 1 on 2 images; expected at least 2 different ones'
    """
    from sklearn.metrics import adjusted_mutual_info_score, homogeneity_completeness_v_measure

    if len(clusters) != len(words):
        raise ShapeError(f"{len(words)} labels for {len(clusters)} images; expected one each")
    rows = [row for row, word in enumerate(words) if word]
    kinds = {word: number for number, word in enumerate(sorted({words[r] or "" for r in rows}))}
    counted = {"images": len(rows), "labels": len(kinds)}
    if len(kinds) < 2:
        why = (
            f"labels: {len(kinds)} on {len(rows)} images; expected at least 2 different ones"
            if rows
            else "no image has a label"
        )
        return {"ami": None, "homogeneity": None, "completeness": None, **counted, "why": why}
    truth = np.array([kinds[words[row] or ""] for row in rows])
    found = np.asarray(clusters)[rows]
    homogeneity, completeness, _ = homogeneity_completeness_v_measure(truth, found)
    return {
        "ami": round(float(adjusted_mutual_info_score(truth, found)), 6),
        "homogeneity": round(float(homogeneity), 6),
        "completeness": round(float(completeness), 6),
        **counted,
        "why": None,
    }
