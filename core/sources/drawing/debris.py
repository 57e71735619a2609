"""What is not plankton: aggregates, fibres, bubbles, pellets."""

from __future__ import annotations

import numpy as np

from core.sources.drawing.canvas import AMBER, BLUE, BROWN, GOLDEN, GREEN, GREY, OLIVE, RED, Pen
from core.sources.drawing.shapes import blob, ellipse, ribbon, scatter_inside, superellipse, wander


def detritus(pen: Pen) -> None:
    """An irregular aggregate of flakes, grains, broken shells and threads."""
    rng = pen.rng
    r = pen.length / 2
    stretch = pen.uniform(0.3, 1.0)
    tint = (BROWN, OLIVE, GREY, BROWN)[pen.count(0, 3)]
    loose = pen.uniform(0, 1)
    fluff = blob(rng, 0, 0, r * 0.75, rough=0.55, falloff=0.85, corners=110) * (1, stretch)
    pen.fill(
        fluff,
        tint=tint,
        density=pen.uniform(0.08, 0.22),
        phase=0.15,
        soft=r * 0.03,
        grain=0.7,
        grain_um=max(3.0, r * 0.3),
    )
    core = blob(
        rng,
        float(rng.normal()) * r * 0.1,
        float(rng.normal()) * r * 0.1,
        r * pen.uniform(0.35, 0.6),
        rough=0.6,
        falloff=0.8,
        corners=110,
    )
    pen.fill(
        core * (1, stretch),
        tint=tint,
        density=pen.uniform(0.2, 0.75) * (1.15 - loose),
        phase=0.35,
        soft=r * 0.02,
        dome=0.4,
        grain=0.6,
        grain_um=max(2.5, r * 0.2),
    )
    for size, most in ((0.22, 5), (0.11, 9)):
        spots = scatter_inside(rng, pen.count(2, most), r * 0.75, r * 0.75 * stretch)
        flakes = [
            blob(rng, x, y, r * size * pen.uniform(0.4, 1.3), rough=0.6, falloff=0.75,
                 stretch=pen.uniform(0.5, 2.0), angle=pen.uniform(0, 3), corners=50)
            for x, y in spots
        ]  # fmt: skip
        pen.fill(
            *flakes,
            tint=(tint, BROWN, OLIVE, AMBER)[pen.count(0, 3)],
            density=pen.uniform(0.12, 0.4),
            phase=0.3,
            soft=0.6,
            grain=0.5,
            grain_um=max(2.0, r * 0.1),
        )
    specks = scatter_inside(rng, pen.count(3, 22), r * 0.8, r * 0.8 * stretch)
    pen.fill(
        *[
            blob(rng, x, y, max(0.8, r * pen.uniform(0.008, 0.035)), rough=0.4, corners=10)
            for x, y in specks
        ],
        density=pen.uniform(0.2, 0.7),
        soft=0.7,
    )
    if pen.chance(0.3):  # the empty shell of a diatom caught in it
        x, y = scatter_inside(rng, 1, r * 0.4, r * 0.4 * stretch)[0]
        shell = superellipse(
            x, y, r * 0.22, r * 0.07, power=pen.uniform(1.4, 4), angle=pen.uniform(0, 3)
        )
        pen.fill(shell, density=0.08, phase=0.9)
    if pen.chance(0.45):
        starts = scatter_inside(rng, pen.count(1, 4), r * 0.5, r * 0.5 * stretch)
        pen.line(
            *[wander(rng, r * pen.uniform(0.4, 1.2), bend=1.4, x=x, y=y) for x, y in starts],
            width=1.0,
            density=0.35,
        )


def fibre(pen: Pen) -> None:
    """A textile fibre: one long smooth thread of one width, often dyed."""
    rng = pen.rng
    path = wander(rng, pen.length, bend=pen.uniform(0.1, 2.0), steps=60)
    wide = pen.uniform(8, 16)
    tint = (GREY, BLUE, RED, GREY, AMBER)[pen.count(0, 4)]
    pen.fill(
        ribbon(path, [wide, wide * pen.uniform(0.8, 1.1), wide]),
        tint=tint,
        density=pen.uniform(0.15, 0.7),
        phase=1.0,
    )
    pen.line(path, width=wide * 0.3, tint=tint, density=-0.1, soft=wide * 0.1)
    if pen.chance(0.3):
        end = path[-1]
        pen.line(
            *[wander(rng, wide * 3, bend=1.0, x=float(end[0]), y=float(end[1])) for _ in range(3)],
            width=2.0,
            tint=tint,
            density=0.4,
        )


def bubble(pen: Pen) -> None:
    """An air bubble: black towards the edge, with the light shining through its middle."""
    r = pen.length / 2
    dark = pen.uniform(2.0, 3.4)
    pen.fill(
        ellipse(0, 0, r, r * pen.uniform(0.97, 1.0), corners=90),
        density=dark,
        phase=1.2,
    )
    core = r * (pen.uniform(0.5, 0.78) if pen.chance(0.3) else pen.uniform(0.14, 0.45))
    x, y = pen.rng.normal(size=2) * r * 0.05
    pen.fill(
        ellipse(x, y, core, core),
        density=-dark * pen.uniform(0.65, 1.0),
        soft=core * pen.uniform(0.25, 0.6),
    )
    if pen.chance(0.5):
        ring = ellipse(0, 0, r * 0.8, r * 0.8, corners=60)
        pen.line(
            np.concatenate([ring, ring[:1]]),
            width=r * 0.05,
            density=-pen.uniform(0.2, 0.9),
            soft=r * 0.02,
        )


def faecal_pellet(pen: Pen) -> None:
    """A compact dark sausage with blunt or broken ends, packed with remains."""
    rng = pen.rng
    wide = pen.length * pen.uniform(0.14, 0.32)
    path = wander(rng, pen.length, bend=pen.uniform(0.03, 0.45), steps=50)
    t = np.linspace(0, 1, 50)
    blunt, drawn_out = pen.uniform(0.03, 0.1), pen.uniform(0.04, 0.4)
    ends = np.clip(np.minimum(t / blunt, (1 - t) / drawn_out), 0, 1)
    bumps = np.interp(t, np.linspace(0, 1, 12), rng.normal(size=12)) * pen.uniform(0.02, 0.09)
    outline = ribbon(path, wide * np.sqrt(ends) * (1 + bumps) + 0.5)
    tint = (BROWN, OLIVE, BROWN, GREEN, GOLDEN)[pen.count(0, 4)]
    pen.fill(outline, density=0.07, phase=0.5)  # the membrane
    pen.fill(
        outline,
        tint=tint,
        density=pen.uniform(0.55, 1.2),
        soft=wide * 0.03,
        dome=0.45,
        grain=0.28,
        grain_um=wide * 0.25,
    )
    bits = [
        path[i] + rng.normal(size=2) * wide * 0.2 for i in rng.integers(4, 44, pen.count(6, 26))
    ]
    pen.fill(
        *[
            blob(rng, float(x), float(y), wide * pen.uniform(0.02, 0.08), corners=12)
            for x, y in bits
        ],
        tint=tint,
        density=pen.uniform(0.2, 0.5),
        soft=0.8,
    )
