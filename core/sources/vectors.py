"""Vectors that another program made: .parquet with a list column, .npz with arrays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from core.errors import SourceError
from core.sources.base import File, Given, ImageRef, Skipped, Source, Tree
from core.sources.folder import check_name
from core.sources.npz import NpzRows
from core.sources.parquet import ParquetRows, parquet_types
from core.sources.rows import Row
from core.sources.table import RowReader

Rows32: TypeAlias = NDArray[np.float32]
"""(n, d) float32, as they were made: of any length."""

SUFFIXES = (".npz", ".parquet")
VECTOR = "vector"

MAX_DIMENSION = 65_536
BLOCK_BYTES = 32 * 2**20
BLOCK_ROWS = 4_096
LOOK_ROWS = 64  # rows from which the length of a parquet file's lists is told


class VectorFiles:
    """Importer of files of vectors, when such a file itself was pointed at."""

    kind = "Vectors made elsewhere"

    def recognises(self, tree: Tree) -> bool:
        """Whether this is one file that holds vectors."""
        files = tree.files()
        if len(files) != 1 or isinstance(files[0], Skipped):
            return False
        file = files[0]
        if file.path.lower().endswith(".npz"):
            return True
        if not file.path.lower().endswith(".parquet"):
            return False
        try:
            return _list_column(parquet_types(tree, file)) is not None
        except SourceError:
            return False

    def open(self, tree: Tree, given: Given) -> Source:
        """Read what the file holds besides the vectors.

        Raises
        ------
        SourceError
            If ids or vectors are missing, or it is damaged.
        """
        files = [file for file in tree.files() if isinstance(file, File)]
        file = next(each for each in files if given.only in (None, each.path))
        return VectorSource(tree, file, given)


class VectorSource:
    """Images and the vector of each; without a uri an image is looked for by its id.

    Raises
    ------
    SourceError
        If ids or vectors are missing, or it is damaged.
    """

    kind = VectorFiles.kind
    noun = "images"

    def __init__(self, tree: Tree, file: File, given: Given) -> None:
        stem = check_name(PurePosixPath(file.path).stem)
        self.encoder = f"precomputed:{stem}"
        self.given = given
        self._name = stem if given.name is None else check_name(given.name)
        self._tree = tree
        self._file = file
        packed: type[_Packed] = NpzRows if file.path.lower().endswith(".npz") else _ParquetVectors
        self._packed = packed(tree, file)
        small = {name.lower() for name in self._packed.columns}
        if not small & {"id", "uri"}:
            raise SourceError(
                f"{file.path} does not say what its vectors are of; expected ids or uris beside "
                "them (a column id, an array ids)"
            )
        self.count = self._packed.count
        self.dimension = self._packed.dimension
        if not self.count:
            raise SourceError(f"{file.path} holds no vectors")
        if not 1 <= self.dimension <= MAX_DIMENSION:
            raise SourceError(
                f"the vectors of {file.path} have {self.dimension:,} numbers; expected 1 to "
                f"{MAX_DIMENSION:,}"
            )
        self._reader: RowReader | None = None

    @property
    def name(self) -> str:
        return self._name

    @property
    def root(self) -> str:
        return self._tree.root

    @property
    def where(self) -> str:
        """The file, for a person."""
        return self._file.path

    @property
    def notes(self) -> Sequence[str]:
        return [*self._packed.notes, *(self._reader.notes() if self._reader else [])]

    def refs(self) -> Iterator[ImageRef | Skipped]:
        """Every image, without its vector."""
        reader = self._begin()
        for row in self._packed:
            yield reader.read(row)

    def ids(self) -> Iterator[str]:
        """Every image's id."""
        return (ref.id for ref in self.refs() if isinstance(ref, ImageRef))

    def blocks(self) -> Iterator[tuple[list[ImageRef], Rows32] | Skipped]:
        """Some images and their vectors at a time, and what is of no use."""
        reader = self._begin()
        size = max(1, min(BLOCK_ROWS, BLOCK_BYTES // (4 * self.dimension)))
        for rows, vectors, wrong in self._packed.blocks(size):
            refs: list[ImageRef] = []
            good: list[int] = []
            for number, row in enumerate(rows):
                if number in wrong:
                    yield reader.skipped(row.number, wrong[number])
                    continue
                ref = reader.read(row)
                if isinstance(ref, Skipped):
                    yield ref
                    continue
                refs.append(ref)
                good.append(number)
            if refs:
                yield refs, vectors if len(good) == len(rows) else vectors[good]

    def _begin(self) -> RowReader:
        only = replace(self.given, only=self._file.path)
        self._reader = RowReader(self._tree, only, self._file.path, self._name, self._packed)
        return self._reader


class _Packed(Protocol):
    """A file's rows, and its vectors some at a time."""

    unit: str
    count: int
    dimension: int

    def __init__(self, tree: Tree, file: File) -> None: ...

    @property
    def columns(self) -> Sequence[str]: ...

    @property
    def notes(self) -> Sequence[str]: ...

    def __iter__(self) -> Iterator[Row]: ...

    def blocks(self, size: int) -> Iterator[tuple[list[Row], Rows32, dict[int, str]]]:
        """Rows, their vectors, and which of them have none and why."""
        ...


class _ParquetVectors:
    """Vectors in a list column of a .parquet file."""

    unit = "row"

    def __init__(self, tree: Tree, file: File) -> None:
        types = parquet_types(tree, file)
        name = _list_column(types)
        if name is None:
            raise SourceError(
                f"{file.path} has no column {VECTOR} of lists of numbers; its columns are: "
                + ", ".join(list(types)[:20])
            )
        self._where = file.path
        self._rows = ParquetRows(tree, file, beside=name)
        self.count = self._rows.count
        kind = types[name]
        self.dimension = int(getattr(kind, "list_size", 0)) or self._look()

    @property
    def columns(self) -> Sequence[str]:
        return self._rows.columns

    @property
    def notes(self) -> Sequence[str]:
        return self._rows.notes

    def __iter__(self) -> Iterator[Row]:
        for row in self._rows:
            assert isinstance(row, Row)
            yield row

    def _look(self) -> int:
        """The length that most of the first lists have."""
        import pyarrow.compute as pc

        for _, column in self._rows.blocks(LOOK_ROWS):
            lengths = Counter(n for n in pc.list_value_length(column).to_pylist() if n)
            if lengths:
                return int(lengths.most_common(1)[0][0])
        return 0

    def blocks(self, size: int) -> Iterator[tuple[list[Row], Rows32, dict[int, str]]]:
        import pyarrow.compute as pc

        for rows, column in self._rows.blocks(size):
            lengths = pc.list_value_length(column).to_pylist()
            wrong = {
                number: "its vector is missing"
                if length is None
                else f"its vector has {length:,} numbers; expected {self.dimension:,}"
                for number, length in enumerate(lengths)
                if length != self.dimension
            }
            vectors = np.zeros((len(rows), self.dimension), np.float32)
            good = [number for number in range(len(rows)) if number not in wrong]
            try:
                flat = column.take(good).flatten().to_numpy(zero_copy_only=False)
                vectors[good] = single(flat).reshape(len(good), self.dimension)
            except Exception as error:  # arrow raises many kinds on damaged files
                why = " ".join(str(error).split())[:200]
                raise SourceError(f"{self._where} cannot be read as parquet ({why})") from None
            yield rows, vectors, wrong


def single(numbers: NDArray[Any]) -> Rows32:
    """Any numbers as float32; what is too large for it becomes infinite."""
    with np.errstate(over="ignore", invalid="ignore"):
        return numbers.astype(np.float32, copy=False)


def _list_column(types: dict[str, Any]) -> str | None:
    """The column ``vector``, if it holds lists of numbers."""
    from pyarrow import types as test

    for name, kind in types.items():
        if name.lower() != VECTOR:
            continue
        listed = test.is_list(kind) or test.is_large_list(kind) or test.is_fixed_size_list(kind)
        if listed and (test.is_floating(kind.value_type) or test.is_integer(kind.value_type)):
            return name
    return None
