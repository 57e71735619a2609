"""Are the images of today like those a filter was trained on?

Three questions, each with a test that a textbook has:

- Is a larger share unlike all training images than it was among the training images themselves?
  One-sided binomial test against that share.
- Are scores distributed as in the training? Two-sample Kolmogorov-Smirnov test.
- Are similarities to the most alike training image smaller than in the training? The same test,
  one-sided: images that are more alike are no reason to worry, and those of the training itself
  are as alike as can be.

The card holds quantiles, not the values, so the training's distribution function is drawn straight
between them, and the p-value is the asymptotic one of the statistic D at n*m/(n + m) images.

With thousands of images every difference is significant, so a warning also takes a difference
that matters: twice the share, or D of 0.1. The card's figures are those of the whole collection
that the filter was trained in, labelled or not, its own images left out of their score. Where
only scores drift the mix of kinds is another; where similarities do, the images are.

References
----------
Press et al. (2007), Numerical Recipes, 14.3.3.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from core.errors import RangeError

P = 0.01
"""Chance that nothing changed below which a difference counts."""

LEAST_D, LEAST_RATIO = 0.1, 2.0

LEAST_IMAGES = 30
"""Fewer recent images tell nothing."""


@dataclass(frozen=True)
class Change:
    """How far recent images differ in one respect."""

    statistic: float
    """D of Kolmogorov-Smirnov, or the share of unfamiliar images."""
    p: float
    """Chance of so much difference if nothing had changed."""
    drifted: bool

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def distribution_change(
    values: NDArray[np.floating],
    quantiles: Sequence[float],
    *,
    reference: int,
    smaller: bool = False,
) -> Change:
    """Whether values are distributed otherwise than those of the training.

    Parameters
    ----------
    values : (n,) floating
        Of recent images.
    quantiles : numbers
        Of the training at levels evenly spaced from 0 to 1, at least 2.
    reference : int
        Values that the quantiles are of.
    smaller : bool
        Whether only values that are smaller than those of the training count.

    Raises
    ------
    RangeError
        If the quantiles do not rise, or there is nothing to compare.

    Examples
    --------
    >>> same = distribution_change(np.linspace(0, 1, 200), [0, 0.25, 0.5, 0.75, 1], reference=200)
    >>> same.drifted, distribution_change(np.full(200, 0.9), [0, 0.5, 1], reference=200).drifted
    (False, True)
    """
    from scipy.special import kolmogorov

    known = np.asarray(quantiles, np.float64)
    n = len(values)
    if len(known) < 2 or not np.isfinite(known).all() or (np.diff(known) < 0).any():
        raise RangeError("the quantiles of the training do not rise; export the filter again")
    if n < 1 or reference < 1:
        raise RangeError(f"{n} values meet {reference} of the training; expected some of both")
    ordered = np.sort(np.asarray(values, np.float64))
    seen_at = np.searchsorted(ordered, ordered, side="right") / n
    seen_before = np.searchsorted(ordered, ordered, side="left") / n
    up_to, before = _function(known, ordered)
    size = n * reference / (n + reference)
    d = max(0.0, float((seen_at - up_to).max()))
    if smaller:
        p = math.exp(-2 * d * d * size)
    else:
        d = max(d, float((before - seen_before).max()))
        p = float(kolmogorov(d * math.sqrt(size)))
    return Change(d, p, p < P and d >= LEAST_D)


def _function(
    known: NDArray[np.float64], x: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The training's distribution function at x, and just before it: quantiles that are equal are
    a jump."""
    levels = np.linspace(0, 1, len(known))
    found = []
    sides: tuple[Literal["right"], Literal["left"]] = ("right", "left")
    for side in sides:
        after = np.searchsorted(known, x, side=side)
        inside = (after > 0) & (after < len(known))
        high = np.clip(after, 1, len(known) - 1)
        low = high - 1
        width = np.where(known[high] > known[low], known[high] - known[low], 1.0)
        part = np.clip((x - known[low]) / width, 0, 1)
        value = levels[low] + part * (levels[high] - levels[low])
        found.append(np.where(inside, value, np.where(after == 0, 0.0, 1.0)))
    return found[0], found[1]


def share_change(count: int, n: int, *, expected: float) -> Change:
    """Whether `count` of n images are more than a share that was expected.

    Raises
    ------
    RangeError
        If the numbers cannot be.

    Examples
    --------
    >>> share_change(2, 100, expected=0.01).drifted, share_change(20, 100, expected=0.01).drifted
    (False, True)
    """
    from scipy.stats import binomtest

    if not 0 <= count <= n or n < 1 or not 0 <= expected <= 1:
        raise RangeError(f"{count} of {n} against a share of {expected} came; expected shares")
    share = count / n
    p = float(binomtest(count, n, expected, alternative="greater").pvalue)
    return Change(share, p, p < P and share >= LEAST_RATIO * expected)


def drift(
    card: Mapping[str, Any],
    *,
    scores: NDArray[np.floating],
    nearest: NDArray[np.floating],
    unfamiliar: int,
    n: int,
) -> dict[str, Any]:
    """Recent images against a filter's card.

    Parameters
    ----------
    card : mapping
        With ``quantiles`` of ``score`` and ``nearest``, their number ``of``, and
        ``unfamiliar_share``, under ``training``; what it lacks is null.
    scores, nearest : (m,) floating
        Of the recent images that could be read.
    unfamiliar, n : int
        How many of n recent images were unlike the training.

    Returns
    -------
    dict
        ``images``, ``unfamiliar``, ``scores``, ``similarity`` (statistic, p, drifted; or null),
        ``drifted``, and ``why`` where something could not be compared.
    """
    found: dict[str, Any] = {"images": n, "unfamiliar": None, "scores": None, "similarity": None}
    why = []
    if n < LEAST_IMAGES:
        why.append(f"{n} images are too few; expected {LEAST_IMAGES} or more")
    else:
        training = card.get("training") or {}
        share, quantiles = training.get("unfamiliar_share"), training.get("quantiles") or {}
        if share is None:
            why.append("the card does not say how many training images were unfamiliar")
        else:
            found["unfamiliar"] = share_change(unfamiliar, n, expected=float(share)).as_json()
        asked = (("scores", "score", scores, False), ("similarity", "nearest", nearest, True))
        for name, key, values, smaller in asked:
            if key not in quantiles or not len(values):
                why.append(f"the card has no quantiles of the training's {name}")
                continue
            of = int(quantiles.get("of", 0))
            change = distribution_change(values, quantiles[key], reference=of, smaller=smaller)
            found[name] = change.as_json()
    parts = [found[name] for name in ("unfamiliar", "scores", "similarity")]
    found["drifted"] = any(part["drifted"] for part in parts if part)
    return {**found, "why": "; ".join(why) or None}


def in_words(found: Mapping[str, Any]) -> str | None:
    """What `drift` found, in one sentence with what to do; None when nothing drifted.

    Examples
    --------
    >>> in_words({"drifted": False})
    """
    if not found["drifted"]:
        return None
    unfamiliar, n = found["unfamiliar"], found["images"]
    then = "label some of them, train and export the filter again"
    if unfamiliar and unfamiliar["drifted"]:
        return (
            f"{unfamiliar['statistic']:.0%} of the last {n:,} images are unlike all that the "
            f"filter was trained on, and so kept: {then}"
        )
    if found["similarity"] and found["similarity"]["drifted"]:
        return f"the last {n:,} images are less like those the filter was trained on: {then}"
    return (
        f"the last {n:,} images score otherwise than those the filter was trained on: another mix "
        "of kinds, or a filter that errs more; look at what it dropped (screen audit)"
    )
