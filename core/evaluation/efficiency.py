"""Accuracy against labels per kind: measured by drawing labels, extended only where that held."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.arrays import Vectors
from core.errors import RangeError
from core.evaluation.figures import Figure, absent
from core.evaluation.neighbours import largest, votes
from core.ways import Head

LADDER = (1, 2, 5, 10, 20, 40, 80)
"""Labels per kind; doubling at the end, so that "twice the labels" can be checked."""
DRAWS = 8
NEEDED = 1.4
"""Images a kind must have for each label that is given: the rest are what it is tested on."""
TESTED = 100
"""Images of a kind that are tested on at most, in each draw."""
KINDS = 3
"""Kinds, and a quarter of all, that must have that many."""
LEAST = 5
"""Labels per kind below which there is no curve to speak of."""
POINTS = 4
"""Points a curve is fitted to at least."""
WIDE = 0.15
"""An extrapolation whose interval is wider than this says nothing."""
WAYS = ("knn", "probe")
EXPONENTS = np.linspace(0.05, 1.5, 59)
REFITS = 200

Codes = NDArray[np.integer]
Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Point:
    """Accuracy with some labels per kind, every kind weighing the same."""

    labels: int
    """Per kind."""
    mean: float
    low: float
    """The lowest and the highest of the draws."""
    high: float
    spread: float
    """Standard deviation over draws."""


@dataclass(frozen=True)
class Extended:
    """What twice the labels are expected to bring."""

    labels: int | None
    accuracy: Figure
    checked_at: int | None = None
    """The measured point that was left out to see whether the curve predicts it."""
    predicted: Figure | None = None
    measured: float | None = None

    @property
    def held(self) -> bool:
        """Whether the curve predicted the point left out."""
        return self.accuracy.value is not None


@dataclass(frozen=True)
class Efficiency:
    """What labels bring, on the kinds that have enough images to tell."""

    kinds: list[int]
    """Kinds that took part."""
    images: int
    draws: int
    curves: dict[str, list[Point]]
    """``knn`` and ``probe``; empty where there is no curve."""
    extended: dict[str, Extended]
    why: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Plain fields; `kinds` by number."""

        def extension(one: Extended) -> dict[str, Any]:
            return {
                "labels": one.labels,
                "accuracy": one.accuracy.as_json(),
                "checked_at": one.checked_at,
                "predicted": None if one.predicted is None else one.predicted.as_json(),
                "measured": None if one.measured is None else round(one.measured, 6),
            }

        curves = {
            way: [
                {key: round(value, 6) for key, value in asdict(point).items()} for point in points
            ]
            for way, points in self.curves.items()
        }
        return {
            "kinds": self.kinds,
            "images": self.images,
            "draws": self.draws,
            **curves,
            "extended": {way: extension(one) for way, one in self.extended.items()},
            "why": self.why,
        }


def ladder_of(counts: Codes) -> tuple[list[int], list[int]]:
    """The labels per kind that can be tried, and the kinds that have images enough for all.

    Examples
    --------
    >>> ladder_of(np.array([56, 60, 80, 20, 5]))
    ([1, 2, 5, 10, 20, 40], [0, 1, 2])
    """
    there = int((counts > 0).sum())
    for number in range(len(LADDER), 0, -1):
        top = LADDER[number - 1]
        kinds = np.flatnonzero(counts >= np.ceil(NEEDED * top - 1e-9))
        if top >= LEAST and len(kinds) >= max(KINDS, there / 4):
            return list(LADDER[:number]), kinds.tolist()
    return [], []


def efficiency(
    vectors: Vectors,
    codes: Codes,
    *,
    samples: Codes | None = None,
    seed: int,
    tell: Callable[[int], None] | None = None,
) -> Efficiency:
    """Give some labels per kind, test on the rest, again and again.

    The same images are tested on whatever the labels, and labels of a draw are among the next
    step's. With samples, those tested are of other samples than those that were labelled.

    Parameters
    ----------
    vectors : (n, d) float32 unit rows
    codes : (n,) int
        The kind of each image.
    samples : (n,) int, optional
    tell : callable, optional
        Told after each of `DRAWS` draws.
    """
    ladder, kinds = ladder_of(np.bincount(codes))
    if not ladder:
        why = (
            f"fewer than {KINDS} kinds, or than a quarter of them, have {int(NEEDED * LEAST)} "
            "images or more"
        )
        return Efficiency([], 0, 0, {}, {}, why)
    place = np.full(int(codes.max()) + 1, -1)
    place[kinds] = np.arange(len(kinds))
    rows = np.flatnonzero(place[codes] >= 0)
    own = place[codes[rows]]
    grouped = None if samples is None else samples[rows]
    some = np.asarray(vectors)[rows]
    found = np.empty((len(WAYS), DRAWS, len(ladder)))
    rng = np.random.default_rng(seed)
    for draw in range(DRAWS):
        order, tested = _drawn(own, ladder[-1], grouped, rng)
        for step, labels in enumerate(ladder):
            given = np.concatenate([mine[:labels] for mine in order])
            found[:, draw, step] = _accuracies(some, own, given, tested, labels)
        if tell is not None:
            tell(1)
    curves = {way: _points(ladder, found[number]) for number, way in enumerate(WAYS)}
    extended = {way: extend(ladder, found[n], seed=seed) for n, way in enumerate(WAYS)}
    return Efficiency(kinds, len(rows), DRAWS, curves, extended)


def _drawn(
    own: Codes, top: int, samples: Codes | None, rng: np.random.Generator
) -> tuple[list[NDArray[np.intp]], NDArray[np.intp]]:
    """Images of each kind in the order in which they are labelled, and those tested."""
    tested = np.zeros(len(own), bool)
    if samples is not None:
        share = 1 - 1 / NEEDED
        for sample in rng.permutation(np.unique(samples)):
            if tested.mean() >= share:
                break
            tested |= samples == sample
    order = []
    for kind in range(int(own.max()) + 1):
        mine = rng.permutation(np.flatnonzero((own == kind) & ~tested))
        order.append(mine[:top])
        if samples is None:
            tested[mine[top : top + TESTED]] = True
        elif tested[own == kind].sum() > TESTED:
            tested[rng.permutation(np.flatnonzero((own == kind) & tested))[TESTED:]] = False
    return order, np.flatnonzero(tested)


def _accuracies(
    vectors: Vectors, own: Codes, given: Codes, tested: Codes, labels: int
) -> tuple[float, float]:
    known, truth = own[given], own[tested]
    similarity = vectors[tested] @ vectors[given].T
    k = min(labels, 5, len(given))
    near = largest(similarity, k)
    with warnings.catch_warnings():
        # of one label a kind scikit-learn asks whether they are not numbers
        warnings.simplefilter("ignore", UserWarning)
        head = Head(vectors[given], np.asarray(known, np.int64), int(own.max()) + 1)
    by_probe = head.shares(vectors[tested]).argmax(axis=1)
    return _mean_recall(truth, votes(known[near])), _mean_recall(truth, by_probe)


def _mean_recall(truth: Codes, decided: Codes) -> float:
    there = np.bincount(truth)
    right = np.bincount(truth[truth == decided], minlength=len(there))
    return float((right[there > 0] / there[there > 0]).mean())


def _points(ladder: list[int], values: Floats) -> list[Point]:
    return [
        Point(
            labels,
            float(values[:, step].mean()),
            float(values[:, step].min()),
            float(values[:, step].max()),
            float(values[:, step].std(ddof=1)),
        )
        for step, labels in enumerate(ladder)
    ]


def extend(ladder: list[int], values: Floats, *, seed: int) -> Extended:
    """Predict the accuracy with twice the labels, if the largest point could be predicted so.

    Parameters
    ----------
    ladder : labels per kind, ascending
    values : (draws, steps) floating
        Accuracies.

    Returns
    -------
    Extended
        Without a value, and why, where the check failed or the interval is too wide to help.
    """
    if len(ladder) <= POINTS:
        return Extended(None, absent(f"{len(ladder)} points; expected more than {POINTS}"))
    at, measured = ladder[-1], float(values[:, -1].mean())
    predicted = predict(ladder[:-1], values[:, :-1], at, seed=seed)
    assert predicted.low is not None
    assert predicted.high is not None
    said = f"{predicted.low:.2f} to {predicted.high:.2f}"

    def extended(labels: int | None, accuracy: Figure) -> Extended:
        return Extended(labels, accuracy, at, predicted, measured)

    if not predicted.low <= measured <= predicted.high:
        why = f"fitted on up to {ladder[-2]} labels, the curve predicts {said} at {at}; measured "
        return extended(None, absent(f"{why}{measured:.2f}"))
    if predicted.high - predicted.low > WIDE:
        why = f"fitted on up to {ladder[-2]} labels, all the curve says of {at} is {said}"
        return extended(None, absent(why))
    return extended(2 * at, predict(ladder, values, 2 * at, seed=seed))


def predict(ladder: list[int], values: Floats, at: int, *, seed: int) -> Figure:
    """Accuracy with more labels, by power laws through the means of the draws.

    The interval holds what comes out when draws are drawn again and when the first points are left
    out, which says how far the shape of the curve can be relied on.

    Parameters
    ----------
    ladder : at least 3 numbers of labels, ascending
    values : (draws, steps) floating
    at : int
        Labels per kind, more than the last of the ladder.

    Raises
    ------
    RangeError
        If there are fewer points, or `at` is among them.

    References
    ----------
    Cortes et al. (1993), Learning curves: asymptotic values and rate of convergence, NIPS 6.

    Examples
    --------
    >>> x = np.array([1, 2, 5, 10, 20])
    >>> found = predict(x.tolist(), np.tile(0.9 - 0.5 * x**-0.5, (2, 1)), 40, seed=0)
    >>> round(found.value, 3), round(0.9 - 0.5 * 40**-0.5, 3)
    (0.821, 0.821)
    """
    if len(ladder) < 3 or at <= ladder[-1]:
        raise RangeError(
            f"points are at {ladder}, asked is {at}; expected 3 points and more labels"
        )
    rng = np.random.default_rng(seed)
    draws = rng.integers(len(values), size=(REFITS, len(values)))
    means = values[draws].mean(axis=1)
    starts = range(max(1, min(3, len(ladder) - 2)))
    found = np.concatenate(
        [_power_law(np.array(ladder[start:]), means[:, start:], at) for start in starts]
    )
    whole = _power_law(np.array(ladder), values.mean(axis=0)[None, :], at)
    low, high = np.quantile(found, [0.025, 0.975])
    return Figure(float(whole[0]), float(low), float(high))


def _power_law(labels: Codes, means: Floats, at: int) -> Floats:
    """(m,) values at `at` of the nearest a - b / labels**c to each row of (m, p) means."""
    best = np.full(len(means), np.inf)
    out = np.zeros(len(means))
    for exponent in EXPONENTS:
        falls = -(labels.astype(np.float64) ** -exponent)
        design = np.stack([np.ones(len(labels)), falls], axis=1)
        fitted = means @ np.linalg.pinv(design).T
        top, fall = np.minimum(fitted[:, 0], 1.0), np.maximum(fitted[:, 1], 0.0)
        capped = top < fitted[:, 0]  # nothing is more than always right
        fall[capped] = np.maximum((means[capped] - 1) @ falls / (falls @ falls), 0.0)
        error = ((top[:, None] + fall[:, None] * falls - means) ** 2).sum(axis=1)
        better = error < best
        best[better] = error[better]
        out[better] = (top - fall * float(at) ** -exponent)[better]
    return out
