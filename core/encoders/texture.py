"""How an organism is patterned, whichever way it lies."""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy import ndimage
from skimage.feature import local_binary_pattern

from core.encoders.foreground import Doubles, Floats, Foreground, Mask

_PATTERNS = ((8, 1, 1), (8, 2, 1), (8, 1, 2), (8, 1, 4))  # points, radius, downscaled by
PATTERN_NAMES = tuple(
    f"LBP {points},{radius} at 1/{step} bin {i}"
    for points, radius, step in _PATTERNS
    for i in range(points + 2)
)
"""Uniform local binary patterns (Ojala et al. 2002)."""

RINGS = 12
WAVES = 4
_RAYS = 48
_REACH = 2.4  # of the outermost ring, in standard deviations of the light

RING_NAMES = tuple(f"ring {ring} wave {wave}" for ring in range(RINGS) for wave in range(WAVES))
"""Wave 0 of a ring is its light, wave n how much of it comes in n arms."""


def patterns(found: Foreground) -> Doubles:
    """PATTERN_NAMES: shares of each local binary pattern within the organism."""
    shares = []
    for points, radius, step in _PATTERNS:
        inside = _shrunk(found.filled, step) > 0.5
        if not inside.any():
            shares.append(np.zeros(points + 2))
            continue
        levels = (_shrunk(found.contrast, step) * 255 + 0.5).astype(np.uint8)
        codes = local_binary_pattern(levels, points, radius, "uniform").astype(np.intp)
        shares.append(np.bincount(codes[inside], minlength=points + 2) / inside.sum())
    return np.concatenate(shares)


def _shrunk(picture: Floats | Mask, step: int) -> Floats:
    """Averaged over step x step pixels, the same from whichever corner one begins."""
    floats = picture.astype(np.float32)
    if step == 1:
        return floats
    h, w = (max(1, round(side / step)) for side in picture.shape)
    small = Image.fromarray(floats).resize((w, h), Image.Resampling.BOX)
    return np.asarray(small, np.float32)


def rings(found: Foreground) -> Doubles:
    """RING_NAMES: Fourier magnitudes over the angle, ring by ring around the centre of light.

    Magnitudes forget the angle, so neither turning nor mirroring matters, and rings are measured
    in standard deviations of the light, so size does not either.
    """
    if found.empty:
        return np.zeros(RINGS * WAVES)
    centre, _, variances = found.light_body
    step = _REACH * np.sqrt(variances.mean()) / RINGS
    picture = found.light
    if step > 1:
        picture = ndimage.gaussian_filter(picture, step / 2, truncate=2.5)
    radius = (np.arange(RINGS)[:, None] + 0.5) * step
    angle = np.arange(_RAYS) * (2 * np.pi / _RAYS)
    where = np.stack([centre[0] + radius * np.sin(angle), centre[1] + radius * np.cos(angle)])
    polar = ndimage.map_coordinates(picture, where, order=1)
    polar = polar / max(float(polar.max()), 1e-6)
    waves = np.abs(np.fft.rfft(np.sqrt(polar), axis=1)) / _RAYS
    return np.asarray(waves[:, :WAVES].ravel(), np.float64)
