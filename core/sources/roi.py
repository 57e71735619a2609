"""One picture out of an IFCB bin: the .adc says where its bytes lie in the .roi beside it.

Old instruments (``IFCBn_YYYY_DDD_hhmmss``) and new ones (``DYYYYMMDDThhmmss_IFCBnnn``) write other
columns; the name of the file tells which. Checked against bins of both kinds: with the start byte
taken as it is, from 0, the left and right edges of the pictures are where they should be.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from core.errors import ImageError, SourceError
from core.sources.files import READ_LIMIT
from core.sources.reading import read_address, stamp_of
from core.sources.uri import Address

ADC_LIMIT = 64 * 2**20
"""Bytes of one .adc; a crowded bin of 30,000 triggers has about 5 million."""

ADC_LINES = 1_000_000
"""Triggers of one bin; each costs some 40 bytes beside its letters."""

ROI_LIMIT = READ_LIMIT
"""Bytes of one .roi in a zip, which has to be unpacked whole."""

ADCS = 4
"""Files of triggers kept: the pictures of a bin are read one after the other."""

ROIS_KEPT = ROI_LIMIT
"""Bytes of unpacked .roi kept, so that a zip is not unpacked again for each picture."""

MAX_SIDE = 8_000
"""Pixels; the instrument's camera has 1,380 x 1,034."""

_NEW = re.compile(r"D(\d{8}T\d{6})_(IFCB\d{1,4})", re.ASCII)
_OLD = re.compile(r"(IFCB\d{1,4})_(\d{4}_\d{3}_\d{6})", re.ASCII)
_WHOLE = re.compile(rb"\s*([+-]?\d{1,12})(?:\.0*)?\s*")

EXPECTED_NAME = "DYYYYMMDDThhmmss_IFCBnnn or IFCBn_YYYY_DDD_hhmmss"


@dataclass(frozen=True)
class BinName:
    """What the name of a bin says."""

    instrument: str
    """``IFCB134``."""
    began: datetime
    """UTC."""
    first: int
    """Which column of the .adc, counted from 0, holds x; y, width, height and start byte follow."""


@dataclass(frozen=True, slots=True)
class Trigger:
    """Where a picture lay on the camera, in pixels, and where its bytes lie in the .roi."""

    x: int
    y: int
    width: int
    height: int
    start: int

    @property
    def size(self) -> int:
        """Bytes, as many as pixels; 0 when the trigger has no picture."""
        return self.width * self.height


def bin_name(name: str) -> BinName | None:
    """Understand a bin's name; None when it is no such name or its date does not exist.

    Examples
    --------
    >>> bin_name("IFCB5_2012_028_081515").began.isoformat()
    '2012-01-28T08:15:15+00:00'
    """
    if found := _NEW.fullmatch(name):
        return _dated(found[2], found[1], "%Y%m%dT%H%M%S", 13)
    if found := _OLD.fullmatch(name):
        return _dated(found[1], found[2], "%Y_%j_%H%M%S", 9)
    return None


def _dated(instrument: str, text: str, form: str, first: int) -> BinName | None:
    try:
        began = datetime.strptime(text, form).replace(tzinfo=UTC)
    except ValueError:
        return None
    if began.strftime(form) != text:  # day 366 of a year of 365 became the next year's first
        return None
    return BinName(instrument, began, first)


def parse_trigger(line: bytes, first: int) -> Trigger:
    """Read one line of an .adc.

    Parameters
    ----------
    line : bytes
        Comma-separated, without the line's end.
    first : int
        As in `BinName`.

    Raises
    ------
    SourceError
        If a number is missing or impossible; names the column, counted from 1.
    """
    fields = line.split(b",")
    if len(fields) < first + 5:
        raise SourceError(f"it has {len(fields)} columns; expected at least {first + 5}")
    x, y = (_number(fields, first, at, -(10**6), 10**6) for at in (0, 1))
    width, height = (_number(fields, first, at, 0, MAX_SIDE) for at in (2, 3))
    start = _number(fields, first, 4, 0, 10**12) if width * height else 0
    return Trigger(x, y, width, height, start)


_NAMES = ("x", "y", "width", "height", "start byte")


def _number(fields: list[bytes], first: int, at: int, low: int, high: int) -> int:
    text = fields[first + at]
    found = _WHOLE.fullmatch(text)
    value = int(found[1]) if found else None
    if value is None or not low <= value <= high:
        shown = text[:40].decode("ascii", "backslashreplace")
        raise SourceError(
            f"column {first + at + 1} ({_NAMES[at]}) is {shown!r}; expected a whole number from "
            f"{low:,} to {high:,}"
        )
    return value


def adc_lines(data: bytes) -> list[bytes]:
    """The lines of an .adc, one a trigger.

    Raises
    ------
    SourceError
        If they are more than any bin has.
    """
    if data.count(b"\n") + data.count(b"\r") > 2 * ADC_LINES:
        raise SourceError(f"it has more than {ADC_LINES:,} lines, which no bin has")
    return data.splitlines()


def read_trigger(uri: str, address: Address) -> bytes:
    """The picture of one trigger, as a PGM file.

    Parameters
    ----------
    uri : str
        What to call it in an error.
    address : Address
        Of a .roi; its part is the line of the .adc beside it, counted from 1.

    Raises
    ------
    ImageError
        If .adc or .roi cannot be read, there is no such line, its numbers are impossible, the
        trigger has no picture, or the .roi ends before it.
    """
    path = PurePosixPath(address.member or address.place)
    if path.suffix.lower() != ".roi":
        raise ImageError(uri, f"'#{address.part}' names a trigger; only the .roi of a bin has any")
    known = bin_name(path.stem)
    if known is None:
        raise ImageError(uri, f"{path.stem} is no name of an IFCB bin; expected {EXPECTED_NAME}")
    roi = replace(address, part="")
    line = int(address.part)
    lines = _lines(uri, _beside(roi, ".ADC" if path.suffix.isupper() else ".adc"))
    if not 1 <= line <= len(lines):
        raise ImageError(uri, f"the bin has {len(lines):,} triggers, and line {line:,} was asked")
    try:
        trigger = parse_trigger(lines[line - 1], known.first)
    except SourceError as error:
        raise ImageError(uri, f"line {line} of its .adc: {error}") from None
    if not trigger.size:
        raise ImageError(uri, f"line {line} of its .adc is a trigger without a picture")
    pixels = _pixels(uri, roi, trigger)
    if len(pixels) < trigger.size:
        raise ImageError(
            uri,
            f"the .roi is cut off: the picture has {trigger.size:,} bytes from {trigger.start:,} "
            f"on, of which {len(pixels):,} are there",
        )
    return b"P5\n%d %d\n255\n" % (trigger.width, trigger.height) + pixels


def _beside(roi: Address, suffix: str) -> Address:
    if roi.member:
        return replace(roi, member=roi.member[: -len(suffix)] + suffix)
    return replace(roi, place=roi.place[: -len(suffix)] + suffix)


_Key = tuple[Address, str]
_adcs: OrderedDict[_Key, list[bytes]] = OrderedDict()
_rois: OrderedDict[_Key, bytes] = OrderedDict()
_lock = threading.Lock()
_unpacking = threading.Lock()


def _lines(uri: str, adc: Address) -> list[bytes]:
    key = (adc, stamp_of(adc))
    with _lock:
        if key in _adcs:
            _adcs.move_to_end(key)
            return _adcs[key]
    try:
        lines = adc_lines(read_address(uri, adc, limit=ADC_LIMIT))
    except ImageError as error:
        raise ImageError(uri, f"the .adc beside it: {error.reason}") from None
    except SourceError as error:
        raise ImageError(uri, f"the .adc beside it: {error}") from None
    with _lock:
        _adcs[key] = lines
        while len(_adcs) > ADCS:
            _adcs.popitem(last=False)
    return lines


def _pixels(uri: str, roi: Address, trigger: Trigger) -> bytes:
    if not roi.member or Path(roi.place).is_dir():
        return read_address(uri, roi, start=trigger.start, size=trigger.size)
    return _unpacked(uri, roi)[trigger.start : trigger.start + trigger.size]


def _unpacked(uri: str, roi: Address) -> bytes:
    key = (roi, stamp_of(roi))
    with _unpacking:  # held while unpacking: a second reader of the same bin waits for the first
        if key in _rois:
            _rois.move_to_end(key)
            return _rois[key]
        data = read_address(uri, roi, limit=ROI_LIMIT)
        _rois[key] = data
        while len(_rois) > 1 and sum(map(len, _rois.values())) > ROIS_KEPT:
            _rois.popitem(last=False)
        return data
