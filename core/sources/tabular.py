"""Tables of any format: which files are some, what columns they have, their rows."""

from __future__ import annotations

from collections.abc import Collection

from core.errors import CoreError
from core.sources.base import File, Skipped, Tree
from core.sources.delimited import CsvRows, columns_of_text
from core.sources.parquet import ParquetRows, parquet_types
from core.sources.rows import Rows

SUFFIXES = (".csv", ".tsv", ".parquet")


def tables_of(tree: Tree) -> list[File]:
    """The files beside each other at a tree's top that are tables by their names."""
    return [
        file
        for file in tree.files()
        if not isinstance(file, Skipped)
        and "/" not in file.path
        and file.path.lower().endswith(SUFFIXES)
    ]


def columns_of(tree: Tree, file: File) -> list[str]:
    """A table's columns; none when it cannot be read as one."""
    try:
        if file.path.lower().endswith(".parquet"):
            return list(parquet_types(tree, file))
        return columns_of_text(tree, file)
    except CoreError:
        return []


def open_rows(tree: Tree, file: File, *, texts: Collection[str]) -> Rows:
    """Open a table.

    Parameters
    ----------
    texts : collection of str
        Columns (in small letters) that are text whatever they look like.

    Raises
    ------
    SourceError
        If it cannot be read as a table, naming file, line and column.
    """
    if file.path.lower().endswith(".parquet"):
        return ParquetRows(tree, file)
    return CsvRows(tree, file, texts)
