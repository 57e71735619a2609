"""From raw measures to unit vectors: robust scaling fitted on a collection, without labels."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.arrays import Vectors, unit_rows
from core.encoders.measures import GROUPS, MEASURES, PREPROCESSING
from core.errors import EncoderError, RangeError, ShapeError

Doubles = NDArray[np.float64]

WEIGHTS = {
    "size": 1.0, "shape": 1.0, "outline": 0.7, "light": 1.0, "edges": 0.8, "profile": 0.8,
    "colour": 0.7, "texture": 1.0, "rings": 1.0,
}  # fmt: skip
CLIP = 2.5  # robust standard deviations; what is odder is not odder still
EVEN = 0.5  # how far correlated measures are evened out: 0 not at all, 1 to whitened
PRIOR = 4  # images that the usual spread of a measure counts for
FLOOR = np.array([0.5 if m.power else 0.02 for m in MEASURES])  # before a logarithm

_POWER = np.array([m.power for m in MEASURES])
_LOG = np.array([m.log for m in MEASURES])
_COUNT = np.array([m.count for m in MEASURES])
_ROOT = np.array([m.root for m in MEASURES])
_USUAL = np.array([m.usual for m in MEASURES])
_SHAPES = [
    (len(MEASURES),),
    (len(MEASURES),),
    *((where.stop - where.start,) * 2 for where in GROUPS.values()),
]


@dataclass(frozen=True)
class Scaling:
    """What was learnt from a collection's measures.

    Notes
    -----
    Sizes, logged, are shifted by the logarithm of the pixel size when every image of the fit had
    one (``um_per_px`` is then their median, and stands in for images without one); otherwise pixel
    sizes are ignored. Each measure is centred on the median, divided by its interquartile range
    and clipped; each group of measures is turned towards uncorrelated by a symmetric matrix, so
    that five ways to say "long" do not count five times, and given its weight.
    """

    images: int
    um_per_px: float | None
    """Median pixel size of the fit; None when the unit is pixels."""
    centre: Doubles
    spread: Doubles
    mix: dict[str, Doubles]
    """By group, (m, m) symmetric."""

    @property
    def unit(self) -> str:
        return "px" if self.um_per_px is None else "um"

    def pixel_sizes(self, um_per_px: Sequence[float | None] | None, n: int) -> Doubles:
        """The pixel size each of n images is taken to have: 1 when the unit is pixels."""
        if self.um_per_px is None:
            return np.ones(n)
        known = pixel_sizes(um_per_px, n)
        return np.where(np.isnan(known), self.um_per_px, known)

    def standardised(self, raw: Doubles, um_per_px: Sequence[float | None] | None) -> Doubles:
        """(n, m) in robust standard deviations from the collection's median, not clipped."""
        compared = _compared(raw, self.pixel_sizes(um_per_px, len(raw)))
        return (compared - self.centre) / self.spread

    def vectors(self, raw: Doubles, um_per_px: Sequence[float | None] | None) -> Vectors:
        """(n, m) float32 unit rows; column i stands for measure i."""
        clipped = np.clip(self.standardised(raw, um_per_px), -CLIP, CLIP)
        # einsum, not BLAS: a row's vector does not depend on the batch it comes in
        return unit_rows(
            np.concatenate(
                [
                    np.einsum("ij,jk->ik", clipped[:, where], self.mix[group])
                    for group, where in GROUPS.items()
                ],
                axis=1,
            )
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "preprocessing": PREPROCESSING,
            "images": self.images,
            "unit": self.unit,
            "um_per_px": self.um_per_px,
            "centre": self.centre.tolist(),
            "spread": self.spread.tolist(),
            "mix": {group: matrix.tolist() for group, matrix in self.mix.items()},
        }

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Scaling:
        """
        Raises
        ------
        EncoderError
            If it was fitted on other measures than these.
        """
        try:
            made_by = fields["preprocessing"]
            scaling = cls(
                images=int(fields["images"]),
                um_per_px=None if fields["um_per_px"] is None else float(fields["um_per_px"]),
                centre=np.array(fields["centre"], np.float64),
                spread=np.array(fields["spread"], np.float64),
                mix={g: np.array(fields["mix"][g], np.float64) for g in GROUPS},
            )
        except (KeyError, TypeError, ValueError) as error:
            raise EncoderError(
                f"the stored fit of descriptors cannot be read ({error!r}); fit it again"
            ) from error
        shapes = [
            scaling.centre.shape,
            scaling.spread.shape,
            *(m.shape for m in scaling.mix.values()),
        ]
        if made_by != PREPROCESSING or shapes != _SHAPES:
            raise EncoderError(
                f"the stored fit of descriptors is of measures version {made_by}; this is version "
                f"{PREPROCESSING}; index the collection again"
            )
        return scaling

    @property
    def digest(self) -> str:
        text = json.dumps(self.as_json(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def fit(raw: Doubles, um_per_px: Sequence[float | None] | None) -> Scaling:
    """Learn centre, spread and correlations of a collection's measures.

    Parameters
    ----------
    raw : (n, len(MEASURES)) floating
        n of 1 or more; with few, the usual spreads of MEASURES weigh in.
    um_per_px : n numbers or None
        Sizes are in micrometres when all are known, else in pixels.

    Raises
    ------
    EncoderError
        If there is no image.
    RangeError
        If a pixel size is not a positive number.
    """
    n = len(raw)
    if not n:
        raise EncoderError("descriptors were given no image to fit on; expected 1 or more")
    known = pixel_sizes(um_per_px, n)
    in_um = not np.isnan(known).any()
    compared = _compared(raw, known if in_um else np.ones(n))
    low, centre, high = np.percentile(compared, [25, 50, 75], axis=0)
    robust = (high - low) / 1.349
    # a measure that is mostly one value (holes, parts) has no interquartile range
    robust = np.where(robust > 0.05 * _USUAL, robust, compared.std(axis=0))
    robust = np.where(robust > 0.05 * _USUAL, robust, 0.05 * _USUAL)
    spread = np.sqrt((n * robust**2 + PRIOR * _USUAL**2) / (n + PRIOR))
    centre, spread = _rounded(centre), _rounded(spread)
    clipped = np.clip((compared - centre) / spread, -CLIP, CLIP)
    return Scaling(
        images=n,
        um_per_px=float(np.median(known)) if in_um else None,
        centre=centre,
        spread=spread,
        mix={g: _rounded(_evened(clipped[:, w]) * WEIGHTS[g]) for g, w in GROUPS.items()},
    )


def pixel_sizes(um_per_px: Sequence[float | None] | None, n: int) -> Doubles:
    """(n,) with NaN where unknown.

    Raises
    ------
    ShapeError
        If there are not n.
    RangeError
        If one is not a positive number.
    """
    if um_per_px is None:
        return np.full(n, np.nan)
    if len(um_per_px) != n:
        raise ShapeError(f"{len(um_per_px)} pixel sizes for {n} images; expected one each")
    for size in um_per_px:
        if size is not None and not (0 < size < np.inf):
            raise RangeError(f"a pixel size is {size} um; expected a positive number or none")
    return np.array([np.nan if size is None else size for size in um_per_px], np.float64)


def _compared(raw: Doubles, um_per_px: Doubles) -> Doubles:
    out = raw.astype(np.float64)
    out[:, _LOG] = np.log(np.maximum(out[:, _LOG], FLOOR[_LOG]))
    out[:, _COUNT] = np.log1p(out[:, _COUNT])
    out[:, _ROOT] = np.sqrt(np.maximum(out[:, _ROOT], 0))
    out += np.log(um_per_px)[:, None] * _POWER
    return out


def _evened(clipped: Doubles) -> Doubles:
    """Symmetric matrix that evens out a group's correlations and gives it unit mean square."""
    n, m = clipped.shape
    trust = n / (n + m)  # few images say little about m * m correlations
    second = clipped.T @ clipped / n
    shrunk = trust * second + (1 - trust) * np.eye(m)
    values, turns = np.linalg.eigh(shrunk)
    matrix = (turns * np.maximum(values, 1e-3) ** (-EVEN / 2)) @ turns.T
    size = np.trace(matrix @ shrunk @ matrix)
    return np.asarray(matrix / np.sqrt(size), np.float64)


def _rounded(numbers: Doubles) -> Doubles:
    """To float32, so that what is stored is short and what is used is what is stored."""
    return numbers.astype(np.float32).astype(np.float64)
