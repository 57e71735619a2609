"""One table of EcoTaxa's: its columns, what type each of them is, and its rows, line by line."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TextIO, TypeAlias

from core.errors import SourceError
from core.sources.base import Scalar, Skipped, Tree
from core.sources.ecotaxa_cells import (
    NO_STATUS,
    NUMBERS,
    PREFIXES,
    STATUSES,
    TEXT,
    date_of,
    degrees_of,
    is_missing,
    number_of,
    quoted,
    time_of,
)
from core.sources.uri import join, quote_path

LIMIT = 2**30
"""Bytes of one table."""
CHUNK = 2**20

CONTROL = re.compile(r"[\x00-\x1f\x7f]")

Note: TypeAlias = Callable[[str], None]
"""Takes a sentence that a person should know."""

_TYPES = re.compile(r"\[\w*\]")
_CHECKED = frozenset(
    {"object_lat", "object_lon", "object_date", "object_time", "object_annotation_status"}
)

csv.field_size_limit(2**24)


@dataclass(slots=True)
class Column:
    name: str
    key: str
    """The name as EcoTaxa takes it, in small letters; empty when the column is left aside."""
    number: bool
    strict: bool
    """Whether a cell that is no number is refused; otherwise it makes the column text."""

    def trouble(self, text: str) -> str | None:
        """Why EcoTaxa would refuse this cell."""
        key = self.key
        if key in TEXT and CONTROL.search(text):
            return f"{quoted(text)} holds a control character; expected plain text"
        try:
            if key == "object_date":
                date_of(text)
            elif key == "object_time":
                time_of(text)
        except ValueError:
            shape = "YYYYMMDD" if key == "object_date" else "HHMMSS"
            return f"{quoted(text)} is no {key.removeprefix('object_')}; expected {shape}"
        if key in ("object_lat", "object_lon"):
            end = 90 if key == "object_lat" else 180
            degrees = 0.0 if is_missing(text) else degrees_of(text)
            if degrees is None or not -end <= degrees <= end:
                return f"{quoted(text)} is out of range; expected degrees from -{end} to {end}"
        elif key == "object_annotation_status":
            if text.lower() not in (*STATUSES, *NO_STATUS):
                expected = "validated, dubious or predicted"
                return f"{quoted(text)} is no status; expected {expected}"
        elif self.number and self.strict and number_of(text) is None and not is_missing(text):
            return f"{quoted(text)} is no number; line 2 says [f]"
        return None

    def value(self, text: str) -> Scalar:
        """What the cell holds; None for a number that is not there."""
        if not self.number:
            return text
        if is_missing(text):
            return None
        found = number_of(text)
        return text if found is None else found  # a latitude may be written in minutes


@dataclass
class Table:
    """One table: its columns are read once, its rows as often as they are needed."""

    path: str
    columns: list[Column]
    start: int
    """Lines before the first row."""
    encoding: str

    def __post_init__(self) -> None:
        self._keys = [column.key for column in self.columns]

    @cached_property
    def checked(self) -> list[Column]:
        """The columns whose cells may be refused."""
        return [c for c in self.columns if c.key in _CHECKED or (c.number and c.strict)]

    @cached_property
    def numbers(self) -> list[str]:
        """Keys of the columns of numbers."""
        return [column.key for column in self.columns if column.number]

    def cells(self, found: Sequence[str]) -> dict[str, str]:
        """A row by its columns' names in small letters, without those left aside."""
        cells = {key: text.strip() for key, text in zip(self._keys, found, strict=False)}
        cells.pop("", None)
        return cells

    @property
    def folder(self) -> list[str]:
        return self.path.split("/")[:-1]

    @classmethod
    def read(cls, tree: Tree, path: str, note: Note) -> Table:
        """The columns of a table, and what type each of them is.

        Raises
        ------
        SourceError
            If it has no rows, lacks a column that is needed, or is not text.
        """
        data = tree.read(path, limit=LIMIT)
        encoding = _encoding(data, path, note)
        lines = _lines(_text(data, encoding))
        _, names = next(lines, (1, []))
        if isinstance(names, str):
            raise SourceError(f"{path}, line 1: {names}")
        names = [name.strip() for name in names]
        keys = [name.lower() for name in names]
        for needed in ("img_file_name", "object_id"):
            if needed not in keys:
                raise SourceError(
                    f"{path}, line 1: there is no column {needed!r}; expected the names of the "
                    "columns, img_file_name and object_id among them, with tabs between"
                )
        second = next(lines, None)
        if second is None:
            raise SourceError(f"{path}: it holds no rows after line 1; expected a row an image")
        types: list[str] | None = None
        start = 1
        if not isinstance(second[1], str) and _are_types(second[1]):
            types, start = [text.strip() for text in second[1]], second[0]
            second = next(lines, None)
            if second is None:
                raise SourceError(
                    f"{path}: it holds no rows after the names (line 1) and types (line {start}); "
                    "expected a row an image"
                )
        else:
            note(f"{path} has no types in line 2; its cells tell which columns are numbers.")
        table = cls(path, _columns(path, names, types, note), start, encoding)
        loose = [n for n, c in enumerate(table.columns) if c.number and not c.strict]
        seen: set[int] = set()
        while second is not None and loose:
            cells = second[1]
            for n in loose if not isinstance(cells, str) else ():
                text = cells[n].strip() if n < len(cells) else ""
                if text and not is_missing(text):
                    seen.add(n)
                    # without line 2 a text such as 007 stays one
                    plain = types is not None or not re.match(r"[+-]?0\d|\+", text)
                    if number_of(text) is None or not plain:
                        table.columns[n].number = False
            loose = [n for n in loose if table.columns[n].number]
            second = next(lines, None)
        for n in loose:
            table.columns[n].number = n in seen
        return table

    def rows(self, tree: Tree) -> Iterator[tuple[int, list[str] | str]]:
        """Line and cells of each row; text instead of cells says what is wrong with the line."""
        for line, cells in _lines(_text(tree.read(self.path, limit=LIMIT), self.encoding)):
            if line > self.start:
                yield line, cells

    def skipped(self, root: str, line: int, reason: str) -> Skipped:
        return Skipped(join(root, quote_path(self.path)), f"line {line}, {reason}")


def _are_types(cells: Sequence[str]) -> bool:
    said = [text.strip() for text in cells if text.strip()]
    return bool(said) and all(_TYPES.fullmatch(text) for text in said)


def _columns(path: str, names: list[str], types: list[str] | None, note: Note) -> list[Column]:
    columns: list[Column] = []
    keys: set[str] = set()
    for n, name in enumerate(names):
        key = name.lower()
        where = f"{path}, line 1, column {n + 1}"
        aside = None
        if not key:
            aside = f"{where} has no name"
        elif not key.startswith(PREFIXES) or key in PREFIXES:
            aside = f"{where}: {quoted(name)} does not begin with {', '.join(PREFIXES)}"
        elif key in keys:
            aside = f"{where}: {quoted(name)} came before"
        if aside is not None:
            note(f"{aside}; the column is left aside.")
            columns.append(Column(name, "", False, False))
            continue
        keys.add(key)
        said = None if types is None else types[n] if n < len(types) else ""
        of_object = key.startswith("object_")
        if said is None:
            number = key not in TEXT and (of_object or key == "img_rank")
            columns.append(Column(name, key, number, key in NUMBERS))
            continue
        if said.lower() not in ("[f]", "[t]"):
            if of_object and key not in TEXT | NUMBERS:  # EcoTaxa does not look at the others'
                note(
                    f"{path}, line 2, column {n + 1} ({name}): the type is {quoted(said)}; "
                    "expected [f] or [t], it is taken for text."
                )
            said = "[t]"
        number = said.lower() == "[f]" and key not in TEXT
        columns.append(Column(name, key, number, of_object))
    return columns


def _encoding(data: bytes, path: str, note: Note) -> str:
    """
    Raises
    ------
    SourceError
        If it says what it is and is not that.
    """
    marked = data.startswith((b"\xff\xfe", b"\xfe\xff"))  # "Unicode text" of a spreadsheet
    encoding = "utf-16" if marked else "utf-8-sig"
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for start in range(0, len(data), CHUNK):  # as one text, it would be up to four times larger
            decoder.decode(data[start : start + CHUNK])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        if marked or data.startswith(b"\xef\xbb\xbf"):
            raise SourceError(f"{path}: it is damaged, or not text; export it again") from None
        note(f"{path} is not UTF-8; its letters are read as Latin-1, as EcoTaxa does.")
        return "latin-1"
    return encoding


def _text(data: bytes, encoding: str) -> TextIO:
    """A text that was found to be of this encoding; should it change meanwhile, so do letters."""
    return io.TextIOWrapper(io.BytesIO(data), encoding, errors="replace", newline="")


def _lines(text: TextIO) -> Iterator[tuple[int, list[str] | str]]:
    """Each row with the line it begins on; what comes after a damaged line is not read."""
    reader = csv.reader(text, delimiter="\t", quotechar='"', strict=True)
    line = 1
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if "unexpected end" in str(error):
                why = 'a quote (") is opened and never closed'
            elif "field larger" in str(error):
                why = "a cell is longer than 16 million letters; is a quote not closed?"
            else:
                why = 'letters follow a closing quote (")'
            yield line, f"{why}; what follows is not read"
            return
        if any(cell.strip() for cell in cells):
            yield line, cells
        line = reader.line_num + 1
