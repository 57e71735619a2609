"""Copepods, from above and from the side."""

from __future__ import annotations

import numpy as np

from core.sources.drawing.canvas import AMBER, BROWN, GOLDEN, GREEN, OLIVE, RED, Pen
from core.sources.drawing.shapes import (
    Points,
    blob,
    ellipse,
    ribbon,
    scatter_inside,
    smooth,
    smooth_closed,
    wander,
)


def copepod(pen: Pen) -> None:
    """Body and tail in segments, antennae, legs, gut and eye, from above or from the side."""
    if pen.chance(0.5):
        _copepod_above(pen)
    else:
        _copepod_side(pen)


def _tail(pen: Pen, start: float, size: float, wide: float, droop: float) -> None:
    """The urosome: narrow segments that end in a fork with bristles; runs to negative x."""
    x, n = start, pen.count(3, 5)
    rings: list[Points] = []
    for i in range(n):
        step = size * 0.7 / n
        w = wide * (1 - 0.09 * i)
        y = droop * ((start - x) / size) ** 2
        rings.append(
            np.array(
                [
                    (x + step * 0.06, y - w / 2),
                    (x + step * 0.06, y + w / 2),
                    (x - step, y + w * 0.46),
                    (x - step, y - w * 0.46),
                ]
            )
        )
        x -= step
    y = droop * ((start - x) / size) ** 2
    for side in (-1, 1):
        rings.append(
            np.array(
                [
                    (x, y + side * wide * 0.08),
                    (x, y + side * wide * 0.34),
                    (x - size * 0.3, y + side * wide * 0.42),
                    (x - size * 0.3, y + side * wide * 0.2),
                ]
            )
        )
        end = (x - size * 0.3, y + side * wide * 0.3)
        pen.line(
            *[
                np.array(
                    [
                        end,
                        (
                            end[0] - size * pen.uniform(0.35, 0.75),
                            end[1] + side * size * lean + droop * 0.3,
                        ),
                    ]
                )
                for lean in (-0.02, 0.08, 0.2, 0.34)
            ],
            width=2.2,
            density=0.35,
            framed=False,
        )
    pen.fill(*rings, tint=OLIVE, density=0.32, phase=0.55)


def _copepod_above(pen: Pen) -> None:
    rng = pen.rng
    size = pen.length
    front = size * pen.uniform(0.62, 0.72)  # the prosome
    wide = front * pen.uniform(0.34, 0.46)
    back = size - front
    head = size / 2
    tail = head - front
    knots = [
        (head, 0.0),
        (head - front * 0.06, wide * 0.24),
        (head - front * 0.3, wide * 0.47),
        (head - front * 0.58, wide * 0.5),
        (head - front * 0.85, wide * 0.38),
        (tail, wide * 0.2),
    ]
    top = smooth(knots, steps=7)
    body = np.concatenate([top, top[::-1] * (1, -1)])
    reach = size * pen.uniform(0.45, 0.75)
    sweep = pen.uniform(-0.15, 0.75)
    antennae = []
    for side in (-1, 1):
        lean = sweep + float(rng.normal()) * 0.12
        knots = [
            (head - front * 0.07, side * wide * 0.15),
            (head + reach * 0.06, side * (wide * 0.3 + reach * 0.25)),
            (head - reach * (0.35 * lean), side * (wide * 0.3 + reach * 0.65)),
            (head - reach * lean, side * (wide * 0.3 + reach * 0.95)),
        ]
        path = smooth(knots, steps=9)
        antennae.append(ribbon(path, [size * 0.03, size * 0.02, size * 0.012, size * 0.005]))
        bristles = [
            np.stack([path[i], path[i] + rng.normal(size=2) * size * 0.025 + (size * 0.02, 0)])
            for i in range(5, len(path), 4)
        ]
        pen.line(*bristles, width=1.6, density=0.3)
    pen.fill(*antennae, tint=OLIVE, density=0.4, phase=0.4, framed=pen.chance(0.75))
    legs = [
        ribbon(
            smooth(
                [
                    (head - front * x, side * wide * 0.35),
                    (head - front * (x + 0.05), side * wide * 0.62),
                    (head - front * (x + 0.2), side * wide * 0.6),
                ],
                steps=6,
            ),
            [size * 0.022, size * 0.008],
        )
        for side in (-1, 1)
        for x in (0.12, 0.2)
    ]
    pen.fill(*legs, tint=OLIVE, density=0.3, phase=0.3)
    if pen.chance(0.18):  # a female with her eggs in two sacs
        a, b, egg = back * 0.3, wide * 0.12, wide * 0.05
        for side in (-1, 1):
            middle = np.array([tail - back * 0.38, side * wide * 0.28])
            eggs = scatter_inside(rng, 30, a - egg, b - egg) + middle
            pen.fill(ellipse(middle[0], middle[1], a, b), tint=BROWN, density=0.3, phase=0.3)
            pen.fill(
                *[ellipse(x, y, egg, egg, corners=12) for x, y in eggs],
                tint=BROWN,
                density=0.3,
                phase=0.5,
            )
    _tail(pen, tail + back * 0.06, back, wide * 0.3, float(rng.normal()) * back * 0.15)
    _body(pen, body, head, front, wide, mid=0.0)


def _copepod_side(pen: Pen) -> None:
    rng = pen.rng
    size = pen.length
    front = size * pen.uniform(0.62, 0.72)
    wide = front * pen.uniform(0.3, 0.4)
    back = size - front
    head = size / 2
    tail = head - front
    body = smooth_closed(
        [
            (head, -wide * 0.1),
            (head - front * 0.1, wide * 0.3),
            (head - front * 0.4, wide * 0.5),
            (head - front * 0.75, wide * 0.4),
            (tail, wide * 0.12),
            (tail + front * 0.03, -wide * 0.14),
            (head - front * 0.6, -wide * 0.38),
            (head - front * 0.25, -wide * 0.42),
            (head - front * 0.03, -wide * 0.34),
        ],
        steps=7,
    )
    reach = size * pen.uniform(0.4, 0.7)
    swing = pen.uniform(0.25, 1.0)
    antenna = smooth(
        [
            (head - front * 0.05, -wide * 0.3),
            (head - reach * 0.2, -wide * 0.45 - reach * 0.35 * swing),
            (head - reach * 0.85, -wide * 0.5 - reach * 0.55 * swing),
        ],
        steps=10,
    )
    pen.fill(
        ribbon(antenna, [size * 0.03, size * 0.016, size * 0.005]),
        tint=OLIVE,
        density=0.4,
        phase=0.4,
    )
    legs = []
    for i in range(pen.count(4, 7)):
        x = head - front * (0.12 + 0.09 * i)
        leg = size * pen.uniform(0.09, 0.17)
        legs.append(
            ribbon(
                smooth(
                    [
                        (x, -wide * 0.32),
                        (x - leg * 0.1, -wide * 0.36 - leg * 0.6),
                        (x - leg * pen.uniform(0.5, 1.1), -wide * 0.36 - leg),
                    ],
                    steps=5,
                ),
                [size * 0.026, size * 0.018, size * 0.007],
            )
        )
    pen.fill(*legs, tint=OLIVE, density=0.3, phase=0.3)
    _tail(pen, tail + back * 0.06, back, wide * 0.32, -abs(float(rng.normal())) * back * 0.3)
    _body(pen, body, head, front, wide, mid=wide * 0.05)


def _body(pen: Pen, body: Points, head: float, front: float, wide: float, *, mid: float) -> None:
    """Shell, segments, gut, fat and eye of a prosome."""
    rng = pen.rng
    pen.fill(
        body,
        tint=OLIVE,
        density=pen.uniform(0.22, 0.5),
        phase=0.8,
        dome=0.5,
        grain=0.18,
        grain_um=14,
    )
    pen.line(
        *[
            smooth(
                [
                    (head - front * x, mid - wide * 0.42),
                    (head - front * (x + 0.03), mid),
                    (head - front * x, mid + wide * 0.42),
                ]
            )
            for x in (0.46, 0.6, 0.73, 0.85)
        ],
        width=front * 0.008,
        density=0.25,
    )
    gut = wander(rng, front * pen.uniform(0.45, 0.75), bend=0.15, x=head - front * 0.52, y=mid)
    pen.fill(
        ribbon(gut, [wide * 0.06, wide * 0.2, wide * 0.15, wide * 0.1, wide * 0.05]),
        tint=(GREEN, BROWN, GOLDEN)[pen.count(0, 2)],
        density=pen.uniform(0.25, 1.0),
        soft=front * 0.012,
        grain=0.5,
        grain_um=16,
    )
    if pen.chance(0.45):
        pen.fill(
            ellipse(
                head - front * pen.uniform(0.5, 0.65),
                mid + wide * 0.16,
                front * pen.uniform(0.12, 0.25),
                wide * 0.09,
            ),
            tint=AMBER,
            density=pen.uniform(-0.12, 0.25),
            phase=0.9,
            soft=2.0,
        )
    pen.fill(
        blob(rng, head - front * 0.22, mid, wide * 0.24, rough=0.3),
        tint=BROWN,
        density=0.3,
        soft=wide * 0.07,
    )
    pen.fill(
        ellipse(head - front * 0.06, mid - wide * 0.06, front * 0.022, front * 0.022, corners=16),
        tint=RED,
        density=1.3,
        soft=1.0,
    )
