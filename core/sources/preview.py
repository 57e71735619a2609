"""What a source is, said before anything of it is read: its kind, how much, and the first of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from core.sources.base import ImageRef, Scalar, Skipped, Source
from core.sources.uri import join

PICTURES = 12
REASONS = 20
"""What was left aside is counted in full; so many of it are named."""
NAMED = 8
"""Labels, folders that are named."""
DISTINCT = 10_000
"""Samples, labels and folders are counted up to this many, so that a column in which every image
has its own costs no memory."""
OFTEN = 500
"""Images between two calls of `progress`."""

_DATES = ("date", "datetime", "object_date", "sample_date", "acq_date")
_DAY = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)(?!\d)")


@dataclass(frozen=True)
class Names:
    """Different words that came by."""

    count: int = 0
    first: tuple[str, ...] = ()
    """The first of them, as they came."""
    more: bool = False
    """Whether there are more than `count`, which ends at 10,000."""

    def __str__(self) -> str:
        return f"{'more than ' if self.more else ''}{self.count:,}"


@dataclass(frozen=True)
class Look:
    """What is known of a source without reading a picture."""

    kind: str
    noun: str
    name: str
    root: str
    count: int
    """Images."""
    um_per_px: tuple[float, float] | None
    """The smallest and the largest, micrometres per pixel; None when none is known."""
    sized: int
    """Images whose pixel size is known."""
    samples: Names
    labels: Names
    folders: Names
    """Folders that could be taken for labels or samples."""
    labelled: int
    validated: int
    """Those among the labelled that a person stands for."""
    dates: tuple[str, str] | None
    """The first and the last day, ISO 8601."""
    skipped: tuple[Skipped, ...]
    skipped_count: int
    notes: tuple[str, ...]
    first: tuple[ImageRef, ...]

    def uri(self, ref: ImageRef) -> str:
        """Where an image is read from."""
        return join(self.root, ref.inner)

    def sentence(self) -> str:
        """All of it in one line: ``FlowCam run, 1,000 particles, 0.55 µm/px``."""
        parts = [self.kind, counted(self.count, self.noun)]
        if self.samples.count > 1:
            parts[1] += f" in {self.samples} samples"
        if self.um_per_px is not None:
            low, high = self.um_per_px
            size = (
                _figure(low)
                if _figure(low) == _figure(high)
                else f"{_figure(low)} to {_figure(high)}"
            )
            known = "" if self.sized == self.count else f" ({self.sized:,} of them)"
            parts.append(f"{size} µm/px{known}")
        return ", ".join(parts)

    def as_json(self) -> dict[str, Any]:
        """Of the command line's contract; a pixel size is one only when all images share it."""
        size = self.um_per_px
        one = size is not None and size[0] == size[1] and self.sized == self.count
        told: dict[str, Any] = {
            "kind": self.kind,
            "noun": self.noun,
            "name": self.name,
            "count": self.count,
            "um_per_px": size[0] if one and size is not None else None,
            "um_per_px_range": None if size is None else list(size),
            "samples": self.samples.count,
            "labelled": self.labelled,
            "labels": list(self.labels.first),
            "dates": None if self.dates is None else list(self.dates),
            "skipped_count": self.skipped_count,
            "skipped": [{"uri": s.uri, "reason": s.reason, "count": s.count} for s in self.skipped],
            "notes": list(self.notes),
            "sentence": self.sentence(),
            "first": [{"id": ref.id, "uri": self.uri(ref)} for ref in self.first],
        }
        if not one:
            told["why"] = (
                "no pixel size is stated; give one with --um-per-px"
                if size is None
                else "not all images have the same pixel size"
            )
        return told


def counted(n: int, noun: str) -> str:
    """A number of something.

    Examples
    --------
    >>> counted(1000, "particles"), counted(1, "pictures"), counted(0, "objects")
    ('1,000 particles', '1 picture', 'no objects')
    """
    return f"{n:,} {noun}" if n > 1 else f"1 {noun.removesuffix('s')}" if n else f"no {noun}"


def _figure(um: float) -> str:
    return f"{um:.2f}".rstrip("0").rstrip(".") if um >= 0.1 else f"{um:.2g}"


def look(
    source: Source,
    *,
    pictures: int = PICTURES,
    progress: Callable[[int], None] | None = None,
) -> Look:
    """Go once through what a source lists; no picture is opened, and little is kept.

    Parameters
    ----------
    source : Source
        As `core.sources.open_source` gives it.
    pictures : int
        How many of the first images are kept, to be shown.
    progress : callable, optional
        Told every 500 images how many came by; what it raises ends the look.

    Raises
    ------
    SourceError
        If the source cannot be read.
    """
    seen = _Seen(pictures)
    for found in source.refs():
        if isinstance(found, Skipped):
            seen.skip(found)
        else:
            seen.add(found)
            if progress is not None and seen.count % OFTEN == 0:
                progress(seen.count)
    return Look(
        kind=source.kind,
        noun=source.noun,
        name=source.name,
        root=source.root,
        count=seen.count,
        um_per_px=seen.um_per_px,
        sized=seen.sized,
        samples=seen.samples.names(),
        labels=seen.labels.names(),
        folders=seen.folders.names(),
        labelled=seen.labelled,
        validated=seen.validated,
        dates=seen.dates,
        skipped=tuple(seen.skipped),
        skipped_count=seen.skipped_count,
        notes=tuple(source.notes),
        first=tuple(seen.first),
    )


class _Words:
    """Different words, as many as are counted."""

    def __init__(self) -> None:
        self._seen: dict[str, None] = {}
        self._more = False

    def add(self, word: Scalar) -> None:
        if word is None or word == "" or word in self._seen:
            return
        if len(self._seen) < DISTINCT:
            self._seen[str(word)] = None
        else:
            self._more = True

    def names(self) -> Names:
        return Names(len(self._seen), tuple(self._seen)[:NAMED], self._more)


class _Seen:
    def __init__(self, pictures: int) -> None:
        self._pictures = pictures
        self.count = self.sized = self.labelled = self.validated = self.skipped_count = 0
        self.first: list[ImageRef] = []
        self.skipped: list[Skipped] = []
        self.samples, self.labels, self.folders = _Words(), _Words(), _Words()
        self.um_per_px: tuple[float, float] | None = None
        self.dates: tuple[str, str] | None = None

    def skip(self, found: Skipped) -> None:
        self.skipped_count += found.count
        if len(self.skipped) < REASONS:
            self.skipped.append(found)

    def add(self, ref: ImageRef) -> None:
        self.count += 1
        if len(self.first) < self._pictures:
            self.first.append(ref)
        self.samples.add(ref.sample)
        self.labels.add(ref.label)
        self.folders.add(ref.metadata.get("folder"))
        if ref.label is not None:
            self.labelled += 1
            self.validated += ref.label_status == "validated"
        if ref.um_per_px is not None:
            self.sized += 1
            low, high = self.um_per_px or (ref.um_per_px, ref.um_per_px)
            self.um_per_px = min(low, ref.um_per_px), max(high, ref.um_per_px)
        if (day := _day(ref.metadata)) is not None:
            begin, end = self.dates or (day, day)
            self.dates = min(begin, day), max(end, day)


def _day(metadata: Mapping[str, Scalar]) -> str | None:
    """The day an image was taken, ISO 8601; None where no metadata says it."""
    for name in _DATES:
        found = _DAY.match(str(metadata.get(name) or ""))
        if found:
            try:
                return date(int(found[1]), int(found[2]), int(found[3])).isoformat()
            except ValueError:
                continue
    return None
