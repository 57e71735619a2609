"""Parquet files whose few bytes stand for many."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from core.errors import SourceError
from core.sources import ImageRef, open_source

ROWS = 5_000


def test_a_text_that_all_rows_share_is_counted_for_each(tmp_path: Path):
    """600 bytes would have become 1 GB."""
    path = tmp_path / "t.parquet"
    shared = pa.DictionaryArray.from_arrays(pa.array([0] * ROWS, pa.int32()), ["a" * 200_000])
    table = pa.table({"uri": [f"{i}.png" for i in range(ROWS)], "note": shared})
    parquet.write_table(table, path, compression="zstd", store_schema=False)
    assert path.stat().st_size < 100_000
    with pytest.raises(SourceError, match="unpacks to more than is allowed; split it"):
        open_source(str(path))


def test_texts_that_are_long_or_shared_come_as_they_were(tmp_path: Path):
    path = tmp_path / "t.parquet"
    notes = [None if i % 7 == 0 else "n" * (i % 50) + "." for i in range(ROWS)]
    table = pa.table(
        {
            "uri": [f"{i}.png" for i in range(ROWS)],
            "note": notes,
            "wide": pa.array(notes, pa.large_string()),
            "kind": pa.array(notes).dictionary_encode(),
        }
    )
    for store in (True, False):  # a dictionary of 1 byte is given up, and texts follow as they are
        parquet.write_table(table, path, dictionary_pagesize_limit=1, store_schema=store)
        found = [ref for ref in open_source(str(path)).refs() if isinstance(ref, ImageRef)]
        assert [ref.id for ref in found] == table["uri"].to_pylist()
        for name in ("note", "wide", "kind"):
            assert [ref.metadata.get(name) for ref in found] == notes


@pytest.mark.parametrize("way", ["DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY"])
def test_texts_told_by_their_differences_are_refused(tmp_path: Path, way: str):
    path = tmp_path / "t.parquet"
    table = pa.table({"uri": [f"{i}.png" for i in range(9)]})
    parquet.write_table(table, path, use_dictionary=False, column_encoding={"uri": way})
    with pytest.raises(SourceError, match="packed by their differences; expected plain or dict"):
        open_source(str(path))
