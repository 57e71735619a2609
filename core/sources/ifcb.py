"""Imaging FlowCytobot bins: .adc, .roi and .hdr of one name, alone or in folders however nested.

What a bin's name and the columns of its .adc mean is told in `core.sources.roi`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from core.errors import SourceError
from core.sources.base import File, Given, ImageRef, Scalar, Skipped, Source, Tree
from core.sources.folder import check_name, not_a_picture, shown_root
from core.sources.roi import (
    ADC_LIMIT,
    EXPECTED_NAME,
    ROI_LIMIT,
    BinName,
    Trigger,
    adc_lines,
    bin_name,
    parse_trigger,
)
from core.sources.uri import join, parse, quote_path

UM_PER_PX = 1 / 2.77
"""Micrometres per pixel where nobody says otherwise: 2.77 pixels a micrometre is how IFCBs are
usually calibrated; older literature has 3.4."""

HDR_LIMIT = 2**20
"""Bytes of one .hdr; they have about 4,000."""

WRONG_LISTED = 20
"""Lines of one .adc that are reported one by one when they cannot be read."""

NO_VALUE = -999.0
"""What the instrument writes where it measured nothing."""

_SUFFIXES = (".adc", ".roi", ".hdr")

# by the column of x, as in BinName: what a picture may be filtered by, and the column it is in
_MEASURES = {
    13: {"trigger_time_s": 1, "pmt_a": 2, "pmt_b": 3},
    9: {"trigger_time_s": 1, "fluorescence_low": 2, "scattering_low": 4},
}

# name in a .hdr, in small letters -> name here, least, most
_HEADER = {
    "temperature": ("housing_temperature_c", -40.0, 100.0),
    "temp": ("housing_temperature_c", -40.0, 100.0),
    "humidity": ("housing_humidity_percent", 0.0, 100.0),
    "runtime": ("run_time_s", 0.0, 1e6),
    "inhibittime": ("inhibit_time_s", 0.0, 1e6),
    "syringesamplevolume": ("syringe_volume_ml", 0.0, 1_000.0),
    "latitude": ("latitude", -90.0, 90.0),
    "gpslatitude": ("latitude", -90.0, 90.0),
    "longitude": ("longitude", -180.0, 180.0),
    "gpslongitude": ("longitude", -180.0, 180.0),
    "depth": ("depth_m", 0.0, 11_000.0),
}


class IfcbImporter:
    """Recognises bins by their names."""

    kind = "IFCB bins"

    def recognises(self, tree: Tree) -> bool:
        """Whether any .adc or .roi has the name of a bin; nothing is opened."""
        for file in tree.files():
            if isinstance(file, File):
                stem, suffix = _split(file.name)
                if suffix in (".adc", ".roi") and bin_name(stem) is not None:
                    return True
        return False

    def open(self, tree: Tree, given: Given) -> Source:
        """See `Bins`."""
        return Bins(tree, given)


@dataclass
class _Bin:
    """The files of one name in one folder."""

    folder: str
    stem: str
    said: BinName
    files: dict[str, File] = field(default_factory=dict)
    """By extension, in small letters."""

    def completeness(self) -> tuple[bool, int, int]:
        """The larger, the better: of several copies of a bin the most complete is taken."""
        adc, roi = self.files.get(".adc"), self.files.get(".roi")
        both = adc is not None and roi is not None
        return both, roi.size if roi else 0, adc.size if adc else 0


class Bins:
    """The pictures of every bin in a tree; ids are the instrument's own.

    Raises
    ------
    SourceError
        If it holds no bin, or the file pointed at belongs to none.
    """

    noun = "images"

    def __init__(self, tree: Tree, given: Given) -> None:
        self._tree = tree
        self._given = given
        self._name = check_name(tree.name if given.name is None else given.name)
        self._others: list[Skipped] = []
        self._bins = self._grouped()
        if not self._bins:
            raise SourceError(
                f"{shown_root(tree)} holds no IFCB bin; expected .adc, .roi and .hdr named "
                f"{EXPECTED_NAME}"
            )
        self.kind = "IFCB bin" if len(self._bins) == 1 else "IFCB bins"
        self._left_out: Counter[str] = Counter()
        self._no_header = 0

    @property
    def name(self) -> str:
        return self._name

    @property
    def root(self) -> str:
        return self._tree.root

    @property
    def notes(self) -> Sequence[str]:
        notes = []
        if self._given.um_per_px is None:
            notes.append(
                f"Pixel size assumed: {UM_PER_PX:.3f} µm (2.77 pixels a micrometre; 3.4 in older "
                "literature); give µm per pixel (--um-per-px) where another is right."
            )
        if self._no_header:
            notes.append(
                f"Bins without a .hdr, so without temperature, humidity and run time: "
                f"{self._no_header:,}."
            )
        for what, times in sorted(self._left_out.items()):
            notes.append(f"{what[0].upper()}{what[1:]}: {times:,} left out.")
        return notes

    def refs(self) -> Iterator[ImageRef | Skipped]:
        """Every picture, bin by bin; pixels are not read."""
        self._left_out.clear()
        self._no_header = 0
        for copies in self._bins.values():
            best = max(copies, key=_Bin.completeness)  # the first of equals
            for each in copies:
                if each is best:
                    yield from self._bin(each)
                else:
                    yield self._second(each, best)
        yield from self._others

    def _grouped(self) -> dict[str, list[_Bin]]:
        found: dict[tuple[str, str], _Bin] = {}
        for file in self._tree.files():
            if isinstance(file, Skipped):
                self._others.append(file)
                continue
            folder, _, name = file.path.rpartition("/")
            stem, suffix = _split(name)
            said = bin_name(stem) if suffix in _SUFFIXES else None
            if said is None:
                self._others.append(Skipped(self._uri(file), _no_bin(name, stem, suffix)))
                continue
            of_name = found.setdefault((folder, stem), _Bin(folder, stem, said))
            if suffix in of_name.files:
                why = f"{of_name.files[suffix].name} beside it differs in capitals only"
                self._others.append(Skipped(self._uri(file), why))
            else:
                of_name.files[suffix] = file
        if self._given.only is not None:
            found = self._pointed_at(self._given.only, found)
        grouped: dict[str, list[_Bin]] = {}
        for each in found.values():
            grouped.setdefault(each.stem, []).append(each)
        return grouped

    def _pointed_at(
        self, only: str, found: dict[tuple[str, str], _Bin]
    ) -> dict[tuple[str, str], _Bin]:
        self._others.clear()
        for key, each in found.items():
            if any(file.path == only for file in each.files.values()):
                return {key: each}
        raise SourceError(
            f"{only} is no file of an IFCB bin; expected an .adc, .roi or .hdr named "
            f"{EXPECTED_NAME}, or the folder of bins"
        )

    def _uri(self, file: File) -> str:
        return join(self.root, quote_path(file.path))

    def _second(self, each: _Bin, best: _Bin) -> Skipped:
        file = each.files.get(".adc") or next(iter(each.files.values()))
        missing = [suffix for suffix in (".adc", ".roi") if suffix not in each.files]
        where = best.folder or "the uppermost folder"
        why = f"the same bin is in {where}, and is taken from there"
        if missing:
            why = f"the {' and '.join(missing)} is missing; {why}"
        return Skipped(self._uri(file), why)

    def _bin(self, each: _Bin) -> Iterator[ImageRef | Skipped]:
        adc, roi = each.files.get(".adc"), each.files.get(".roi")
        if adc is None:
            lone = roi or next(iter(each.files.values()))
            why = "the .adc is missing, which says where the pictures of a bin lie"
            yield Skipped(self._uri(lone), why)
            return
        try:
            data = self._tree.read(adc.path, limit=ADC_LIMIT)
            lines = adc_lines(data)
        except SourceError as error:
            yield Skipped(self._uri(adc), str(error).removeprefix(f"{adc.path}: "))
            return
        if not data.strip():
            why = "the .adc is empty: a bin without triggers"
            if not any(file.size for file in each.files.values()):
                why = "all its files are empty"
            if roi is not None and roi.size > 2:  # old instruments begin each .roi with two bytes
                why += f", though its .roi has {roi.size:,} bytes"
            yield Skipped(self._uri(adc), why)
            return
        refs = self._triggers(each, adc, roi, lines)
        if (why_not := self._unusable(adc, roi)) is None:
            yield from refs
            return
        pictures = sum(isinstance(ref, ImageRef) for ref in refs)
        yield Skipped(self._uri(roi or adc), why_not, max(pictures, 1))

    def _unusable(self, adc: File, roi: File | None) -> str | None:
        if roi is None:
            return "the .roi is missing, which holds the pictures"
        if roi.name[-4:].isupper() != adc.name[-4:].isupper():
            return f"its .adc is {adc.name}; write both extensions in small letters"
        if parse(self._uri(roi)).member and roi.size > ROI_LIMIT:
            return (
                f"{roi.size:,} bytes is more than the {ROI_LIMIT:,} that are unpacked from a zip; "
                "unpack it yourself and give the folder"
            )
        return None

    def _triggers(
        self, each: _Bin, adc: File, roi: File | None, lines: list[bytes]
    ) -> Iterator[ImageRef | Skipped]:
        """Pictures whose bytes are all there, then what is not; without a .roi, every picture."""
        of_bin = self._of_bin(each)
        wrong, empty = 0, 0
        beyond: list[int] = []
        for line, text in enumerate(lines, 1):
            if not text.strip():
                continue
            try:
                trigger = parse_trigger(text, each.said.first)
            except SourceError as error:
                wrong += 1
                if wrong <= WRONG_LISTED:
                    yield Skipped(self._uri(adc), f"line {line}: {error}")
                continue
            if not trigger.size:
                empty += 1
            elif roi is not None and trigger.start + trigger.size > roi.size:
                beyond.append(line)
            else:
                yield self._ref(each, line, trigger, text, of_bin, adc, roi or adc)
        if wrong > WRONG_LISTED:
            more = wrong - WRONG_LISTED
            yield Skipped(self._uri(adc), f"{more:,} more lines cannot be read", more)
        if empty:
            why = f"{empty:,} trigger{'s'[: empty > 1]} without a picture"
            yield Skipped(self._uri(adc), why, empty)
        if beyond and roi is not None:
            why = f"{roi.size:,} bytes, of which line {beyond[0]} of the .adc needs more"
            why = "the .roi is empty" if not roi.size else f"the .roi is cut off: it has {why}"
            yield Skipped(self._uri(roi), why, len(beyond))

    def _ref(
        self,
        each: _Bin,
        line: int,
        trigger: Trigger,
        text: bytes,
        of_bin: dict[str, Scalar],
        adc: File,
        roi: File,
    ) -> ImageRef:
        given = self._given
        own = f"{each.stem}_{line:05d}"
        folders = each.folder.split("/") if each.folder else []
        sample = each.stem
        if given.samples and folders:
            # beside labels the sample is the folder that holds the folders of labels
            sample = folders[0 if given.labels else -1]
        return ImageRef(
            id=own if given.name is None else f"{given.name}/{own}",
            inner=f"{quote_path(roi.path)}#{line:05d}",
            stamp=f"{adc.stamp}+{roi.stamp}",
            metadata={**of_bin, **self._measures(each, trigger, text)},
            label=folders[-1] if given.labels and folders else None,
            sample=sample,
            um_per_px=UM_PER_PX if given.um_per_px is None else given.um_per_px,
        )

    def _measures(self, each: _Bin, trigger: Trigger, text: bytes) -> dict[str, Scalar]:
        fields = text.decode("ascii", "replace").split(",")
        number = _float(fields[0])
        found: dict[str, Scalar] = {"roi_x_px": trigger.x, "roi_y_px": trigger.y}
        if number is not None and number.is_integer() and 0 <= number < 10**9:
            found["trigger"] = int(number)
        for name, column in _MEASURES[each.said.first].items():
            value = _float(fields[column])
            if value is None:
                self._left_out[f"the {name} of an .adc where it is no number"] += 1
            elif value != NO_VALUE:
                found[name] = value
        return found

    def _of_bin(self, each: _Bin) -> dict[str, Scalar]:
        found: dict[str, Scalar] = {
            "date": each.said.began.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "instrument": each.said.instrument,
        }
        if self._given.samples:
            found["bin"] = each.stem
        hdr = each.files.get(".hdr")
        if hdr is None or not hdr.size:
            self._no_header += 1
            return found
        try:
            said, left_out = parse_header(self._tree.read(hdr.path, limit=HDR_LIMIT))
        except SourceError:
            self._left_out["a .hdr that cannot be read"] += 1
            return found
        self._left_out.update(left_out)
        return {**found, **said}


def parse_header(data: bytes) -> tuple[dict[str, Scalar], list[str]]:
    """What is worth having of a .hdr, whatever else is in it.

    Parameters
    ----------
    data : bytes
        Lines of ``key: value``; old instruments write a quoted line of names above one of values.

    Returns
    -------
    dict
        ``housing_temperature_c``, ``housing_humidity_percent``, ``run_time_s``,
        ``inhibit_time_s`` and ``syringe_volume_ml`` (of which the volume analysed is reckoned),
        ``latitude`` and ``longitude`` (degrees), ``depth_m``: those that are there and possible.
    list of str
        What was left out, and why.
    """
    found: dict[str, Scalar] = {}
    left_out: list[str] = []
    for key, text in _pairs(data.decode("utf-8-sig", "replace").splitlines()):
        if key not in _HEADER:
            continue
        name, low, high = _HEADER[key]
        value = _float(text)
        if value is not None and low <= value <= high:
            found[name] = value
        elif text and value != NO_VALUE:
            left_out.append(f"the {name} of a .hdr where it is not from {low:g} to {high:g}")
    place = (found.get("latitude"), found.get("longitude"))
    if None in place or place == (0.0, 0.0):  # 0, 0 is what a receiver without a fix writes
        if place != (None, None):
            left_out.append("the position of a .hdr where it is 0, 0 or half of one")
        found.pop("latitude", None)
        found.pop("longitude", None)
    return found, left_out


def _pairs(lines: list[str]) -> Iterator[tuple[str, str]]:
    above: list[str] = []
    for line in lines:
        if line.startswith('"'):
            cells = [cell.strip() for cell in line.strip().strip('"').split('","')]
            if len(cells) == len(above):
                yield from zip(map(str.lower, above), cells, strict=True)
            above = cells[0].split() if len(cells) == 1 else []
        else:
            key, colon, value = line.partition(":")
            if colon:
                yield key.strip().lower(), value.strip()


def _float(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _split(name: str) -> tuple[str, str]:
    path = PurePosixPath(name)
    return path.stem, path.suffix.lower()


def _no_bin(name: str, stem: str, suffix: str) -> str:
    if suffix in _SUFFIXES:
        return f"{stem!r} is no name of an IFCB bin; expected {EXPECTED_NAME}"
    if not_a_picture(name) is None:
        return "not part of an IFCB bin; pictures beside bins are indexed from their own folder"
    return "not part of an IFCB bin"
