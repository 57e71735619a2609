"""One filter over what is known of images, for search and map: words, ranges, days."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TypeAlias
from urllib.parse import quote, unquote

import numpy as np
from numpy.typing import NDArray

from core.catalogue import nearby
from core.columns import NONE, Choices, Columns, named, parse_day
from core.errors import CoreError, NotFoundError, RangeError

Bound: TypeAlias = float | date

_WHERE = re.compile(r"\s*(?P<name>.+?)\s*(?P<sign>>=|<=|=)\s*(?P<value>.*?)\s*", re.DOTALL)
_PLAIN = " /,+-()'@*"  # in a link these mean nothing


@dataclass(frozen=True)
class Condition:
    """What one column must be: one of some words, or within a range, its ends included."""

    name: str
    values: tuple[str, ...] = ()
    """Any of these will do; `core.columns.NONE` is for images that have none."""
    low: Bound | None = None
    high: Bound | None = None

    def said(self, unit: str = "") -> str:
        """In words, without the column's name.

        Examples
        --------
        >>> Condition("depth_m", low=5, high=20).said("m"), Condition("size", high=1e3).said("µm")
        ('5 to 20 m', 'up to 1000 µm')
        """
        if self.values:
            shown = ", ".join(value or "none" for value in self.values[:3])
            more = len(self.values) - 3
            return f"{shown} and {more} more" if more > 0 else shown
        low, high = _said(self.low), _said(self.high)
        if low and high:
            text = low if low == high else f"{low} to {high}"
        else:
            text = f"from {low}" if low else f"up to {high}"
        return f"{text} {unit}".rstrip()


@dataclass(frozen=True)
class Filter:
    """Which images may be matches, or stand out on the map; the default lets all of them."""

    where: tuple[Condition, ...] = ()
    """All must hold; one a column."""
    collapse: bool = False
    """Show one of several files with the same content."""

    @classmethod
    def of(
        cls,
        *,
        label: str | None = None,
        sample: str | None = None,
        size_min: float | None = None,
        size_max: float | None = None,
        collapse: bool = False,
        where: Iterable[str] = (),
    ) -> Filter:
        """A filter as the command line says it; `where` holds NAME=VALUE, NAME>=X, NAME<=X.

        Raises
        ------
        RangeError
            If a `where` is none of these.
        """
        made = cls(collapse=collapse)
        for name, word in (("label", label), ("sample", sample)):
            if word is not None:
                made = made.having(Condition(name, (word,)))
        if size_min is not None or size_max is not None:
            made = made.having(Condition("size", low=size_min, high=size_max))
        for text in where:
            made = made._and(text)
        return made

    def _and(self, text: str) -> Filter:
        """One more `where`: several words of a column are alternatives, bounds a range."""
        found = _WHERE.fullmatch(text)
        if found is None:
            raise RangeError(
                f"where is {text[:80]!r}; expected NAME=VALUE, NAME>=NUMBER or NAME<=NUMBER, such "
                "as station=A1, depth_m>=10 or date<=2023-06-30"
            )
        name, sign, value = found["name"], found["sign"], found["value"]
        before = self.on(name) or Condition(name)
        if sign == "=":
            return self.having(replace(before, values=(*before.values, value)))
        end = _bound(value)
        if end is None:
            raise RangeError(
                f"where is {text[:80]!r}, and {value[:40]!r} is neither a number nor a date; "
                "expected such as depth_m>=10 or date<=2023-06-30"
            )
        if sign == ">=":
            return self.having(replace(before, low=end))
        return self.having(replace(before, high=end))

    @property
    def active(self) -> bool:
        """Whether some images may not pass."""
        return bool(self.where)

    def on(self, name: str) -> Condition | None:
        """What it asks of a column."""
        return next((c for c in self.where if c.name == name), None)

    def having(self, condition: Condition) -> Filter:
        """The same with this asked of its column, in place of what was; nothing asked is none."""
        rest = tuple(c for c in self.where if c.name != condition.name)
        empty = not condition.values and condition.low is None and condition.high is None
        return replace(self, where=rest if empty else (*rest, condition))

    def without(self, name: str) -> Filter:
        """The same with nothing asked of this column."""
        return self.having(Condition(name))

    def as_link(self) -> str:
        """The filter as one value of a link's query; empty when it lets everything pass.

        Examples
        --------
        >>> Filter((Condition("station", ("A 1", "B|2")), Condition("depth_m", low=5.0))).as_link()
        'station:A 1|B%7C2;depth_m~5..'
        """
        parts = []
        for c in self.where:
            words = "|".join(quote(value, safe=_PLAIN + ".") for value in c.values)
            body = f":{words}" if c.values else f"~{_said(c.low)}..{_said(c.high)}"
            parts.append(quote(c.name, safe=_PLAIN).replace("~", "%7E") + body)
        return ";".join([*parts, *(["once"] if self.collapse else [])])

    @classmethod
    def from_link(cls, text: str) -> tuple[Filter, list[str]]:
        """What a link asks for, and a sentence for each part of it that cannot be read."""
        made, wrong = cls(), []
        for part in filter(None, text.split(";")):
            if part == "once":
                made = replace(made, collapse=True)
                continue
            condition = _from_link(part)
            if condition is None:
                wrong.append(f"{part[:80]!r} in the link's filter cannot be read; it was left out")
            else:
                made = made.having(condition)
        return made, wrong


def passing(columns: Columns, only: Filter) -> NDArray[np.bool_]:
    """Which rows pass; of files with the same content the first, when those are shown once.

    Raises
    ------
    CoreError
        If a column is not there, or its kind is not what is asked of it; see `checked`.
    """
    out = columns.known.copy()
    for condition in only.where:
        out &= _holds(columns, _fitted(columns, condition))
    if only.collapse:
        rows = np.flatnonzero(out)
        _, first = np.unique(columns.copies[rows], return_index=True)
        out[:] = False
        out[rows[first]] = True
    return out


def check(columns: Columns, only: Filter) -> None:
    """Refuse a filter that names a column or a word that is not there.

    Raises
    ------
    CoreError
        Saying what there is.
    """
    for condition in only.where:
        fitted = _fitted(columns, condition)
        for value in fitted.values:
            _known_word(columns, condition.name, value)


def checked(columns: Columns, only: Filter) -> tuple[Filter, list[str]]:
    """What of a filter still means something, and a sentence for each part that does not."""
    kept, wrong = Filter(collapse=only.collapse), []
    for condition in only.where:
        try:
            fitted = _fitted(columns, condition)
        except CoreError as error:
            wrong.append(f"{error}; it was left out")
            continue
        values = []
        for value in fitted.values:
            try:
                _known_word(columns, condition.name, value)
                values.append(value)
            except NotFoundError as error:
                wrong.append(f"{error}; it was left out")
        kept = kept.having(replace(fitted, values=tuple(values)))
    return kept, wrong


def _holds(columns: Columns, condition: Condition) -> NDArray[np.bool_]:
    column = columns.by_name[condition.name]
    if isinstance(column, Choices):
        wanted = [column.values.index(v) for v in condition.values if v in column.values]
        out: NDArray[np.bool_] = np.isin(column.codes, wanted)
        if NONE in condition.values:
            out |= column.codes < 0
        return out
    out = ~np.isnan(column.values)
    with np.errstate(invalid="ignore"):
        if condition.low is not None:
            out &= column.values >= _number(condition.low)
        if condition.high is not None:
            out &= column.values <= _number(condition.high)
    return out


def _fitted(columns: Columns, condition: Condition) -> Condition:
    """The condition as its column's kind wants it: a number for dates, a word for a number."""
    column = columns.by_name.get(condition.name)
    name = condition.name
    if column is None:
        raise NotFoundError(
            f"there is no column {name[:80]!r} to filter by; {nearby(name, list(columns.by_name))}"
        )
    bounds = condition.low is not None or condition.high is not None
    if isinstance(column, Choices):
        if bounds:
            raise RangeError(f"{name!r} holds words, not numbers; expected {name}=VALUE")
        if not column.shown:
            return condition
        meant = {read: value for value, read in column.reading().items()}
        return replace(condition, values=tuple(meant.get(v, v) for v in condition.values))
    kind = "dates, expected such as 2023-05-04" if column.dates else "numbers"
    low, high = condition.low, condition.high
    if condition.values:  # equal to a number: a range of that one
        ends = [_bound(value) for value in condition.values]
        if bounds or len(ends) > 1 or ends[0] is None:
            raise RangeError(
                f"{name!r} is {', '.join(condition.values)[:80]!r}; it holds {kind}: give one, or "
                f"a range with {name}>= and {name}<="
            )
        low = high = ends[0]
    asked = (low, high)
    low, high = (_as_kind(end, dates=column.dates) for end in asked)
    if (low, high).count(None) > asked.count(None):
        raise RangeError(f"{name!r} holds {kind}, and was compared with {condition.said()}")
    return Condition(name, low=low, high=high)


def _as_kind(end: Bound | None, *, dates: bool) -> Bound | None:
    """A bound as a date or a number; None when it cannot be one. 20230504 may be either."""
    if end is None or isinstance(end, date) == dates:
        return end
    if dates and not isinstance(end, date):
        return parse_day(f"{end:.0f}")
    return None


def _known_word(columns: Columns, name: str, value: str) -> None:
    column = columns.by_name[name]
    if isinstance(column, Choices) and value != NONE and value not in column.values:
        title, _ = named(name)
        there = sorted(column.shown or column.values)
        raise NotFoundError(f"no image has {title} {value[:80]!r}; {nearby(value, there)}")


def _number(end: Bound) -> float:
    return float(end.toordinal()) if isinstance(end, date) else end


def _said(end: Bound | None) -> str:
    if end is None:
        return ""
    if isinstance(end, date):
        return end.isoformat()
    short = f"{end:.15g}"
    return short if float(short) == end else repr(end)


def _bound(text: str) -> Bound | None:
    """A date with dashes, or else a finite number; None for anything else."""
    if re.match(r"\d{4}-", text):
        return parse_day(text)
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _from_link(part: str) -> Condition | None:
    found = re.fullmatch(r"([^:~]+)([:~])(.*)", part, re.DOTALL)
    if found is None:
        return None
    name, body = unquote(found[1]), found[3]
    if found[2] == ":":
        return Condition(name, tuple(dict.fromkeys(unquote(v) for v in body.split("|"))))
    ends: Sequence[str] = body.split("..")
    if len(ends) != 2 or ends == ["", ""]:
        return None
    low, high = (_bound(end) for end in ends)
    if any(text and end is None for text, end in zip(ends, (low, high), strict=True)):
        return None
    return Condition(name, low=low, high=high)
