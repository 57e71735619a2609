"""How a filter gets better with labels, and what more of them would gain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.arrays import Vectors
from core.screening import FEWEST, Bools, fit

DRAWS = 8
LARGEST = 2_000
"""Labels; beyond, a curve takes minutes and is flat."""
SMALLEST = 25
HELD_OUT = 1 / 3
FITTED = 4
"""Points that a line is fitted to."""
CLEAR = 2.0
"""A gain is told when it is this many standard errors."""


@dataclass(frozen=True)
class Point:
    """What so many labels give on images that were held out."""

    labels: int
    accuracy: float
    """Mean over the draws; of the likelier side."""
    accuracy_sd: float
    """Standard deviation between the draws."""
    average_precision: float
    average_precision_sd: float


@dataclass(frozen=True)
class Gain:
    """What more labels are expected to bring."""

    labels: int
    """More than there are."""
    points: float
    """Of accuracy, in hundredths."""
    low: float
    high: float
    """95 % interval for the points of one such training, from the spread of the draws."""


@dataclass(frozen=True)
class Curve:
    """Quality at growing numbers of labels."""

    points: tuple[Point, ...]
    gain: Gain | None
    why: str | None
    """Why no gain is told; None where one is."""


def learning_curve(
    vectors: Vectors,
    wanted: Bools,
    *,
    folds: NDArray[np.int64],
    seed: int,
    on_step: Callable[[int, int], None] = lambda done, total: None,
) -> Curve:
    """Train on 25, 50, 100... labels and look at images held out, several times over.

    Parameters
    ----------
    vectors : (n, d) float32
        Unit rows.
    wanted : (n,) bool
    folds : (n,) int
        Whole folds of `core.screening.train` are held out, so whole samples where it did that.
    seed : int
    on_step : callable
        Called with (done, total) after each draw.
    """
    from sklearn.metrics import average_precision_score

    chance = np.random.default_rng(seed)
    every = np.unique(folds)
    held = max(1, round(len(every) * HELD_OUT))
    splits = [np.isin(folds, chance.permutation(every)[:held]) for _ in range(DRAWS)]
    most = min(LARGEST, *(int((~out).sum()) for out in splits))
    sizes = [size for k in range(20) if (size := SMALLEST << k) < 0.75 * most] + [most]
    found = np.full((len(sizes), DRAWS, 2), np.nan)
    for draw, out in enumerate(splits):
        order = _both_first(chance.permutation(np.flatnonzero(~out)), wanted)
        truth = wanted[out]
        if order is None or truth.all() or not truth.any():
            continue
        for row, size in enumerate(sizes):
            some = order[:size]
            w, b = fit(vectors[some], wanted[some])
            logit = vectors[out].astype(np.float64) @ w + b
            odds = wanted[some].mean() / (1 - wanted[some].mean())
            found[row, draw, 0] = ((logit + np.log(odds) >= 0) == truth).mean()
            found[row, draw, 1] = average_precision_score(truth, logit)
        on_step(draw + 1, DRAWS)
    found = found[:, ~np.isnan(found).any(axis=(0, 2))]
    if found.shape[1] < 3:
        return Curve((), None, "too few labels of one side to hold some out")
    mean, sd = found.mean(axis=1), found.std(axis=1, ddof=1)
    points = tuple(
        Point(size, float(mean[i, 0]), float(sd[i, 0]), float(mean[i, 1]), float(sd[i, 1]))
        for i, size in enumerate(sizes)
    )
    gain, why = _gain(np.array(sizes), found[:, :, 0], len(wanted))
    return Curve(points, gain, why)


def _both_first(order: NDArray[np.int64], wanted: Bools) -> NDArray[np.int64] | None:
    """The order, beginning with two of each side; None where there are fewer than five."""
    sides = [order[wanted[order] == side] for side in (True, False)]
    if min(map(len, sides)) < FEWEST:
        return None
    first = np.concatenate([side[:2] for side in sides])
    return np.concatenate([first, order[~np.isin(order, first)]])


def _gain(
    sizes: NDArray[np.int64], accuracy: NDArray[np.float64], n: int
) -> tuple[Gain | None, str | None]:
    """What twice the labels would bring: told only where such a forecast would have come true.

    Accuracy is taken to grow no faster than with the logarithm of the labels, and no slower than
    an error of a + b / sqrt(labels) falls; both lines are fitted to the last four points, and the
    forecast lies between them. Fitted without the largest number of labels they must hold what
    came there between them.
    """
    from scipy.stats import t

    if len(sizes) < FITTED:
        return (
            None,
            f"the curve has {len(sizes)} of the {FITTED} points that a forecast takes; label more",
        )
    draws = accuracy.shape[1]
    half = float(t.ppf(0.975, draws - 1)) * np.sqrt(1 + 1 / draws)  # spreads, of one more draw
    slow, fast = _foretold(sizes[:-1], accuracy[:-1], int(sizes[-1]))
    came = accuracy[-1] - accuracy[-2]
    reach = half * max(float(came.std(ddof=1)), 1e-9)
    if not slow.mean() - reach <= came.mean() <= fast.mean() + reach:
        return None, "the curve does not go on as foretold from its beginning"
    slow, fast = (100 * each for each in _foretold(sizes, accuracy, 2 * n, since=n))
    both = (slow + fast) / 2
    if both.mean() < CLEAR * both.std(ddof=1) / np.sqrt(draws):
        return None, "what twice the labels would gain is within the spread of the draws"
    low = float(slow.mean() - half * slow.std(ddof=1))
    high = float(fast.mean() + half * fast.std(ddof=1))
    return Gain(n, float(both.mean()), low, high), None


def _foretold(
    sizes: NDArray[np.int64], accuracy: NDArray[np.float64], to: int, *, since: int | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(draws,) gains of accuracy by the slow and the fast line, from the last size or `since`."""
    begin = int(sizes[-1]) if since is None else since
    gains = []
    for scale in (lambda m: -1 / np.sqrt(m), np.log):
        x = scale(sizes[-FITTED:].astype(np.float64))
        slopes = np.polyfit(x, accuracy[-FITTED:], 1)[0]
        gains.append(slopes * (scale(float(to)) - scale(float(begin))))
    return gains[0], gains[1]
