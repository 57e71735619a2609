"""Diatoms and cyanobacteria: glass boxes with golden chloroplasts, and threads of cells."""

from __future__ import annotations

import numpy as np

from core.sources.drawing.canvas import BLUE_GREEN, BROWN, GOLDEN, GREEN, GREY, OLIVE, Pen
from core.sources.drawing.shapes import (
    Points,
    along,
    blob,
    ellipse,
    ribbon,
    scatter_inside,
    smooth,
    superellipse,
    wander,
)


def chaetoceros(pen: Pen) -> None:
    """A chain of box-shaped cells with windows between them and long setae from every corner."""
    rng = pen.rng
    wide = pen.uniform(8, 24)
    pitch = wide * pen.uniform(0.55, 1.3)
    cells = max(2, round(pen.length / pitch))
    pitch = pen.length / cells
    curled = pen.chance(0.25)  # as in C. debilis, whose setae all point outwards
    if curled:
        arc = np.linspace(0, pen.uniform(2.5, 5.5), 40)
        radius = pen.length / arc[-1]
        path = np.stack([radius * np.sin(arc), radius * (1 - np.cos(arc))], axis=1)
        wide = min(wide, radius * 0.5)
    else:
        path = wander(rng, pen.length, bend=pen.uniform(0.05, 0.5))
    gap = pen.uniform(0.1, 0.3)
    reach = wide * pen.uniform(1.3, 3.2)
    lean = pen.uniform(0.1, 0.7)
    bodies: list[Points] = []
    plastids: list[Points] = []
    setae: list[Points] = []
    for i in range(cells):
        middle = (i + 0.5) * pitch
        half, up = pitch / 2, wide / 2
        waist = half * (1 - gap)
        outline = smooth(
            [(-half, up), (-waist, 0.0), (-half, -up)], steps=5
        )  # the concave end that leaves a window
        other = outline[::-1] * (-1, 1)
        box = np.concatenate([outline, other])
        bodies.append(along(path, box + np.array([middle, 0.0])))
        if pen.chance(0.93):
            for side in (-1, 1) if pen.chance(0.25) else (0,):
                body = blob(
                    rng,
                    middle,
                    side * wide * 0.22,
                    1.0,
                    rough=0.25,
                    corners=24,
                )
                body = (body - (middle, side * wide * 0.22)) * (
                    waist * pen.uniform(0.55, 0.85),
                    wide * (0.2 if side else 0.34),
                ) + (middle, side * wide * 0.22)
                plastids.append(along(path, body))
        slant = lean * (2 * (i + 0.5) / cells - 1)
        for side in (-1,) if curled else (-1, 1):
            out = reach * pen.uniform(0.7, 1.2)
            curve = smooth(
                [
                    (middle + half * 0.9, side * up),
                    (middle + half + out * (0.1 + 0.4 * slant), side * (up + out * 0.35)),
                    (middle + half + out * (0.15 + 1.1 * slant), side * (up + out)),
                ],
                steps=7,
            )
            setae.append(along(path, curve))
    for sign, end in ((-1, 0.0), (1, pen.length)):  # terminal setae are stouter
        for side in (-1,) if curled else (-1, 1):
            out = reach * pen.uniform(0.8, 1.3)
            curve = smooth(
                [
                    (end, side * wide / 2),
                    (end + sign * out * 0.4, side * (wide / 2 + out * 0.18)),
                    (end + sign * out, side * (wide / 2 + out * 0.3)),
                ],
                steps=7,
            )
            setae.append(along(path, curve))
    pen.line(*setae, width=0.9, density=pen.uniform(0.25, 0.5), framed=pen.chance(0.3))
    pen.fill(*bodies, tint=OLIVE, density=0.1, phase=0.5)
    pen.fill(
        *plastids, tint=GOLDEN, density=pen.uniform(0.35, 0.75), soft=0.9, grain=0.3, phase=0.1
    )


def thalassiosira(pen: Pen) -> None:
    """Drum-shaped cells strung on a thread."""
    rng = pen.rng
    wide = pen.uniform(14, 34)
    thick = wide * pen.uniform(0.35, 0.8)
    pitch = thick * pen.uniform(1.25, 2.3)
    cells = max(2, round(pen.length / pitch))
    pitch = pen.length / cells
    thick = min(thick, pitch * 0.9)
    path = wander(rng, pen.length, bend=pen.uniform(0.1, 0.9))
    bodies, plastids, lids = [], [], []
    for i in range(cells):
        middle = (i + 0.5) * pitch
        box = superellipse(middle, 0, thick / 2, wide / 2, power=pen.uniform(3.5, 6), corners=36)
        bodies.append(along(path, box))
        lids += [
            along(
                path,
                np.array(
                    [(middle + s * thick * 0.1, -wide / 2), (middle + s * thick * 0.1, wide / 2)]
                ),
            )
            for s in (-1, 1)
        ]
        plastids += [
            along(path, blob(rng, middle + x, y, wide * 0.1, corners=14))
            for x, y in scatter_inside(rng, pen.count(4, 9), thick * 0.4, wide * 0.4)
        ]
    thread = along(path, np.stack([np.linspace(0, pen.length, 30), np.zeros(30)], axis=1))
    pen.line(thread, width=0.8, density=0.35)
    pen.fill(*bodies, tint=OLIVE, density=pen.uniform(0.12, 0.22), phase=0.7)
    pen.line(*lids, width=0.7, density=0.12)
    pen.fill(*plastids, tint=GOLDEN, density=pen.uniform(0.35, 0.7), soft=0.8)


def pennate(pen: Pen) -> None:
    """One boat-, needle- or S-shaped cell with two plate chloroplasts and a clear middle."""
    rng = pen.rng
    half = pen.length / 2
    form = pen.uniform(0, 1)
    slim = pen.uniform(0.05, 0.11) if form < 0.35 else pen.uniform(0.13, 0.3)
    up = max(half * slim, 1.8)
    x = np.linspace(-1, 1, 41)
    power = pen.uniform(1.4, 2.6)
    profile = (1 - np.abs(x) ** power) ** pen.uniform(0.6, 1.05)
    tips = 0.12 * np.exp(-((np.abs(x) - 0.93) ** 2) / 0.004) if pen.chance(0.4) else 0.0
    profile = np.maximum(profile, tips)
    bow = up * pen.uniform(0.5, 1.6) * np.sin(np.pi * x) if pen.chance(0.25) else np.zeros(41)
    spine = np.stack([x * half, bow], axis=1)
    outline = np.concatenate(
        [
            spine + np.stack([0 * x, profile * up], 1),
            (spine - np.stack([0 * x, profile * up], 1))[::-1],
        ]
    )
    pen.fill(outline, tint=OLIVE, density=0.12, phase=0.85)
    start, stop = pen.uniform(0.08, 0.2), pen.uniform(0.7, 0.9)
    plates = []
    for side in (-1, 1):
        inside = (x * side > start) & (x * side < stop)
        a, b = spine[inside], profile[inside] * up * pen.uniform(0.6, 0.85)
        plates.append(
            np.concatenate([a + np.stack([0 * b, b], 1), (a - np.stack([0 * b, b], 1))[::-1]])
        )
    pen.fill(
        *plates,
        tint=GOLDEN,
        density=pen.uniform(0.4, 0.85),
        soft=min(1.2, up * 0.25),
        grain=0.25,
        grain_um=4,
    )
    pen.fill(ellipse(0, 0, half * 0.06, up * 0.4), density=0.18, soft=0.6)
    pen.line(spine[3:-3], width=0.6, density=0.25)
    if pen.chance(0.4):
        drops = [
            ellipse(
                sx * half * pen.uniform(0.3, 0.6),
                float(rng.normal()) * up * 0.15,
                up * 0.22,
                up * 0.22,
            )
            for sx in (-1, 1)
        ]
        pen.fill(*drops, density=0.05, phase=0.8)


def centric(pen: Pen) -> None:
    """A disc seen from above with many small chloroplasts, or a drum seen from the side."""
    rng = pen.rng
    r = pen.length / 2
    if pen.chance(0.62):
        face = ellipse(0, 0, r, r * pen.uniform(0.86, 1.0), corners=72)
        pen.fill(
            face, tint=OLIVE, density=pen.uniform(0.12, 0.3), phase=1.0, grain=0.25, grain_um=1.6
        )
        ring = np.concatenate([face, face[:1]])
        pen.line(ring * 0.97, width=max(1.2, r * 0.05), density=pen.uniform(0.5, 0.9))
        pen.line(ring * 0.88, width=0.7, density=0.2)
        n = int(np.clip(r * pen.uniform(0.9, 2.2), 12, 130))
        size = max(1.3, r * pen.uniform(0.05, 0.085))
        spots = scatter_inside(rng, n, r * 0.84, r * 0.82)
        if pen.chance(0.5):
            spots *= 0.55 + 0.45 * np.hypot(*spots.T)[:, None] / r
        pen.fill(
            *[blob(rng, px, py, size * pen.uniform(0.7, 1.3), corners=12) for px, py in spots],
            tint=GOLDEN,
            density=pen.uniform(0.4, 0.75),
            soft=0.7,
        )
        if pen.chance(0.5):
            pen.fill(
                blob(rng, 0, 0, r * pen.uniform(0.15, 0.25)),
                tint=GOLDEN,
                density=0.3,
                soft=r * 0.05,
            )
        return
    tall = r * pen.uniform(0.35, 0.7)
    box = superellipse(0, 0, r, tall, power=pen.uniform(3.5, 7), corners=60)
    pen.fill(box, tint=OLIVE, density=pen.uniform(0.14, 0.3), phase=1.1)
    for side in (-1, 1):
        pen.line(
            np.array([(-r, side * tall * 0.2), (r, side * tall * 0.2)]), width=0.8, density=0.3
        )
        pen.line(
            np.array([(-r * 0.93, side * tall * 0.93), (r * 0.93, side * tall * 0.93)]),
            width=max(1.2, tall * 0.09),
            density=0.55,
        )
    spots = scatter_inside(rng, int(np.clip(r, 14, 80)), r * 0.85, tall * 0.8)
    pen.fill(
        *[blob(rng, px, py, max(1.4, r * 0.075), corners=12) for px, py in spots],
        tint=GOLDEN,
        density=pen.uniform(0.4, 0.75),
        soft=0.7,
    )


def thalassionema(pen: Pen) -> None:
    """Rods joined at their ends into a zigzag or a star."""
    rng = pen.rng
    rods, plastids = [], []
    star = pen.chance(0.4)
    n = pen.count(5, 9) if star else pen.count(3, 9)
    arc = pen.uniform(2.5, 6.2)  # a whole star or a fan of it
    rod = pen.length * (0.5 if star else pen.uniform(1.1, 1.5) / np.sqrt(n))
    slim = rod * pen.uniform(0.05, 0.085)
    at, heading = np.zeros(2), pen.uniform(0, 6.3)
    for i in range(n):
        if star:
            heading = arc * i / n + float(rng.normal()) * 0.13
            at = np.array([np.cos(heading), np.sin(heading)]) * slim
        direction = np.array([np.cos(heading), np.sin(heading)])
        box = superellipse(rod / 2, 0, rod / 2, slim / 2, power=5, corners=24)
        path = np.stack([at, at + direction * rod])
        rods.append(along(path, box))
        m = pen.count(4, 7)
        for k in range(m):
            dot = ellipse(
                rod * (k + 0.8) / (m + 0.6),
                float(rng.normal()) * slim * 0.1,
                slim * 0.42,
                slim * 0.3,
                corners=12,
            )
            plastids.append(along(path, dot))
        at = at + direction * rod * pen.uniform(0.94, 1.0)
        heading += np.pi + (-1) ** i * pen.uniform(0.35, 1.7)
    pen.fill(*rods, tint=OLIVE, density=0.15, phase=0.8)
    pen.fill(*plastids, tint=GOLDEN, density=pen.uniform(0.4, 0.8), soft=0.5)


def cyanobacteria(pen: Pen) -> None:
    """A bundle of straight threads (Trichodesmium) or one thread of beads with heterocysts."""
    rng = pen.rng
    if pen.chance(0.55):
        threads = pen.count(6, 26)
        spread = pen.length * pen.uniform(0.04, 0.13)
        bow = wander(rng, pen.length, bend=pen.uniform(0.05, 0.5), steps=30)
        paths = []
        for _ in range(threads):
            size = pen.length * pen.uniform(0.4, 1.0)
            begin = pen.uniform(0, pen.length - size)
            aside = float(rng.normal()) * spread * 0.5
            fan = float(rng.normal()) * 0.06
            s = np.linspace(begin, begin + size, 18)
            t = (
                aside
                + fan * (s - pen.length / 2)
                + spread * 0.08 * np.sin(s / pen.length * 9 + aside)
            )
            paths.append(along(bow, np.stack([s, t], axis=1)))
        tint = (OLIVE, BROWN, BLUE_GREEN)[pen.count(0, 2)]
        wide = pen.uniform(4.5, 8)
        taken = pen.uniform(0.14, 0.3)
        for i in range(3):  # threads of one part do not darken each other
            if paths[i::3]:
                pen.line(*paths[i::3], width=wide, tint=tint, density=taken, phase=0.45)
        pen.line(*paths, width=wide * 0.4, tint=tint, density=taken * 0.6, soft=0.7)
        return
    cell = pen.uniform(5, 9)
    path = wander(rng, pen.length, bend=pen.uniform(0.3, 2.4), steps=50)
    n = max(4, round(pen.length / cell))
    cells: list[Points] = []
    clear: list[Points] = []
    for i in range(n):
        middle = (i + 0.5) * pen.length / n
        special = pen.chance(0.05)
        size = cell * (0.72 if special else 0.52)
        bead = superellipse(
            middle, 0, size * (1.0 if special else 0.92), size, power=2.6, corners=14
        )
        (clear if special else cells).append(along(path, bead))
    tint = BLUE_GREEN if pen.chance(0.5) else GREEN
    pen.fill(ribbon(path, [cell, cell]), tint=tint, density=0.1, phase=0.35)
    pen.fill(*cells, tint=tint, density=pen.uniform(0.35, 0.65), phase=0.3, grain=0.3, grain_um=1.5)
    if clear:
        pen.fill(*clear, tint=GREY, density=0.18, phase=0.8)
