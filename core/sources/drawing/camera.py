"""From an organism in micrometres to the vignette an imaging flow cytometer would cut out."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from core.arrays import Rgb
from core.sources.drawing.canvas import Field, Optics, Pen, noise, transmission
from core.sources.drawing.hauls import Haul
from core.sources.drawing.kinds import KINDS
from core.sources.drawing.shapes import Points, Rng, blob, ellipse, wander

OBJECTIVES = {"10x": 0.69, "2x": 3.4}
"""Micrometres per pixel of each."""

LONGEST_PX = 300
SHORTEST_PX = 24


def objective(pen: Pen) -> str:
    """The magnification an organism was seen at: by its extent, either where both would do."""
    low, high = pen.bounds()
    extent_um = float(np.max(high - low))
    if extent_um / OBJECTIVES["10x"] > LONGEST_PX * 0.95:
        return "2x"
    if extent_um / OBJECTIVES["2x"] < SHORTEST_PX * 0.8:
        return "10x"
    # few that are long pass the narrower flow cell
    return "10x" if pen.chance(0.5 if extent_um / OBJECTIVES["10x"] > 220 else 0.8) else "2x"


def photograph(pen: Pen, haul: Haul, *, um_per_px: float, rng: Rng) -> Rgb:
    """Pose, light, blur and crop one organism as `haul` was photographed.

    Returns
    -------
    (h, w, 3) uint8
        Cut out around the organism with a margin; each side 24 to 340 px.
    """
    posed = pen.posed(angle=float(rng.uniform(0, 2 * np.pi)), flip=bool(rng.uniform() < 0.5))
    red, green, blue = np.exp(rng.normal(size=3) * (0.06, 0.05, 0.08))
    posed = posed.dyed(tint=(red, green, blue), density=float(np.exp(rng.normal() * 0.18)))
    low, high = posed.bounds()
    margin = rng.uniform(5, 12, 2) + 0.08 * float(np.max(high - low)) / um_per_px
    size = np.clip(np.ceil((high - low) / um_per_px + 2 * margin), SHORTEST_PX, 340).astype(int)
    width, height = int(size[0]), int(size[1])
    middle = (low + high) / 2 + rng.normal(size=2) * 1.5 * um_per_px
    if rng.uniform() < 0.05:  # the frame's edge went through it
        side = int(rng.integers(2))
        middle[side] += float(rng.choice([-1, 1])) * (high - low)[side] * rng.uniform(0.15, 0.35)
    origin = middle - size * um_per_px / 2
    # a deep body is never sharp all through, and a small one seldom
    depth_of_field = 1.0 if um_per_px < 2 else 1.7  # the weaker lens sees deeper
    blur = float(rng.gamma(2.0, haul.defocus / 2)) * (1 if rng.uniform() < 0.94 else 2.2)
    optics = Optics(
        um_per_px, float(np.clip(blur / depth_of_field, 0.0, 4.0) * rng.choice([-1, 1]))
    )
    light = transmission(posed, optics, origin=origin, height=height, width=width, rng=rng)
    for other, focus in _clutter(haul, rng, origin, size * um_per_px, um_per_px):
        light = light * transmission(
            other, Optics(um_per_px, focus), origin=origin, height=height, width=width, rng=rng
        )
    light = np.clip(1 - haul.contrast * (1 - light), 0, None)
    if rng.uniform() < 0.08:  # it moved while the flash was on
        light = ndimage.uniform_filter1d(light, int(rng.integers(2, 5)), axis=int(rng.integers(2)))
    return _sensor(light, haul, rng)


def _clutter(
    haul: Haul, rng: Rng, origin: Points, extent: Points, um_per_px: float
) -> list[tuple[Pen, float]]:
    """Specks, threads and, cut by the frame, neighbours; each in a focus of its own."""
    found: list[tuple[Pen, float]] = []
    for _ in range(min(int(rng.poisson(haul.crowding)), 5)):
        pen = Pen(rng, 0.0)
        x, y = origin + extent * rng.uniform(0, 1, 2)
        form = rng.uniform()
        if form < 0.7:
            pen.fill(
                blob(rng, x, y, um_per_px * rng.uniform(0.8, 2.4), rough=0.4, corners=14),
                density=float(rng.uniform(0.2, 0.7)),
                phase=0.5,
            )
        elif form < 0.85:
            path = wander(rng, float(extent.max()) * rng.uniform(0.1, 0.4), bend=0.8, x=x, y=y)
            pen.line(path, width=um_per_px, density=float(rng.uniform(0.15, 0.4)))
        else:
            r = um_per_px * rng.uniform(2.0, 4.0)
            pen.fill(ellipse(x, y, r, r), density=0.15, phase=0.6)
        found.append((pen, float(rng.normal()) * 1.8))
    if rng.uniform() < 0.05 * haul.crowding and extent.max() > 50 * um_per_px:
        found.append((_neighbour(rng, origin, extent, um_per_px), float(rng.normal()) * 1.5))
    return found


def _neighbour(rng: Rng, origin: Points, extent: Points, um_per_px: float) -> Pen:
    """Another particle, mostly outside the frame."""
    fitting = [k for k in KINDS if 20 < (k.low_um * k.high_um) ** 0.5 / um_per_px < 160]
    kind = fitting[int(rng.integers(len(fitting)))]
    pen = Pen(rng, kind.length(rng))
    kind.draw(pen)
    posed = pen.posed(angle=float(rng.uniform(0, 6.3)), flip=False)
    low, high = posed.bounds()
    side = int(rng.integers(4))
    at = origin + extent * rng.uniform(0, 1, 2)
    axis = side % 2
    reach = (high - low)[axis] * rng.uniform(0.2, 0.4)
    at[axis] = origin[axis] - reach if side < 2 else origin[axis] + extent[axis] + reach
    return posed.moved(at - (low + high) / 2)


def _sensor(light: Field, haul: Haul, rng: Rng) -> Rgb:
    """Background colour, uneven light, noise, 8 bits."""
    height, width = light.shape[:2]
    # where in the camera's field of view the vignette lay, and so how far from the bright middle
    x0, y0 = rng.uniform(-0.9, 0.9, 2)
    y, x = np.ogrid[:height, :width]
    lamp = 1 - haul.unevenness * ((x0 + x / 700) ** 2 + (y0 + y / 500) ** 2)
    lamp = lamp * (1 + 0.008 * noise(rng, height, width, 40)) * rng.uniform(0.965, 1.03)
    tint = np.array(haul.background, np.float64) * (1 + rng.normal(size=3) * 0.008)
    picture = light * lamp[..., None] * tint
    grain = rng.standard_normal((height, width, 3)).astype(np.float32)
    grain = ndimage.gaussian_filter(grain, (0.55, 0.55, 0)) * 1.9  # neighbours share colour filters
    shared = rng.standard_normal((height, width, 1)).astype(np.float32)
    picture += haul.noise * (0.7 * grain + 0.6 * shared) * np.sqrt(picture / 200 + 0.05)
    return np.asarray(np.clip(np.rint(picture), 0, 255), np.uint8)
