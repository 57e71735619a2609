"""Rows of .csv and .tsv files, each column of one type.

A file is read twice: once for what its columns hold, once for its rows.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import IO

from core.errors import SourceError
from core.sources.base import File, Scalar, Tree
from core.sources.rows import MAX_COLUMNS, MAX_ROWS, BadRow, Row, binary, check_columns

MAX_CELL = 100_000
"""Letters of one cell: more is a quote that was never closed."""
BEGINNING = 64 * 1024  # bytes in which a table's header must end

SAVE_AS = "save it as UTF-8 (in Excel: Save As, 'CSV UTF-8')"

EMPTY = frozenset({"na", "n/a", "nan", "null", "none"})
"""What programs write, in columns of numbers and of true/false, for no value."""

_INT = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"-?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_DIGITS = re.compile(r"-?[0-9]+")
_COMMA = re.compile(r"-?(?:0|[1-9][0-9]*),[0-9]+")


def columns_of_text(tree: Tree, file: File) -> list[str]:
    """The names of a file's columns, before anything else of it is read.

    Raises
    ------
    SourceError
        If it cannot be read, or its first line names none.
    """
    text = _text_for_a_look(tree.read(file.path, first=BEGINNING))
    return _header(text, _delimiter(text, file.path), file.path)[0]


@dataclass
class _Column:
    """What a column's cells have in common."""

    name: str
    kind: str = ""
    """``bool``, ``int``, ``float``, ``comma`` (decimals) or ``text``; empty while none was seen."""
    empty: dict[str, int] = field(default_factory=dict)
    """What stood for no value -> the first line it stood in."""

    def see(self, text: str, line: int, *, comma: bool) -> None:
        kind = self.kind
        if kind == "text":
            return
        small = text.lower()
        if small in EMPTY:
            self.empty.setdefault(text, line)
            return
        found = _kind(text, small, comma=comma)
        if found != kind:
            self.kind = found if not kind else _JOINED.get(frozenset((kind, found)), "text")

    def value(self, text: str) -> Scalar:
        """The cell as its column's type; as it is when the file changed meanwhile."""
        if not text or (self.kind != "text" and text.lower() in EMPTY):
            return None
        if self.kind in ("", "text"):
            return text
        try:
            if self.kind == "bool":
                return {"true": True, "false": False}[text.lower()]
            if self.kind == "int":
                return int(text)
            return float(text.replace(",", ".") if self.kind == "comma" else text)
        except (KeyError, ValueError):
            return text


_JOINED = {frozenset(("int", "float")): "float", frozenset(("int", "comma")): "comma"}


def _kind(text: str, small: str, *, comma: bool) -> str:
    if _INT.fullmatch(text):
        return "int"
    if small in ("true", "false"):
        return "bool"
    if comma and _COMMA.fullmatch(text):
        return "comma"
    # digits that a float cannot hold are a name, such as 20240501123456789012
    if _FLOAT.fullmatch(text) and not _DIGITS.fullmatch(text) and math.isfinite(float(text)):
        return "float"
    return "text"


class CsvRows:
    """The rows of a .csv or .tsv file."""

    unit = "line"

    def __init__(self, tree: Tree, file: File, texts: Collection[str]) -> None:
        self._tree = tree
        self._name = file.path
        self._file = file
        beginning = tree.read(file.path, first=BEGINNING)
        _check_encoding(beginning, file.path)
        text = _text_for_a_look(beginning)
        self._delimiter = _delimiter(text, file.path)
        self._header, self._wide = _header(text, self._delimiter, file.path)
        check_columns(self._header, file.path)
        self._held: bytes | None = None
        self._columns = [_Column(name) for name in self._header]
        self._look(texts)

    @property
    def columns(self) -> Sequence[str]:
        return [name for name in self._header if name]

    @property
    def notes(self) -> Sequence[str]:
        unnamed = [str(n) for n, name in enumerate(self._header, 1) if not name]
        found = []
        if unnamed:
            found.append(f"{self._name}: column {', '.join(unnamed)} has no name, left aside")
        for column in self._columns:
            if column.empty and column.kind not in ("", "text"):
                said = ", ".join(f"{text!r} (line {line})" for text, line in column.empty.items())
                found.append(f"{self._name}, column {column.name}: {said} taken as no value")
        return found

    def _look(self, texts: Collection[str]) -> None:
        """Find out what each column holds."""
        comma = self._delimiter == ";"
        for column in self._columns:
            if not column.name or column.name.lower() in texts:
                column.kind = "text"
        open_ones = [(n, c) for n, c in enumerate(self._columns) if c.kind != "text"]
        for line, cells in self._cells():
            if len(cells) != len(self._columns):
                continue
            for number, column in open_ones:
                if cells[number]:
                    column.see(cells[number], line, comma=comma)

    def __iter__(self) -> Iterator[Row | BadRow]:
        width = len(self._columns)
        named = [(n, c) for n, c in enumerate(self._columns) if c.name]
        for line, cells in self._cells():
            if len(cells) != width:
                way = "one for every column"
                if len(cells) > width:
                    way = f"cells that hold {self._delimiter!r} in quotes"
                yield BadRow(line, f"it has {len(cells)} cells, the header {width}; expected {way}")
                continue
            yield Row(line, {c.name: c.value(cells[n]) for n, c in named})

    def _cells(self) -> Iterator[tuple[int, list[str]]]:
        """The line and the cells of every row that holds any.

        Raises
        ------
        SourceError
            If quotes do not close, a cell is too long, or the text is not UTF-8.
        """
        width = len(self._columns)
        with closing(self._text()) as stream:
            reader = csv.reader(stream, delimiter=self._delimiter, strict=True)
            line, rows = 1, 0
            try:
                for cells in reader:
                    begun, line = line, reader.line_num + 1
                    cells = [cell.strip() for cell in cells]
                    if begun == 1 or not any(cells):
                        continue
                    rows += 1
                    if max(map(len, cells)) > MAX_CELL:
                        raise SourceError(
                            f"{self._name}, line {begun}: a cell has more than the {MAX_CELL:,} "
                            "letters allowed; check the quotes of this line"
                        )
                    if rows > MAX_ROWS:
                        raise SourceError(
                            f"{self._name} has more than the {MAX_ROWS:,} rows allowed; split it"
                        )
                    while len(cells) > width and not cells[-1]:
                        cells.pop()  # delimiters at the ends of lines
                    yield begun, cells
            except csv.Error as error:
                raise SourceError(
                    f"{self._name}, line {line}: {error}; check the quotes of this line"
                ) from None
            except UnicodeDecodeError:
                raise SourceError(self._not_utf8()) from None
            except OSError as error:
                raise SourceError(f"{self._name} cannot be read ({error.strerror})") from None

    def _text(self) -> io.TextIOWrapper:
        return io.TextIOWrapper(self._bytes(), encoding="utf-8-sig", newline="")

    def _bytes(self) -> IO[bytes]:
        if self._held is not None:
            return io.BytesIO(self._held)
        stream = binary(self._tree, self._file)
        if isinstance(stream, io.BytesIO):
            self._held = stream.getvalue()  # shared, not copied
        return stream

    def _not_utf8(self) -> str:
        """Where it is not; a decoder that reads ahead cannot say."""
        with closing(self._bytes()) as stream:
            for number, line in enumerate(stream, 1):
                try:
                    line.decode("utf-8")
                except UnicodeDecodeError:
                    return f"{self._name}, line {number}: the text is not UTF-8; {SAVE_AS}"
        return f"{self._name}: the text is not UTF-8; {SAVE_AS}"


def _check_encoding(data: bytes, where: str) -> None:
    """
    Raises
    ------
    SourceError
        If it is UTF-16 or UTF-32, with their mark or without.
    """
    marked = data.startswith((b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff"))
    if marked or data[:200].count(0) > len(data[:200]) // 4:
        raise SourceError(f"{where} is not UTF-8 but UTF-16 or another wide text; {SAVE_AS}")


def _text_for_a_look(data: bytes) -> str:
    """The beginning of a text, whatever its encoding: column names are mostly ASCII."""
    for mark, encoding in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        if data.startswith(mark):
            return data[2:].decode(encoding, "replace")
    if data[:200].count(0) > len(data[:200]) // 4:
        data = data.replace(b"\0", b"")
    return data.decode("utf-8-sig", "replace")


def _delimiter(text: str, name: str) -> str:
    """What parts the cells of the header: that with which a column is called ``uri``."""
    first = "\t" if name.lower().endswith(".tsv") else ","
    best, most = first, 0
    for delimiter in (first, ",", ";", "\t", "|"):
        try:
            columns, _ = _header(text, delimiter, name)
        except SourceError:
            continue
        there = sum(column.lower() in ("uri", "id") for column in columns)
        if there * MAX_COLUMNS + len(columns) > most:
            best, most = delimiter, there * MAX_COLUMNS + len(columns)
    return best


def _header(text: str, delimiter: str, where: str) -> tuple[list[str], int]:
    """The names of the columns, and how many cells the line has."""
    try:
        cells = next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), [])
    except csv.Error as error:
        raise SourceError(f"{where}, line 1: {error}; expected the names of columns") from None
    names = [" ".join(cell.split()) for cell in cells]  # spreadsheets break long names into lines
    while names and not names[-1]:
        names.pop()  # delimiters at the ends of lines
    if not names:
        raise SourceError(f"{where} is empty; expected a first line with the names of columns")
    return names, len(cells)
