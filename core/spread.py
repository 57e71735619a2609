"""Where some images of a collection come from: how many of them in each sample, depth, month."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from core.columns import FIRST, Choices, Columns, Numbers, named, natural

BARS = 12
"""Bars of one chart; words beyond the most frequent are "others", numbers make ranges."""

WHERE = FIRST[:3]
"""Stations, dates, depths."""


@dataclass(frozen=True)
class Bar:
    """One value, with how many of the images have it, of how many in the collection."""

    value: str
    count: int
    of: int

    @property
    def share(self) -> float:
        """Of the collection's images with this value, the share that is among these."""
        return self.count / self.of if self.of else 0.0


@dataclass(frozen=True)
class Spread:
    """Some images over the values of one column."""

    name: str
    title: str
    bars: tuple[Bar, ...]
    missing: int
    """Of the images those without a value."""


def spreads(known: Columns, rows: NDArray[np.int64]) -> list[Spread]:
    """Over labels and samples, then stations, dates and depths; none where there is nothing.

    A column with one value for the whole collection says nothing, and is left out.
    """
    names = ["label", "sample"]
    for word in WHERE:
        names += [name for name in known.by_name if word in name.lower() and name not in names]
    days = [
        n for n, column in known.by_name.items() if isinstance(column, Numbers) and column.dates
    ]
    names += [name for name in days if name not in names]
    found = [_spread(name, known, rows) for name in names if name in known.by_name]
    return [each for each in found if each is not None]


def _spread(name: str, known: Columns, rows: NDArray[np.int64]) -> Spread | None:
    column = known.by_name[name]
    if isinstance(column, Choices):
        values, codes = column.values, column.codes.astype(np.int64)
        order = sorted(range(len(values)), key=lambda code: natural(values[code]))
    else:
        values, codes = _ranges(column)
        order = list(range(len(values)))
    everywhere = np.bincount(codes[known.known & (codes >= 0)], minlength=len(values))
    here = np.bincount(codes[rows][codes[rows] >= 0], minlength=len(values))
    if np.count_nonzero(everywhere) < 2:
        return None
    title, unit = named(name)
    title = title[:1].upper() + title[1:] + (f" ({unit})" if unit else "")
    # a sample without any is news, a label without any is not
    there = here if name == "label" else everywhere
    bars = _bars([(values[c], int(here[c]), int(everywhere[c])) for c in order if there[c]])
    return Spread(name, title, bars, len(rows) - int(here.sum()))


def _bars(counted: Sequence[tuple[str, int, int]]) -> tuple[Bar, ...]:
    if len(counted) <= BARS:
        return tuple(Bar(*each) for each in counted)
    most = sorted(range(len(counted)), key=lambda i: (-counted[i][1], i))[: BARS - 1]
    rest = [each for i, each in enumerate(counted) if i not in set(most)]
    others = (f"{len(rest)} others", sum(e[1] for e in rest), sum(e[2] for e in rest))
    return tuple(Bar(*each) for each in (*(counted[i] for i in sorted(most)), others))


def _ranges(column: Numbers) -> tuple[list[str], NDArray[np.int64]]:
    """Numbers as ranges, days as months or years, where they are too many to stand alone."""
    given = ~np.isnan(column.values)
    codes = np.full(len(column.values), -1, np.int64)
    different, place = np.unique(column.values[given], return_inverse=True)
    if column.dates:
        for letters in (10, 7, 4):  # a day, a month, a year of an ISO date
            texts = [date.fromordinal(int(day)).isoformat()[:letters] for day in different]
            words = sorted(set(texts))
            if len(words) <= BARS:
                break
        codes[given] = np.searchsorted(words, texts)[place] if words else 0
        return words, codes
    if len(different) <= BARS:
        codes[given] = place
        return [f"{value:.4g}" for value in different], codes
    edges = _round_edges(float(different[0]), float(different[-1]))
    codes[given] = np.clip(
        np.searchsorted(edges, column.values[given], side="right") - 1, 0, len(edges) - 2
    )
    return [f"{a:.4g} to {b:.4g}" for a, b in pairwise(edges)], codes


def _round_edges(low: float, high: float) -> list[float]:
    """Ends of at most BARS ranges of a round width that hold low to high.

    Examples
    --------
    >>> _round_edges(3, 98)
    [0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 100.0]
    """
    power = 10.0 ** np.floor(np.log10((high - low) / BARS))
    for step in (1, 2, 2.5, 5, 10, 20):
        width = step * power
        first, last = np.floor(low / width), np.floor(high / width) + 1
        if last - first <= BARS:
            break
    return [float(f"{edge * width:.12g}") for edge in np.arange(first, last + 1)]
