"""Closed outlines and open paths, as (k, 2) points in micrometres (or any one unit)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
Rng = np.random.Generator


def ellipse(
    x: float, y: float, a: float, b: float, *, angle: float = 0.0, corners: int = 40
) -> Points:
    """An ellipse with half axes a and b around (x, y), turned by `angle` radians."""
    return superellipse(x, y, a, b, power=2.0, angle=angle, corners=corners)


def superellipse(
    x: float,
    y: float,
    a: float,
    b: float,
    *,
    power: float,
    angle: float = 0.0,
    corners: int = 40,
) -> Points:
    """Between a diamond (power 1), an ellipse (2) and a rounded rectangle (4 and more)."""
    t = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    cos, sin = np.cos(t), np.sin(t)
    flat = np.stack(
        [
            a * np.sign(cos) * np.abs(cos) ** (2 / power),
            b * np.sign(sin) * np.abs(sin) ** (2 / power),
        ],
        axis=1,
    )
    return np.asarray(turn(flat, angle) + np.array([x, y]), np.float64)


def blob(
    rng: Rng,
    x: float,
    y: float,
    radius: float,
    *,
    rough: float = 0.2,
    stretch: float = 1.0,
    angle: float = 0.0,
    falloff: float = 1.3,
    corners: int = 64,
) -> Points:
    """A closed irregular outline: a circle disturbed by waves that grow weaker with frequency."""
    t = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    orders = np.arange(2, max(4, corners // 5))
    weights = rng.normal(size=len(orders)) * rough / (orders - 1.0) ** falloff
    phases = rng.uniform(0, 2 * np.pi, len(orders))
    r = 1 + (weights[:, None] * np.cos(orders[:, None] * t + phases[:, None])).sum(axis=0)
    r = radius * np.clip(r, 0.25, 2.2)
    flat = np.stack([r * np.cos(t) * stretch, r * np.sin(t)], axis=1)
    return np.asarray(turn(flat, angle) + np.array([x, y]), np.float64)


def turn(points: Points, angle: float) -> Points:
    """Rotate around the origin by `angle` radians."""
    cos, sin = np.cos(angle), np.sin(angle)
    return np.asarray(points @ np.array([[cos, sin], [-sin, cos]]), np.float64)


def smooth(knots: Sequence[tuple[float, float]] | Points, *, steps: int = 10) -> Points:
    """An open curve through the knots (Catmull-Rom, ends doubled)."""
    k = np.asarray(knots, np.float64)
    k = np.concatenate([2 * k[:1] - k[1:2], k, 2 * k[-1:] - k[-2:-1]])
    return np.concatenate([_catmull_rom(k, steps), k[-2:-1]])


def smooth_closed(knots: Sequence[tuple[float, float]] | Points, *, steps: int = 8) -> Points:
    """A closed curve through the knots."""
    k = np.asarray(knots, np.float64)
    return _catmull_rom(np.concatenate([k[-1:], k, k[:2]]), steps)


def _catmull_rom(k: Points, steps: int) -> Points:
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    p0, p1, p2, p3 = (k[i : len(k) - 3 + i, None, :] for i in range(4))
    curve = 0.5 * (
        2 * p1
        + (p2 - p0) * t
        + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2
        + (3 * p1 - p0 - 3 * p2 + p3) * t**3
    )
    return np.asarray(curve.reshape(-1, 2), np.float64)


def wander(
    rng: Rng, length: float, *, bend: float, steps: int = 24, x: float = 0.0, y: float = 0.0
) -> Points:
    """A path of a given length centred on (x, y) whose direction drifts smoothly by `bend` rad."""
    t = np.linspace(-1, 1, steps)
    heading = bend * (rng.normal() * t + 0.6 * rng.normal() * (t**2 - 0.33))
    heading += 0.3 * bend * rng.normal() * np.sin(np.pi * (2 * t + rng.uniform(0, 2)))
    step = length / (steps - 1)
    path = np.cumsum(np.stack([np.cos(heading), np.sin(heading)], axis=1) * step, axis=0)
    return np.asarray(path - path.mean(axis=0) + (x, y), np.float64)


def along(path: Points, where: Points) -> Points:
    """Lay points given as (distance along, distance aside) onto a path.

    Points before the start and past the end go on straight.
    """
    steps = np.diff(path, axis=0)
    lengths = np.hypot(steps[:, 0], steps[:, 1])
    at = np.concatenate([[0.0], np.cumsum(lengths)])
    directions = steps / np.maximum(lengths, 1e-9)[:, None]
    middles = (at[:-1] + at[1:]) / 2
    s, t = where[:, 0], where[:, 1]
    d = np.stack([np.interp(s, middles, directions[:, i]) for i in (0, 1)], axis=1)
    d /= np.maximum(np.hypot(d[:, 0], d[:, 1]), 1e-9)[:, None]
    base = np.stack([np.interp(s, at, path[:, i]) for i in (0, 1)], axis=1)
    base += d * (np.minimum(s, 0) + np.maximum(s - at[-1], 0))[:, None]
    return np.asarray(base + np.stack([-d[:, 1], d[:, 0]], axis=1) * t[:, None], np.float64)


def ribbon(path: Points, widths: Sequence[float] | Points) -> Points:
    """The outline of a stroke along the path whose width runs through `widths`."""
    w = np.interp(np.linspace(0, 1, len(path)), np.linspace(0, 1, len(widths)), np.asarray(widths))
    d = np.gradient(path, axis=0)
    d /= np.maximum(np.hypot(d[:, 0], d[:, 1]), 1e-9)[:, None]
    aside = np.stack([-d[:, 1], d[:, 0]], axis=1) * (w / 2)[:, None]
    return np.asarray(np.concatenate([path + aside, (path - aside)[::-1]]), np.float64)


def scatter_inside(rng: Rng, n: int, a: float, b: float, *, spread: float = 1.0) -> Points:
    """n points evenly inside an ellipse with half axes a and b."""
    r = np.sqrt(rng.uniform(0, 1, n)) * spread
    t = rng.uniform(0, 2 * np.pi, n)
    return np.stack([a * r * np.cos(t), b * r * np.sin(t)], axis=1)
