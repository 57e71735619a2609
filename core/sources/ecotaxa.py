"""What EcoTaxa imports and exports: tables of images (``ecotaxa*.tsv`` or ``.txt``) beside them.

Line 1 names the columns, line 2 their types (``[f]`` numbers, ``[t]`` text; exports may lack it),
then comes a row an image. What EcoTaxa would refuse is skipped with file, line and column. Columns
keep their names as metadata, ``[f]`` as numbers and ``[t]`` as text, so that `core.ecotaxa_export`
gives them back as they were; empty cells are left out. ``date`` is added, the ISO date of
``object_date``.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from core.errors import SourceError
from core.sources.base import File, Given, ImageRef, Scalar, Skipped, Tree
from core.sources.ecotaxa_cells import (
    NO_STATUS,
    PREFIXES,
    UM_PER_PX,
    UNKNOWN_STATUS,
    date_of,
    label_of,
    number_of,
    pixel_size,
    quoted,
)
from core.sources.ecotaxa_table import CONTROL, Table
from core.sources.folder import FolderTree, check_name, not_a_picture, shown_root
from core.sources.uri import join, quote_path

_NAMED = re.compile(r"ecotaxa.*\.(tsv|txt)", re.IGNORECASE)
_ZIPPED = re.compile(r".*images\.zip", re.IGNORECASE)
_HEAD = 2**16
_SHOWN = 3  # examples a note gives
MAX_ROWS = 5_000_000
"""Of all tables together; what is known of a row takes some 500 bytes."""


class EcoTaxaImporter:
    """The importer; see `core.sources.base.Importer`."""

    kind = "EcoTaxa export"

    def recognises(self, tree: Tree) -> bool:
        """Whether a table of it is among the files; a ``.txt`` is looked into."""
        for file in _tables(tree):
            if file.name.lower().endswith(".tsv"):
                return True
            try:
                head = tree.read(file.path, first=_HEAD)
            except SourceError:
                continue
            if any(prefix.encode() in head.partition(b"\n")[0] for prefix in PREFIXES):
                return True
        return False

    def open(self, tree: Tree, given: Given) -> EcoTaxaSource:
        """Read the tables.

        Raises
        ------
        SourceError
            If no row of them names an image that is there.
        """
        return EcoTaxaSource(tree, given)


class EcoTaxaSource:
    """Images as the rows of EcoTaxa tables name them, in the order of tables and rows."""

    kind = EcoTaxaImporter.kind
    noun = "images"

    def __init__(self, tree: Tree, given: Given) -> None:
        if given.only is not None and isinstance(tree, FolderTree):
            tree = FolderTree(tree.path)  # images may lie in folders beside the table
        self._tree = tree
        self._given = given
        self._name = check_name(tree.name if given.name is None else given.name)
        self._files = {f.path: f for f in tree.files() if isinstance(f, File)}
        self._facts = _Facts()
        self._tables: list[Table] = []
        self._broken: list[Skipped] = []
        self._places: dict[_At, int] = {}
        self._bad: dict[_At, str] = {}
        self._survey()

    @property
    def name(self) -> str:
        return self._name

    @property
    def root(self) -> str:
        return self._tree.root

    @property
    def notes(self) -> Sequence[str]:
        return self._facts.sentences()

    def refs(self) -> Iterator[ImageRef | Skipped]:
        """Every image; rows that cannot be used, with the reason."""
        yield from (f for f in self._tree.files() if isinstance(f, Skipped))
        yield from self._broken
        ids: set[str] = set()
        for number, table in enumerate(self._tables):
            for line, found in table.rows(self._tree):
                at = (number, line)
                if at in self._bad or isinstance(found, str):
                    yield table.skipped(self.root, line, self._bad.get(at, str(found)))
                    continue
                ref = self._ref(table, self._row(table, line, found), self._places.get(at, 0))
                if ref.id in ids:
                    reason = f"column object_id: the id {ref.id!r} came before"
                    yield table.skipped(self.root, line, reason)
                    continue
                ids.add(ref.id)
                yield ref

    # looking through the tables once

    def _survey(self) -> None:
        """Which rows can be used, which of them are images of one object, and what to note."""
        objects: dict[str, list[tuple[float, _At]]] = {}
        pairs: set[tuple[str, str]] = set()
        first: str | None = None
        rows = 0
        for file in self._wanted():
            try:
                table = Table.read(self._tree, file.path, self._facts.add)
            except SourceError as error:
                first = first or str(error)
                reason = str(error).removeprefix(f"{file.path}: ").removeprefix(f"{file.path}, ")
                self._broken.append(Skipped(join(self.root, quote_path(file.path)), reason))
                continue
            self._tables.append(table)
            for line, cells in table.rows(self._tree):
                at = (len(self._tables) - 1, line)
                rows += 1
                if rows > MAX_ROWS:
                    raise SourceError(
                        f"{file.path}, line {line}: more than the {MAX_ROWS:,} rows allowed; give "
                        "the tables one by one, or export fewer samples at a time"
                    )
                again = False
                try:
                    row = self._checked(table, line, cells)
                    pair = (row.cells["object_id"], row.image.path)
                    if again := pair in pairs:
                        raise _BadRowError(
                            "column img_file_name: this image of the object came before"
                        )
                    pairs.add(pair)
                    self._facts.look(table, row, self._given)
                except _BadRowError as error:
                    self._bad[at] = str(error)
                    first = first or f"{file.path}, line {line}, {error}"
                # an image that cannot be used today may be tomorrow: it keeps its place, so that
                # the others keep their ids
                if not again and not isinstance(cells, str):
                    named = table.cells(cells)
                    objects.setdefault(named.get("object_id", ""), []).append((_rank(named), at))
        if not pairs:
            where = shown_root(self._tree)
            raise SourceError(
                f"{where} holds no image that can be used: {first}"
                if first is not None
                else f"{where}: {self._given.only} is not an EcoTaxa table; expected ecotaxa*.tsv"
            )
        for images in objects.values():
            if len(images) > 1:
                for place, (_, at) in enumerate(sorted(images)):
                    self._places[at] = place
        if self._given.only is None:
            used = {path for _, path in pairs}
            self._facts.look_beside(f for path, f in self._files.items() if path not in used)

    def _wanted(self) -> Iterator[File]:
        only = self._given.only
        for file in _tables(self._tree):
            if only is None or file.path == only:
                yield file

    def _checked(self, table: Table, line: int, found: list[str] | str) -> _Row:
        """A row of which EcoTaxa would complain of nothing."""
        if isinstance(found, str):
            raise _BadRowError(found)
        width = len(table.columns)
        extra = [n for n in range(width, len(found)) if found[n].strip()]
        if extra:
            raise _BadRowError(
                f"column {extra[0] + 1}: {quoted(found[extra[0]])} has no name above it "
                f"({len(found)} cells under {width} names); a tab too many, or names are missing"
            )
        cells = table.cells(found)
        bad: list[str] = []
        if not cells.get("object_id"):
            bad.append("column object_id: it is empty; expected the object's name")
        control = CONTROL.search("".join(found)) is not None
        for column in table.columns if control else table.checked:
            text = cells.get(column.key, "")
            if text and (why := column.trouble(text)) is not None:
                bad.append(f"column {column.name}: {why}")
        try:
            self._image(table, cells.get("img_file_name", ""))
        except _BadRowError as error:
            bad.append(f"column img_file_name: {error}")
        if bad:
            raise _BadRowError("; ".join(bad))
        return self._row(table, line, found)

    def _row(self, table: Table, line: int, found: list[str]) -> _Row:
        cells = table.cells(found)
        return _Row(line, cells, self._image(table, cells["img_file_name"]))

    def _image(self, table: Table, name: str) -> File:
        if not name:
            raise _BadRowError("it is empty; expected the image's file name")
        parts = [part for part in name.replace("\\", "/").split("/") if part != "."]
        if not parts or not parts[0] or re.fullmatch("[A-Za-z]:.*", parts[0]) or ".." in parts:
            raise _BadRowError(f"{quoted(name)} leads elsewhere; expected a file beside the table")
        path = "/".join([*table.folder, *(part for part in parts if part)])
        file = self._files.get(path)
        if file is None:
            raise _BadRowError(f"there is no file {quoted(name)} beside the table")
        if (why := not_a_picture(file.name)) is not None:
            raise _BadRowError(f"{quoted(name)} is {why}")
        return file

    # what a row says

    def _ref(self, table: Table, row: _Row, place: int) -> ImageRef:
        given, cells = self._given, row.cells
        id = cells["object_id"] if place == 0 else f"{cells['object_id']}#{place + 1}"
        metadata: dict[str, Scalar] = {}
        for column in table.columns:
            text = cells.get(column.key, "")
            if text and (value := column.value(text)) is not None:
                metadata[column.name] = value
        if cells.get("object_date"):
            metadata["date"] = date_of(cells["object_date"]).isoformat()
        label, status = label_of(cells)
        folders = row.image.path.split("/")[:-1]
        if given.labels:
            label, status = (folders[-1] if folders else None), "validated"
        sample = cells.get("sample_id") or None
        if given.samples:
            sample = folders[0 if given.labels else -1] if folders else None
        um_per_px, _ = pixel_size(cells)
        return ImageRef(
            id=id if given.name is None else f"{given.name}/{id}",
            inner=quote_path(row.image.path),
            stamp=row.image.stamp,
            metadata=metadata,
            label=label,
            label_status=status,
            sample=sample,
            um_per_px=um_per_px if given.um_per_px is None else given.um_per_px,
        )


_At = tuple[int, int]
"""Number of the table, line in it."""


class _BadRowError(Exception):
    """Why a row, or what is on it, cannot be used."""


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    cells: dict[str, str]
    """By the column's name in small letters; what the row is too short for is not there."""
    image: File


def _rank(cells: Mapping[str, str]) -> float:
    """Where an image stands among those of its object; without a rank, behind those with one."""
    rank = number_of(cells.get("img_rank", ""))
    return math.inf if rank is None else float(rank)


def _tables(tree: Tree) -> Iterator[File]:
    for file in tree.files():
        if isinstance(file, File) and _NAMED.fullmatch(file.name):
            yield file


@dataclass
class _Facts:
    """What a person should know of how the tables were read."""

    said: dict[str, None] = field(default_factory=dict)
    no_status: int = 0
    no_name: int = 0
    commas: int = 0
    doubtful: Counter[str] = field(default_factory=Counter)
    acquisitions: dict[str, tuple[str, str]] = field(default_factory=dict)
    shared: dict[str, str] = field(default_factory=dict)

    def add(self, sentence: str) -> None:
        self.said[sentence] = None

    def look(self, table: Table, row: _Row, given: Given) -> None:
        cells = row.cells
        label, _ = label_of(cells)
        if label is not None and not given.labels:
            self.no_status += cells.get("object_annotation_status", "").lower() in NO_STATUS
            self.no_name += not cells.get("object_annotation_category")
        self.commas += any("," in cells.get(key, "") for key in table.numbers)
        _, doubt = pixel_size(cells)
        if doubt is not None:
            self.doubtful[doubt] += 1
        acquisition, sample = cells.get("acq_id", ""), cells.get("sample_id", "")
        if acquisition and sample:
            where = f"{table.path}, line {row.line}"
            known, first = self.acquisitions.setdefault(acquisition, (sample, where))
            if known != sample and acquisition not in self.shared:
                self.shared[acquisition] = (
                    f"{where}, column acq_id: acquisition {quoted(acquisition)} is of sample "
                    f"{quoted(sample)} here and of {quoted(known)} in {first}; "
                    "EcoTaxa would refuse this."
                )

    def look_beside(self, files: Iterator[File]) -> None:
        pictures = zips = 0
        for file in files:
            if _ZIPPED.fullmatch(file.name):
                zips += 1
            elif not_a_picture(file.name) is None and "." in file.name:
                pictures += 1
        if pictures:
            self.add(
                f"{pictures:,} files beside the tables are named in none of their usable rows."
            )
        if zips:
            self.add(
                f"{zips:,} zips of a UVP6 (*Images.zip) are not looked into; unpack them first."
            )

    def sentences(self) -> list[str]:
        low, high = UM_PER_PX
        found = list(self.said)
        if self.no_status:
            found.append(
                f"{self.no_status:,} images have a category without a status; it is taken as "
                f"{UNKNOWN_STATUS}, since only a status says that somebody looked."
            )
        if self.no_name:
            found.append(
                f"{self.no_name:,} images have an object_annotation_category_id without its name; "
                "the label is 'taxon ID'."
            )
        if self.commas:
            found.append(f"{self.commas:,} rows write decimals with a comma, and are read so.")
        for doubt, count in self.doubtful.most_common(_SHOWN):
            found.append(
                f"The pixel size of {count:,} images is doubtful and not used: {doubt}; expected "
                f"{low:g} to {high:g} µm; give µm per pixel (--um-per-px) where it is known."
            )
        shared = list(self.shared.values())
        found += shared[:_SHOWN]
        if len(shared) > _SHOWN:
            found.append(f"{len(shared) - _SHOWN:,} more acquisitions are of several samples.")
        return found
