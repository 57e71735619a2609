"""What in a vignette is the organism: whatever stands out from the border, dark or bright."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from core.arrays import Rgb

Floats: TypeAlias = NDArray[np.float32]
Doubles: TypeAlias = NDArray[np.float64]
Mask: TypeAlias = NDArray[np.bool_]

SIDE = 256  # longest side that is measured; 96 % of the 80-px vignettes are below it as they are
FAINTEST = 4 / 255  # contrast below this is noise of the camera or of the compression
SMOOTHING = 0.5  # pixels; more would add a rim to what is sharp
SPECK = 0.05  # parts smaller than this share of the largest are not counted to the organism


class Frame(NamedTuple):
    """How a weighted picture lies."""

    centre: Doubles
    """(2,) row and column of the centroid."""
    axes: Doubles
    """(2, 2) rows are unit vectors (row, column), main axis first."""
    variances: Doubles
    """(2,) squared pixels along them, each with the 1/12 that a pixel's own extent adds."""


@dataclass(frozen=True)
class Foreground:
    """One vignette, downscaled, cut to the organism, and split into organism and background."""

    rgb: Floats
    """(h, w, 3) in 0 to 1: the part of the picture around the organism."""
    background: Floats
    """(3,) in 0 to 1: median of the border of the whole picture."""
    contrast: Floats
    """(h, w) in 0 to 1: distance from the background, whichever way it goes."""
    mask: Mask
    """(h, w): the organism."""
    filled: Mask
    """(h, w): the organism, its holes filled."""
    parts: int
    """Separate pieces it is in."""
    scale: float
    """Pixels of the original picture per pixel here, 1 or more."""
    cut: float
    """Share of the picture's border that the organism covers: cut off by the frame if large."""

    @property
    def empty(self) -> bool:
        """Whether nothing stands out."""
        return self.parts == 0

    @cached_property
    def depth(self) -> Doubles:
        """(h, w) distance of each pixel of the filled organism to the outside."""
        padded = ndimage.distance_transform_edt(np.pad(self.filled, 1))
        return np.asarray(padded[1:-1, 1:-1], np.float64)

    @cached_property
    def body(self) -> Frame:
        """How the filled organism lies."""
        return _frame(self.filled)

    @cached_property
    def light(self) -> Floats:
        """(h, w) contrast of the organism alone."""
        return self.contrast * self.filled

    @cached_property
    def light_body(self) -> Frame:
        """How its contrast lies."""
        return _frame(self.light)


def foreground(rgb: Rgb) -> Foreground:
    """Find the organism in a vignette.

    The background is the median colour of the border; what differs from it by more than Otsu's
    threshold on the square root of contrast (the root keeps transparent tissue) is organism.
    Polarity does not matter: a negative gives the same masks.

    Parameters
    ----------
    rgb : (h, w, 3) uint8
        Any size from 1 x 1.

    Returns
    -------
    Foreground
        With empty masks when nothing stands out.
    """
    small, scale = _bounded(rgb)
    h, w = small.shape[:2]
    edge = np.ones((h, w), np.bool_)
    edge[1:-1, 1:-1] = False
    border = small[edge].astype(np.float32) / 255
    background: Floats = np.asarray(np.median(border, axis=0), np.float32)
    image: Floats = small.astype(np.float32) / np.float32(255)
    contrast: Floats = np.sqrt(((image - background) ** 2).mean(axis=2)).astype(np.float32)
    smooth = np.sqrt(ndimage.gaussian_filter(contrast, SMOOTHING))
    noise = float(np.median(contrast[edge])) * 3
    mask = smooth > max(_otsu(smooth), np.sqrt(max(FAINTEST, noise)))
    mask, parts = _without_specks(mask)
    cut = float(mask[edge].mean())
    box = _box(mask)
    mask = mask[box]
    filled = ndimage.binary_fill_holes(mask) if mask.any() else mask
    return Foreground(
        image[box], background, contrast[box], mask, filled.astype(np.bool_), parts, scale, cut
    )


def _bounded(rgb: Rgb) -> tuple[Rgb, float]:
    longest = max(rgb.shape[:2])
    if longest <= SIDE:
        return rgb, 1.0
    scale = longest / SIDE
    h, w = (max(1, round(side / scale)) for side in rgb.shape[:2])
    small = Image.fromarray(rgb).resize((w, h), Image.Resampling.BOX, reducing_gap=2.0)
    return np.asarray(small), scale


def _otsu(values: Floats) -> float:
    """Threshold between the two classes that differ most (Otsu 1979), from 256 bins of 0 to 1."""
    counts = np.bincount((values.ravel() * 255).astype(np.intp), minlength=256).astype(np.float64)
    levels = np.arange(256)
    below = counts.cumsum()
    above = below[-1] - below
    sums = (counts * levels).cumsum()
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = sums / below - (sums[-1] - sums) / above
        between = np.nan_to_num(below * above * gap**2)
    best = np.flatnonzero(between == between.max())
    return float((best.mean() + 1) / 255)


def _without_specks(mask: Mask) -> tuple[Mask, int]:
    labels, count = ndimage.label(mask, structure=np.ones((3, 3)))
    if count <= 1:
        return mask, count
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    keep = sizes >= SPECK * sizes.max()
    return keep[labels], int(keep.sum())


def _frame(weights: Floats | Mask) -> Frame:
    rows, columns = np.nonzero(weights)
    if not len(rows):
        return Frame(np.zeros(2), np.eye(2), np.ones(2) / 12)
    share = weights[rows, columns].astype(np.float64)
    share /= share.sum()
    points = np.stack([rows, columns]).astype(np.float64)
    centre = points @ share
    points -= centre[:, None]
    variances, vectors = np.linalg.eigh((points * share) @ points.T + np.eye(2) / 12)
    return Frame(centre, vectors.T[::-1], variances[::-1])


def _box(mask: Mask, margin: int = 3) -> tuple[slice, slice]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return slice(None), slice(None)
    return (
        slice(max(0, int(rows[0]) - margin), int(rows[-1]) + 1 + margin),
        slice(max(0, int(columns[0]) - margin), int(columns[-1]) + 1 + margin),
    )
