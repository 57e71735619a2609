"""Results of commands for people: a line a field, a table a list."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import Any

SHOWN = 100
"""Entries of a list that are shown."""
FEW = 12
"""Numbers of a list that are shown."""
SHORT = 40
"""Characters of names that share a line."""
WIDE = 100
"""Characters of a line, or of a cell, that are shown."""


def lines(result: Mapping[str, Any], indent: str = "") -> list[str]:
    """A result as text: a line a field, a table a list of objects, fields of objects indented.

    Examples
    --------
    >>> lines({"recall": {"value": 0.5, "ci95": [0.25, 0.75]}, "kinds": ["a", "b"]})
    ['recall: 0.5 (0.25 to 0.75)', 'kinds: 2', '  a, b']
    >>> lines({"matches": [{"rank": 1, "distance": 0.25}, {"rank": 10, "distance": None}]})
    ['matches: 2', '  rank  distance', '  1     0.25', '  10    -']
    """
    found: list[str] = []
    for name, value in result.items():
        key = printable(name)  # may be a label
        if isinstance(value, list) and len(value) > FEW and all(map(_is_number, value)):
            ends = f"{cell(min(value))} to {cell(max(value))}"
            found.append(f"{indent}{key}: {len(value):,} numbers, {ends}; --json gives all")
        elif isinstance(value, list) and not _is_interval(value):
            found.append(f"{indent}{key}: {len(value)}")
            found += (f"{indent}  {line}" for line in _entries(value[:SHOWN]))
            if len(value) > SHOWN:
                found.append(f"{indent}  and {len(value) - SHOWN:,} more; --json gives all")
        elif isinstance(value, dict) and not _is_figure(value):
            found.append(f"{indent}{key}:")
            found += lines(value, indent + "  ")
        else:
            found.append(f"{indent}{key}: {cell(value)}")
    return found


def table(rows: Iterable[Sequence[str]]) -> list[str]:
    """Rows of cells as lines, every column as wide as its widest cell.

    Examples
    --------
    >>> table([["kind", "images"], ["Acartia", "12"]])
    ['kind     images', 'Acartia  12']
    """
    rows = [list(row) for row in rows]
    widths = [max(map(len, column)) for column in zip_longest(*rows, fillvalue="")]
    return [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=False)).rstrip()
        for row in rows
    ]


def cell(value: Any) -> str:
    """A value as text of one line.

    Examples
    --------
    >>> cell(None), cell(1 / 3), cell([0.25, 0.5]), cell(("Dot", 3))
    ('-', '0.3333', '0.25 to 0.5', 'Dot, 3')
    """
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    if _is_interval(value):
        return " to ".join(map(cell, value))
    if _is_figure(value):
        ends = value["ci95"]
        return cell(value["value"]) + (f" ({cell(ends)})" if ends else "")
    if isinstance(value, list | tuple) and not any(map(_is_nested, value)):
        return ", ".join(map(cell, value))
    text = json.dumps(value, ensure_ascii=False) if _is_nested(value) else str(value)
    return printable(text)


def printable(text: str) -> str:
    """Text from names and files, which may hold what moves a terminal's cursor, as plain text.

    Examples
    --------
    >>> printable("a\\nb \\x1b[2J é")
    'a\\\\nb \\\\x1b[2J é'
    """
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def _entries(entries: Sequence[Any]) -> list[str]:
    """A table of objects; short names behind each other; a line an entry of anything else."""
    if entries and all(isinstance(entry, str) and len(entry) <= SHORT for entry in entries):
        text = ", ".join(map(printable, entries))
        return textwrap.wrap(text, WIDE, break_on_hyphens=False, break_long_words=False)
    if not entries or not all(isinstance(entry, dict) for entry in entries):
        return [cell(entry) for entry in entries]
    names = list(dict.fromkeys(name for entry in entries for name in entry))
    short = [name for name in names if not any(_is_long(entry.get(name)) for entry in entries)]
    return table([short, *([cell(entry.get(name)) for name in short] for entry in entries)]) + [
        f"and {', '.join(long)} of each; --json gives all"
        for long in ([name for name in names if name not in short],)
        if long
    ]


def _is_long(value: Any) -> bool:
    """Whether it would not be read in a table: objects in objects, lists in lists or of many."""
    if not _is_nested(value) or _is_figure(value) or _is_interval(value):
        return False
    return any(map(_is_nested, value)) or len(json.dumps(value)) > WIDE


def _is_nested(value: Any) -> bool:
    return isinstance(value, dict | list | tuple)


def _is_figure(value: Any) -> bool:
    return isinstance(value, dict) and {"value", "ci95"} <= set(value) <= {"value", "ci95", "why"}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_interval(value: Any) -> bool:
    return (
        isinstance(value, list) and len(value) == 2 and all(isinstance(end, float) for end in value)
    )
