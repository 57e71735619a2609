"""Rows of a table, whatever its format, and how much of a table is accepted."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from core.errors import SourceError
from core.sources.base import File, Scalar, Tree
from core.sources.uri import join, quote_path, scheme_of, unquote_path

MAX_BYTES = 2 * 2**30
"""Bytes of one text table read from this machine's disk, a part at a time."""
MAX_PACKED = 64 * 2**30
"""The same of one .parquet or .npz file, of which only some rows are in memory."""
MAX_HELD = 256 * 2**20
"""Bytes of one table that has to be held whole: in a zip, from a bucket or the web."""
MEANT = ("uri", "id", "label", "label_status", "sample", "um_per_px")
"""Columns with a meaning, in small or large letters."""

MAX_COLUMNS = 2_000
MAX_ROWS = 10_000_000


@dataclass(frozen=True, slots=True)
class Row:
    """One row; a cell without a value is None."""

    number: int
    """The line it begins at, the header's being 1; in a parquet file its rank, from 1."""
    cells: dict[str, Scalar]


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be told apart into cells, and why."""

    number: int
    reason: str


class Rows(Protocol):
    """An open table."""

    @property
    def columns(self) -> Sequence[str]: ...

    @property
    def notes(self) -> Sequence[str]:
        """What was left aside, a sentence each."""
        ...

    @property
    def unit(self) -> str:
        """What `Row.number` counts: ``line`` or ``row``."""
        ...

    def __iter__(self) -> Iterator[Row | BadRow]: ...


def check_columns(columns: Sequence[str], where: str) -> None:
    """
    Raises
    ------
    SourceError
        If two columns have one name, or there are too many.
    """
    if len(columns) > MAX_COLUMNS:
        raise SourceError(f"{where} has {len(columns):,} columns; expected {MAX_COLUMNS:,} or less")
    seen: dict[str, int] = {}
    for number, name in enumerate(columns, 1):
        key = name.lower() if name.lower() in MEANT else name
        if key and seen.setdefault(key, number) != number:
            raise SourceError(
                f"{where}: columns {seen[key]} and {number} are both called {name!r}; rename one"
            )


def binary(tree: Tree, file: File, *, most: int = MAX_BYTES) -> IO[bytes]:
    """A table's bytes, from where they lie when that is this machine's disk.

    Raises
    ------
    SourceError
        If it cannot be read, or is too large.
    """
    path = unquote_path(join(tree.root, quote_path(file.path)))
    if scheme_of(tree.root) or not Path(unquote_path(tree.root)).is_dir():
        return io.BytesIO(tree.read(file.path, limit=MAX_HELD))
    if file.size > most:
        raise SourceError(
            f"{file.path} has {file.size:,} bytes, more than the {most:,} allowed for a "
            "table; split it"
        )
    try:
        return path.open("rb")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "the name cannot be one of a file"
        raise SourceError(f"{file.path} cannot be read ({why})") from None
