"""A collection as EcoTaxa imports it: a zip of the images and one table that describes them.

What came from EcoTaxa goes back under the names, types and values it had; of other collections,
metadata become ``object_`` columns, and latitude, longitude, date, depth, sample and pixel size the
columns EcoTaxa has for them. A person's decision leaves as validated or dubious with who and when,
any suggestion as predicted; a rejected label stays here. Values are exact (no spreadsheet is
protected here), but for tabs, line ends and other control characters, which become blanks.
"""

from __future__ import annotations

import contextlib
import csv
import io
import re
import zipfile
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from core import labels
from core.catalogue import Image
from core.errors import CoreError, ImageError
from core.images import ValueRange, content_hash
from core.labels import Label
from core.library import Library, View
from core.progress import Meter, Report, nobody
from core.ranging import value_range_of
from core.sources.base import Scalar
from core.sources.ecotaxa_cells import PREFIXES, TEXT, label_of, number_of, pixel_size
from core.sources.folder import not_a_picture
from core.sources.uri import parse
from core.taking import originals
from core.writing import whole_file

SKIPPED_LISTED = 1_000

FIRST = """
    object_id img_file_name img_rank object_lat object_lon object_date object_time object_depth_min
    object_depth_max object_annotation_category object_annotation_status
    object_annotation_person_name object_annotation_date object_annotation_time sample_id acq_id
    process_id process_pixel
""".split()  # noqa: SIM905
"""Columns that come first, in this order, where there are any."""

REQUIRED = ("object_id", "img_file_name", "img_rank")

TEXT_COLUMNS = 20
TEXT_LETTERS = 250
"""What EcoTaxa keeps of an object: so many columns of text of its own, so many letters in each."""

_PARENTS = ("sample", "acq", "process")
_ANNOTATION = "object_annotation_"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")
_RANKED = re.compile(r"#\d+$")

Cells = dict[str, Scalar]
"""A row by the names of its columns in small letters; what is empty is not in it."""


def export_ecotaxa(
    library: Library,
    view: View,
    *,
    to: Path,
    ids: Sequence[str] | None = None,
    clusters: Mapping[str, int | None] | None = None,
    report: Report = nobody,
) -> dict[str, Any]:
    """Write a view as a zip for EcoTaxa; the file is whole or not there.

    Parameters
    ----------
    to : Path
        The .zip to write; an older one is replaced.
    ids : sequence of str, optional
        Only these images, in this order.
    clusters : id -> cluster, optional
        Becomes the column ``object_cluster``.

    Returns
    -------
    dict
        ``file``, ``format``, ``images``, ``objects``, ``skipped`` (the first 1,000 images that
        could not be read: id, reason), ``skipped_count``, ``replaced`` (texts in which a tab, line
        end or other control character became a blank) and ``notes``, what EcoTaxa may complain of.

    Raises
    ------
    CoreError
        If there is no image to write, or the file cannot be written.
    """
    if to.suffix.lower() != ".zip":
        raise CoreError(f"{to.name} is no .zip; EcoTaxa imports a zip: choose -o NAME.zip")
    known = set(view.snapshot.ids)
    wanted = [id for id in dict.fromkeys(view.snapshot.ids if ids is None else ids) if id in known]
    images = library.catalogue.images(view.collection.uid, wanted)
    if not images:
        raise CoreError("there is no image to export; index some, or name some that are there")
    current = labels.current(library.catalogue, view.collection.uid)
    rows = _Rows(view.collection.name, images, current, clusters or {})
    value_range = value_range_of(library.catalogue.options(view.collection.uid))
    with whole_file(to) as path, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        skipped = _write_images(archive, rows, value_range, report)
        if len(skipped) == len(images):
            raise CoreError(
                f"none of {len(images):,} images can be read ({next(iter(skipped.values()))}); "
                "check that their files are where they were (relocate), then export again"
            )
        replaced = _write_table(archive, rows, skipped, view.collection.name)
    left = [image for image in images if image.id not in skipped]
    listed = list(skipped.items())[:SKIPPED_LISTED]
    return {
        "file": str(to),
        "format": "ecotaxa",
        "images": len(left),
        "objects": len({rows.objects[image.id] for image in left}),
        "skipped": [{"id": id, "reason": reason} for id, reason in listed],
        "skipped_count": len(skipped),
        "replaced": replaced,
        "notes": rows.notes(left),
    }


def _write_images(
    archive: zipfile.ZipFile, rows: _Rows, value_range: ValueRange | None, report: Report
) -> dict[str, str]:
    """Original bytes, each file once; why the others could not be read, by id."""
    once: dict[str, Image] = {}
    for image in rows.images:
        once.setdefault(image.uri, image)
    unreadable: dict[str, str] = {}
    meter = Meter(report, "Writing images", len(once))
    for image, found in originals(list(once.values()), value_range):
        if isinstance(found, ImageError):
            unreadable[image.uri] = found.reason
        else:
            data, suffix = found
            name, new = rows.name_file(image, suffix, content_hash(data))
            if new:
                archive.writestr(name, data, zipfile.ZIP_STORED)  # pictures are packed already
        meter.advance()
    return {image.id: unreadable[image.uri] for image in rows.images if image.uri in unreadable}


def _write_table(
    archive: zipfile.ZipFile, rows: _Rows, skipped: Mapping[str, str], collection: str
) -> int:
    """The table of all images that were written; how many texts lost a control character."""
    columns: dict[str, bool] = dict.fromkeys(REQUIRED, True)
    plain = True
    for image in rows.images:
        if image.id in skipped:
            continue
        for key, value in rows.cells(image).items():
            number = key not in TEXT and isinstance(value, int | float)
            columns[key] = columns.get(key, True) and number and not isinstance(value, bool)
            plain = plain and (not isinstance(value, str) or value.isascii())
    order = [key for key in FIRST if key in columns]
    order += [key for key in columns if key not in FIRST]
    names = [rows.spelling.get(key, key) for key in order]
    plain = plain and all(name.isascii() for name in names)
    stem = re.sub(r"[^\w.-]+", "_", collection).strip("._") or "collection"
    replaced = 0
    with (
        archive.open(f"ecotaxa_{stem}.tsv", "w", force_zip64=True) as file,
        # EcoTaxa takes a table for Latin-1 unless it begins with this mark
        io.TextIOWrapper(file, "utf-8" if plain else "utf-8-sig", newline="") as text,
    ):
        table = csv.writer(text, delimiter="\t", quotechar='"', lineterminator="\n")
        table.writerow(names)
        table.writerow("[f]" if columns[key] else "[t]" for key in order)
        for image in rows.images:
            if image.id in skipped:
                continue
            cells = rows.cells(image)
            written = [_written(cells.get(key)) for key in order]
            table.writerow(text for text, _ in written)
            replaced += sum(harmed for _, harmed in written)
    return replaced


def _written(value: Scalar) -> tuple[str, bool]:
    """A cell's text, and whether it had to be changed."""
    if value is None:
        return "", False
    if isinstance(value, bool):
        return str(value).lower(), False
    if not isinstance(value, str):
        return repr(value), False
    text = _CONTROL.sub(" ", value).encode("utf-8", "replace").decode()
    return text.strip(), text != value


@dataclass
class _Rows:
    """What is written of each image."""

    collection: str
    images: list[Image]
    labels: Mapping[str, Label]
    clusters: Mapping[str, int | None]
    files: dict[str, str] = field(default_factory=dict)
    """uri -> name in the zip."""
    objects: dict[str, str] = field(default_factory=dict)
    """Image id -> object_id."""
    spelling: dict[str, str] = field(default_factory=dict)
    """Column in small letters -> as it was written first."""

    def __post_init__(self) -> None:
        self._taken: set[str] = set()
        self._same: dict[tuple[str, str], str] = {}
        self._numbers: Counter[str] = Counter()
        self._pairs: set[tuple[str, str]] = set()
        self._ranks: dict[str, int] = {}
        self._columns = self._name_columns()
        self._name_objects()
        self._sizes: dict[str | None, set[float]] = defaultdict(set)
        for image in self.images:
            if image.um_per_px is not None:
                self._sizes[image.sample].add(image.um_per_px)

    # names

    def _name_columns(self) -> dict[str, str]:
        """Column of each name in metadata that are not EcoTaxa's."""
        columns: dict[str, str] = {}
        for image in self.images:
            ours = _is_ours(image.metadata)
            for name in image.metadata:
                if ours:
                    self.spelling.setdefault(name.lower(), name)
                elif name not in columns:
                    columns[name] = _column(name, set(columns.values()))
        return columns

    def _name_objects(self) -> None:
        """Images of one object share its name; objects of two sources do not."""
        groups: dict[str, list[Image]] = defaultdict(list)
        owners: dict[str, set[str]] = defaultdict(set)
        for image in self.images:
            base, name = image.id, image.id
            if _is_ours(image.metadata):
                name = str(_lower(image.metadata)["object_id"])
                if base != name and not base.endswith(f"/{name}"):
                    base = _RANKED.sub("", base)
            groups[base].append(image)
            owners[name].add(base)
            self.objects[image.id] = name
        for base, images in groups.items():
            name = self.objects[images[0].id]
            if len(owners[name]) > 1:
                self.objects.update((image.id, base) for image in images)
            ranks = [_rank(image) for image in images]
            if len(images) > 1 and (None in ranks or len(set(ranks)) < len(ranks)):
                ordered = sorted(images, key=lambda image: _place(image, base))
                self._ranks.update((image.id, place) for place, image in enumerate(ordered))

    def name_file(self, image: Image, suffix: str, digest: str) -> tuple[str, bool]:
        """The name of an image's file in the zip, and whether it is not there yet.

        Its own name where that is free, or is taken by the very same bytes.
        """
        address = parse(image.uri)
        if _is_ours(image.metadata) and not address.part:
            found = str(_lower(image.metadata)["img_file_name"]).replace("\\", "/")
            wanted = "/".join(part for part in found.split("/") if part not in ("", ".", ".."))
        else:
            stem = image.id if address.part else address.member or address.place
            wanted = re.sub(r"[^\w.()+ -]+", "_", stem.rsplit("/", 1)[-1]).strip(" .") or "image"
            if suffix and not wanted.lower().endswith(suffix):
                wanted += re.sub(r"[^\w.]+", "_", suffix)
            if not_a_picture(wanted) is not None:
                wanted += ".image"
        object_id, small = self.objects[image.id], wanted.lower()
        there = self._same.get((small, digest), "")
        new = not there or (object_id, there) in self._pairs
        while new:  # small letters: Windows and macOS unpack a.png over A.png
            self._numbers[small] += 1
            number = self._numbers[small]
            there = wanted if number == 1 else f"{number}/{wanted}"
            if there.lower() not in self._taken:
                break
        self._taken.add(there.lower())
        self._same[small, digest] = there
        self._pairs.add((object_id, there))
        self.files[image.uri] = there
        return there, new

    # rows

    def cells(self, image: Image) -> Cells:
        """The row of an image whose file has a name."""
        if _is_ours(image.metadata):
            cells = _lower(image.metadata)
            if "object_date" in cells:
                cells.pop("date", None)
            for key in [key for key in cells if not key.startswith(PREFIXES)]:
                cells[_column(key, set(cells))] = cells.pop(key)
        else:
            cells = self._foreign(image.metadata)
        cells = _annotated(cells, self.labels.get(image.id))
        if (cluster := self.clusters.get(image.id)) is not None:
            cells["object_cluster"] = cluster
        cells["object_id"] = self.objects[image.id]
        cells["img_file_name"] = self.files[image.uri]
        if image.id in self._ranks:
            cells["img_rank"] = self._ranks[image.id]
        elif not _is_ours(image.metadata):
            cells["img_rank"] = 0
        if image.sample is not None:
            cells["sample_id"] = image.sample
        if image.um_per_px is not None and pixel_size(cells)[0] != image.um_per_px:
            as_text = isinstance(cells.get("process_pixel"), str)
            cells["process_pixel"] = str(image.um_per_px) if as_text else image.um_per_px
        self._name_parents(cells, image)
        return cells

    def _name_parents(self, cells: Cells, image: Image) -> None:
        """Drop what is empty; name every sample, acquisition and process EcoTaxa is told about.

        A process is its acquisition's, and an acquisition its sample's: where a sample has several
        pixel sizes, it gets an acquisition for each.
        """
        for key in [key for key, value in cells.items() if _is_empty(value)]:
            del cells[key]
        told = {key.split("_", 1)[0] for key in cells}
        if "process" in told and "process_id" not in cells:
            told.add("acq")
        sample = cells.get("sample_id", self.collection)
        several = image.um_per_px is not None and len(self._sizes[image.sample]) > 1
        own = f"{sample} {image.um_per_px:g} um" if several else sample
        for parent, name in zip(_PARENTS, (sample, own, cells.get("acq_id", own)), strict=True):
            if parent in told:
                cells.setdefault(f"{parent}_id", name)

    def _foreign(self, metadata: Mapping[str, Any]) -> Cells:
        cells: Cells = {}
        for name, value in metadata.items():
            if _is_empty(value):
                continue
            standard = _standard(name.lower(), value)
            if standard is None or any(key in cells for key in standard):
                cells[self._columns[name]] = value
            else:
                cells.update(standard)
        return cells

    def notes(self, images: Sequence[Image]) -> list[str]:
        """What EcoTaxa may complain of, or takes otherwise."""
        texts: dict[str, None] = {}
        long = rejected = 0
        samples: dict[str, set[str]] = defaultdict(set)
        said: dict[str, set[Scalar]] = defaultdict(set)
        for image in images:
            cells = self.cells(image)
            for key, value in cells.items():
                if isinstance(value, str) and key.startswith("object_") and key not in TEXT:
                    texts[key] = None
                    long += len(value) > TEXT_LETTERS
            label = self.labels.get(image.id)
            rejected += label is not None and label.status == "rejected"
            said[self.objects[image.id]].add(cells.get(f"{_ANNOTATION}category"))
            if "acq_id" in cells:
                samples[str(cells["acq_id"])].add(str(cells.get("sample_id", "")))
        free = [key for key in texts if not key.startswith(_ANNOTATION)]
        shared = [name for name, of in samples.items() if len(of) > 1]
        found = []
        if len(free) > TEXT_COLUMNS:
            found.append(
                f"{len(free)} columns of text describe objects and EcoTaxa takes {TEXT_COLUMNS}: "
                f"leave some out ({', '.join(free[:5])}, ...)."
            )
        if long:
            found.append(
                f"{long:,} texts are longer than the {TEXT_LETTERS} letters EcoTaxa keeps."
            )
        if rejected:
            found.append(
                f"{rejected:,} rejected labels are left out; EcoTaxa has no place for them."
            )
        if shared:
            found.append(
                f"{len(shared):,} acquisitions are of several samples, which EcoTaxa refuses: "
                f"{', '.join(shared[:5])}."
            )
        if differing := sum(len(of) > 1 for of in said.values()):
            found.append(
                f"{differing:,} objects have images of different labels; EcoTaxa takes the first."
            )
        return found


_NEEDED = {"object_id", "img_file_name"}


def _is_ours(metadata: Mapping[str, Any]) -> bool:
    """Whether it came from an EcoTaxa table."""
    return {name.lower() for name in metadata} >= _NEEDED


def _is_empty(value: Scalar) -> bool:
    return value is None or (isinstance(value, str) and not _CONTROL.sub(" ", value).strip())


def _lower(metadata: Mapping[str, Any]) -> Cells:
    return {name.lower(): value for name, value in metadata.items()}


def _column(name: str, taken: set[str]) -> str:
    """The column of a name in somebody else's metadata."""
    clean = _CONTROL.sub(" ", name).encode("utf-8", "replace").decode()
    clean = "_".join(clean.lower().split()) or "unnamed"
    if not clean.startswith(("object_", "sample_", "acq_", "process_")) or clean in PREFIXES:
        clean = f"object_{clean.strip('_') or 'unnamed'}"
    named = clean in [f"{parent}_id" for parent in _PARENTS]
    if (clean in FIRST and not named) or clean.startswith(_ANNOTATION):
        clean = f"object_meta_{clean.partition('_')[2]}"
    free, number = clean, 1
    while free in taken:
        number += 1
        free = f"{clean}_{number}"
    return free


def _standard(name: str, value: Any) -> Cells | None:
    """The columns EcoTaxa has for what many programs know; None when it has none."""
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else None
    if name in ("latitude", "lat") and number is not None and abs(number) <= 90:
        return {"object_lat": number}
    if name in ("longitude", "lon", "lng") and number is not None and abs(number) <= 180:
        return {"object_lon": number}
    if name in ("depth", "depth_m") and number is not None:
        return {"object_depth_min": number, "object_depth_max": number}
    if name == "instrument" and isinstance(value, str):
        return {"acq_instrument": value}
    if name in ("date", "datetime", "timestamp") and isinstance(value, str):
        with contextlib.suppress(ValueError):
            if len(value) == len("2014-04-20"):
                return {"object_date": f"{date.fromisoformat(value):%Y%m%d}"}
            return _moment("object", value)
    return None


def _moment(prefix: str, text: str) -> Cells:
    """Date and time columns of an ISO 8601 time, in UTC when it says where.

    Raises
    ------
    ValueError
        If it is none.
    """
    at = datetime.fromisoformat(text)
    at = at if at.tzinfo is None else at.astimezone(UTC)
    return {f"{prefix}_date": f"{at:%Y%m%d}", f"{prefix}_time": f"{at:%H%M%S}"}


def _annotated(cells: Cells, label: Label | None) -> Cells:
    """The cells with the label of today; as they came where nothing was said since."""
    came, status = label_of(cells)
    if label is None and came is None:
        return cells
    if (
        label is not None
        and label.by == labels.IMPORT
        and (came, status)
        == (
            label.label,
            label.status,
        )
    ):
        return cells
    kept = {key: value for key, value in cells.items() if not key.startswith(_ANNOTATION)}
    if label is None or label.label is None or label.status == "rejected":
        return kept
    if label.label == came:  # then so is its number in EcoTaxa's tree of taxa
        for name in ("category", "category_id", "hierarchy"):
            kept[_ANNOTATION + name] = cells.get(_ANNOTATION + name)
    else:
        kept[f"{_ANNOTATION}category"] = label.label
    kept[f"{_ANNOTATION}status"] = label.status
    if label.status != "predicted" and label.by != labels.IMPORT:
        kept[f"{_ANNOTATION}person_name"] = label.by
        if cells.get(f"{_ANNOTATION}person_name") == label.by:
            kept[f"{_ANNOTATION}person_email"] = cells.get(f"{_ANNOTATION}person_email")
    with contextlib.suppress(ValueError):
        kept |= _moment("object_annotation", label.at)
    return kept


def _rank(image: Image) -> float | None:
    found = _lower(image.metadata).get("img_rank") if _is_ours(image.metadata) else None
    number = number_of(str(found)) if found is not None else None
    return None if number is None else float(number)


def _place(image: Image, base: str) -> int:
    """1 for the image that is named as its object, n for ``object#n``."""
    number = image.id.removeprefix(base).removeprefix("#")
    return int(number) if number.isdigit() else 1
