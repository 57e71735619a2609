"""Ciliates, radiolarians and foraminifera."""

from __future__ import annotations

import numpy as np

from core.sources.drawing.canvas import AMBER, BROWN, GOLDEN, GREY, OLIVE, ROSE, Pen
from core.sources.drawing.shapes import (
    Points,
    blob,
    ellipse,
    ribbon,
    scatter_inside,
    smooth,
    smooth_closed,
    turn,
)


def _cilia(pen: Pen, x: float, spread: float, reach: float, n: int) -> list[Points]:
    """Membranelles in a crown: tufts that lean outwards."""
    tufts = []
    for y in np.linspace(-1, 1, n):
        lean = y * 0.7 + float(pen.rng.normal()) * 0.12
        size = reach * pen.uniform(0.75, 1.1)
        tufts.append(
            smooth(
                [
                    (x, y * spread),
                    (x + size * 0.6, y * spread + lean * size * 0.3),
                    (x + size * np.cos(lean), y * spread + size * np.sin(lean)),
                ],
                steps=4,
            )
        )
    return tufts


def tintinnid(pen: Pen) -> None:
    """A ciliate in a glassy vase, its crown of cilia out or drawn in."""
    rng = pen.rng
    size = pen.length
    mouth = size * pen.uniform(0.15, 0.27)
    form = pen.count(0, 2)
    if form == 0:  # bell with a tail
        knots = [
            (size / 2, mouth),
            (size * 0.42, mouth * 0.92),
            (0, mouth * 0.86),
            (-size * 0.22, mouth * 0.6),
            (-size * 0.34, mouth * 0.2),
            (-size / 2, mouth * 0.05),
        ]
    elif form == 1:  # tube
        knots = [
            (size / 2, mouth * 0.8),
            (size * 0.3, mouth * 0.72),
            (0, mouth * 0.72),
            (-size * 0.3, mouth * 0.7),
            (-size * 0.46, mouth * 0.4),
            (-size / 2, mouth * 0.05),
        ]
    else:  # goblet with a flared rim
        knots = [
            (size / 2, mouth * 1.2),
            (size * 0.42, mouth * 0.85),
            (size * 0.2, mouth * 0.8),
            (-size * 0.15, mouth),
            (-size * 0.42, mouth * 0.55),
            (-size / 2, mouth * 0.1),
        ]
    top = smooth(knots, steps=6)
    outline = np.concatenate([top, top[::-1] * (1, -1)])
    grains = pen.chance(0.4)
    pen.fill(
        outline,
        tint=BROWN if grains else GREY,
        density=pen.uniform(0.1, 0.3),
        phase=0.6,
        grain=0.6 if grains else 0.1,
        grain_um=2.5,
    )
    pen.line(top, top * (1, -1), width=max(1.0, size * 0.012), density=0.45)
    out = pen.chance(0.45)
    fore = size * (0.47 if out else pen.uniform(0.1, 0.25))
    body = smooth_closed(
        [
            (fore, mouth * 0.55),
            (size * 0.05, mouth * 0.6),
            (-size * 0.15, mouth * 0.4),
            (-size * 0.3, 0),
            (-size * 0.15, -mouth * 0.4),
            (size * 0.05, -mouth * 0.6),
            (fore, -mouth * 0.55),
        ]
    )
    if pen.chance(0.85):
        pen.fill(
            body,
            tint=OLIVE,
            density=pen.uniform(0.35, 0.7),
            dome=0.4,
            soft=1.0,
            grain=0.4,
            grain_um=4,
        )
        pen.fill(
            *[
                ellipse(x, y, mouth * 0.14, mouth * 0.14, corners=14)
                for x, y in scatter_inside(rng, 6, size * 0.15, mouth * 0.35)
            ],
            tint=GOLDEN,
            density=0.4,
            soft=0.8,
        )
        if out:
            pen.line(*_cilia(pen, fore, mouth * 0.6, mouth * 1.1, 11), width=1.3, density=0.35)


def ciliate(pen: Pen) -> None:
    """A naked ciliate: a rounded cone with a crown of cilia."""
    rng = pen.rng
    r = pen.length / 2
    up = r * pen.uniform(0.5, 0.85)
    taper = pen.uniform(0.1, 0.6)
    body = smooth_closed(
        [
            (r * 0.6, up * 0.75),
            (r * 0.1, up),
            (-r * 0.55, up * (0.45 + taper * 0.5)),
            (-r, 0),
            (-r * 0.55, -up * (0.45 + taper * 0.5)),
            (r * 0.1, -up),
            (r * 0.6, -up * 0.75),
        ]
    )
    pen.fill(
        body, tint=OLIVE, density=pen.uniform(0.3, 0.6), phase=0.7, dome=0.5, grain=0.3, grain_um=3
    )
    pen.fill(
        *[
            blob(rng, x - r * 0.1, y, r * pen.uniform(0.08, 0.16), corners=12)
            for x, y in scatter_inside(rng, pen.count(4, 11), r * 0.6, up * 0.65)
        ],
        tint=GOLDEN if pen.chance(0.6) else BROWN,
        density=pen.uniform(0.35, 0.8),
        soft=0.8,
    )
    pen.line(
        *_cilia(pen, r * 0.62, up * 0.72, r * pen.uniform(0.4, 0.7), pen.count(9, 15)),
        width=1.0,
        density=pen.uniform(0.25, 0.45),
    )


def radiolarian(pen: Pen) -> None:
    """A glass skeleton: a star of spines, nested lattice spheres, or a lattice helmet."""
    (_spine_star, _lattice_sphere, _lattice_sphere, _helmet)[pen.count(0, 3)](pen)


def _spine_star(pen: Pen) -> None:
    rng = pen.rng
    r = pen.length / 2
    body = r * pen.uniform(0.32, 0.5)
    n = pen.count(10, 20)
    spines = []
    for i in range(n):
        reach = r * (pen.uniform(0.45, 1.0) if i % 2 else pen.uniform(0.85, 1.0))
        base = np.stack([np.linspace(0, reach, 6), np.zeros(6)], axis=1)
        angle = 2 * np.pi * i / n + float(rng.normal()) * 0.12
        spines.append(turn(ribbon(base, [r * 0.035, r * 0.03, r * 0.012]), angle))
    pen.fill(blob(rng, 0, 0, body * 1.3, rough=0.25), density=0.06, phase=0.25, soft=body * 0.08)
    pen.fill(
        blob(rng, 0, 0, body, rough=0.2), tint=BROWN, density=pen.uniform(0.3, 0.7), dome=0.6,
        phase=0.3, grain=0.35, grain_um=body * 0.25,
    )  # fmt: skip
    dots = scatter_inside(rng, pen.count(8, 24), body * 0.9, body * 0.9)
    pen.fill(
        *[blob(rng, x, y, body * 0.1, corners=12) for x, y in dots],
        tint=GOLDEN,
        density=0.5,
        soft=1,
    )
    pen.fill(*spines, density=0.4, phase=0.7)


def _pores(pen: Pen, a: float, b: float, step: float) -> list[Points]:
    """Holes in a hexagonal pattern on a ball with half axes a and b, squeezed towards its rim."""
    holes = []
    for j, v in enumerate(np.arange(-1.5, 1.5, step * 0.87)):
        for u in np.arange(-1.5 + (j % 2) * step / 2, 1.5, step):
            angle = float(np.hypot(u, v))  # from the pole that faces us
            if angle < 1.32:
                lift = np.sin(angle) / max(angle, 1e-6)
                size = step * 0.33 * pen.uniform(0.85, 1.1)
                squeezed = size * max(0.3, float(np.cos(angle)))
                hole = ellipse(0, 0, squeezed, size, angle=float(np.arctan2(v, u)), corners=10)
                holes.append((hole + np.array([u * lift, v * lift])) * np.array([a, b]))
    return holes


def _lattice_sphere(pen: Pen) -> None:
    rng = pen.rng
    r = pen.length / 2
    shell = r * pen.uniform(0.5, 0.8)
    n = pen.count(4, 18)
    spines = []
    for i in range(n):
        reach = r * (1.0 if i == 0 else pen.uniform(0.8, 1.0))
        base = np.stack([np.linspace(shell * 0.5, reach, 6), np.zeros(6)], axis=1)
        angle = 2 * np.pi * i / n + float(rng.normal()) * 0.2
        spines.append(turn(ribbon(base, [r * 0.06, r * 0.045, r * 0.008]), angle))
    pen.fill(*spines, density=0.35, phase=0.7)
    pen.fill(ellipse(0, 0, shell, shell, corners=64), density=pen.uniform(0.4, 0.65), phase=0.7)
    pen.fill(*_pores(pen, shell, shell, pen.uniform(0.2, 0.36)), density=-0.36, phase=-0.45)
    pen.fill(
        blob(rng, 0, 0, shell * pen.uniform(0.25, 0.6), rough=0.25),
        tint=(AMBER, BROWN, ROSE)[pen.count(0, 2)],
        density=pen.uniform(0.25, 0.8),
        soft=shell * 0.1,
        grain=0.35,
        grain_um=shell * 0.2,
    )


def _helmet(pen: Pen) -> None:
    size = pen.length
    wide = size * pen.uniform(0.25, 0.34)
    half = [
        (size * 0.5, 0.0),
        (size * 0.3, wide * 0.06),
        (size * 0.26, wide * 0.32),
        (size * 0.14, wide * 0.38),
        (size * 0.0, wide * 0.8),
        (-size * 0.2, wide),
        (-size * 0.28, wide * 0.85),
    ]
    outline = smooth(half, steps=5)
    shell = np.concatenate([outline, outline[::-1] * (1, -1)])
    pen.fill(shell, density=pen.uniform(0.4, 0.6), phase=0.8)
    step = wide * pen.uniform(0.2, 0.3)
    holes = []
    for i, x in enumerate(np.arange(-size * 0.22, size * 0.1, step)):
        reach = float(np.interp(-x, -outline[:, 0], outline[:, 1])) * 0.9
        for y in np.arange(-wide + (i % 2) * step / 2, wide, step):
            if abs(y) < reach:
                squeeze = np.sqrt(1 - (y / wide) ** 2)
                holes.append(
                    ellipse(float(x), float(y), step * 0.34, step * 0.34 * squeeze, corners=12)
                )
    holes.append(ellipse(size * 0.2, 0, size * 0.035, wide * 0.14))
    pen.fill(*holes, density=-0.36, phase=-0.45)
    feet = []
    for y in (-0.8, 0.0, 0.8):
        path = smooth(
            [
                (-size * 0.27, wide * y),
                (-size * 0.4, wide * y * 1.25),
                (-size * 0.5, wide * y * 1.3),
            ]
        )
        feet.append(ribbon(path, [size * 0.04, size * 0.03, size * 0.006]))
    pen.fill(*feet, density=0.4, phase=0.6)
    pen.fill(
        blob(pen.rng, size * 0.02, 0, wide * 0.5, rough=0.25, stretch=1.3),
        tint=AMBER,
        density=pen.uniform(0.2, 0.7),
        soft=wide * 0.1,
        grain=0.35,
        grain_um=wide * 0.2,
    )


def foraminifera(pen: Pen) -> None:
    """Chalk chambers that grow along a spiral, nearly black against the light, some with spines."""
    rng = pen.rng
    chambers = pen.count(4, 7)
    turn_by = pen.uniform(1.0, 1.6)
    growth = pen.uniform(1.15, 1.35)
    rounds = []
    for i in range(chambers):
        grown = growth ** (i - chambers + 1)
        a = i * turn_by
        rounds.append((0.62 * grown * np.cos(a), 0.62 * grown * np.sin(a), 0.6 * grown))
    extent = 2 * max(np.hypot(x, y) + s for x, y, s in rounds)
    scale = pen.length / extent * 1.15
    if pen.chance(0.55):
        spines = []
        for _ in range(pen.count(20, 55)):
            end = (pen.length * pen.uniform(0.55, 0.95), float(rng.normal()) * pen.length * 0.03)
            spines.append(turn(np.array([(pen.length * 0.15, 0), end]), pen.uniform(0, 6.3)))
        pen.line(*spines, width=1.3, density=pen.uniform(0.15, 0.4), framed=False)
    chalk = pen.uniform(0.65, 1.4)
    outlines = [
        blob(rng, x * scale, y * scale, s * scale, rough=0.07, corners=40) for x, y, s in rounds
    ]
    pen.fill(*outlines, tint=BROWN, density=chalk, phase=0.9, dome=0.35, grain=0.1, grain_um=4)
    for (x, y, s), outline in zip(rounds, outlines, strict=True):
        pen.fill(
            outline,
            tint=BROWN,
            density=chalk * pen.uniform(0.15, 0.4),
            phase=0.25,
            dome=0.9,
            grain=0.15,
            grain_um=3,
        )
        pen.line(
            np.concatenate([outline, outline[:1]]),
            width=s * scale * 0.09,
            density=0.45,
            soft=s * scale * 0.03,
        )
        pen.fill(
            ellipse(x * scale, y * scale, s * scale * 0.5, s * scale * 0.5),
            density=-0.2,
            soft=s * scale * 0.2,
        )
