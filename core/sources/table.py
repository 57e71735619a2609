"""A table of images: a column ``uri`` and whatever else is known of each."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from core.cells import unescaped
from core.errors import ImageError, SourceError
from core.sources.base import File, Given, ImageRef, Scalar, Skipped, Source, Tree
from core.sources.folder import check_name, not_a_picture
from core.sources.places import Places, folders_of, is_odd, path_of
from core.sources.rows import MEANT, BadRow, Row, Rows
from core.sources.tabular import columns_of, open_rows, tables_of
from core.sources.uri import join, quote_path, scheme_of

STATUSES = {
    "validated": "validated",
    "dubious": "dubious",
    "rejected": "rejected",
    "predicted": "predicted",
    "v": "validated",
    "d": "dubious",
    "p": "predicted",
}
"""How a label may stand; EcoTaxa's letters too."""

UM_PER_PX = (0.05, 200.0)
"""Micrometres per pixel: outside of it a figure is more likely of another unit."""

EXPORTED = ("id", "uri", "label", "label_status", "cluster", "x", "y")
"""How a table begins that `core.exporting` wrote."""

OURS = frozenset({"cluster", "x", "y", "width", "height", "content_hash"})
"""Columns of such a table that are found out anew."""

LONGEST_ID = 1_000


class Tables:
    """Tables beside or far from their images."""

    kind = "Table"

    def recognises(self, tree: Tree) -> bool:
        """Whether a table at the top has a column ``uri``; a parquet file alone is one, so that
        what is wrong with it is said."""
        files = tables_of(tree)
        if len(files) == len(tree.files()) == 1 and files[0].path.lower().endswith(".parquet"):
            return True
        return bool(_naming_images(tree, files))

    def open(self, tree: Tree, given: Given) -> Source:
        """Read the table's columns, and of a csv file what each holds.

        Raises
        ------
        SourceError
            If there are several tables, or this one cannot be used; names file, line and column.
        """
        files = tables_of(tree)
        if given.only is not None:
            files = [file for file in files if file.path == given.only]
            if not files:
                raise SourceError(
                    f"{given.only} is a file that cannot be read as images; expected a table "
                    "(.csv, .tsv, .parquet) with a column uri, or a folder"
                )
            return TableSource(tree, files[0], given)
        files = _naming_images(tree, files)
        if len(files) != 1:
            names = ", ".join(file.path for file in files) or "none"
            raise SourceError(
                f"{tree.name} holds {len(files)} tables with a column uri ({names}); expected one: "
                "give the table itself, not its folder"
            )
        return TableSource(tree, files[0], given)


def _naming_images(tree: Tree, files: Sequence[File]) -> list[File]:
    """The tables with a column uri. An export of ours that somebody keeps among their pictures is
    not what the pictures are to be read by, unless it is named itself."""
    alone = len(tree.files()) == 1
    found = []
    for file in files:
        columns = columns_of(tree, file)
        exported = tuple(columns[: len(EXPORTED)]) == EXPORTED
        if _has_uri(columns) and (alone or not exported):
            found.append(file)
    return found


def _has_uri(columns: Sequence[str]) -> bool:
    return any(name.lower() == "uri" for name in columns)


class TableSource:
    """The images a table names.

    Ids are those of its column ``id``; without one, the uri as the table has it. When SOURCE was
    given they begin with ``SOURCE/``, but for addresses and whole paths, which are nobody else's.

    Raises
    ------
    SourceError
        If it cannot be read, or has no column ``uri`` or no row.
    """

    kind = "Table"
    noun = "images"

    def __init__(self, tree: Tree, file: File, given: Given) -> None:
        own = tree.name if given.only is None else PurePosixPath(file.path).stem
        self._name = check_name(own if given.name is None else given.name)
        self._tree = tree
        self._given = given
        self._file = file.path
        self._rows = open_rows(tree, file, texts=MEANT)
        if not _has_uri(self._rows.columns):
            names = (" ".join(name.split()) for name in self._rows.columns[:20])
            shown = ", ".join(names) or "none"
            raise SourceError(
                f"{file.path} has no column uri; its columns are: {shown}; name the one with paths "
                "or addresses of images uri"
            )
        self._reader: RowReader | None = None
        if next(iter(self._rows), None) is None:
            raise SourceError(f"{file.path} has the names of columns and no row")

    @property
    def name(self) -> str:
        return self._name

    @property
    def root(self) -> str:
        return self._tree.root

    @property
    def notes(self) -> Sequence[str]:
        return [*self._rows.notes, *(self._reader.notes() if self._reader else [])]

    def refs(self) -> Iterator[ImageRef | Skipped]:
        """Every row, in the table's order."""
        reader = RowReader(self._tree, self._given, self._file, self._name, self._rows)
        self._reader = reader
        for row in self._rows:
            yield reader.read(row)
        reader.complete()


class RowReader:
    """Makes images of rows; one for every reading of a table.

    Parameters
    ----------
    name : str
        The SOURCE of ids.
    rows : Rows
        Whose columns there are; without a column ``uri`` an image is looked for by its id.
    """

    def __init__(self, tree: Tree, given: Given, file: str, name: str, rows: Rows) -> None:
        self._given = given
        self._file = file
        self._name = name
        self._unit = rows.unit
        self._where = join(tree.root, quote_path(file))
        self._places = Places(tree, given)
        small = {column.lower(): column for column in rows.columns}
        self._special = {meant: small[meant] for meant in MEANT if meant in small}
        self._exported = tuple(rows.columns[: len(EXPORTED)]) == EXPORTED
        self._escaped = self._exported and not file.lower().endswith(".parquet")
        aside = {*self._special.values(), *(OURS if self._exported else ())}
        self._metadata = [column for column in rows.columns if column not in aside]
        self._ids: dict[str, int] = {}
        self._noted: dict[tuple[str, str], str] = {}
        self._counts: Counter[tuple[str, str]] = Counter()
        self._complete = False
        # of a folder that was pointed at: its pictures that the table does not name
        self._unnamed: set[str] = set()
        if given.only is None:
            self._unnamed = {
                each.path
                for each in tree.files()
                if not isinstance(each, Skipped) and not_a_picture(each.name) is None
            }

    def read(self, row: Row | BadRow) -> ImageRef | Skipped:
        """The image of a row, or why it is none: names line and column."""
        if isinstance(row, BadRow):
            return self.skipped(row.number, row.reason)
        try:
            return self._ref(row)
        except ImageError as error:
            return Skipped(error.path or self._where, error.reason)

    def skipped(self, number: int, reason: str) -> Skipped:
        """Why a row is of no use."""
        return Skipped(self._where, f"{self._place(number)}: {reason}")

    def complete(self) -> None:
        """All rows were read."""
        self._complete = True

    def notes(self) -> list[str]:
        """What was assumed or left aside so far."""
        found = []
        for key, first in self._noted.items():
            others = self._counts[key] - 1
            more = f" (and {others:,} more like it)" if others else ""
            found.append(f"{first} {key[1]}{more}")
        if self._exported:
            found.append(f"{self._file} is an export: its clusters and map were not read")
        if self._complete and self._unnamed:
            found.append(
                f"{len(self._unnamed):,} pictures beside {self._file} that it does not name were "
                "left aside"
            )
        return found

    def _place(self, number: int, column: str = "") -> str:
        return f"{self._file}, {self._unit} {number}" + (f", column {column}" if column else "")

    def _note(self, meant: str, number: int, text: str, why: str) -> None:
        place = self._place(number, self._special[meant])
        self._counts[meant, why] += 1
        self._noted.setdefault((meant, why), f"{place}: {text[:60]!r}")

    def _cell(self, row: Row, meant: str) -> str:
        """A cell of a column with a meaning, as text; empty when there is none."""
        if meant not in self._special:
            return ""
        value = row.cells[self._special[meant]]
        if isinstance(value, float) and value.is_integer():
            value = int(value)  # ids of whole numbers, beside which a program met an empty cell
        text = "" if value is None else str(value).strip()
        return unescaped(text) if self._escaped else text

    def _ref(self, row: Row) -> ImageRef:
        """
        Raises
        ------
        ImageError
            If it is no image: the reason names line and column.
        """
        uri = self._cell(row, "uri")
        inner = self._inner(row, uri)
        id = self._id(row, uri)
        if self._unnamed:
            self._unnamed.discard(path_of(inner))
        given = self._given
        label, status = self._label(row)
        sample: str | None = self._cell(row, "sample") or None
        if given.labels or given.samples:
            folders = folders_of(inner)
            if given.labels and folders:
                label, status = folders.pop(), "validated"
            if given.samples and folders:
                sample = folders.pop()
        return ImageRef(
            id=id,
            inner=inner,
            stamp=self._places.stamp(inner),
            metadata=self._fields(row),
            label=label,
            label_status=status,
            sample=sample,
            um_per_px=self._um_per_px(row),
        )

    def _inner(self, row: Row, uri: str) -> str:
        if not uri and "uri" not in self._special:
            try:
                return self._places.inner(self._cell(row, "id"))
            except ImageError:
                return ""  # a name that is no path: there is no picture
        place = self._place(row.number, "uri")
        if not uri:
            raise ImageError("", f"{place}: it is empty; expected an address")
        try:
            return self._places.inner(uri)
        except ImageError as error:
            raise ImageError(uri[:200], f"{place}: {error.reason}") from None

    def _id(self, row: Row, uri: str) -> str:
        column = "id" if "id" in self._special else "uri"
        id = self._cell(row, column)
        whole = column == "uri" and (scheme_of(uri) or uri.startswith("/"))
        if id and self._given.name is not None and not whole:
            id = f"{self._name}/{id}"
        place = self._place(row.number, column)
        if not id:
            raise ImageError(uri, f"{place}: it is empty; expected a name that no other row has")
        if len(id) > LONGEST_ID or is_odd(id):
            raise ImageError(uri, f"{place}: expected an id of at most {LONGEST_ID:,} letters")
        if (first := self._ids.setdefault(id, row.number)) != row.number:
            raise ImageError(uri, f"{place}: {id!r} is in {self._unit} {first} already")
        return id

    def _label(self, row: Row) -> tuple[str | None, str]:
        label, text = self._cell(row, "label"), self._cell(row, "label_status")
        if not label:
            return None, "validated"
        status = STATUSES.get(text.lower() or "validated")
        if status is None:
            self._note("label_status", row.number, text, _STATUS_WHY)
            return None, "validated"
        return label, status

    def _um_per_px(self, row: Row) -> float | None:
        text = self._cell(row, "um_per_px")
        if self._given.um_per_px is not None or not text:
            return self._given.um_per_px
        try:
            value = float(text if "." in text else text.replace(",", "."))
        except ValueError:
            value = math.nan
        if UM_PER_PX[0] <= value <= UM_PER_PX[1]:
            return value
        self._note("um_per_px", row.number, text, _SIZE_WHY)
        return None

    def _fields(self, row: Row) -> dict[str, Scalar]:
        cells = row.cells
        return {
            name: unescaped(value) if self._escaped and isinstance(value, str) else value
            for name in self._metadata
            if (value := cells[name]) is not None
        }


_STATUS_WHY = (
    "is no standing of a label (validated, dubious, rejected, predicted), so the label was left "
    "aside"
)
_SIZE_WHY = (
    f"is no likely pixel size ({UM_PER_PX[0]} to {UM_PER_PX[1]:g} micrometres), so it was not used"
)
