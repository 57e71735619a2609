"""What is known of a view's images, one array a column, in the order of its vectors.

Read once a revision of the catalogue: a click on a filter then looks at arrays, not at the
catalogue's rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from core import label_history, labels
from core.library import Library, View

NONE = ""
"""The value of images that have none."""

MAX_CHOICES = 200
"""A text column with more values than this is no choice; labels and samples may have more."""

DATED = 0.9
"""A column is one of dates when so large a share of its texts are."""

BUILT_IN = ("label", "sample", "size")
ABOUT_LABELS = ("label_status", "labelled_by")
PRIVATE = ("labelled_by",)
"""Columns whose values are people: links say a number for them, and nothing is coloured by them."""
FIRST = ("station", "date", "depth", "instrument")
"""Words of column names that people look for first."""

_UNITS = {"um": "µm", "mm": "mm", "m": "m", "um2": "µm²"}
_DATE = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)(?=$|[T ])")
_NUMBERING = re.compile(r"(^|_)(id|number|nr|no|rank|index|row)$", re.IGNORECASE)


@dataclass(frozen=True)
class Choices:
    """A word for each image."""

    codes: NDArray[np.int32]
    """Place among `values`; -1 for images without one."""
    values: list[str]
    shown: tuple[str, ...] = ()
    """How the values read where links and addresses must not say so; one each, or none."""

    def reading(self) -> dict[str, str]:
        """value -> how it reads."""
        return dict(zip(self.values, self.shown or self.values, strict=True))


@dataclass(frozen=True)
class Numbers:
    """A number for each image, NaN for those without one."""

    values: NDArray[np.float64]
    dates: bool = False
    """Whether they are days, as `datetime.date.toordinal` counts them."""


Column: TypeAlias = Choices | Numbers


@dataclass(frozen=True)
class Columns:
    """Every column of a view; arrays have one entry a row of its vectors."""

    known: NDArray[np.bool_]
    """Whether the image is catalogued; one that is not yet is nobody's match."""
    copies: NDArray[np.int64]
    """The same number for files of the same content, a number of its own where that is unknown."""
    by_name: Mapping[str, Column]
    size_unit: str
    """µm, px, or both where the pixel size of some images only is known."""

    def with_labels(self, found: Mapping[str, Choices]) -> Columns:
        """The same with other labels, as `read_labels` gives them."""
        return replace(self, by_name={**self.by_name, **found})


@dataclass(frozen=True)
class Field:
    """A column worth filtering by, with what there is to choose from."""

    name: str
    kind: Literal["choice", "number", "date"]
    label: str
    unit: str = ""
    values: tuple[tuple[str, int], ...] = ()
    """Each word and its number of images, in natural order; `NONE` last, for those without."""
    low: float | date | None = None
    high: float | date | None = None
    missing: int = 0
    """Images that have no value."""
    shown: Mapping[str, str] = field(default_factory=dict)
    """How a word reads, where not as it is."""


def read_columns(library: Library, view: View) -> Columns:
    """Sample, size and metadata of every image; labels come with `read_labels`."""
    uid, ids = view.collection.uid, view.snapshot.ids
    row_of = {id: row for row, id in enumerate(ids)}
    n = len(ids)
    known = np.zeros(n, bool)
    samples: list[Any] = [None] * n
    longest, um_per_px = np.full(n, np.nan), np.full(n, np.nan)
    copies = np.arange(n, dtype=np.int64)
    first_of: dict[str, int] = {}
    gathered: dict[str, list[Any]] = {}
    for id, width, height, scale, sample, content_hash, metadata in library.catalogue.table(
        uid, ("id", "width", "height", "um_per_px", "sample", "content_hash", "metadata")
    ):
        row = row_of.get(id)
        if row is None:
            continue
        known[row] = True
        samples[row] = sample
        if width is not None and height is not None:
            longest[row] = max(width, height)
        if scale is not None:
            um_per_px[row] = scale
        if content_hash:
            copies[row] = first_of.setdefault(content_hash, row)
        for name, value in metadata.items():
            column = gathered.get(name)
            if column is None:
                column = gathered[name] = [None] * n
            column[row] = value
    measured = ~np.isnan(um_per_px)
    sized = known & ~np.isnan(longest)
    units = [u for u, some in (("µm", sized & measured), ("px", sized & ~measured)) if some.any()]
    by_name: dict[str, Column] = {
        "sample": _choices(samples),
        "size": Numbers(np.where(measured, longest * um_per_px, longest)),
    }
    by_name |= {column_name(name): column_of(name, values) for name, values in gathered.items()}
    return Columns(known, copies, by_name, " or ".join(units) or "px")


def read_labels(library: Library, view: View) -> dict[str, Choices]:
    """The current label of every image, its status and who said it.

    People are numbered in the order of their first word, which never changes: `person 2` may stand
    in a link, a name may not.
    """
    catalogue, uid = library.catalogue, view.collection.uid
    found = labels.current(catalogue, uid)
    every = [found.get(id) for id in view.snapshot.ids]
    made = {"label": _choices([each and each.label for each in every])}
    if not any(every):
        return made
    made["label_status"] = _choices([each and each.status for each in every])
    number = label_history.numbers(catalogue, uid)
    said = {f"person {number[by]}": by for by in {each.by for each in every if each}}
    people = _choices([each and f"person {number[each.by]}" for each in every])
    made["labelled_by"] = replace(people, shown=tuple(said[value] for value in people.values))
    return made


def columns(library: Library, view: View) -> Columns:
    """All of it, read now."""
    return read_columns(library, view).with_labels(read_labels(library, view))


def column_name(name: str) -> str:
    """What a metadata column is called beside label, sample and size.

    Examples
    --------
    >>> column_name("depth_m"), column_name("label")
    ('depth_m', 'meta_label')
    """
    return (
        f"meta_{name}"
        if re.fullmatch(rf"(meta_)*({'|'.join((*BUILT_IN, *ABOUT_LABELS))})", name)
        else name
    )


def column_of(name: str, values: Sequence[Any]) -> Column:
    """Dates, numbers or words, whichever these values are; None and empty text are no value."""
    given = [v for v in values if v is not None and v != ""]
    kinds = set(map(type, given))
    if kinds and kinds <= {int, float}:
        if "date" in name.lower() and kinds == {int} and all(_day(str(v)) for v in given):
            return _days("" if v is None else str(v) for v in values)
        return Numbers(np.array([np.nan if v in (None, "") else v for v in values], np.float64))
    if kinds == {str}:
        step = max(1, len(given) // 5)
        if "date" in name.lower() or all(_DATE.match(v) for v in given[::step]):
            days = _days(v or "" for v in values)
            if np.count_nonzero(~np.isnan(days.values)) >= DATED * len(given):
                return days
    return _choices(values)


def _days(texts: Iterable[str]) -> Numbers:
    seen: dict[str, float] = {"": np.nan}
    out = []
    for text in texts:
        start = text[:11]  # the day, and what tells that it ends there
        if start not in seen:
            day = _day(start)
            seen[start] = np.nan if day is None else float(day.toordinal())
        out.append(seen[start])
    return Numbers(np.array(out, np.float64), dates=True)


def _day(text: str) -> date | None:
    found = _DATE.match(text.strip())
    if found is None:
        return None
    try:
        return date(*map(int, found.groups()))
    except ValueError:
        return None


def parse_day(text: str) -> date | None:
    """The day of an ISO date or of YYYYMMDD, a time after it left aside; None when it is none.

    Examples
    --------
    >>> parse_day("20230504"), parse_day("2023-05-04T12:00:00Z"), parse_day("4 May")
    (datetime.date(2023, 5, 4), datetime.date(2023, 5, 4), None)
    """
    return _day(text)


def _choices(values: Sequence[Any]) -> Choices:
    places: dict[str, int] = {}
    seen: dict[tuple[type, Any], int] = {}  # True and 1 are equal, and not the same word
    codes = []
    for value in values:
        key = (type(value), value)
        code = seen.get(key)
        if code is None:
            none = value is None or value == ""
            code = seen[key] = -1 if none else places.setdefault(word(value), len(places))
        codes.append(code)
    return Choices(np.array(codes, np.int32), list(places))


def word(value: Any) -> str:
    """A value as it is read, and as links and commands name it.

    Examples
    --------
    >>> word(True), word(2.0), word("St 1")
    ('yes', '2', 'St 1')
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def named(name: str) -> tuple[str, str]:
    """A column's name for reading, and its unit when the name ends with one.

    Examples
    --------
    >>> named("depth_m"), named("magnification"), named("object_esd_um")
    (('depth', 'm'), ('magnification', ''), ('object esd', 'µm'))
    """
    stem, _, unit = name.rpartition("_")
    if stem and unit in _UNITS:
        return stem.replace("_", " "), _UNITS[unit]
    return name.replace("_", " "), ""


def fields(columns: Columns) -> list[Field]:
    """The columns worth filtering by, those people look for first at the front.

    Left out are columns with one value, text that is nearly another in each image, and numbers
    that only count.
    """
    found = [_field(name, column, columns) for name, column in columns.by_name.items()]
    order = {name: place for place, name in enumerate((*BUILT_IN, *ABOUT_LABELS))}

    def rank(field: Field) -> tuple[int, int]:
        words = [n for n, part in enumerate(FIRST) if part in field.name.lower()]
        return order.get(field.name, 9), min(words, default=9)

    return sorted((field for field in found if field is not None), key=rank)


def _field(name: str, column: Column, columns: Columns) -> Field | None:
    title, unit = named(name)
    title = title[:1].upper() + title[1:]
    if name == "size":
        unit = columns.size_unit
    if isinstance(column, Choices):
        return _choice_field(name, title, column, columns.known)
    values = column.values[columns.known]
    given = values[~np.isnan(values)]
    if not len(given) or given.min() == given.max() or (not column.dates and _counts(name, given)):
        return None
    low, high, missing = float(given.min()), float(given.max()), len(values) - len(given)
    if not column.dates:
        return Field(name, "number", title, unit, low=low, high=high, missing=missing)
    first, last = date.fromordinal(int(low)), date.fromordinal(int(high))
    return Field(name, "date", title, low=first, high=last, missing=missing)


def _choice_field(name: str, title: str, column: Choices, known: NDArray[np.bool_]) -> Field | None:
    codes = column.codes[known]
    counts = np.bincount(codes[codes >= 0], minlength=len(column.values))
    there = [(word, int(n)) for word, n in zip(column.values, counts, strict=True) if n]
    missing = int(np.count_nonzero(codes < 0))
    if len(there) + (missing > 0) < 2:
        return None
    if name not in ("label", "sample", *ABOUT_LABELS):
        given = len(codes) - missing
        if len(there) > MAX_CHOICES or (len(there) > given / 2 and len(there) > 2):
            return None
    there.sort(key=lambda each: natural(each[0]))
    if missing:
        there.append((NONE, missing))
    shown = column.reading() if column.shown else {}
    return Field(name, "choice", title, values=tuple(there), missing=missing, shown=shown)


def _counts(name: str, given: NDArray[np.float64]) -> bool:
    """Whether numbers only tell images apart: each another, whole, and close together or so named.

    Examples
    --------
    >>> _counts("roi", np.arange(50.0)), _counts("esd", np.arange(50.0) / 3)
    (True, False)
    """
    if len(given) < 10 or (given != np.round(given)).any() or len(np.unique(given)) < len(given):
        return False
    return bool(_NUMBERING.search(name)) or float(given.max() - given.min()) < 2 * len(given)


def natural(text: str) -> list[tuple[int, int, str]]:
    """A key that sorts St 2 before St 10.

    Examples
    --------
    >>> sorted(["St 10", "St 2", "a"], key=natural)
    ['a', 'St 2', 'St 10']
    """
    parts = re.findall(r"[0-9]+|[^0-9]+", text.casefold())
    return [(0, int(p[:18]), p) if p[0] in "0123456789" else (1, 0, p) for p in parts]
