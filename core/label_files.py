"""The label history as a file, and back: CSV and Parquet hold all of it, an event a row.

Columns: `COLUMNS`, in the order in which things were decided. In a csv file an empty cell is none,
and a text that a spreadsheet would run (`core.cells`) has an apostrophe in front, which goes again
when it is read. A table with no more than ``id`` and ``label``, such as `export` writes, is read as
labels that come with images, and so is what EcoTaxa says without a person's name.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

from core import labels
from core.catalogue import Catalogue
from core.cells import is_formula
from core.errors import CoreError, SourceError
from core.labels import Decision
from core.sources import open_source
from core.sources.base import ImageRef, Scalar
from core.sources.ecotaxa_cells import date_of, time_of
from core.writing import whole_file

COLUMNS = ("id", *labels.FIELDS[1:])

TEXTS = tuple(name for name in COLUMNS if name != "confidence")

NEEDED = ("id", "label", "status", "by", "at", "how", "action")
"""Columns that make a table a history."""

MAX_BYTES = 2**30
"""Of a file to read: about five million events."""

Event = Mapping[str, Any]


def write_history(catalogue: Catalogue, uid: str, to: Path) -> int:
    """Write every label event of a collection; the file is whole or not there.

    Parameters
    ----------
    to : Path
        A .csv or a .parquet; an older one is replaced.

    Returns
    -------
    int
        How many events.

    Raises
    ------
    CoreError
        If it is another kind of file or cannot be written.
    """
    kind = to.suffix.lower()
    if kind not in (".csv", ".parquet"):
        raise CoreError(f"the file is {to.name!r}; expected .csv or .parquet for a label history")
    rows = [as_row(event) for event in labels.every_event(catalogue, uid)]
    with whole_file(to) as path:
        if kind == ".csv":
            with path.open("w", encoding="utf-8", newline="") as stream:
                table = csv.writer(stream)
                table.writerow(COLUMNS)
                table.writerows([_cell(row[name]) for name in COLUMNS] for row in rows)
        else:
            _write_parquet(path, rows)
    return len(rows)


def as_row(event: Event) -> dict[str, Any]:
    """An event by the names of `COLUMNS`."""
    return {"id": event["image"], **{name: event[name] for name in COLUMNS[1:]}}


def _cell(value: Any) -> str:
    """
    Examples
    --------
    >>> _cell(None), _cell(0.1), _cell("=x"), _cell("'=x"), _cell("'tis")
    ('', '0.1', "'=x", "''=x", "'tis")
    """
    if value is None:
        return ""
    if not isinstance(value, str):
        return repr(value)
    return f"'{value}" if is_formula(value.lstrip("'")) else value


def _text(cell: str) -> str:
    """
    Examples
    --------
    >>> [_text(_cell(text)) for text in ("=x", "'=x", "'tis", "x")]
    ['=x', "'=x", "'tis", 'x']
    """
    return cell[1:] if cell.startswith("'") and is_formula(cell.lstrip("'")) else cell


def _write_parquet(path: Path, rows: Sequence[Event]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {name: pa.float64() if name == "confidence" else pa.string() for name in COLUMNS}
    pq.write_table(pa.Table.from_pylist(list(rows), schema=pa.schema(kinds)), path)


@dataclass(frozen=True)
class Read:
    """What a file says: a history, or labels alone."""

    events: Sequence[Event] = ()
    decisions: Sequence[Decision] = ()


def read_labels(path: Path) -> Read:
    """A history that `write_history` wrote, or a table with the columns id and label.

    The latter may say a status (``label_status`` or ``status``); by default it is validated.

    Raises
    ------
    SourceError
        If it cannot be read, a column is missing, or a cell says what cannot be; names the row.
    """
    kind = path.suffix.lower()
    if kind not in (".csv", ".parquet"):
        raise SourceError(f"{path} is no label table; expected .csv, .parquet or EcoTaxa's .zip")
    try:
        if path.stat().st_size > MAX_BYTES:
            raise SourceError(f"{path} has more than the 1 GB allowed; split it")
        columns, rows = _csv(path) if kind == ".csv" else _parquet(path)
    except OSError as error:
        why = error.strerror or str(error)
        raise SourceError(f"{path} cannot be read ({why}); expected a table of labels") from None
    if set(NEEDED) <= set(columns):
        return Read(events=[_event(row, where) for where, row in _placed(path, rows)])
    if not {"id", "label"} <= set(columns):
        raise SourceError(
            f"{path} has the columns {', '.join(columns)[:200]}; expected {', '.join(NEEDED)} as "
            "`labels export` writes them, or id and label"
        )
    said = [_decision(row, where) for where, row in _placed(path, rows)]
    return Read(decisions=[each for each in said if each is not None])


def _placed(path: Path, rows: Iterable[Event]) -> Iterator[tuple[str, Event]]:
    return ((f"{path}, row {number}", row) for number, row in enumerate(rows, 1))


def _csv(path: Path) -> tuple[list[str], list[Event]]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SourceError(f"{path} is no text in UTF-8; save it as CSV in UTF-8") from None
    table = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[Event] = []
    try:
        header = next(table, [])
        for cells in table:
            if not any(cells):
                continue
            if len(cells) != len(header):
                raise SourceError(
                    f"{path}, line {table.line_num}: it has {len(cells)} cells, the header "
                    f"{len(header)}; expected one for every column"
                )
            rows.append({n: _text(c) or None for n, c in zip(header, cells, strict=True)})
    except csv.Error as error:
        raise SourceError(
            f"{path}, line {table.line_num}: {error}; check the quotes of this line"
        ) from None
    return header, rows


def _parquet(path: Path) -> tuple[list[str], list[Event]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            names = file.schema_arrow.names
            wanted = [n for n in names if n in (*COLUMNS, "label_status")]
            rows = file.read(columns=wanted).to_pylist()
    except pa.ArrowException as error:
        why = " ".join(str(error).split())[:200]
        raise SourceError(f"{path} is no Parquet file that can be read ({why})") from None
    return names, rows


def _event(row: Event, where: str) -> Event:
    """
    Raises
    ------
    SourceError
        If it says what cannot be.
    """
    for name in TEXTS:
        value = row.get(name)
        if value is not None and not isinstance(value, str):
            raise SourceError(f"{where}: {name} is {value!r}; expected text")
        if not value and name not in ("label", "reason"):
            raise SourceError(f"{where}: {name} is empty; expected what the history says")
    _check_status(row["status"], where)
    try:
        datetime.fromisoformat(row["at"])
    except ValueError:
        raise SourceError(
            f"{where}: at is {row['at']!r}; expected a time such as 2026-01-31T09:30:00+00:00"
        ) from None
    confidence = _confidence(row.get("confidence"), where)
    event = {name: row.get(name) or None for name in COLUMNS[1:]}
    return {"image": row["id"], **event, "confidence": confidence}


def _check_status(status: Any, where: str) -> None:
    if status not in labels.STATUSES:
        raise SourceError(
            f"{where}: the status is {status!r}; expected one of {', '.join(labels.STATUSES)}"
        )


def _confidence(value: Any, where: str) -> float | None:
    if value is None:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not 0 <= number <= 1:  # NaN is not, either
        raise SourceError(f"{where}: the confidence is {value!r}; expected 0 to 1, or none")
    return number


def _decision(row: Event, where: str) -> Decision | None:
    id, label = row["id"], row["label"]
    if label is None:
        return None
    if not isinstance(id, str) or not isinstance(label, str) or not id or not label.strip():
        raise SourceError(f"{where}: id is {id!r}, label {label!r}; expected text")
    status = row.get("label_status") or row.get("status") or "validated"
    _check_status(status, where)
    return Decision(id, label, status)


def read_ecotaxa(path: Path) -> Read:
    """What an EcoTaxa export says: events by the people it names, and labels by nobody.

    Raises
    ------
    SourceError
        If it is none.
    """
    source = open_source(str(path))
    if source.kind != "EcoTaxa export":
        raise SourceError(
            f"{path} is a {source.kind}; expected EcoTaxa's export, or .csv, .parquet"
        )
    events: list[Event] = []
    decisions: list[Decision] = []
    for ref in source.refs():
        if not isinstance(ref, ImageRef) or ref.label is None:
            continue
        cells = {name.lower(): value for name, value in ref.metadata.items()}
        person = str(cells.get("object_annotation_person_name") or "").strip()
        at = _annotated_at(cells)
        if not person or at is None:
            decisions.append(Decision(ref.id, ref.label, ref.label_status))
            continue
        said = {"label": ref.label, "status": ref.label_status, "by": person, "at": at}
        events.append({"image": ref.id, **said, "how": labels.IMPORT, "confidence": None})
    return Read(events, decisions)


def _annotated_at(cells: Mapping[str, Scalar]) -> str | None:
    """ISO 8601; EcoTaxa's times are in UTC."""
    try:
        day: date = date_of(str(cells.get("object_annotation_date") or ""))
        clock: time = time_of(str(cells.get("object_annotation_time") or "0"))
    except ValueError:
        return None
    return datetime.combine(day, clock, UTC).isoformat(timespec="seconds")
