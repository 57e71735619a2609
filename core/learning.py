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

    Errors fall about as a + b / sqrt(labels). The line is fitted without the largest number of
    labels, and must foretell what came there; then it is fitted to all and read at 2 n.
    """
    from scipy.stats import t

    if len(sizes) < 4:
        return None, f"there are {len(sizes)} points on the curve; expected 4, label more"
    x = 1 / np.sqrt(sizes)
    draws = accuracy.shape[1]
    last = accuracy[-1]
    foretold = np.array([_line(x[:-1], accuracy[:-1, d]) for d in range(draws)])
    off = foretold[:, 0] + foretold[:, 1] * x[-1] - last
    if abs(off.mean()) > CLEAR * _error(off) and abs(off.mean()) > 0.01:
        return None, "the curve does not follow a line that can be carried on"
    lines = np.array([_line(x[-4:], accuracy[-4:, d]) for d in range(draws)])
    gained = 100 * lines[:, 1] * (1 / np.sqrt(2 * n) - 1 / np.sqrt(n))
    mean, error = float(gained.mean()), _error(gained)
    if mean < CLEAR * error:
        return None, "what twice the labels would gain is within the spread of the draws"
    half = float(t.ppf(0.975, draws - 1)) * error * np.sqrt(draws + 1)  # of one more draw
    return Gain(n, mean, mean - half, mean + half), None


def _line(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intercept and slope of least squares."""
    slope, intercept = np.polyfit(x, y, 1)
    return np.array([intercept, slope])


def _error(values: NDArray[np.float64]) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values)))
