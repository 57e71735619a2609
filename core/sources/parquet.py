"""Rows of .parquet files, a few thousand in memory at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import IO, Any

from core.errors import SourceError
from core.sources.base import File, Scalar, Tree
from core.sources.rows import MAX_COLUMNS, MAX_PACKED, MAX_ROWS, BadRow, Row, binary, check_columns

MAX_BATCH = 2**28
"""Bytes, unpacked, of the rows that are in memory at a time."""
BATCH = 4_096  # rows unpacked together
BUFFER = 2**20  # bytes of a column read at a time; without, a whole row group of it is


def parquet_types(tree: Tree, file: File) -> dict[str, Any]:
    """Name -> Arrow's type of every column.

    Raises
    ------
    SourceError
        If it is no parquet file.
    """
    with closing(binary(tree, file, most=MAX_PACKED)) as stream:
        return {entry.name: entry.type for entry in _parquet(stream, file.path).schema_arrow}


class ParquetRows:
    """The rows of a .parquet file; dates become ISO text.

    Parameters
    ----------
    beside : str or None
        A column that is no cell of the rows: `blocks` gives it as Arrow has it.
    """

    unit = "row"

    def __init__(self, tree: Tree, file: File, *, beside: str | None = None) -> None:
        self._tree = tree
        self._file = file
        self._name = file.path
        self._beside = beside
        with closing(binary(tree, file, most=MAX_PACKED)) as stream:
            opened = _parquet(stream, self._name)
            schema, self.count = opened.schema_arrow, int(opened.metadata.num_rows)
        every = [(entry.name, entry.type) for entry in schema]
        check_columns([name for name, _ in every], self._name)
        hidden = ("__index_level_",)  # what pandas adds
        kept = [(n, kind) for n, kind in every if not n.startswith(hidden) and n != beside]
        self._columns = [name for name, kind in kept if name and _plain(kind)]
        self._aside = [(name, kind) for name, kind in kept if not (name and _plain(kind))]

    @property
    def columns(self) -> Sequence[str]:
        return self._columns

    @property
    def notes(self) -> Sequence[str]:
        return [
            f"{self._name}: column {name!r} ({kind}) was left aside; expected numbers, texts, "
            "dates or true/false"
            for name, kind in self._aside
        ]

    def __iter__(self) -> Iterator[Row | BadRow]:
        for rows, _ in self._batches(self._columns):
            yield from rows

    def blocks(self, rows: int) -> Iterator[tuple[list[Row], Any]]:
        """Some rows at a time, and the column beside them."""
        assert self._beside is not None
        yield from self._batches([*self._columns, self._beside], rows)

    def _batches(
        self, columns: Sequence[str], rows: int = BATCH
    ) -> Iterator[tuple[list[Row], Any]]:
        done = 0
        with closing(binary(self._tree, self._file, most=MAX_PACKED)) as stream:
            for batch in parquet_batches(stream, self._name, columns=columns, rows=rows):
                held = {name: batch.column(name) for name in batch.schema.names}
                cells = [_values(held[name], self._name) for name in self._columns]
                found = [
                    Row(number, dict(zip(self._columns, each, strict=True)))
                    for number, each in enumerate(zip(*cells, strict=True), done + 1)
                ]
                done += batch.num_rows
                yield found, held.get(self._beside or "")


def parquet_batches(
    stream: IO[bytes], where: str, *, columns: Sequence[str], rows: int = BATCH
) -> Iterator[Any]:
    """Record batches of a parquet file, one in memory at a time.

    Raises
    ------
    SourceError
        If it is damaged, or holds too much.
    """
    from pyarrow import types

    opened = _parquet(stream, where)
    # a text that rows share is then held once, until it is known what all of them come to
    texts = [e.name for e in opened.schema_arrow if types.is_string(e.type)]
    file = _parquet(stream, where, read_dictionary=texts)
    found = file.metadata
    if found.num_rows > MAX_ROWS:
        raise SourceError(
            f"{where} has {found.num_rows:,} rows, more than the {MAX_ROWS:,} allowed; split it"
        )
    batches = iter(file.iter_batches(batch_size=rows, columns=list(columns), use_threads=False))
    done = 0
    while True:
        try:
            batch = next(batches, None)
        except Exception as error:  # arrow raises many kinds on damaged files
            raise SourceError(_damaged(where, error)) from None
        if batch is None:
            return
        done += batch.num_rows
        if sum(map(_unpacked, batch.columns)) > MAX_BATCH or done > MAX_ROWS:
            raise SourceError(f"{where} unpacks to more than is allowed; split it")
        yield batch


def _unpacked(column: Any) -> int:
    """Bytes a column has once each row has a text of its own."""
    import pyarrow.compute as pc
    from pyarrow import types

    held = int(column.nbytes)
    if not types.is_dictionary(column.type) or held * len(column) <= MAX_BATCH // MAX_COLUMNS:
        return held
    kind = column.type.value_type
    if not (types.is_string(kind) or types.is_large_string(kind)):
        return held
    lengths = pc.binary_length(column.dictionary).take(column.indices)
    return held + int(pc.sum(lengths).as_py() or 0)


def _parquet(stream: IO[bytes], where: str, **how: Any) -> Any:
    import pyarrow.parquet as parquet

    try:
        return parquet.ParquetFile(stream, pre_buffer=False, buffer_size=BUFFER, **how)
    except Exception as error:  # arrow raises many kinds on damaged files
        raise SourceError(_damaged(where, error)) from None


def _damaged(where: str, error: Exception) -> str:
    why = " ".join(str(error).split())[:200]
    if "Delta" in why and "DictAccumulator" in why:
        why = "its texts are packed by their differences; expected plain or dictionary encoding"
    return f"{where} cannot be read as parquet ({why}); write it again"


def _plain(kind: Any) -> bool:
    from pyarrow import types

    if types.is_dictionary(kind):
        kind = kind.value_type
    return any(
        test(kind)
        for test in (
            types.is_boolean,
            types.is_integer,
            types.is_floating,
            types.is_decimal,
            types.is_string,
            types.is_large_string,
            types.is_temporal,
            types.is_null,
        )
    ) and not (types.is_duration(kind) or types.is_interval(kind))


def _values(column: Any, where: str) -> list[Scalar]:
    """A column's values; NaN and infinity are none, as no figure is had."""
    import pyarrow as pa
    from pyarrow import types

    try:
        if types.is_dictionary(column.type):
            column = column.dictionary_decode()
        kind = column.type
        if types.is_timestamp(kind):
            zone = "UTC" if kind.tz else None
            column = column.cast(pa.timestamp("us", zone), safe=False)
        elif types.is_time(kind):
            column = column.cast(pa.time64("us"), safe=False)
        values = column.to_pylist()
        if types.is_temporal(kind):
            return [None if value is None else value.isoformat() for value in values]
        if types.is_decimal(kind):
            values = [None if value is None else float(value) for value in values]
        if types.is_floating(kind) or types.is_decimal(kind):
            return [
                value if value is not None and math.isfinite(value) else None for value in values
            ]
        if types.is_string(kind) or types.is_large_string(kind):
            return [value or None for value in values]
        return list(values)
    except Exception as error:  # dates outside what Python knows, text that is no UTF-8
        raise SourceError(_damaged(where, error)) from None
