"""A FlowCam's ``.lst``: one particle a line.

It begins with a line of its version, then ``num-fields|N``, N lines ``name|type`` and one line of
N values a particle, with ``|`` between. N differs between versions of the software (53, 57, 65),
so columns are found by their names.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from core.errors import SourceError

PLACE = ("id", "image_x", "image_y", "image_w", "image_h", "collage_file")
"""What no particle can be found without."""

MAX_FIELDS = 1_000
MAX_LINES = 3_000_000
"""Of one run; each costs some 60 bytes beside its letters, and a run has 100,000 particles."""
SHOWN = 40  # characters of what was found, in an error

_FIELD = re.compile(r"([^|]*)\|\s*([A-Za-z]\w*)\s*")
_WHOLE = re.compile(r"\s*[+-]?\d{1,18}\s*", re.ASCII)
_REAL = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
_NO_NUMBER = re.compile(r"\s*([+-]?(nan(\(\w*\))?|inf(inity)?|\d\.#\w+))?\s*", re.IGNORECASE)
_WHOLE_TYPES = ("int", "uint", "long", "short")
_REAL_TYPES = ("double", "float", "real", "decimal")


@dataclass(frozen=True, slots=True)
class Column:
    at: int
    type: str

    @property
    def whole(self) -> bool:
        return self.type.startswith(_WHOLE_TYPES)

    @property
    def number(self) -> bool:
        return self.type.startswith((*_WHOLE_TYPES, *_REAL_TYPES))


@dataclass(frozen=True, slots=True)
class Row:
    """One particle as it is written.

    Raises
    ------
    SourceError
        From its methods, when a value is damaged; names line and column.
    """

    line: int
    columns: dict[str, Column]
    values: Sequence[str]

    def text(self, column: str) -> str:
        return self.values[self.columns[column].at].strip()

    def number(self, column: str) -> float | None:
        """None where the software found nothing to measure: empty, or NaN in any spelling."""
        described = self.columns[column]
        text = self.values[described.at]
        if not described.number:
            raise self.damaged(column, f"a column of numbers; its type is {described.type}")
        if described.whole:
            return self._whole(column, text)
        if _NO_NUMBER.fullmatch(text):
            return None
        if not _REAL.fullmatch(text) or not math.isfinite(float(text)):
            raise self.damaged(column, "a number such as 12.5")
        return float(text)

    def whole(self, column: str) -> int:
        number = self.number(column)
        if number is None or number != int(number):
            raise self.damaged(column, "a whole number")
        return int(number)

    def damaged(self, column: str, expected: str) -> SourceError:
        found = _shown(self.values[self.columns[column].at])
        return SourceError(f"line {self.line}, column {column}: {found}; expected {expected}")

    def _whole(self, column: str, text: str) -> int:
        if not _WHOLE.fullmatch(text):
            raise self.damaged(column, "a whole number")
        return int(text)


class ParticleList:
    """A ``.lst`` that was read.

    Parameters
    ----------
    data : bytes
        The whole file.

    Raises
    ------
    SourceError
        If its header is damaged; names the line, and not the file.
    """

    def __init__(self, data: bytes) -> None:
        if b"\0" in data:
            raise SourceError("it is no text; expected a FlowCam .lst")
        if (lines := data.count(b"\n") + data.count(b"\r")) > 2 * MAX_LINES:
            raise SourceError(f"it has {lines:,} lines; expected at most {MAX_LINES:,}")
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = data.decode("cp1252", "replace")  # as the instrument's Windows writes
        # not splitlines: it also cuts at characters that may stand in a name
        self._lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        self.columns = self._header()

    def rows(self) -> Iterator[Row | SourceError]:
        """Every particle, or what is wrong with its line."""
        names = tuple(self.columns)
        first = 2 + len(names)
        for number, line in enumerate(self._lines[first:], first + 1):
            values = line.split("|")
            if len(values) == len(names):
                yield Row(number, self.columns, values)
            elif line.strip():
                short = len(values) < len(names)
                ends = f"; it ends in column {names[len(values) - 1]}" if short else ""
                yield SourceError(
                    f"line {number} has {len(values)} fields; expected {len(names)}{ends}"
                )

    def good_rows(self) -> Iterator[Row]:
        return (row for row in self.rows() if isinstance(row, Row))

    def _header(self) -> dict[str, Column]:
        lines = self._lines
        if not any(map(str.strip, lines)):
            raise SourceError("it is empty; expected a FlowCam .lst")
        if not re.fullmatch(r"\s*v?\d+(\.\d+)*\s*", lines[0]):
            raise SourceError(f"line 1: {_shown(lines[0])}; expected a version such as 017")
        second = lines[1] if len(lines) > 1 else ""
        stated = re.fullmatch(r"\s*num-fields\s*\|\s*(\d{1,9})\s*", second, re.ASCII)
        if stated is None:
            raise SourceError(f"line 2: {_shown(second)}; expected num-fields|N")
        fields = int(stated[1])
        if not 0 < fields <= MAX_FIELDS:
            raise SourceError(f"line 2: num-fields is {fields}; expected 1 to {MAX_FIELDS:,}")
        columns = self._columns(fields)
        missing = [name for name in PLACE if name not in columns]
        if missing:
            raise SourceError(
                f"lines 3 to {2 + fields} name no column {', '.join(missing)}; expected "
                f"{', '.join(PLACE)} among them"
            )
        for name in PLACE[1:5]:
            if not columns[name].number:
                raise SourceError(
                    f"line {3 + columns[name].at}, column {name}: its type is "
                    f"{columns[name].type}; expected int32"
                )
        return columns

    def _columns(self, fields: int) -> dict[str, Column]:
        columns: dict[str, Column] = {}
        for at, line in enumerate(self._lines[2 : 3 + fields]):
            field = _FIELD.fullmatch(line)
            if field is None:
                break
            name = field[1].strip()
            if name in columns:
                raise SourceError(f"line {3 + at}: the column {_shown(name)} was named before")
            columns[name] = Column(at, field[2].lower())
        if len(columns) == fields:
            return columns
        at = 2 + len(columns)
        found = self._lines[at] if at < len(self._lines) else ""
        if len(columns) < fields:
            said = _shown(found) if found.strip() else "the header ends"
            raise SourceError(
                f"line {at + 1}: {said} after {len(columns)} of the {fields} fields that line 2 "
                "states; expected name|type"
            )
        raise SourceError(
            f"line {at}: {_shown(self._lines[at - 1])} is one field more than the {fields} that "
            "line 2 states; expected a particle"
        )


def _shown(text: str) -> str:
    return repr(text if len(text) <= SHOWN else f"{text[:SHOWN]}...")
