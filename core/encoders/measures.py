"""The table of what `descriptors` measures, and the function that measures one vignette."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.arrays import Rgb
from core.encoders import form, light, texture
from core.encoders.foreground import foreground
from core.errors import ShapeError

PREPROCESSING = 1
"""Counted up whenever MEASURES, or a number that `measure` gives, changes."""


@dataclass(frozen=True)
class Measure:
    """One number of the many that describe a vignette."""

    name: str
    unit: str
    """``px`` and ``px²`` turn to ``µm`` and ``µm²`` where a pixel size is known; empty: a ratio."""
    group: str
    readable: bool = False
    """Whether the number alone tells a person something."""
    log: bool = False
    """Whether ratios matter rather than differences: compared by logarithm."""
    root: bool = False
    """A share of a histogram: compared by square root, so that rare bins count (Hellinger)."""
    usual: float = 1.0
    """Spread between vignettes, as compared; stands in until a fit has seen enough of them."""
    about: str = ""

    @property
    def count(self) -> bool:
        """A number of things: compared by the logarithm of one more."""
        return self.unit in ("holes", "parts")

    @property
    def power(self) -> int:
        """1 for a length, 2 for an area, 0 for what does not grow with the pixel size."""
        return {"px": 1, "px²": 2}.get(self.unit, 0)


def _measures() -> Iterator[Measure]:
    yield from (
        Measure(name, unit, "size", readable=True, log=True, usual=0.7, about=about)
        for name, (unit, about) in form.SIZE.items()
    )
    yield from (
        Measure(name, unit, "shape", readable=True, usual=usual, about=about)
        for name, (unit, usual, about) in form.SHAPE.items()
    )
    yield from (
        Measure(f"outline wave {n}", "", "outline", log=True, usual=0.8) for n in form.WAVES
    )
    yield from (
        Measure(f"deeper than {d}/32", "", "outline", usual=0.2, about="share of the area")
        for d in form.DEPTHS
    )
    yield from (
        Measure(name, unit, "light", readable=readable, usual=usual, about=about)
        for name, (unit, usual, readable, about) in light.LIGHT.items()
    )
    yield from (
        Measure(name, "", "edges", readable=readable, usual=usual, about=about)
        for name, (usual, readable, about) in light.EDGES.items()
    )
    yield from (Measure(name, "", "profile", usual=0.25) for name in light.PROFILE)
    yield from (
        Measure(name, "Lab", "colour", readable=readable, usual=usual, about=about)
        for name, (usual, readable, about) in light.COLOUR.items()
    )
    yield from (
        Measure(name, "", "texture", root=True, usual=0.1) for name in texture.PATTERN_NAMES
    )
    yield from (Measure(name, "", "rings", root=True, usual=0.12) for name in texture.RING_NAMES)


MEASURES: tuple[Measure, ...] = tuple(_measures())
"""Order of the numbers in what `measure` returns."""

GROUPS: dict[str, slice] = {
    group: slice(
        [m.group for m in MEASURES].index(group),
        len(MEASURES) - [m.group for m in MEASURES][::-1].index(group),
    )
    for group in dict.fromkeys(m.group for m in MEASURES)
}
"""Where each group lies in it."""


def measure(rgb: Rgb) -> NDArray[np.float32]:
    """Measure one vignette.

    Parameters
    ----------
    rgb : (h, w, 3) uint8
        Any size from 1 x 1; more than `foreground.SIDE` pixels a side are averaged down first, and
        lengths given in pixels of the picture as it came.

    Returns
    -------
    (len(MEASURES),) float32
        In the order and the units of MEASURES, always finite; sizes are 0 when nothing stands out
        from the background.

    Raises
    ------
    ShapeError
        If rgb is not (h, w, 3) uint8 with at least one pixel.
    """
    if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8 or rgb.size == 0:
        raise ShapeError(f"image is {rgb.dtype} {rgb.shape}; expected uint8 (h, w, 3)")
    found = foreground(rgb)
    return np.concatenate(
        [
            form.size_and_shape(found),
            form.outline(found),
            light.light(found),
            light.profile(found),
            light.colour(found),
            texture.patterns(found),
            texture.rings(found),
        ]
    ).astype(np.float32)
