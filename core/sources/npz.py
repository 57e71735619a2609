"""Rows of .npz files: one array a column, read some rows at a time and never as pickles."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from core.errors import SourceError
from core.sources.base import File, Scalar, Tree
from core.sources.rows import MAX_COLUMNS, MAX_PACKED, MAX_ROWS, Row, binary

NAMES = {"ids": "id", "uris": "uri", "labels": "label", "samples": "sample"}
"""What arrays are called -> the column of a table."""

MAX_TEXT = 16_000  # bytes of one text in an array
MAX_ROW = 64 * 1024  # bytes of all columns beside the vectors; 4,096 rows are in memory at a time
MAX_WHOLE = 4 * 2**30
"""Bytes of vectors written column by column, which have to be held whole."""

BATCH = 4_096


class NpzRows:
    """Columns and vectors of a .npz file with arrays ``ids`` (or ``uris``) and ``vectors``.

    Raises
    ------
    SourceError
        If one is missing, of another kind or length, or the file is damaged.
    """

    unit = "row"

    def __init__(self, tree: Tree, file: File) -> None:
        self._tree = tree
        self._file = file
        self._where = file.path
        self._arrays: dict[str, str] = {}
        self._aside: list[str] = []
        self._row = 0
        with ExitStack() as stack:
            arrays = self._open(stack)
            vectors = next((a for name, a in arrays.items() if _is_vectors(name)), None)
            if vectors is None:
                shown = ", ".join(list(arrays)[:20]) or "none"
                raise SourceError(f"{self._where} has no array vectors; its arrays are: {shown}")
            if len(vectors.shape) != 2 or vectors.dtype.kind not in "fiu":
                raise SourceError(
                    f"{self._where}: vectors are {vectors.dtype} {vectors.shape}; expected numbers "
                    "(n, d)"
                )
            self.count, self.dimension = vectors.shape
            if self.count > MAX_ROWS:
                raise SourceError(
                    f"{self._where} has {self.count:,} rows, more than the {MAX_ROWS:,} allowed; "
                    "split it"
                )
            for name, array in arrays.items():
                self._choose(name, array)
        self._vectors = vectors.name

    def _choose(self, name: str, array: _Array) -> None:
        """Whether an array is a column of the table."""
        if _is_vectors(name):
            return
        column = NAMES.get(name.lower(), name)
        needed = column.lower() in ("id", "uri")
        if array.dtype.hasobject and needed:
            raise SourceError(
                f"{self._where}: array {name} holds Python objects, which are not loaded; save it "
                "as np.array(..., dtype=str)"
            )
        if needed and array.shape != (self.count,):
            raise SourceError(
                f"{self._where}: array {name} is {array.shape}; expected ({self.count},), one for "
                "each vector"
            )
        size = array.dtype.itemsize
        fits = size <= MAX_TEXT and (needed or self._row + size <= MAX_ROW)
        plain = array.dtype.kind in "USbiufM" and fits
        if array.shape != (self.count,) or not plain:
            self._aside.append(f"{name} ({array.dtype} {array.shape})")
        elif column.lower() in {known.lower() for known in self._arrays}:
            raise SourceError(f"{self._where}: arrays {self._arrays} and {name} clash; rename one")
        else:
            self._arrays[column] = name
            self._row += size

    @property
    def columns(self) -> Sequence[str]:
        return list(self._arrays)

    @property
    def notes(self) -> Sequence[str]:
        if not self._aside:
            return []
        return [
            f"{self._where}: {', '.join(self._aside)} left aside; expected one number, text or "
            f"true/false for each vector, and at most {MAX_ROW:,} bytes of them together"
        ]

    def __iter__(self) -> Iterator[Row]:
        with ExitStack() as stack:
            arrays = self._open(stack)
            for start in range(0, self.count, BATCH):
                yield from self._rows(arrays, start, min(BATCH, self.count - start))

    def blocks(self, size: int) -> Iterator[tuple[list[Row], NDArray[np.float32], dict[int, str]]]:
        """Rows and their vectors."""
        with ExitStack() as stack:
            arrays = self._open(stack)
            vectors = arrays[self._vectors]
            whole = vectors.whole() if vectors.by_column else None
            for start in range(0, self.count, size):
                n = min(size, self.count - start)
                part = vectors.read(n) if whole is None else whole[start : start + n]
                with np.errstate(over="ignore", invalid="ignore"):  # too large: infinite
                    block = part.astype(np.float32)
                yield self._rows(arrays, start, n), block, {}

    def _rows(self, arrays: dict[str, _Array], start: int, n: int) -> list[Row]:
        cells = [arrays[name].values(n) for name in self._arrays.values()]
        columns = list(self._arrays)
        return [
            Row(start + rank, dict(zip(columns, each, strict=True)))
            for rank, each in enumerate(zip(*cells, strict=True), 1)
        ]

    def _open(self, stack: ExitStack) -> dict[str, _Array]:
        """Every array, at its beginning."""
        stream = stack.enter_context(binary(self._tree, self._file, most=MAX_PACKED))
        try:
            archive = stack.enter_context(zipfile.ZipFile(stream))
            names = [name for name in archive.namelist() if name.endswith(".npy")]
            if len(names) > MAX_COLUMNS:
                raise SourceError(f"{self._where} has {len(names):,} arrays; expected fewer")
            if len(set(names)) != len(names):
                raise SourceError(f"{self._where} has two arrays of one name; rename one")
            members = {name: stack.enter_context(archive.open(name)) for name in names}
        except SourceError:
            raise
        except Exception as error:  # zipfile raises many kinds on damaged files
            raise _damaged(self._where, error) from None
        return {
            name.removesuffix(".npy"): _Array(name.removesuffix(".npy"), member, self._where)
            for name, member in members.items()
        }


class _Array:
    """An array that is read from its beginning to its end."""

    def __init__(self, name: str, stream: IO[bytes], where: str) -> None:
        self.name = name
        self._stream = stream
        self._where = f"{where}, array {name}"
        try:
            version = np.lib.format.read_magic(stream)
            read = {
                (1, 0): np.lib.format.read_array_header_1_0,
                (2, 0): np.lib.format.read_array_header_2_0,
            }[version]
            self.shape, self.by_column, self.dtype = read(stream)
        except Exception as error:  # numpy raises many kinds on damaged headers
            raise _damaged(self._where, error) from None
        if any(n < 0 for n in self.shape):
            raise _damaged(self._where, ValueError(f"shape {self.shape}"))
        self.by_column = self.by_column and len(self.shape) > 1

    def read(self, n: int) -> NDArray[Any]:
        """The next n rows.

        Raises
        ------
        SourceError
            If the file ends before, or is damaged.
        """
        shape = (n, *self.shape[1:])
        return self._numbers(math.prod(shape)).reshape(shape)

    def whole(self) -> NDArray[Any]:
        """All of an array that was written column by column."""
        if math.prod(self.shape) * self.dtype.itemsize > MAX_WHOLE:
            raise SourceError(
                f"{self._where} is too large to be turned; save it with np.ascontiguousarray(...)"
            )
        return self._numbers(math.prod(self.shape)).reshape(self.shape, order="F")

    def _numbers(self, n: int) -> NDArray[Any]:
        try:
            data = self._stream.read(n * self.dtype.itemsize)
            return np.frombuffer(data, self.dtype, count=n)
        except Exception as error:  # zipfile and zlib raise many kinds on damaged files
            raise _damaged(self._where, error) from None

    def values(self, n: int) -> list[Scalar]:
        """The next n values as Python's own; NaN and empty texts are none."""
        rows = self.read(n)
        try:
            if self.dtype.kind == "S":
                return [text.decode() or None for text in rows.tolist()]
            if self.dtype.kind == "U":
                texts = rows.tolist()
                "".join(texts).encode()  # half a letter cannot be stored
                return [text or None for text in texts]
            if self.dtype.kind == "M":
                texts = np.datetime_as_string(rows).tolist()
                return [None if text == "NaT" else text for text in texts]
            if self.dtype.kind == "f":
                numbers = rows.astype(np.float64).tolist()
                return [number if math.isfinite(number) else None for number in numbers]
            return list(rows.tolist())
        except ValueError as error:  # text that is none
            raise _damaged(self._where, error) from None


def _is_vectors(name: str) -> bool:
    return name.lower() in ("vectors", "vector")


def _damaged(where: str, error: Exception) -> SourceError:
    why = " ".join(str(error).split())[:200] or type(error).__name__
    return SourceError(f"{where} cannot be read ({why}); write it again with np.savez")
