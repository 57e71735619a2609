"""Nauplii and appendicularians."""

from __future__ import annotations

import numpy as np

from core.sources.drawing.canvas import AMBER, BROWN, GOLDEN, GREEN, GREY, OLIVE, RED, Pen
from core.sources.drawing.shapes import (
    blob,
    ellipse,
    ribbon,
    smooth,
    smooth_closed,
    wander,
)


def nauplius(pen: Pen) -> None:
    """An egg-shaped larva with three pairs of limbs, bristles and one red eye."""
    rng = pen.rng
    r = pen.length / 2
    up = r * pen.uniform(0.48, 0.68)
    tail = pen.uniform(0.08, 0.3)
    half = [
        (r * 0.95, 0.0),
        (r * 0.8, up * 0.6),
        (r * 0.35, up * 0.98),
        (-r * 0.2, up * 0.85),
        (-r * 0.7, up * (0.3 + tail * 0.5)),
        (-r, up * tail * 0.5),
        (-r * 0.97, 0.0),
    ]
    body = smooth_closed(half + [(x, -y) for x, y in half[-2:0:-1]], steps=6)
    limbs, bristles = [], []
    for side in (-1, 1):
        for x, lean in ((0.62, 0.8), (0.35, 0.1), (0.12, -0.5)):
            a = lean + float(rng.normal()) * 0.3
            reach = r * pen.uniform(0.6, 1.0)
            d = np.array([np.sin(a), side * np.cos(a)])
            begin = np.array([r * x, side * up * 0.75])
            knee = begin + d * reach * 0.5 + rng.normal(size=2) * r * 0.05
            path = smooth(np.stack([begin, knee, begin + d * reach - (reach * 0.2, 0)]), steps=7)
            limbs.append(ribbon(path, [r * 0.14, r * 0.085, r * 0.075, r * 0.03]))
            for i in range(pen.count(4, 8)):
                root = path[-1 - i % 5]
                spray = d * r * pen.uniform(0.15, 0.5) + rng.normal(size=2) * r * 0.13
                bristles.append(np.stack([root, root + spray]))
    bristles += [
        np.array([(-r * 0.97, side * up * 0.06), (-r * pen.uniform(1.1, 1.4), side * up * 0.2)])
        for side in (-1, 1)
    ]
    pen.line(*bristles, width=1.3, density=0.35, framed=False)
    pen.fill(*limbs, tint=OLIVE, density=0.25, phase=0.6, grain=0.25, grain_um=8)
    pen.fill(
        body,
        tint=(GREY, OLIVE, BROWN)[pen.count(0, 2)],
        density=pen.uniform(0.18, 0.45),
        phase=1.0,
        dome=0.6,
        grain=0.2,
        grain_um=r * 0.12,
    )
    muscles = [
        smooth(
            [(r * x, side * up * 0.1), (r * (x + 0.05), side * up * 0.45), (r * x, side * up * 0.8)]
        )
        for side in (-1, 1)
        for x in (0.6, 0.35, 0.1)
    ]
    pen.line(*muscles, width=r * 0.07, density=0.14, soft=r * 0.02)
    pen.fill(
        blob(rng, -r * 0.2, 0, up * pen.uniform(0.3, 0.5), rough=0.35, stretch=1.6),
        tint=(BROWN, GREEN, AMBER, GREY)[pen.count(0, 3)],
        density=pen.uniform(0.2, 0.75),
        soft=r * 0.05,
        dome=0.5,
        grain=0.35,
        grain_um=r * 0.14,
    )
    eye = r * pen.uniform(0.04, 0.07)
    pen.fill(ellipse(r * 0.72, 0, eye, eye * 1.2, corners=14), tint=RED, density=1.5, soft=1.0)


def appendicularian(pen: Pen) -> None:
    """A small trunk with a dark stomach and a long tail with a muscle band down its middle."""
    rng = pen.rng
    size = pen.length
    trunk = size * pen.uniform(0.2, 0.28)
    path = wander(rng, size - trunk * 0.5, bend=pen.uniform(0.5, 1.6), steps=50)
    wide = trunk * pen.uniform(0.4, 0.6)
    fin = ribbon(path, [wide * 0.5, wide * 1.1, wide, wide * 0.75, wide * 0.4, 0.0])
    pen.fill(fin, density=0.07, phase=0.35)
    pen.fill(
        ribbon(path, [wide * 0.3, wide * 0.34, wide * 0.26, wide * 0.18, wide * 0.06]),
        tint=GREY,
        density=pen.uniform(0.15, 0.3),
        phase=0.6,
        grain=0.25,
        grain_um=12,
    )
    pen.line(path, width=wide * 0.07, density=0.3)
    direction = path[0] - path[3]
    heading = float(np.arctan2(direction[1], direction[0])) + pen.uniform(-1.2, 1.2)
    x, y = path[0] + trunk * 0.3 * np.array([np.cos(heading), np.sin(heading)])
    body = blob(rng, x, y, trunk * 0.36, rough=0.12, stretch=1.45, angle=heading, corners=40)
    pen.fill(body, tint=OLIVE, density=0.2, phase=0.8, dome=0.3)
    for offset, tint in ((-0.22, BROWN), (-0.1, GOLDEN)):
        pen.fill(
            blob(
                rng,
                x + offset * trunk * np.cos(heading),
                y + offset * trunk * np.sin(heading),
                trunk * pen.uniform(0.12, 0.2),
                rough=0.3,
            ),
            tint=tint,
            density=pen.uniform(0.5, 1.0),
            soft=trunk * 0.03,
        )
    if pen.chance(0.5):
        pen.fill(
            ellipse(
                x - 0.38 * trunk * np.cos(heading),
                y - 0.38 * trunk * np.sin(heading),
                trunk * 0.14,
                trunk * 0.18,
                angle=heading,
            ),
            tint=AMBER,
            density=0.35,
            grain=0.4,
            grain_um=6,
            soft=2,
        )
