"""Small charts as SVG text, for a report that needs neither a network nor a script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.evaluation.figures import Figure

COLOURS = ("#0b7285", "#c2571a", "#5f3dc4", "#2b8a3e", "#a61e4d", "#495057")
"""Of encoders, in their order; told apart by people who see red and green alike."""

LINE = 22
"""Pixels a row."""


def intervals(rows: Sequence[tuple[str, Sequence[Figure]]], names: Sequence[str]) -> str:
    """Figures of 0 to 1 as dots with their intervals, a line an encoder under each figure.

    Parameters
    ----------
    rows : (title, one figure an encoder)
    names : encoders
    """
    left, width = 230, 430
    height = sum(LINE + 12 * len(names) for _ in rows) + 24
    parts = [_open(left + width + 70, height, "figures with their 95 % intervals")]
    for tick in (0, 0.25, 0.5, 0.75, 1):
        x = left + tick * width
        parts.append(f'<line class="grid" x1="{x}" x2="{x}" y1="4" y2="{height - 20}"/>')
        parts.append(f'<text x="{x}" y="{height - 6}" text-anchor="middle">{tick:g}</text>')
    y = 14.0
    for title, figures in rows:
        middle = y + 6 * len(names)
        parts.append(f'<text x="{left - 12}" y="{middle}" text-anchor="end">{escape(title)}</text>')
        for number, figure in enumerate(figures):
            at = y + 12 * number
            if figure.value is None:
                continue
            colour = COLOURS[number % len(COLOURS)]
            value, low, high = (
                left + width * min(max(end, 0.0), 1.0)
                for end in (
                    figure.value,
                    figure.value if figure.low is None else figure.low,
                    figure.value if figure.high is None else figure.high,
                )
            )
            told = escape(f"{names[number]}: {title} {figure}")
            parts.append(
                f'<g><title>{told}</title><line x1="{low:.1f}" x2="{high:.1f}" y1="{at}" '
                f'y2="{at}" stroke="{colour}" stroke-width="3" stroke-opacity=".45"/>'
                f'<circle cx="{value:.1f}" cy="{at}" r="4" fill="{colour}"/></g>'
            )
        y += LINE + 12 * len(names)
    return "".join([*parts, "</svg>"])


def legend(names: Sequence[str]) -> str:
    """Which colour is which encoder."""
    return " ".join(
        f'<span class="key"><i style="background:{COLOURS[n % len(COLOURS)]}"></i>'
        f"{escape(name)}</span>"
        for n, name in enumerate(names)
    )


def curves(rows: Sequence[tuple[str, Mapping[str, Any]]], *, way: str) -> str:
    """Accuracy against labels per kind; what was extrapolated is hollow, with its interval.

    Parameters
    ----------
    rows : (encoder, its ``label_efficiency``)
    way : "knn" or "probe"
    """
    left, width, height = 46, 520, 260
    most = max(
        max([p["labels"] for p in curve[way]] + [curve["extended"][way]["labels"] or 1])
        for _, curve in rows
    )
    scale = width / max(float(np.log2(most)), 1.0)

    def across(labels: float) -> float:
        return left + float(np.log2(labels)) * scale

    def up(value: float) -> float:
        return 10 + (1 - value) * (height - 20)

    parts = [_open(left + width + 30, height + 34, "accuracy against labels per kind")]
    for tick in (0, 0.25, 0.5, 0.75, 1):
        y = up(tick)
        parts.append(f'<line class="grid" x1="{left}" x2="{left + width}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text x="{left - 8}" y="{y + 4}" text-anchor="end">{tick:g}</text>')
    for labels in sorted({p["labels"] for _, curve in rows for p in curve[way]} | {most}):
        x, y = across(labels), height + 8
        parts.append(f'<text x="{x:.1f}" y="{y}" text-anchor="middle">{labels:g}</text>')
    parts.append(
        f'<text x="{left + width / 2}" y="{height + 26}" text-anchor="middle">labels of each kind'
        "</text>"
    )
    for number, (name, curve) in enumerate(rows):
        colour, points = COLOURS[number % len(COLOURS)], curve[way]
        line = " ".join(f"{across(p['labels']):.1f},{up(p['mean']):.1f}" for p in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for p in points:
            told = (
                f"{name}: {p['mean']:.3f} with {p['labels']:g} ({p['low']:.3f} to {p['high']:.3f})"
            )
            parts.append(_whisker(across(p["labels"]), up(p["low"]), up(p["high"]), colour))
            parts.append(_dot(across(p["labels"]), up(p["mean"]), colour, colour, told))
        more = curve["extended"][way]
        if more["accuracy"]["value"] is None:
            continue
        figure, x = Figure.from_json(more["accuracy"]), across(more["labels"])
        assert figure.value is not None
        assert figure.low is not None
        assert figure.high is not None
        start = points[-1]
        parts.append(
            f'<line x1="{across(start["labels"]):.1f}" y1="{up(start["mean"]):.1f}" x2="{x:.1f}" '
            f'y2="{up(figure.value):.1f}" stroke="{colour}" stroke-dasharray="4 4"/>'
        )
        parts.append(_whisker(x, up(figure.low), up(figure.high), colour))
        told = f"{name}: {figure} expected with {more['labels']}"
        parts.append(_dot(x, up(figure.value), "none", colour, told))
    return "".join([*parts, "</svg>"])


def matrix(counts: NDArray[np.int64], kinds: Sequence[str]) -> str:
    """A confusion matrix: rows are what images are, columns what was decided, darker for more."""
    side, left = 16, 130
    size = side * len(kinds)
    parts = [_open(left + size + 10, left + size + 6, "what is taken for what")]
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    for row, kind in enumerate(kinds):
        y = left + row * side
        parts.append(
            f'<text x="{left - 6}" y="{y + 12}" text-anchor="end">{escape(_short(kind))}</text>'
        )
        parts.append(
            f'<text transform="translate({y + 12},{left - 6}) rotate(-60)">'
            f"{escape(_short(kind))}</text>"
        )
        for column, other in enumerate(kinds):
            count = int(counts[row, column])
            x, colour = left + column * side, "#0b7285" if row == column else "#c2571a"
            told = escape(f"{kind} taken for {other}: {count} of {int(counts[row].sum())}")
            parts.append(
                f'<rect x="{x}" y="{y}" width="{side - 1}" height="{side - 1}" fill="{colour}" '
                f'fill-opacity="{shares[row, column]:.3f}" class="cell"><title>{told}</title>'
                "</rect>"
            )
    return "".join([*parts, "</svg>"])


def _short(text: str, most: int = 18) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _open(width: float, height: float, title: str) -> str:
    return (
        f'<svg viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" role="img" '
        f'aria-label="{escape(title)}">'
    )


def _whisker(x: float, low: float, high: float, colour: str) -> str:
    return (
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{low:.1f}" y2="{high:.1f}" stroke="{colour}" '
        'stroke-opacity=".5"/>'
    )


def _dot(x: float, y: float, fill: str, colour: str, told: str) -> str:
    return (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{fill}" stroke="{colour}" '
        f'stroke-width="2"><title>{escape(told)}</title></circle>'
    )
