"""How bright, sharp and coloured an organism is, and where, whichever way it lies."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from skimage.color import rgb2lab

from core.encoders.foreground import Doubles, Floats, Foreground

_PERCENTILES = (5, 25, 50, 75, 95)
_BANDS = (1, 2, 4, 8)  # pixels of smoothing
_EDGES = _BANDS[:3]
DEPTHS = 8

LIGHT = {
    "mean contrast": ("%", 10.0, True, "mean distance from the background's colour"),
    "contrast deviation": ("%", 5.0, True, "standard deviation of it within the organism"),
    "contrast skew": ("", 0.7, True, "above 0: few bright spots in a dim body"),
    "contrast kurtosis": ("", 1.0, False, ""),
    **{f"contrast {p} %": ("%", 10.0, False, "percentile") for p in _PERCENTILES},
    "largest contrast": ("%", 15.0, False, ""),
    "brighter than background": ("%", 10.0, True, "below 0 in a bright field"),
    "edges": ("%", 1.5, True, "mean change of contrast per pixel"),
    "edge density": ("", 0.07, False, "edges to mean contrast"),
    "sharpness": ("", 0.05, True, "steepness of edges to contrast: 0.28 is sharp, less is blurred"),
    "fine grain": ("%", 1.5, False, "deviation from the picture smoothed by 1 px"),
    **{f"detail at {b} px": ("", 0.1, False, "share of the deviation") for b in _BANDS},
}
"""Unit, usual spread, readable, what it is. Contrast is in % of full scale."""

EDGES = {
    **{f"edges aligned at {b} px": (0.15, b == 1, "0 in all directions, 1 in one") for b in _EDGES},
    **{f"edges uneven at {b} px": (0.15, False, "deviation to mean") for b in _EDGES},
}
"""Usual spread, readable, what it is: the structure tensor of the whole organism."""

PROFILE = (
    *(f"light at depth {i}/{DEPTHS}" for i in range(DEPTHS)),
    *(f"deviation at depth {i}/{DEPTHS}" for i in range(DEPTHS)),
)
"""From the outline inwards, to the mean contrast."""

COLOUR = {
    "redness": (3.0, True, "mean a* above the background's: green below 0, red above"),
    "yellowness": (5.0, True, "mean b* above the background's: blue below 0, yellow above"),
    "redness deviation": (2.0, False, ""),
    "yellowness deviation": (3.0, False, ""),
    "colourfulness": (5.0, True, "mean distance from the background's hue"),
    "colourfulness deviation": (3.0, False, ""),
    **{f"redness {p} %": (3.0, False, "percentile") for p in (5, 95)},
    **{f"yellowness {p} %": (5.0, False, "percentile") for p in (5, 95)},
    "background lightness": (5.0, True, "L* of the picture's border"),
    "background redness": (2.0, False, ""),
    "background yellowness": (2.0, False, ""),
}
"""Usual spread, readable, what it is. In CIE Lab."""


def light(found: Foreground) -> Doubles:
    """LIGHT, then EDGES; zeros when nothing stands out."""
    contrast, filled = found.contrast, found.filled
    if found.empty:
        return np.zeros(len(LIGHT) + len(EDGES))
    inside = contrast[filled].astype(np.float64)
    mean, deviation = inside.mean(), max(inside.std(), 1e-6)
    z = (inside - mean) / deviation
    squared = z * z  # numpy's ** 3 and ** 4 are ten times slower than products
    high = max(float(np.percentile(inside, 95)), mean)  # a thin ring is nearly all hole
    steepest = 0.0
    details, edges, aligned, uneven = [], [], [], []
    coarse = contrast
    for sigma in _BANDS:
        fine, coarse = coarse, ndimage.gaussian_filter(contrast, sigma, truncate=3)
        details.append((fine - coarse)[filled].std())
        if sigma in _EDGES:
            down, right = _gradient(coarse)
            if sigma == 1:  # blur lowers an edge that it widens, so weigh edges by themselves
                every = np.hypot(down, right)
                steepest = np.vdot(every, every) / max(float(every.sum()), 1e-9)
            down, right = down[filled], right[filled]
            steep = np.hypot(down, right)
            edges.append(steep.mean())
            uneven.append(steep.std() / max(steep.mean(), 1e-6))
            dd, rr, dr = (down**2).mean(), (right**2).mean(), (down * right).mean()
            aligned.append(np.sqrt((dd - rr) ** 2 + 4 * dr**2) / max(dd + rr, 1e-9))
    return np.array(
        [
            100 * mean,
            100 * deviation,
            np.dot(squared, z) / z.size,
            np.dot(squared, squared) / z.size,
            *100 * np.percentile(inside, _PERCENTILES),
            100 * inside.max(),
            100 * (found.rgb[filled].mean() - found.background.mean()),
            100 * edges[0],
            edges[0] / mean,
            steepest / high,
            100 * details[0],
            *np.array(details) / deviation,
            *aligned,
            *uneven,
        ]
    )


def profile(found: Foreground) -> Doubles:
    """PROFILE; zeros when nothing stands out."""
    if found.empty:
        return np.zeros(2 * DEPTHS)
    depth, inside = found.depth[found.filled], found.contrast[found.filled].astype(np.float64)
    ring = np.minimum((depth / depth.max() * DEPTHS).astype(np.intp), DEPTHS - 1)
    count = np.maximum(np.bincount(ring, minlength=DEPTHS), 1)
    means = np.bincount(ring, inside, minlength=DEPTHS) / count
    squares = np.bincount(ring, inside**2, minlength=DEPTHS) / count
    deviations = np.sqrt(np.maximum(squares - means**2, 0))
    return np.asarray(np.concatenate([means, deviations]) / inside.mean(), np.float64)


def colour(found: Foreground) -> Doubles:
    """COLOUR; that of the background alone when nothing stands out."""
    background = rgb2lab(found.background[None, None])[0, 0]
    if found.empty:
        return np.concatenate([np.zeros(len(COLOUR) - 3), background])
    a, b = (rgb2lab(found.rgb[found.filled][None])[0] - background).T[1:]
    colourful = np.hypot(a, b)
    return np.array(
        [
            a.mean(), b.mean(), a.std(), b.std(), colourful.mean(), colourful.std(),
            *np.percentile(a, [5, 95]), *np.percentile(b, [5, 95]), *background,
        ]
    )  # fmt: skip


def _gradient(picture: Floats) -> list[Floats]:
    """Change per pixel down and to the right; none along a side of a single pixel."""
    return [
        np.gradient(picture, axis=axis) if picture.shape[axis] > 1 else np.zeros_like(picture)
        for axis in (0, 1)
    ]
