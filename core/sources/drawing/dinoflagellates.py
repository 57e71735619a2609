"""Dinoflagellates: armoured cells with a girdle, horns, collars and sails."""

from __future__ import annotations

import numpy as np

from core.sources.drawing.canvas import AMBER, BROWN, GOLDEN, GREY, OLIVE, ROSE, Pen
from core.sources.drawing.shapes import blob, ellipse, ribbon, scatter_inside, smooth, smooth_closed


def ceratium(pen: Pen) -> None:
    """A plated body with horns: anchor-, fork- or needle-shaped."""
    rng = pen.rng
    size = pen.length
    form = ("anchor", "anchor", "fork", "needle")[pen.count(0, 3)]
    wide = size * (pen.uniform(0.07, 0.11) if form == "needle" else pen.uniform(0.19, 0.27))
    body = wide * (1.5 if form == "needle" else pen.uniform(0.45, 0.6))
    front = size * pen.uniform(0.45, 0.58)
    bend = float(rng.normal()) * 0.05 * size
    apical = smooth(
        [
            (body * 0.3, 0),
            (body + 0.25 * front, 0),
            (body + 0.65 * front, bend * 0.3),
            (body + front, bend),
        ],
        steps=9,
    )
    horn = wide * pen.uniform(0.09, 0.14)
    horns = [ribbon(apical, [wide * 0.7, wide * 0.26, horn * 1.1, horn, horn * 0.9, horn * 0.8])]
    if form == "needle":
        tail = smooth(
            [(-body * 0.3, 0), (-body - 0.2 * front, 0), (-body - 0.85 * front, bend * 0.8)],
            steps=10,
        )
        horns.append(ribbon(tail, [wide * 0.75, wide * 0.25, horn, horn * 0.8, horn * 0.5]))
    else:
        for side in (-1.0, 1.0):
            back = size * pen.uniform(0.3, 0.42) * (1 if side > 0 else pen.uniform(0.6, 1))
            if form == "anchor":
                flare = pen.uniform(0.35, 0.75)
                knots = [
                    (-body * 0.2, side * wide * 0.25),
                    (-body * 0.9, side * wide * 0.5),
                    (-body * 0.85, side * (wide * 0.6 + back * 0.38)),
                    (-body * 0.2 + back * 0.42, side * (wide * 0.55 + back * flare)),
                    (body * 0.2 + back * 0.85, side * (wide * 0.55 + back * flare * 1.15)),
                ]
            else:
                knots = [
                    (-body * 0.2, side * wide * 0.24),
                    (-body * 0.8, side * wide * 0.36),
                    (-body - back * 0.45, side * wide * 0.46),
                    (-body - back * 0.9, side * wide * pen.uniform(0.3, 0.5)),
                ]
            spread = [wide * 0.42, wide * 0.26, horn * 1.4, horn, horn * 0.6]
            horns.append(ribbon(smooth(knots, steps=8), spread))
    torso = smooth_closed(
        [
            (body, 0),
            (body * 0.55, wide * 0.27),
            (0, wide * 0.5),
            (-body * 0.7, wide * 0.42),
            (-body * 0.78, 0),
            (-body * 0.7, -wide * 0.42),
            (0, -wide * 0.5),
            (body * 0.55, -wide * 0.27),
        ]
    )
    pen.fill(*horns, tint=BROWN, density=pen.uniform(0.2, 0.45), phase=0.7)
    pen.fill(
        torso,
        tint=OLIVE,
        density=pen.uniform(0.25, 0.5),
        phase=0.8,
        dome=0.5,
        grain=0.15,
        grain_um=3,
    )
    pen.fill(
        blob(rng, -body * 0.1, 0, wide * 0.36, rough=0.3, stretch=body / wide * 1.7),
        tint=GOLDEN,
        density=pen.uniform(0.3, 0.7),
        soft=wide * 0.05,
        grain=0.45,
        grain_um=6,
    )
    girdle = smooth([(0.07 * wide, -wide * 0.5), (-0.05 * wide, 0), (0.07 * wide, wide * 0.5)])
    pen.line(girdle, girdle - (wide * 0.12, 0), width=wide * 0.035, density=0.35)
    spots = scatter_inside(rng, pen.count(8, 20), body * 0.6, wide * 0.36)
    pen.fill(
        *[blob(rng, x - body * 0.1, y, wide * 0.05, corners=10) for x, y in spots],
        tint=AMBER,
        density=0.5,
        soft=0.6,
    )


def protoperidinium(pen: Pen) -> None:
    """A top-shaped cell with a girdle, a pointed front and two short spines behind."""
    rng = pen.rng
    r = pen.length / 2
    wide = r * pen.uniform(0.7, 0.98)
    point = pen.uniform(0.0, 0.14)
    horn = pen.uniform(0.6, 0.98)  # round species have hardly any
    notch = horn * pen.uniform(0.75, 0.95)
    if pen.chance(0.3):  # a round species
        point, horn, notch = 0.0, 0.93, 0.9
    half = [
        (r, 0.0),
        (r * (0.84 - point), wide * (0.26 - point)),
        (r * 0.5, wide * (0.68 - point)),
        (r * 0.12, wide * 0.95),
        (-r * 0.12, wide),
        (-r * 0.45, wide * 0.87),
        (-r * (0.55 + 0.25 * horn), wide * 0.58),
        (-r * horn, wide * (0.62 - 0.25 * horn)),
        (-r * (0.4 * notch + 0.6 * horn), wide * 0.2),
        (-r * notch, 0.0),
    ]
    outline = smooth_closed(half + [(x, -y) for x, y in half[-2:0:-1]], steps=6)
    tint = (ROSE, BROWN, ROSE, OLIVE, GREY)[pen.count(0, 4)]
    pen.fill(
        outline,
        tint=tint,
        density=pen.uniform(0.25, 0.6),
        phase=1.1,
        dome=0.6,
        grain=0.12,
        grain_um=2,
    )
    pen.fill(
        blob(rng, -r * pen.uniform(0.0, 0.3), 0, r * pen.uniform(0.35, 0.55), rough=0.25),
        tint=tint,
        density=pen.uniform(0.15, 0.45),
        soft=r * 0.1,
        grain=0.3,
        grain_um=5,
    )
    lift = pen.uniform(0.02, 0.09)
    girdle = smooth([(r * lift, -wide * 0.97), (-r * 0.06, 0), (-r * lift * 0.2, wide * 0.97)])
    pen.line(girdle, girdle - (r * 0.17, 0), width=r * 0.035, density=0.32)
    pen.line(np.array([(-r * 0.2, 0), (-r * 0.75, wide * 0.05)]), width=r * 0.05, density=0.22)
    sutures = [
        smooth([(r * 0.05, side * wide * a), (r * 0.4, side * wide * a * 0.7), (r * 0.8, 0)])
        for side, a in ((1, 0.4), (-1, pen.uniform(0.2, 0.5)))
    ]
    pen.line(*sutures, width=0.8, density=0.22)
    drops = scatter_inside(rng, pen.count(1, 7), r * 0.45, wide * 0.45)
    pen.fill(
        *[ellipse(x, y, r * pen.uniform(0.05, 0.12), r * 0.08, corners=14) for x, y in drops],
        tint=AMBER,
        density=0.12,
        phase=0.7,
    )


def dinophysis(pen: Pen) -> None:
    """A flattened oval with a small collar in front and a sail along one side."""
    rng = pen.rng
    r = pen.length / 2
    up = r * pen.uniform(0.6, 0.75)
    body = smooth_closed(
        [
            (r * 0.7, up * 0.45),
            (r * 0.1, up * 0.95),
            (-r * 0.6, up * 0.8),
            (-r, up * 0.1),
            (-r * 0.65, -up * 0.7),
            (r * 0.1, -up),
            (r * 0.7, -up * 0.45),
        ]
    )
    pen.fill(body, tint=BROWN, density=pen.uniform(0.4, 0.75), phase=0.9, dome=0.4, grain=0.2)
    collar = smooth_closed(
        [
            (r * 0.68, up * 0.4),
            (r, up * 0.75),
            (r * 0.92, 0),
            (r, -up * 0.75),
            (r * 0.68, -up * 0.4),
        ]
    )
    pen.fill(collar, density=0.12, phase=0.5)
    sail = smooth_closed(
        [
            (r * 0.6, -up * 0.5),
            (r * 0.35, -up * 1.4),
            (-r * 0.25, -up * 1.45),
            (-r * 0.45, -up * 0.75),
        ]
    )
    pen.fill(sail, density=0.1, phase=0.4)
    pen.line(
        *[
            np.array([(r * x, -up * 0.9), (r * (x - 0.03), -up * 1.45)])
            for x in (0.35, 0.05, -0.25)
        ],
        width=0.8,
        density=0.4,
    )
    pen.fill(
        *[
            blob(rng, x - r * 0.1, y, r * 0.12, corners=12)
            for x, y in scatter_inside(rng, 9, r * 0.65, up * 0.65)
        ],
        tint=ROSE if pen.chance(0.5) else GOLDEN,
        density=0.35,
        soft=1.0,
    )
    pen.line(np.array([(r * 0.66, -up * 0.5), (r * 0.66, up * 0.5)]), width=r * 0.05, density=0.35)
