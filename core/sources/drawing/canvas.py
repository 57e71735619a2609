"""A pen that remembers what was drawn, in micrometres, and what a bright-field camera makes of it.

A part takes light away (`density`, per colour) and bends it (`phase`). The bending is what
outlines transparent bodies: dark where the phase changes, and, out of focus, bright or dark
fringes in proportion to its Laplacian (Teague 1983, transport of intensity).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from core.sources.drawing.shapes import Points, Rng, turn

Field = NDArray[np.float32]
Tint = tuple[float, float, float]

# what share of the light each takes from red, green and blue
GREY: Tint = (1.0, 1.0, 1.0)
GOLDEN: Tint = (0.42, 0.62, 1.25)
OLIVE: Tint = (0.78, 0.78, 1.08)
GREEN: Tint = (0.88, 0.7, 1.08)
BLUE_GREEN: Tint = (1.08, 0.77, 0.78)
BROWN: Tint = (0.72, 0.88, 1.12)
ROSE: Tint = (0.72, 1.06, 0.98)
RED: Tint = (0.25, 1.25, 1.3)
AMBER: Tint = (0.3, 0.75, 1.5)
BLUE: Tint = (1.3, 0.85, 0.35)

SUPERSAMPLE = 4


@dataclass(frozen=True)
class Part:
    """Shapes that share one substance."""

    shapes: tuple[Points, ...]
    tint: Tint
    density: float
    line: float | None = None
    """Width of a line in micrometres; None for filled outlines."""
    phase: float = 0.0
    soft: float = 0.0
    """Blur of its edge, in micrometres."""
    dome: float = 0.0
    """0: evenly thick, 1: thick in the middle and thin at the edge."""
    grain: float = 0.0
    grain_um: float = 3.0
    framed: bool = True
    """Whether the instrument saw it when it cut the vignette out."""


@dataclass
class Pen:
    """Collects the parts of one organism."""

    rng: Rng
    length: float
    """How long the organism is, in micrometres."""
    parts: list[Part] = field(default_factory=list)

    def fill(
        self,
        *shapes: Points,
        tint: Tint = GREY,
        density: float = 0.3,
        phase: float = 0.0,
        soft: float = 0.0,
        dome: float = 0.0,
        grain: float = 0.0,
        grain_um: float = 3.0,
        framed: bool = True,
    ) -> None:
        """Fill closed outlines."""
        self.parts.append(
            Part(shapes, tint, density, None, phase, soft, dome, grain, grain_um, framed)
        )

    def line(
        self,
        *paths: Points,
        width: float,
        tint: Tint = GREY,
        density: float = 0.5,
        phase: float = 0.0,
        soft: float = 0.0,
        framed: bool = True,
    ) -> None:
        """Draw open paths, `width` micrometres wide."""
        self.parts.append(Part(paths, tint, density, width, phase, soft, framed=framed))

    def uniform(self, low: float, high: float) -> float:
        """A number between low and high."""
        return float(self.rng.uniform(low, high))

    def chance(self, share: float) -> bool:
        """True in `share` of the cases."""
        return bool(self.rng.uniform() < share)

    def count(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return int(self.rng.integers(low, high + 1))

    def bounds(self) -> tuple[Points, Points]:
        """Lower and upper corner of what the instrument saw."""
        seen = [s for p in self.parts if p.framed for s in p.shapes]
        points = np.concatenate(seen)
        return points.min(axis=0), points.max(axis=0)

    def posed(self, *, angle: float, flip: bool) -> Pen:
        """The same organism turned, or mirrored and turned."""
        mirror = np.array([1.0, -1.0 if flip else 1.0])
        return self._mapped(lambda points: turn(points * mirror, angle))

    def moved(self, shift: Points) -> Pen:
        """The same organism elsewhere."""
        return self._mapped(lambda points: points + shift)

    def _mapped(self, change: Callable[[Points], Points]) -> Pen:
        parts = [replace(p, shapes=tuple(change(s) for s in p.shapes)) for p in self.parts]
        return Pen(self.rng, self.length, parts)

    def dyed(self, *, tint: Tint, density: float) -> Pen:
        """The same organism in another hue, paler or darker."""
        parts = [
            replace(
                p,
                tint=(p.tint[0] * tint[0], p.tint[1] * tint[1], p.tint[2] * tint[2]),
                density=p.density * density,
            )
            for p in self.parts
        ]
        return Pen(self.rng, self.length, parts)


@dataclass(frozen=True)
class Optics:
    """How one picture was taken."""

    um_per_px: float
    defocus: float
    """Signed, in pixels of blur; 0 is sharp."""
    rim: float = 0.7
    halo: float = 1.0


def transmission(
    pen: Pen, optics: Optics, *, origin: Points, height: int, width: int, rng: Rng
) -> Field:
    """The share of light that reaches the camera.

    Parameters
    ----------
    origin : (2,) floating
        What lies at the top left corner, in micrometres.

    Returns
    -------
    (height, width, 3) float32
    """
    density = np.zeros((height, width, 3), np.float32)
    phase = np.zeros((height, width), np.float32)
    for part in pen.parts:
        _add(part, density, phase, optics.um_per_px, origin, rng)
    bent = ndimage.gaussian_filter(phase, 0.6, mode="nearest")
    down, right = np.gradient(bent)
    slope = np.hypot(down, right)
    # a part may thin out what lies under it, but nothing shines
    density = np.maximum(density, 0) + optics.rim * np.minimum(slope, 1.6)[..., None]
    light = np.exp(-density)
    blur = abs(optics.defocus)
    curvature = ndimage.laplace(ndimage.gaussian_filter(phase, 0.8 + 0.5 * blur, mode="nearest"))
    # blue focuses elsewhere than red: the fringes have colours
    out: Field = np.empty((height, width, 3), np.float32)
    for channel, (spread, shift) in enumerate(((1.06, 0.12), (1.0, 0.0), (1.12, -0.15))):
        fringe = optics.halo * (np.clip(optics.defocus, -2.5, 2.5) * 0.5 + shift)
        seen = light[..., channel] * np.clip(1 - fringe * curvature, 0.55, 1.3)
        sigma = spread * float(np.hypot(0.42, blur))
        out[..., channel] = ndimage.gaussian_filter(seen, sigma, mode="nearest")
    return out


def _add(
    part: Part, density: Field, phase: Field, um_per_px: float, origin: Points, rng: Rng
) -> None:
    height, width = phase.shape
    shapes = [(s - origin) / um_per_px for s in part.shapes if len(s) > 1]
    if not shapes:
        return
    soft = part.soft / um_per_px
    pad = 2 + 3 * soft + (part.line or 0) / um_per_px
    everything = np.concatenate(shapes)
    left, top = np.maximum(np.floor(everything.min(axis=0) - pad), 0).astype(int)
    right, bottom = np.minimum(np.ceil(everything.max(axis=0) + pad) + 1, (width, height)).astype(
        int
    )
    if left >= right or top >= bottom:
        return
    mask, gain = _mask(
        [s - (left, top) for s in shapes],
        bottom - top,
        right - left,
        None if part.line is None else part.line / um_per_px,
    )
    if soft > 0.2:
        mask = ndimage.gaussian_filter(mask, soft, mode="constant")
    if part.dome:
        reach = 0.16 * min(np.ptp(everything, axis=0)) + 0.5
        thick = ndimage.gaussian_filter(mask, min(reach, 24.0), mode="constant", truncate=2.5)
        mask = mask * (1 - part.dome + part.dome * thick / max(float(thick.max()), 1e-6))
    box = (slice(top, bottom), slice(left, right))
    phase[box] += part.phase * mask
    if part.grain:
        texture = noise(rng, bottom - top, right - left, part.grain_um / um_per_px)
        mask = mask * np.exp(part.grain * texture - part.grain**2 / 2)  # keeps the mean
    density[box] += (part.density * gain * mask)[..., None] * np.array(part.tint, np.float32)


def _mask(
    shapes: Sequence[Points], height: int, width: int, line: float | None
) -> tuple[Field, float]:
    """Coverage of each pixel, 0 to 1, and how much fainter a line thinner than it could be is."""
    picture = Image.new("L", (width * SUPERSAMPLE, height * SUPERSAMPLE))
    draw = ImageDraw.Draw(picture)
    gain = 1.0
    if line is None:
        for shape in shapes:
            draw.polygon((shape * SUPERSAMPLE).ravel().tolist(), fill=255)
    else:
        wanted = line * SUPERSAMPLE
        drawn = max(1, round(wanted))
        gain = min(1.0, wanted / drawn)
        for shape in shapes:
            draw.line((shape * SUPERSAMPLE).ravel().tolist(), fill=255, width=drawn, joint="curve")
    return np.asarray(picture.reduce(SUPERSAMPLE), np.float32) / np.float32(255), gain


def noise(rng: Rng, height: int, width: int, scale: float) -> Field:
    """Random texture of about unit spread: features of `scale` pixels and finer ones in them."""
    out = np.zeros((height, width), np.float32)
    for weight, size in ((1.05, scale), (0.75, scale / 2.6), (0.55, scale / 6.5)):
        step = max(1.0, size)
        rows, columns = int(height / step) + 4, int(width / step) + 4
        coarse = Image.fromarray(rng.standard_normal((rows, columns), np.float32))
        fine = coarse.resize((int(columns * step), int(rows * step)), Image.Resampling.BICUBIC)
        out += weight * np.asarray(fine, np.float32)[:height, :width]
        if size <= 1:
            break
    return out
