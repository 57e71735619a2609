"""A column's values as groups with an order: words as they are, numbers and days in bins."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from core.columns import Choices, Column, Numbers, named, natural

FEW = 12
"""A number or day with up to so many values is grouped value by value."""

BINS = 8
"""About so many bins of equal width."""

STRATA = (0, 10, 25, 50, 75, 100, 150, 200, 300, 400, 500, 750, 1000, 1500, 2000, 3000, 4000, 5000,
          6000, 8000, 11000)  # fmt: skip
"""Limits of depth bins, in metres, close where the water is sampled closely."""

WIDE = 8
"""Numbers whose 95th percentile is so many times their 5th are binned by factors, not by steps."""

DAYS, MONTHS = 45, 60
"""Up to so many different days are groups each, and then months; beyond, years."""


@dataclass(frozen=True)
class Groups:
    """Which group each image is in; groups are in the order of their values."""

    codes: NDArray[np.int64]
    """Place among `names`; -1 for images that have no value."""
    names: list[str]
    """Without their unit."""
    title: str
    """What they are groups of, and their unit: "Depth (m)"."""
    binned: str = ""
    """How values were made groups, in a sentence; empty where each value is one."""


def grouped(name: str, column: Column, passes: NDArray[np.bool_], *, unit: str = "") -> Groups:
    """Group images by a column; only values of images that pass make groups.

    Parameters
    ----------
    name : str
        The column's, which says what it is about: depths have limits of their own.
    unit : str
        Of a number whose name has none.
    """
    title, known_unit = named(name)
    unit = known_unit or unit
    title = title[:1].upper() + title[1:] + (f" ({unit})" if unit else "")
    if isinstance(column, Choices):
        return _words(column.codes.astype(np.int64), column.values, passes, title)
    values = np.where(passes, column.values, np.nan)
    if column.dates:
        return _days(values, title)
    return _numbers(values, title, depth="depth" in name.lower())


def together(passes: NDArray[np.bool_]) -> Groups:
    """All that pass as one group."""
    return Groups(np.where(passes, 0, -1), ["all images"], "All")


def _words(
    codes: NDArray[np.int64], words: Sequence[str], passes: NDArray[np.bool_], title: str
) -> Groups:
    there = np.unique(codes[passes & (codes >= 0)]).tolist()
    there.sort(key=lambda code: natural(words[code]))
    place = np.full(len(words) + 1, -1, np.int64)  # the last is for -1, none
    place[there] = np.arange(len(there))
    return Groups(np.where(passes, place[codes], -1), [words[code] for code in there], title)


def _numbers(values: NDArray[np.float64], title: str, *, depth: bool) -> Groups:
    values = np.where(np.isfinite(values), values, np.nan)
    given = values[~np.isnan(values)]
    different = np.unique(given)
    if len(different) <= FEW:
        names = [_text(v) for v in different]
        codes = np.where(np.isnan(values), -1, np.searchsorted(different, values))
        return Groups(codes, names, title)
    edges, how = _edges(given, depth=depth)
    texts = [_text(edge) for edge in edges]
    names = [f"{a} to {b}" for a, b in pairwise(texts)]
    codes = np.searchsorted(edges, values, side="right") - 1
    codes = np.where(np.isnan(values), -1, codes)
    how += "; a value on a limit counts above it"
    return _occupied(codes, names, title, how)


def _text(value: float) -> str:
    return f"{value + 0.0:.12g}"  # no -0


def _edges(given: NDArray[np.float64], *, depth: bool) -> tuple[NDArray[np.float64], str]:
    """Limits of the bins, the last one above all values."""
    low, high = float(given.min()), float(given.max())
    strata = np.array(STRATA, np.float64)
    if depth and strata[3] < high < strata[-1] and low >= 0:
        within = strata[(strata > low) & (strata <= high)]
        edges = np.concatenate([strata[strata <= low][-1:], within, strata[strata > high][:1]])
        return edges, "in the usual depth strata"
    if low > 0 and not depth:
        fifth, last = np.quantile(given, [0.05, 0.95])
        if last > WIDE * fifth:
            return _factors(low, high), "in bins that grow with the value"
    step = _round_step((high - low) / BINS)
    first, end = math.floor(low / step), math.floor(high / step) + 1
    edges = np.arange(first, end + 1) * step
    digits = max(0, 1 - math.floor(math.log10(step)))
    return np.round(edges, digits), f"in bins of {_text(step)}"


def _round_step(least: float) -> float:
    """1, 2 or 5 times a power of ten, not below `least`.

    Examples
    --------
    >>> _round_step(0.13), _round_step(3), _round_step(70)
    (0.2, 5.0, 100.0)
    """
    power = 10.0 ** math.floor(math.log10(least))
    step = next((m * power for m in (1, 2, 5) if m * power >= least), 10 * power)
    return float(f"{step:.10g}")


def _factors(low: float, high: float) -> NDArray[np.float64]:
    """1, 2, 5, 10, 20... from the last not above `low` to the first above `high`; beyond five
    decades only powers of ten."""
    first, last = math.floor(math.log10(low)), math.floor(math.log10(high)) + 1
    parts = (1, 2, 5) if last - first <= 5 else (1,)
    every = np.array(
        [float(f"{part}e{power}") for power in range(first, last + 1) for part in parts]
    )
    start = np.searchsorted(every, low, side="right") - 1
    end = np.searchsorted(every, high, side="right")
    return every[max(start, 0) : end + 1]


def _days(values: NDArray[np.float64], title: str) -> Groups:
    missing = np.isnan(values)
    different, place = np.unique(values[~missing], return_inverse=True)
    days = [date.fromordinal(int(day)).isoformat() for day in different]
    letters, how = 10, ""
    if len(days) > DAYS or (len(days) > FEW and different[-1] - different[0] > DAYS):
        months = len({day[:7] for day in days})
        letters, how = (7, "by month") if months <= MONTHS else (4, "by year")
    names = sorted({day[:letters] for day in days})
    at = {name: number for number, name in enumerate(names)}
    codes = np.full(len(values), -1, np.int64)
    codes[~missing] = np.array([at[day[:letters]] for day in days], np.int64)[place]
    return Groups(codes, names, title, how)


def _occupied(codes: NDArray[np.int64], names: list[str], title: str, how: str) -> Groups:
    """The groups without those that hold nothing."""
    there = np.unique(codes[codes >= 0])
    place = np.full(len(names) + 1, -1, np.int64)
    place[there] = np.arange(len(there))
    return Groups(place[codes], [names[int(c)] for c in there], title, how)


def day_of(dates: Numbers, groups: Groups) -> list[float | None]:
    """The first day of each group's images; None where it has none, or more than two days long.

    A group of many days, such as a station visited each month, has no date of its own.
    """
    out: list[float | None] = []
    order = np.argsort(groups.codes, kind="stable")
    starts = np.searchsorted(groups.codes[order], np.arange(len(groups.names) + 1))
    for a, b in pairwise(starts):
        days = dates.values[order[a:b]]
        days = days[~np.isnan(days)]
        one = len(days) and days.max() - days.min() <= 1
        out.append(float(days.min()) if one else None)
    return out
