"""FlowCam runs: a ``.lst`` says where on which collage each particle lies, and what it measures."""

from __future__ import annotations

import math
import re
import struct
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from core.errors import SourceError
from core.sources.base import File, Given, ImageRef, Scalar, Skipped, Source, Tree
from core.sources.folder import check_name, shown_root
from core.sources.lst import PLACE, ParticleList, Row
from core.sources.naming import date_in, position_in
from core.sources.uri import REMOTE, join, quote_path, scheme_of

UM_PER_PX = (0.05, 200.0)
"""Micrometres per pixel that are believed: FlowCams have 0.13 (Nano, 40x) to about 10 (Macro)."""

MICROMETRES = {
    "esd_um": "esd_diameter",  # mean of 36 Feret diameters
    "abd_um": "abd_diameter",  # of the circle of the same area
    "length_um": "length",
    "width_um": "width",
    "perimeter_um": "perimeter",
    "area_um2": "abd_area",
}
"""Measures the software worked out with ``cal_const``: our name, its column."""

NUMBERS = {
    "circularity_hu": "circularity_hu",
    "mean_intensity": "intensity",
    "edge_gradient": "edge_gradient",
    "particles_per_chain": "ppc",
}
FLUORESCENCE = ("ch1_peak", "ch2_peak", "ch3_peak")
"""Written by newer versions always, and 0 throughout by a FlowCam without laser."""

HEAD = 65_536  # bytes of a collage in which its size may be found
LOOKED_INTO = 8  # .lst files, to find out whether any is a FlowCam's

_ASIDE = re.compile(r"(_bin|cal_image_\d+)\.tiff?$", re.IGNORECASE)
_COLLAGE = re.compile(r"_\d{6}\.tiff?$", re.IGNORECASE)
_PICTURE = re.compile(r"\.(tiff?|png|jpe?g|bmp|gif)$", re.IGNORECASE)

Box: TypeAlias = tuple[int, int, int, int]
"""x, y, width and height in pixels."""


class FlowCam:
    """Importer of FlowCam runs."""

    kind = "FlowCam run"

    def recognises(self, tree: Tree) -> bool:
        """Whether a .lst lies beside collages of its name, or begins as a FlowCam's does."""
        lists = _lists(tree)
        if not lists:
            return False
        runs = {_COLLAGE.sub("", path) for path in _paths(tree) if _COLLAGE.search(path)}
        return any(path[:-4] in runs for path in lists) or any(
            _begins_as_list(tree, path) for path in lists[:LOOKED_INTO]
        )

    def open(self, tree: Tree, given: Given) -> Source:
        """Read the lists until one particle can be used."""
        return FlowCamSource(tree, given)


@dataclass(frozen=True)
class Run:
    """One .lst and what holds for all its particles."""

    path: str
    """Of the .lst."""
    prefix: str
    """What stands between SOURCE and particle in an id; empty when the tree is the run."""
    name: str
    """As the collages begin; the folder's name when they do not begin as the .lst is called."""
    sample: str

    @property
    def folder(self) -> str:
        return self.path.rpartition("/")[0]

    def beside(self, name: str) -> str:
        return f"{self.folder}/{name}" if self.folder else name


class FlowCamSource:
    """Every particle of every run in a tree.

    Raises
    ------
    SourceError
        If no particle can be used.
    """

    noun = "particles"

    def __init__(self, tree: Tree, given: Given) -> None:
        self._tree = tree
        self._given = given
        self._name = check_name(tree.name if given.name is None else given.name)
        self._files = {file.path: file for file in tree.files() if isinstance(file, File)}
        self._lower = {path.lower(): path for path in self._files}  # Windows wrote the names
        self._runs = _runs(tree, given)
        if given.only is not None:
            self._runs = [run for run in self._runs if run.path == given.only]
        if not self._runs:
            raise SourceError(
                f"{given.only or shown_root(tree)} is no list of particles; expected the .lst of a "
                "FlowCam run, or its folder"
            )
        self._noted: dict[str, dict[str, None]] = {}
        self._check()

    @property
    def name(self) -> str:
        return self._name

    @property
    def root(self) -> str:
        return self._tree.root

    @property
    def kind(self) -> str:
        return FlowCam.kind if len(self._runs) == 1 else f"{FlowCam.kind}s"

    @property
    def notes(self) -> Sequence[str]:
        """What was assumed or left aside; what several runs share is said once."""
        return [self._sentence(text, list(runs)) for text, runs in self._noted.items()]

    def refs(self) -> Iterator[ImageRef | Skipped]:
        """Every particle, by run and in the order of its list; no picture is unpacked."""
        if self._given.labels:
            self._note("FlowCam runs carry no labels, and folders were not taken for any")
        used: set[str] = set()
        for run in self._runs:
            uri = join(self.root, quote_path(run.path))
            try:
                listed = ParticleList(self._tree.read(run.path))
                if next(listed.rows(), None) is None:
                    raise SourceError("its header is followed by no particle")
            except SourceError as error:
                yield Skipped(uri, str(error).removeprefix(f"{run.path}: "))
                continue
            for found in self._particles(run, listed, used):
                yield found if isinstance(found, ImageRef) else Skipped(uri, str(found))
        if self._given.only is None:
            yield from (file for file in self._tree.files() if isinstance(file, Skipped))
            self._note_others(used)

    def _check(self) -> None:
        first, wrong = None, 0
        for found in self.refs():
            if isinstance(found, ImageRef):
                return
            first = first or found
            wrong += 1
        assert first is not None  # every run yields something
        where = self._runs[0].path if len(self._runs) == 1 else first.uri
        more = f"; {wrong - 1:,} more cannot be used either" if wrong > 1 else ""
        raise SourceError(f"{where}: {first.reason}{more}")

    def _particles(
        self, run: Run, listed: ParticleList, used: set[str]
    ) -> Iterator[ImageRef | SourceError]:
        fixed = self._said_by_names(run, listed)
        measures = _measures(listed)
        sizes: dict[str, tuple[int, int] | None] = {}
        lines: dict[str, int] = {}
        for row in listed.rows():
            if isinstance(row, SourceError):
                yield row
                continue
            try:
                particle = _particle(row)
                if particle in lines:
                    raise row.damaged("id", f"one not in line {lines[particle]} already")
                collage = self._collage(run, row)
                used.add(collage.path)
                if collage.path not in sizes:
                    sizes[collage.path] = self._size(collage)
                box = _box(row, sizes[collage.path])
                um_per_px, trusted = self._pixel_size(run, row)
                measured = self._measured(run, row, measures, trusted)
            except SourceError as error:
                yield error
                continue
            lines[particle] = row.line
            part = "xywh=" + ",".join(map(str, box))
            yield ImageRef(
                id="/".join(filter(None, (self._name, run.prefix, particle))),
                inner=f"{quote_path(collage.path)}#{part}",
                stamp=f"{collage.stamp}#{part}",
                metadata={**self._when(run, row), **fixed, **measured},
                sample=run.sample,
                um_per_px=um_per_px,
            )

    def _said_by_names(self, run: Run, listed: ParticleList) -> dict[str, Scalar]:
        """What holds for the whole run, from what its list, folder and collages are called."""
        imaged = next(filter(None, map(_timestamp, listed.good_rows())), None)
        collage = next((row.text("collage_file") for row in listed.good_rows()), "")
        names = (
            run.path.rpartition("/")[2][:-4],
            run.folder.rpartition("/")[2] or self._tree.name,
            _COLLAGE.sub("", collage.replace("\\", "/").rpartition("/")[2]),
        )
        said: dict[str, Scalar] = {"instrument": "FlowCam", "run": run.name}
        for name in names:
            place, doubt = position_in(name)
            if doubt:
                self._note(doubt, run)
            if place is not None:
                said["latitude"], said["longitude"] = place
            if place is not None or doubt:
                break
        for name in names:
            day, doubt = date_in(name, before=None if imaged is None else imaged.date())
            if day is None:
                continue
            said["date"] = day.isoformat()
            if doubt:
                self._note(doubt, run)
            if imaged is not None and imaged.date() != day:
                self._note(
                    f"date is {day}, as the name says; the instrument's own clock said "
                    f"{imaged.date()} (imaged_at)", run,
                )  # fmt: skip
            break
        return said

    def _when(self, run: Run, row: Row) -> dict[str, Scalar]:
        if "timestamp" not in row.columns:
            return {}
        imaged = _timestamp(row)
        if imaged is None:
            self._note("a timestamp cannot be read: imaged_at was left out there", run)
            return {}
        return {
            "date": imaged.date().isoformat(),
            "imaged_at": imaged.isoformat(timespec="milliseconds"),
        }

    def _measured(
        self, run: Run, row: Row, measures: Mapping[str, str], trusted: bool
    ) -> dict[str, Scalar]:
        found: dict[str, Scalar] = {}
        for name, column in measures.items():
            value = row.number(column)
            if value is None:
                self._note(
                    f"the column {column} holds no number for some particles: left out there", run
                )
            elif trusted or name not in MICROMETRES:
                found[name] = value
        if (ratio := _aspect_ratio(row)) is not None:
            found["aspect_ratio"] = ratio
        return found

    def _collage(self, run: Run, row: Row) -> File:
        named = row.text("collage_file").replace("\\", "/")
        name = named.rpartition("/")[2]  # some versions write the path it had on their disk
        if not name:
            raise row.damaged("collage_file", "the name of a collage")
        if _ASIDE.search(name):
            raise row.damaged("collage_file", "a collage; this is a mask or a background")
        for path in (run.beside(named), run.beside(name)):
            known = path if path in self._files else self._lower.get(path.lower())
            if known is not None:
                return self._files[known]
        raise row.damaged("collage_file", "a file that lies beside the .lst; there is none")

    def _size(self, collage: File) -> tuple[int, int] | None:
        """Width and height of a collage; None when finding out means fetching all of it, or when
        it cannot be read: reading a particle checks again, and says why."""
        try:
            head = self._tree.read(collage.path, first=min(collage.size, HEAD))
            at = _directory(head)
            if at is None or at >= collage.size:
                return None
            size = tiff_size(head, at)
            if size is None and len(head) < collage.size and scheme_of(self.root) not in REMOTE:
                size = tiff_size(self._tree.read(collage.path), at)  # FlowCams write it last
            return size
        except SourceError:
            return None

    def _pixel_size(self, run: Run, row: Row) -> tuple[float | None, bool]:
        """Micrometres per pixel, and whether measures in micrometres can be right."""
        given = self._given.um_per_px
        if "cal_const" not in row.columns:
            if given is None:
                self._note("the list has no cal_const, so sizes are known in pixels only", run)
            return given, True
        try:
            found = row.number("cal_const")
        except SourceError:
            if given is None:
                raise
            found = None
        if found is None or not UM_PER_PX[0] <= found <= UM_PER_PX[1]:
            said = "no number" if found is None else f"{found:g} micrometres per pixel"
            self._note(
                f"the pixel size (cal_const) is {said}; expected {UM_PER_PX[0]:g} to "
                f"{UM_PER_PX[1]:g}: it was not used, nor were the measures in micrometres that "
                "stand on it",
                run,
            )
            return given, False
        if given is None:
            return found, True
        if not math.isclose(found, given, rel_tol=1e-3):
            self._note(
                f"the pixel size given is {given:g} micrometres and cal_const {found:g}: the "
                "instrument's measures stand on cal_const",
                run,
            )
        return given, True

    def _note(self, text: str, run: Run | None = None) -> None:
        self._noted.setdefault(text, {}).update({run.name: None} if run else {})

    def _note_others(self, used: set[str]) -> None:
        others = [
            path
            for path in self._files
            if path not in used and _PICTURE.search(path) and not _ASIDE.search(path)
        ]
        if others:
            more = f" and {len(others) - 1:,} more" if len(others) > 1 else ""
            self._note(f"of {others[0]}{more} no .lst names a particle: left aside")

    def _sentence(self, text: str, runs: Sequence[str]) -> str:
        if not runs or len(self._runs) == 1:
            return text[0].upper() + text[1:]
        more = f" and {len(runs) - 1:,} more" if len(runs) > 1 else ""
        return f"{runs[0]}{more}: {text}"


def tiff_size(data: bytes, at: int) -> tuple[int, int] | None:
    """Width and height that a TIFF's directory at byte `at` states.

    Returns
    -------
    (width, height) or None
        None when `data` ends before the directory, or the picture lies on its side.
    """
    order = "<" if data[:1] == b"I" else ">"
    values: dict[int, int] = {}
    try:
        (entries,) = struct.unpack_from(f"{order}H", data, at)
        for entry in range(at + 2, at + 2 + 12 * entries, 12):
            tag, kind = struct.unpack_from(f"{order}HH", data, entry)
            if tag in (256, 257, 274) and kind in (3, 4):
                (values[tag],) = struct.unpack_from(order + "HI"[kind - 3], data, entry + 8)
    except struct.error:
        return None
    width, height = values.get(256, 0), values.get(257, 0)
    return (width, height) if width and height and values.get(274, 1) < 5 else None


def _directory(head: bytes) -> int | None:
    """Byte at which the first directory of a TIFF begins; None when it is none (of 4 GB)."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(head[:4])
    return int(struct.unpack(f"{order}I", head[4:8])[0]) if order and len(head) >= 8 else None


def _paths(tree: Tree) -> list[str]:
    return [file.path for file in tree.files() if isinstance(file, File)]


def _lists(tree: Tree) -> list[str]:
    return [path for path in _paths(tree) if path.lower().endswith(".lst")]


def _begins_as_list(tree: Tree, path: str) -> bool:
    try:
        head = tree.read(path, first=4_096)
    except SourceError:
        return False
    return b"num-fields" in head[:256] or b"\ncollage_file|" in head


def _runs(tree: Tree, given: Given) -> list[Run]:
    lists = _lists(tree)
    collages = {_COLLAGE.sub("", path) for path in _paths(tree) if _COLLAGE.search(path)}
    parts = [path[:-4].rpartition("/") for path in lists]
    in_folder = Counter(folder for folder, _, _ in parts)
    names = []
    for path, (folder, _, stem) in zip(lists, parts, strict=True):
        own = in_folder[folder] == 1 and path[:-4] not in collages
        names.append((folder.rpartition("/")[2] or tree.name) if own else stem)
    named = Counter(names)
    runs: list[Run] = []
    taken: set[str] = set()
    for path, (folder, _, _), name in zip(lists, parts, names, strict=True):
        prefix = folder if in_folder[folder] == 1 else path[:-4]
        prefix = path if prefix in taken else prefix
        taken.add(prefix)
        name = name if named[name] == 1 else path[:-4]
        sample = name
        if given.samples and folder:  # as for a folder of pictures; a run that is all is its sample
            sample = folder.split("/")[0 if given.labels else -1]
        runs.append(Run(path, prefix, name, sample))
    return runs


def _measures(listed: ParticleList) -> dict[str, str]:
    """Our name and its column of what this list holds; fluorescence where anything shone."""
    silent = {name for name in FLUORESCENCE if name in listed.columns}
    shone: set[str] = set()
    for row in listed.good_rows() if silent else ():
        shone |= {name for name in silent if row.text(name).strip("-0.")}
        silent -= shone
        if not silent:
            break
    wanted = {**MICROMETRES, **NUMBERS, **{name: name for name in sorted(shone)}}
    return {ours: name for ours, name in wanted.items() if name in listed.columns}


def _particle(row: Row) -> str:
    if row.columns["id"].number:
        return str(row.whole("id"))
    text = row.text("id")
    if not text or "/" in text or not text.isprintable():
        raise row.damaged("id", "a word without '/'")
    return text


def _box(row: Row, size: tuple[int, int] | None) -> Box:
    """Where a particle lies, inside its collage when the size of that is known."""
    x, y, w, h = (row.whole(column) for column in PLACE[1:5])
    for column, value, least in zip(PLACE[1:5], (x, y, w, h), (0, 0, 1, 1), strict=True):
        if not least <= value < 10**9:
            raise row.damaged(column, f"{least} or more pixels")
    if size is not None:
        lies = f"for {w} x {h} pixels in a collage of {size[0]} x {size[1]}"
        if x + w > size[0]:
            raise row.damaged("image_x", f"at most {size[0] - w}, {lies}")
        if y + h > size[1]:
            raise row.damaged("image_y", f"at most {size[1] - h}, {lies}")
    return x, y, w, h


def _timestamp(row: Row) -> datetime | None:
    try:
        return datetime.fromisoformat(row.text("timestamp")) if "timestamp" in row.columns else None
    except ValueError:
        return None


def _aspect_ratio(row: Row) -> float | None:
    """Shorter to longer axis, 0 to 1, of the ellipse of inertia, as the software reports it; width
    to length where the list has no ellipse."""
    for short, long in (("raw_legendre_minor", "raw_legendre_major"), ("width", "length")):
        if short in row.columns and long in row.columns:
            a, b = row.number(short), row.number(long)
            return round(a / b, 4) if a is not None and b and 0 <= a <= b else None
    return None
