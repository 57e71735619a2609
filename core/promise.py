"""What a filter may promise: thresholds that keep a share of what is wanted, and their proof.

The scores are out of fold: each labelled image is scored by models that never saw it. Choosing a
threshold among n such scores and then bounding the recall on the same scores looks circular, but
is not: if j of the n wanted images fall below the threshold, it is the (j + 1)-th smallest of n
exchangeable scores, and the share of further images at or above it is Beta(n - j, j + 1) whatever
the scores' distribution. That is the distribution behind the Clopper-Pearson lower bound for n - j
of n kept, and j follows from n and the target alone. So the bound holds exactly for threshold and
recall together, with no correction for the choice.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import RangeError, ShapeError

CONFIDENCE = 0.95
"""One-sided, of a promise."""

CAUTIOUS = 0.975
"""The threshold is taken so that the whole 95 % interval reaches the target, where labels allow."""

SLACK = 1e-6
"""The threshold lies this far below a score: exported float32 scores are that near."""

LOW_TAIL = 0.1
"""Share of the wanted images, the lowest scores, whose spread over samples is looked at."""


@dataclass(frozen=True)
class Promise:
    """A threshold, and what can be said of it."""

    target: float
    threshold: float
    """Score from which an image is kept; an estimate unless `promised`."""
    kept: int
    """Of the labelled wanted images, those kept out of fold."""
    n: int
    """Labelled wanted images."""
    promised: bool
    """The one-sided 95 % lower bound of the recall reaches the target."""
    labels_needed: int
    """How many more wanted images must be labelled, none of them lost; 0 when promised."""
    effect: float
    """Design effect; see `design_effect`."""

    @property
    def recall(self) -> float:
        return self.kept / self.n

    @property
    def interval(self) -> tuple[float, float]:
        """Two-sided 95 %."""
        return interval(self.kept, self.n, effect=self.effect)


def lower_bound(kept: int, n: int, *, confidence: float = CONFIDENCE, effect: float = 1.0) -> float:
    """One-sided Clopper-Pearson lower bound of a share.

    Parameters
    ----------
    kept, n : int
        kept of n, 0 <= kept <= n, n of 1 or more.
    confidence : float
        0 to 1.
    effect : float
        Design effect: n images tell as much as n / effect that do not come in samples.

    References
    ----------
    Clopper & Pearson (1934), Biometrika 26, 404-413; with effect above 1, Korn & Graubard (1998),
    Survey Methodology 24, 193-201, without their correction for degrees of freedom.

    Examples
    --------
    >>> round(lower_bound(299, 299), 4), round(lower_bound(298, 298), 4)
    (0.99, 0.99)
    >>> lower_bound(299, 299) >= 0.99 > lower_bound(298, 298)
    True
    """
    return float(_lower(np.array([kept]), n, confidence, effect)[0])


def _lower(
    kept: NDArray[np.int64], n: int, confidence: float, effect: float
) -> NDArray[np.float64]:
    from scipy.special import betaincinv

    bound = np.zeros(len(kept))
    some = kept > 0
    bound[some] = betaincinv(kept[some] / effect, (n - kept[some]) / effect + 1, 1 - confidence)
    return bound


def interval(kept: int, n: int, *, effect: float = 1.0) -> tuple[float, float]:
    """Two-sided 95 % Clopper-Pearson interval of kept of n.

    Examples
    --------
    >>> [round(end, 4) for end in interval(9, 10)]
    [0.555, 0.9975]
    """
    return (
        lower_bound(kept, n, confidence=0.975, effect=effect),
        1 - lower_bound(n - kept, n, confidence=0.975, effect=effect),
    )


def design_effect(score: NDArray[np.floating], samples: NDArray[np.integer]) -> float:
    """How much less n scores tell of new samples because they come in samples; 1 or more.

    The variance of the share of lowest scores between samples, over that of images drawn one by
    one. Where a whole haul is out of focus its images are lost together.

    Parameters
    ----------
    score : (n,) floating
        Out-of-fold scores of the wanted images.
    samples : (n,) integer
        Which sample each is of.

    References
    ----------
    Kish (1965), Survey Sampling, 8.2; the variance is that of a ratio, linearised.

    Examples
    --------
    >>> low, high = [0.1] * 5, [0.9] * 45
    >>> round(design_effect(np.array(low + high), np.arange(50)), 2)  # an image a sample
    1.02
    >>> round(design_effect(np.array(low + high), np.arange(50) // 5), 2)  # the low ones together
    5.56
    """
    n = len(score)
    low = score < np.quantile(score, LOW_TAIL, method="higher")
    p = float(low.mean())
    _, codes = np.unique(samples, return_inverse=True)
    groups = int(codes.max()) + 1
    if groups < 2 or not 0 < p < 1:
        return 1.0
    excess = np.bincount(codes, low - p)
    variance = groups / (groups - 1) * float(excess @ excess) / n**2
    return max(1.0, variance / (p * (1 - p) / n))


def labels_needed(n: int, target: float, *, effect: float = 1.0) -> int:
    """How many more wanted images must be labelled until a target can be promised, none lost.

    Examples
    --------
    >>> labels_needed(100, 0.99), labels_needed(299, 0.99), labels_needed(0, 0.9)
    (199, 0, 29)
    """
    whole = math.ceil(effect * math.log(1 - CONFIDENCE) / math.log(target) - 1e-9)
    return max(0, whole - n)


def check_target(target: float) -> None:
    """Refuse a target recall that is no share to aim at.

    Raises
    ------
    RangeError
        Unless it is 0.5 to 0.999.
    """
    if not 0.5 <= target <= 0.999:
        raise RangeError(f"the target recall is {target}; expected 0.5 to 0.999, such as 0.99")


def promise(score: NDArray[np.floating], target: float, *, effect: float = 1.0) -> Promise:
    """The largest threshold with which a recall can be promised, else an estimate of it.

    Parameters
    ----------
    score : (n,) floating
        Out-of-fold scores of the labelled wanted images, infinite where an image is kept at any
        threshold; n of 1 or more.
    target : float
        Share to keep, 0.5 to 0.999.
    effect : float
        Of `design_effect`; 1 where images do not come in samples.

    Raises
    ------
    RangeError
        If the target is not in 0.5 to 0.999.
    ShapeError
        If there is no score.
    """
    check_target(target)
    if not len(score):
        raise ShapeError("no wanted image has a score; expected one or more")
    ascending = np.sort(np.asarray(score, np.float64))
    n = len(ascending)
    most = math.floor(n * (1 - target) + 1e-9)  # lost at a recall of the target
    lost = np.arange(most + 1)
    allowed = -1
    for confidence in (CAUTIOUS, CONFIDENCE):
        good = np.flatnonzero(_lower(n - lost, n, confidence, effect) >= target)
        if len(good):
            allowed = int(good[-1])
            break
    promised = allowed >= 0
    at = ascending[allowed if promised else most]
    threshold = max(0.0, min(float(at), 1.0) - SLACK)
    return Promise(
        target=target,
        threshold=threshold,
        kept=int((ascending >= threshold).sum()),
        n=n,
        promised=promised,
        labels_needed=0 if promised else labels_needed(n, target, effect=effect),
        effect=effect,
    )
