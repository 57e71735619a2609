"""What the cells of an EcoTaxa table mean, for reading them and for giving them back.

What they may hold follows EcoTaxa's own import, as its public code and documentation describe it
(https://github.com/ecotaxa/ecotaxa_back).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import date, time

from core.sources.base import Scalar

PREFIXES = ("img_", "object_", "process_", "acq_", "sample_")

_NAMES = """
    img_file_name object_id sample_id acq_id process_id object_date object_time object_link
    object_annotation_category object_annotation_status object_annotation_person_name
    object_annotation_person_email object_annotation_date object_annotation_time
"""
TEXT = frozenset(_NAMES.split())
"""Text whatever line 2 says: as a number, the time 042000 would lose its zero."""

NUMBERS = frozenset({"object_lat", "object_lon", "object_depth_min", "object_depth_max"})

STATUSES = {
    "validated": "validated",
    "dubious": "dubious",
    "predicted": "predicted",
    "discarded": "rejected",
}
"""``object_annotation_status`` -> label status."""

NO_STATUS = ("", "noid")
UNKNOWN_STATUS = "predicted"

UM_PER_PX = (0.05, 200.0)
"""Micrometres per pixel of any camera for plankton; a size outside was meant in another unit."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_COMMA = re.compile(r"[+-]?\d+,\d+")
_DEGREES = re.compile(r"(-?\d+)°(\d+) (\d+)")


def label_of(cells: Mapping[str, Scalar]) -> tuple[str | None, str]:
    """Label and label status of a row, by the names of its columns in small letters.

    A category without a status is taken as predicted: EcoTaxa validates nothing by itself.

    Examples
    --------
    >>> label_of({"object_annotation_category": "egg", "object_annotation_status": "Dubious"})
    ('egg', 'dubious')
    """
    category = str(cells.get("object_annotation_category") or "")
    number = str(cells.get("object_annotation_category_id") or "")
    if not category and number:
        category = f"taxon {number.removesuffix('.0')}"
    status = str(cells.get("object_annotation_status") or "").lower()
    return category or None, STATUSES.get(status, UNKNOWN_STATUS)


def pixel_size(cells: Mapping[str, Scalar]) -> tuple[float | None, str | None]:
    """Micrometres per pixel, and the cell that says something doubtful.

    Examples
    --------
    >>> pixel_size({"process_pixel": "10.6"})
    (10.6, None)
    >>> pixel_size({"process_pixel": "0.0053", "process_particle_pixel_size_mm": 0.0053})
    (5.3, 'process_pixel is 0.0053')
    """
    doubt = None
    for name, factor in (("process_pixel", 1.0), ("process_particle_pixel_size_mm", 1_000.0)):
        text = str(cells.get(name) or "").strip()
        if not text or is_missing(text):
            continue
        value = number_of(text)
        um = None if value is None else float(value)
        if um is not None and factor != 1:
            um = round(um * factor, 9)  # 0.0053 mm are not 5.300000000000001 um
        if um is not None and UM_PER_PX[0] <= um <= UM_PER_PX[1]:
            return um, doubt
        doubt = doubt or f"{name} is {text[:40]}"
    return None, doubt


def number_of(text: str) -> int | float | None:
    """The number a cell holds, whole ones whole; None when it is none.

    Examples
    --------
    >>> number_of("46"), number_of("46.0"), number_of("-1e3"), number_of("10,6"), number_of("x")
    (46, 46.0, -1000.0, 10.6, None)
    """
    found = _NUMBER.fullmatch(text)
    if found is None:
        if not _COMMA.fullmatch(text):
            return None
        text = text.replace(",", ".")
    elif found[2] is None and "." not in text and len(text) <= 18:
        return int(text)
    value = float(text)
    return value if math.isfinite(value) else None


def is_missing(text: str) -> bool:
    """Whether programs write this for a number they do not have."""
    return not text[-1:].isdigit() and text.lower().lstrip("+-") in ("nan", "na", "inf", "infinity")


def degrees_of(text: str) -> float | None:
    """Degrees of a latitude or longitude, also of ``12°34 56`` (degrees, minutes, seconds)."""
    if found := _DEGREES.fullmatch(text):
        degrees, minutes, seconds = (float(part) for part in found.groups())
        return degrees + math.copysign((minutes + seconds / 60) / 60, degrees)
    value = number_of(text)
    return None if value is None else float(value)


def date_of(text: str) -> date:
    """A day, written 20140420 or 2014-04-20.

    Raises
    ------
    ValueError
        If it is none.
    """
    if not re.fullmatch(r"\d{8}(\.0+)?|\d{4}-\d\d-\d\d", text, re.ASCII):
        raise ValueError(text)
    digits = text.replace("-", "")
    return date(int(digits[:4]), int(digits[4:6]), int(digits[6:8]))


def time_of(text: str) -> time:
    """A time of day, written 042000, 04:20:00, 0420, or 420 as a spreadsheet leaves it.

    Raises
    ------
    ValueError
        If it is none.
    """
    if not re.fullmatch(r"\d{1,6}(\.0+)?|\d\d:\d\d(:\d\d)?", text, re.ASCII):
        raise ValueError(text)
    digits = text.partition(".")[0].replace(":", "").zfill(4).ljust(6, "0")
    return time(int(digits[:2]), int(digits[2:4]), int(digits[4:6]))


def quoted(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:59] + "…")
