"""Intervals by drawing images, or whole samples, again; the gallery is never drawn again.

Each image keeps the score it got among all the others: drawing the gallery too would put copies of
an image beside it, which are found at once.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from core.errors import ShapeError
from core.evaluation.figures import Figure, absent

TIMES = 1_000
SPREAD = 0.05
"""Of an interval: 1 - 95 %."""
FEW_SAMPLES = 10
"""Below so many samples an interval over samples is a guess, and says so."""

Floats = NDArray[np.floating]
Codes = NDArray[np.integer]


class Resamples:
    """The same draws for every figure, so that differences between encoders are paired."""

    def __init__(
        self, images: int, *, samples: Codes | None = None, seed: int, times: int = TIMES
    ) -> None:
        """
        Parameters
        ----------
        images : int
        samples : (images,) int, optional
            The sample of each image, numbered from 0: whole samples are drawn.
        seed : int
        times : int
            How often is drawn.

        Raises
        ------
        ShapeError
            If there is not one sample an image.
        """
        if samples is not None and len(samples) != images:
            raise ShapeError(f"{len(samples)} samples for {images} images; expected one each")
        self.images = images
        self.unit = np.arange(images) if samples is None else np.asarray(samples, np.int64)
        self.units = int(self.unit.max(initial=-1)) + 1
        self.by = "image" if samples is None else "sample"
        self.times = times
        rng = np.random.default_rng(seed)
        self.weights = np.empty((times, self.units), np.float32)
        for row in self.weights:
            row[:] = np.bincount(
                rng.integers(max(self.units, 1), size=self.units), minlength=self.units
            )

    def means(self, scores: Floats) -> Floats:
        """The mean of the scores in every draw; a NaN is an image without a score."""
        there = np.isfinite(scores)
        sums = np.bincount(self.unit, np.where(there, scores, 0), self.units)
        counts = np.bincount(self.unit, there, self.units)
        with np.errstate(invalid="ignore", divide="ignore"):
            out: Floats = (self.weights @ sums) / (self.weights @ counts)
        return out[np.isfinite(out)]

    def mean(self, scores: Floats, pseudo: Floats | None = None) -> Figure:
        """The mean of per-image scores of -1 to 1 with its interval.

        Parameters
        ----------
        scores : (n,) floating
            NaN for an image without a score.
        pseudo : (n,) floating, optional
            The scores as the interval is to see them, by `core.evaluation.influence`.
        """
        there = np.isfinite(scores)
        if not there.any():
            return absent("no image has a score")
        value = float(scores[there].mean())
        units = len(np.unique(self.unit[there]))
        if units < 2:
            return Figure(value, why=f"one {self.by}: no interval can be had")
        draws = self.means(scores)
        if pseudo is not None:
            draws = self.means(pseudo) - float(pseudo.mean()) + value
        low, high = self.interval(draws, units)
        low, high = max(low, min(0.0, float(scores.min()))), min(high, 1.0)
        if low == high and value in (0.0, 1.0):  # as a binomial's (Clopper & Pearson 1934)
            rest = (SPREAD / 2) ** (1 / units)
            low, high = (rest, 1.0) if value == 1 else (0.0, 1 - rest)
        return Figure(value, low, high, self.warning(units))

    def difference(self, gap: Floats, pseudo: Floats) -> Figure:
        """The mean of per-image differences of -1 to 1 with its interval.

        Parameters
        ----------
        gap : (n,) floating
        pseudo : (n,) floating
            The differences as the interval is to see them.
        """
        value = float(gap.mean())
        if self.units < 2:
            return Figure(value, why=f"one {self.by}: no interval can be had")
        draws = self.means(pseudo) - float(pseudo.mean()) + value
        low, high = self.interval(draws, self.units)
        return Figure(value, low, high, self.warning(self.units))

    def figure(
        self, value: float, measure: Callable[[Floats], float], *, times: int | None = None
    ) -> Figure:
        """Any figure of -1 to 1 with its interval, centred on the value.

        Figures that are no means are off in every draw, which holds images twice (chance agreement
        is larger) and lacks others (rare kinds drop out); how far draws scatter is not.

        Parameters
        ----------
        value : float
            Of all images.
        measure : callable
            The figure where each image counts as often as (n,) weights say.
        times : int, optional
            Only the first so many draws, for figures that take long.
        """
        if self.units < 2:
            return Figure(value, why=f"one {self.by}: no interval can be had")
        found = np.array([measure(row[self.unit]) for row in self.weights[:times]])
        found = found[np.isfinite(found)]
        low, high = (end + value - found.mean() for end in self.interval(found, self.units))
        return Figure(value, max(low, -1.0), min(high, 1.0), self.warning(self.units))

    def interval(self, draws: Floats, units: int) -> tuple[float, float]:
        """The middle 95 % of draws, wider for few units, as Student's t is wider than a normal.

        References
        ----------
        Hesterberg (2015), doi 10.1080/00031305.2015.1089789, "expanded percentile".
        """
        from scipy.stats import norm, t

        wide = np.sqrt(units / (units - 1)) * t.ppf(SPREAD / 2, units - 1)
        tail = float(norm.cdf(wide))
        low, high = np.quantile(draws, [tail, 1 - tail])
        return float(low), float(high)

    def warning(self, units: int) -> str | None:
        """What is to be said of an interval over few samples."""
        if self.by == "image" or units >= FEW_SAMPLES:
            return None
        return f"{units} samples only: the interval is rough"
