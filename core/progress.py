"""How far long work has come, for a terminal, a page or nobody."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

from core.workspace import write_json


@dataclass(frozen=True)
class Progress:
    """One report."""

    stage: str
    """What is being done, in words."""
    done: int
    total: int | None
    """None while it is not known."""
    rate: float | None = None
    """A second."""
    left_s: float | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


Report = Callable[[Progress], None]


def nobody(_progress: Progress) -> None:
    """For callers that do not want to know."""


class Meter:
    """Counts work and reports its rate and time left, a few times a second at most."""

    def __init__(self, report: Report, stage: str, total: int | None, *, every_s: float = 0.3):
        self._report, self._stage, self._total = report, stage, total
        self._every_s = every_s
        self._start = time.monotonic()
        self._last = 0.0
        self.done = 0
        self.tell()

    def advance(self, count: int = 1) -> None:
        self.done += count
        if time.monotonic() - self._last >= self._every_s or self.done == self._total:
            self.tell()

    def tell(self) -> None:
        self._last = time.monotonic()
        seconds = self._last - self._start
        rate = self.done / seconds if self.done and seconds > 0 else None
        left = (self._total - self.done) / rate if rate and self._total is not None else None
        self._report(Progress(self._stage, self.done, self._total, rate, left))


def duration(seconds: float) -> str:
    """A time as a person says it.

    Examples
    --------
    >>> duration(4.2), duration(75), duration(7300)
    ('4 s', '1 min 15 s', '2 h 1 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def sentence(progress: Progress) -> str:
    """The report as one line.

    Examples
    --------
    >>> sentence(Progress("Reading images", 1200, 4800, 60.0, 60.0))
    'Reading images: 1,200 of 4,800, 60/s, 1 min 0 s left'
    """
    text = progress.stage
    if progress.total is not None:
        text += f": {progress.done:,} of {progress.total:,}"
    elif progress.done:
        text += f": {progress.done:,}"
    if progress.rate:
        text += f", {progress.rate:.0f}/s" if progress.rate >= 10 else f", {progress.rate:.1f}/s"
    if progress.left_s is not None and progress.done != progress.total:
        text += f", {duration(progress.left_s)} left"
    return text


class Terminal:
    """Reports on stderr: one line that moves on a terminal, a line now and then elsewhere."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._moving = self._stream.isatty()
        self._last = 0.0
        self._stage = ""

    def __call__(self, progress: Progress) -> None:
        text = sentence(progress)
        finished = progress.total is not None and progress.done == progress.total
        if self._moving:
            self._stream.write(f"\r\x1b[K{text}" + ("\n" if finished else ""))
        else:
            now = time.monotonic()
            if progress.stage == self._stage and now - self._last < 5 and not finished:
                return
            self._last, self._stage = now, progress.stage
            self._stream.write(text + "\n")
        self._stream.flush()


class File:
    """Reports into a job's ``progress.json``."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, progress: Progress) -> None:
        write_json(self._path, progress.as_json())
