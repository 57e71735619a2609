"""How large an organism is and what outline it has, whichever way it lies."""

from __future__ import annotations

import numpy as np
from scipy.spatial import ConvexHull
from skimage.measure import euler_number, perimeter_crofton

from core.encoders.foreground import Doubles, Foreground, Mask

SIZE = {
    "area": ("px²", "of the organism, its holes filled"),
    "ESD": ("px", "equivalent spherical diameter: of the disc with this area"),
    "major axis": ("px", "of the ellipse with the same second moments"),
    "minor axis": ("px", "of the ellipse with the same second moments"),
    "perimeter": ("px", "length of the outer outline (Crofton)"),
    "largest caliper": ("px", "largest distance between two parallel tangents (Feret)"),
    "smallest caliper": ("px", "smallest distance between two parallel tangents (Feret)"),
    "thickness": ("px", "diameter of the largest disc that fits inside"),
}
"""Lengths and areas: unit, what it is."""

SHAPE = {
    "aspect ratio": ("", 0.25, "minor to major axis: 1 is round, 0 a line"),
    "eccentricity": ("", 0.2, "of the ellipse: 0 is round, 1 a line"),
    "solidity": ("", 0.2, "area as a share of the convex hull's: 1 without arms or bays"),
    "circularity": ("", 0.25, "4 pi area / perimeter²: 1 is a smooth disc"),
    "roundness": ("", 0.25, "area as a share of the disc over the largest caliper"),
    "convexity": ("", 0.15, "perimeter of the convex hull to perimeter: 1 without bays"),
    "slenderness": ("", 0.2, "thickness to largest caliper"),
    "open share": ("", 0.1, "share of the area that is holes"),
    "holes": ("holes", 0.7, "background seen through it"),
    "parts": ("parts", 0.2, "separate pieces; those under 5 % of the largest do not count"),
    "cut by the frame": ("", 0.05, "share of the picture's border that it covers"),
    "skew along": ("", 0.3, "how much heavier one end of the main axis is"),
    "skew across": ("", 0.3, "how much heavier one side of it is"),
    "tails along": ("", 0.7, "kurtosis along the main axis: large with long thin ends"),
    "tails across": ("", 1.0, "kurtosis across it: large with arms"),
    "spread": ("", 0.3, "second moment to area: 0.16 for a disc, more the less compact"),
    "lopsided light": ("", 0.1, "from centre of outline to centre of light, by the area's root"),
    "light spread": (
        "",
        0.1,
        "how far out the light lies: below 1 nearer to the middle",
    ),
}
"""Ratios: unit, usual spread, what it is."""

WAVES = range(1, 13)
"""Fourier orders of the outline: up to 12 arms or spines."""
DEPTHS = (1, 2, 4, 8, 16)
"""In 1/32 of the area's root: how much of the body lies how deep."""
_RAYS = 72


def size_and_shape(found: Foreground) -> Doubles:
    """SIZE, in pixels of the original picture, then SHAPE; zeros when nothing stands out."""
    filled = found.filled
    area = float(filled.sum())
    if not area:
        return np.zeros(len(SIZE) + len(SHAPE))
    centre, axes, variances = found.body
    major, minor = 4 * np.sqrt(variances)
    corners = _corners(filled)
    hull = ConvexHull(corners)
    turns = np.linspace(0, np.pi, 90, endpoint=False)
    widths = np.ptp(corners[hull.vertices] @ np.stack([np.cos(turns), np.sin(turns)]), axis=0)
    widest = float(widths.max())
    outline = float(perimeter_crofton(np.pad(filled, 1), directions=4))
    thickness = 2 * float(found.depth.max()) - 1
    points = (np.argwhere(filled) - centre) @ axes.T / np.sqrt(variances)
    squared = points * points  # numpy's ** 3 and ** 4 are ten times slower than products
    skew = np.abs(np.einsum("ij,ij->j", squared, points)) / area
    tails = np.einsum("ij,ij->j", squared, squared) / area
    light_centre, _, light_variances = found.light_body
    holes = max(0, found.parts - int(euler_number(found.mask, connectivity=2)))
    lengths = np.array(
        [
            np.sqrt(4 * area / np.pi), major, minor, outline, widest, widths.min(), thickness
        ]
    )  # fmt: skip
    return np.array(
        [
            area * found.scale**2,
            *lengths * found.scale,
            minor / major,
            np.sqrt(1 - (minor / major) ** 2),
            area / hull.volume,  # of a hull in the plane, volume is area and area is perimeter
            min(1.0, 4 * np.pi * area / outline**2),
            4 * area / (np.pi * widest**2),
            min(1.0, hull.area / outline),
            thickness / widest,
            1 - found.mask.sum() / area,
            holes,
            found.parts,
            found.cut,
            *skew,
            *tails,
            variances.sum() / area,
            np.linalg.norm(light_centre - centre) / np.sqrt(area),
            np.sqrt(light_variances.sum() / variances.sum()),
        ]
    )


def outline(found: Foreground) -> Doubles:
    """Fourier magnitudes of the farthest organism pixel over the angle; shares by depth.

    Returns
    -------
    (len(WAVES) + len(DEPTHS),) float64
        Arms and spines show as their number; turning, mirroring and size do not matter.
    """
    area = int(found.filled.sum())
    if not area:
        return np.zeros(len(WAVES) + len(DEPTHS))
    rows, columns = (np.argwhere(found.filled) - found.body.centre).T
    ray = ((np.arctan2(rows, columns) / (2 * np.pi) + 0.5) * _RAYS).astype(np.intp) % _RAYS
    farthest = np.zeros(_RAYS)
    np.maximum.at(farthest, ray, np.hypot(rows, columns))
    waves = np.abs(np.fft.rfft(farthest))
    shares = [(found.depth > step * np.sqrt(area) / 32).sum() / area for step in DEPTHS]
    return np.concatenate([waves[WAVES.start : WAVES.stop] / max(waves[0], 1e-9), shares])


def _corners(mask: Mask) -> Doubles:
    """Pixel corners at both ends of each row of the organism: their hull is the organism's."""
    rows = np.flatnonzero(mask.any(axis=1))
    first = mask[rows].argmax(axis=1)
    last = mask.shape[1] - mask[rows, ::-1].argmax(axis=1)
    return np.concatenate(
        [np.stack([rows + down, side], axis=1) for down in (0, 1) for side in (first, last)]
    ).astype(np.float64)
