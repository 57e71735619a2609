"""Results a stage keeps: one parquet file each, written whole or not at all, nothing executable.

The ids are a column, so that a result says which images it covers; parameters, seed and versions
are JSON in the file's own key-value metadata, which is read without touching the columns.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from core.errors import NotFoundError, RangeError, ShapeError, WorkspaceError

Column: TypeAlias = NDArray[Any] | Sequence[str]

META_KEY = b"plankton-explorer"
FORMAT = 1


@dataclass(frozen=True)
class Result:
    """What `save_result` kept."""

    columns: dict[str, NDArray[Any] | list[str]]
    """Numbers as (n,) arrays of the type they had, text as lists of n strings."""
    meta: dict[str, Any]

    @property
    def ids(self) -> list[str]:
        return list(self.columns["id"])


def save_result(path: Path, columns: Mapping[str, Column], meta: Mapping[str, Any]) -> None:
    """Write a result, replacing an older one at once: a reader sees either, never a part.

    Parameters
    ----------
    path : Path
        The parquet file; its folder is made where missing.
    columns : name -> (n,) array or n strings
        One of them is ``id``; all are of one length.
    meta : mapping
        What JSON can hold; numbers of numpy are taken too.

    Raises
    ------
    ShapeError
        If ``id`` is missing or columns differ in length.
    RangeError
        If meta holds NaN or infinity: a figure that cannot be had is None.
    WorkspaceError
        If the file cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    lengths = {name: len(column) for name, column in columns.items()}
    if "id" not in columns:
        raise ShapeError(f"a result has the columns {sorted(columns)}; expected `id` among them")
    if len(set(lengths.values())) > 1:
        raise ShapeError(f"columns have {lengths} rows; expected one number of rows")
    try:
        text = json.dumps(
            {"format": FORMAT, "meta": dict(meta)}, allow_nan=False, default=_plain, sort_keys=True
        )
    except ValueError as error:
        raise RangeError(f"a figure is NaN or infinite ({error}); expected None instead") from error
    arrays = {
        name: pa.array(column)
        if isinstance(column, np.ndarray) and column.dtype.kind in "biuf"
        else pa.array(list(column), pa.string())
        for name, column in columns.items()
    }
    table = pa.table(arrays).replace_schema_metadata({META_KEY: text.encode()})
    with _replacing(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", write_page_checksum=True)


def load_result(path: Path, *, columns: Sequence[str] = ("id",)) -> Result:
    """Read a result whole.

    Parameters
    ----------
    path : Path
    columns : names
        What it must have to be the result that is wanted.

    Raises
    ------
    NotFoundError
        If there is none at `path`.
    WorkspaceError
        If the file is damaged or was not written by `save_result`.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    with _reading(path):
        table = pq.read_table(path, page_checksum_verification=True, partitioning=None)
        meta = _meta(table.schema.metadata)
        found: dict[str, NDArray[Any] | list[str]] = {}
        for name in table.column_names:
            column = table.column(name)
            if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
                found[name] = column.to_pylist()
            else:
                found[name] = column.to_numpy()
        if missing := sorted({"id", *columns} - found.keys()):
            raise ValueError(f"it has no column {', '.join(missing)}")
    return Result(columns=found, meta=meta)


def read_meta(path: Path) -> dict[str, Any]:
    """Only what is known of a result, from the file's footer: cheap at any size.

    Raises
    ------
    NotFoundError, WorkspaceError
        As `load_result`.
    """
    import pyarrow.parquet as pq

    with _reading(path):
        return _meta(pq.read_schema(path).metadata)


def _plain(value: object) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"a result's meta holds a {type(value).__name__}; expected what JSON can hold")


def _meta(stored: Mapping[bytes, bytes] | None) -> dict[str, Any]:
    if not stored or META_KEY not in stored:
        raise ValueError("it was not written by this program")
    document = json.loads(stored[META_KEY])
    if document["format"] != FORMAT:
        raise ValueError(f"it has format {document['format']}, expected {FORMAT}")
    meta: dict[str, Any] = document["meta"]
    return meta


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    if not path.is_file():
        raise NotFoundError(f"there is no result {path.name}; build it first")
    try:
        yield
    # pyarrow raises its own children of ValueError, OSError and plain Exception on damaged files
    except Exception as error:
        if isinstance(error, MemoryError):
            raise  # says nothing about the file
        reason = " ".join(str(error).split())[:200]
        raise WorkspaceError(
            f"the result {path} cannot be read ({reason}); build it again"
        ) from error


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # not mkstemp, whose files nobody else may read: a workspace may be shared
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise WorkspaceError(
            f"the result {path} cannot be written ({error.strerror or error}); "
            "free some space or choose a workspace that can be written"
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return  # elsewhere a folder cannot be opened, and replacing is durable enough
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
