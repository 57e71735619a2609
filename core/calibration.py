"""How far a stated confidence can be taken at its word: fitted on held-out labels, and shown."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import RangeError, ShapeError

BINS = 10
SHARPEST = 1e-3
"""A score is taken to lie this far from 0 and 1, so that its odds are finite."""

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Reliability:
    """What was said against what was right, bin by bin: the points of a reliability diagram."""

    said: list[float]
    """Mean confidence of each bin that is not empty, ascending, 0 to 1."""
    right: list[float]
    """Share of the bin that was right, 0 to 1."""
    n: list[int]
    """Images in the bin."""
    error: float
    """Expected calibration error: mean over images of \\|said - right\\| of their bin."""

    @property
    def images(self) -> int:
        """How many held-out images it was measured on."""
        return sum(self.n)


def reliability(said: Floats, right: NDArray[np.bool_], *, bins: int = BINS) -> Reliability:
    """Compare confidences with what came out, in bins of equal width.

    Parameters
    ----------
    said : (m,) floating
        Confidences, 0 to 1; at least one.
    right : (m,) bool
        Whether each was right.
    bins : int
        At least 1.

    Raises
    ------
    ShapeError
        If the two differ in length or are empty.
    RangeError
        If a confidence is not in 0 to 1.

    References
    ----------
    Guo, Pleiss, Sun & Weinberger (2017), On calibration of modern neural networks, section 2.

    Examples
    --------
    >>> table = reliability(np.array([0.9, 0.9, 0.2]), np.array([True, False, False]))
    >>> table.n, [round(r, 2) for r in table.right], round(table.error, 3)
    ([1, 2], [0.0, 0.5], 0.333)
    """
    said, right = np.asarray(said, dtype=np.float64), np.asarray(right, dtype=bool)
    if said.ndim != 1 or said.shape != right.shape or not len(said):
        raise ShapeError(f"{said.shape} confidences, {right.shape} outcomes; expected one each")
    if not ((said >= 0) & (said <= 1)).all():
        raise RangeError(f"confidences are {said.min()} to {said.max()}; expected 0 to 1")
    place = np.minimum((said * bins).astype(np.int64), bins - 1)
    n = np.bincount(place, minlength=bins)
    there = n > 0
    means = np.bincount(place, said, bins)[there] / n[there]
    shares = np.bincount(place, right, bins)[there] / n[there]
    error = float(np.abs(means - shares) @ n[there] / len(said))
    return Reliability(means.tolist(), shares.tolist(), n[there].tolist(), error)


@dataclass(frozen=True)
class Calibration:
    """From a score to how often such scores are right: a logistic curve over the log odds."""

    slope: float
    """Never below 0: a larger score is never trusted less."""
    offset: float

    @classmethod
    def fit(cls, score: Floats, right: NDArray[np.bool_]) -> Calibration:
        """Fit to held-out outcomes.

        Parameters
        ----------
        score : (m,) floating
            0 to 1.
        right : (m,) bool

        References
        ----------
        Platt (1999), Probabilistic outputs for support vector machines, with its targets that keep
        a few labels, all right, from promising certainty.
        """
        from scipy.optimize import minimize

        x, right = _log_odds(score), np.asarray(right, dtype=bool)
        yes, no = int(right.sum()), int((~right).sum())
        target = np.where(right, (yes + 1) / (yes + 2), 1 / (no + 2))

        def surprise(at: Floats) -> tuple[float, Floats]:
            z = at[0] * x + at[1]
            value = float((np.logaddexp(0, z) - target * z).mean())
            off = 1 / (1 + np.exp(-z)) - target
            return value, np.array([(off * x).mean(), off.mean()])

        found = minimize(
            surprise, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B",
            bounds=[(0, None), (-20, 20)],
        )  # fmt: skip
        return cls(float(found.x[0]), float(found.x[1]))

    def __call__(self, score: Floats) -> NDArray[np.float64]:
        """How often such scores are right, 0 to 1."""
        out: NDArray[np.float64] = 1 / (1 + np.exp(-(self.slope * _log_odds(score) + self.offset)))
        return out

    def spread(self, shares: NDArray[np.float32]) -> NDArray[np.float32]:
        """Calibrate the first of each row's shares, largest first, and scale the others to fit.

        Parameters
        ----------
        shares : (m, k) float32
            Largest first; a row sums to at most 1.

        Returns
        -------
        (m, k) float32
            Largest first as well; a row sums to at most 1.
        """
        first = shares[:, 0].astype(np.float64)
        top = self(first)
        rest = (1 - top) / np.maximum(1 - first, SHARPEST)
        out = np.minimum(shares * rest[:, None], top[:, None])
        out[:, 0] = top
        return out.astype(np.float32)


class TrackRecord:
    """What a person said of suggestions that were shown, and by how much those promised too much.

    What is shown is chosen for its confidence, among labels that were not drawn at random: both
    make it promise more than held-out labels tell. One shift of the log odds, learned from the
    latest answers and held near 0 while there are few, takes that back.
    """

    LATEST = 240
    SPREAD = 0.5
    """Standard deviation of the shift that is expected beforehand, in log odds."""

    def __init__(self) -> None:
        self._answers: deque[tuple[float, bool]] = deque(maxlen=self.LATEST)

    def add(self, said: float, right: bool, *, shift: float = 0.0) -> None:
        """Note an answer to a confidence that was shown with this shift."""
        self._answers.append((float(_log_odds(np.array([said]))[0]) - shift, bool(right)))

    def forget(self, n: int) -> None:
        """Take the n latest answers back."""
        for _ in range(min(n, len(self._answers))):
            self._answers.pop()

    @property
    def shift(self) -> float:
        """What to add to the log odds; 0 while nothing was answered."""
        if not self._answers:
            return 0.0
        from scipy.optimize import minimize_scalar

        odds, right = (np.array(part) for part in zip(*self._answers, strict=True))

        def surprise(shift: float) -> float:
            z = odds + shift
            return float(np.logaddexp(0, z).sum() - z[right].sum() + (shift / self.SPREAD) ** 2 / 2)

        return float(minimize_scalar(surprise, bounds=(-3, 3), method="bounded").x)


def held_out(score: Floats, right: NDArray[np.bool_], folds: NDArray[np.int64]) -> Reliability:
    """What a calibration promises of labels it was not fitted to: each fold by the others."""
    said = np.empty(len(score))
    for fold in np.unique(folds):
        out = folds == fold
        said[out] = Calibration.fit(score[~out], right[~out])(score[out])
    return reliability(said, right)


def spread_folds(codes: NDArray[np.int64], folds: int, *, seed: int) -> NDArray[np.int64]:
    """A fold for each image, each kind spread over them as evenly as it can be.

    Examples
    --------
    >>> np.bincount(spread_folds(np.array([0, 0, 1, 1, 1, 1]), 2, seed=0)).tolist()
    [3, 3]
    """
    order = np.random.default_rng(seed).permutation(len(codes))
    order = order[np.argsort(codes[order], kind="stable")]
    out = np.empty(len(codes), dtype=np.int64)
    out[order] = np.arange(len(codes)) % folds
    return out


def _log_odds(score: Floats) -> NDArray[np.float64]:
    kept = np.clip(np.asarray(score, dtype=np.float64), SHARPEST, 1 - SHARPEST)
    odds: NDArray[np.float64] = np.log(kept / (1 - kept))
    return odds
