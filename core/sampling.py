"""Pixels drawn from a collection's pictures of more than 8 bits, a few of its pictures read."""

from __future__ import annotations

import contextlib
import multiprocessing
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import PurePosixPath
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from core.ahead import ahead
from core.errors import ImageError
from core.images import deep_values
from core.progress import Meter, Report
from core.sources.reading import read_address, read_bytes
from core.sources.uri import REMOTE, parse

SAMPLE, REMOTE_SAMPLE = 200, 40
"""Deep pictures that are read whole; fewer where each is a request."""

LOOKED_AT, REMOTE_LOOKED_AT = 400, 60
"""Pictures looked at to find them: one in a hundred is then found 98 times in 100."""

REMOTE_LEAST, REMOTE_PART = 16, 20
"""Of few remote pictures a 20th, but at least 16: each is read again when it is encoded."""

INLINE = 32
"""Up to so many pictures, a process of its own takes longer than looking."""

PIXELS = 4_096
"""Drawn from each picture, so that a large one counts no more than a small one."""

MOST_BYTES, MOST_PIXELS = 2**30, 500_000_000
"""Read and unpacked in all: pictures of whole scenes make the sample smaller."""

_HEAD = 32
_SHALLOW = (b"\xff\xd8\xff", b"GIF8", b"RIFF", b"BM")
_SHALLOW_NAMES = {".jpg", ".jpeg", ".gif", ".bmp", ".webp"}


def sampled(
    uris: Sequence[str], report: Report
) -> Iterator[tuple[str, NDArray[np.float64]] | None]:
    """Look at some of these pictures until enough deep ones were seen.

    Yields
    ------
    ("integers" or "floats", (PIXELS,) float64) or None
        Of a deep picture its kind of numbers, and pixels drawn from it with replacement; None of
        one of 8 bits, and of one that cannot be read.
    """
    remote = bool(uris) and parse(uris[0]).scheme in REMOTE
    few = max(REMOTE_LEAST, len(uris) // REMOTE_PART)
    most, wanted = (min(REMOTE_LOOKED_AT, few), REMOTE_SAMPLE) if remote else (LOOKED_AT, SAMPLE)
    order = np.random.default_rng(0).permutation(len(uris))[:most]  # the first are often alike
    chosen = [uris[i] for i in order]
    meter = Meter(report, "Looking at how bright images are", len(chosen))
    fetch = _Fetch()
    read = unpacked = deep = 0
    workers = 8 if remote else 2  # few, as each may hold a large file
    with _Apart(len(uris) > INLINE) as apart:
        for uri, data in zip(chosen, ahead(fetch.fetch, chosen, workers=workers), strict=False):
            meter.advance()
            look = None if data is None else apart.look(uri, data)
            if look is None:
                fetch.skip(uri)
                yield None
            else:
                kind, values, size = look
                yield kind, values
                deep += 1
                unpacked += size
            read += len(data or b"")
            if deep >= wanted or read >= MOST_BYTES or unpacked >= MOST_PIXELS:
                return


class _Fetch:
    """Reads files that may be deep; a collage known to be of 8 bits only once."""

    def __init__(self) -> None:
        self._shallow: set[str] = set()

    def fetch(self, uri: str) -> bytes | None:
        """The file's bytes; None when it is of 8 bits, or cannot be read."""
        address = parse(uri)
        trigger = address.part and not address.part.startswith("xywh=")  # IFCB's are of 8 bits
        name = PurePosixPath(address.member or address.place)
        if trigger or name.suffix.lower() in _SHALLOW_NAMES or _file(uri) in self._shallow:
            return None
        try:
            if not address.scheme and _is_shallow(read_address(uri, address, size=_HEAD)):
                return None
            return read_bytes(uri)
        except ImageError:
            return None

    def skip(self, uri: str) -> None:
        self._shallow.add(_file(uri))


def _file(uri: str) -> str:
    return uri.partition("#xywh=")[0]


def _is_shallow(head: bytes) -> bool:
    """Whether a file's first bytes tell that it is of 8 bits."""
    if head.startswith(b"\x89PNG"):
        return len(head) > 24 and head[24] <= 8
    return head.startswith(_SHALLOW)


Look: TypeAlias = tuple[str, NDArray[np.float64], int]


def _look(uri: str, data: bytes) -> Look | None:
    """Kind, pixels drawn, and how many there were; None when it is not deep or not readable."""
    try:
        values = deep_values(data, name=uri)
    except ImageError:
        return None
    if values is None:
        return None
    size = values.size
    address = parse(uri)
    if address.part.startswith("xywh="):
        x, y, w, h = (int(text) for text in address.part.removeprefix("xywh=").split(","))
        values = values[y : y + h, x : x + w]
    flat = values.ravel()
    flat = flat[np.isfinite(flat)] if flat.dtype.kind == "f" else flat
    if not flat.size:
        return None
    drawn = flat[np.random.default_rng(0).integers(0, flat.size, PIXELS)].astype(np.float64)
    return "floats" if values.dtype.kind == "f" else "integers", drawn, size


class _Apart:
    """Looks in a process of its own: a file that takes its reader down costs that file only."""

    def __init__(self, apart: bool) -> None:
        self._apart = apart
        self._process: SpawnProcess | None = None
        self._pipe: Connection | None = None

    def __enter__(self) -> _Apart:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pipe is not None and self._process is not None:
            self._pipe.close()  # the other end then reads no further
            self._process.join()
            self._process.close()
        self._pipe = self._process = None

    def look(self, uri: str, data: bytes) -> Look | None:
        """As `_look`; None too when the process went down with the file."""
        if not self._apart:
            return _look(uri, data)
        if self._pipe is None:
            context = multiprocessing.get_context("spawn")
            self._pipe, other = context.Pipe()
            self._process = context.Process(target=_serve, args=(other,), daemon=True)
            self._process.start()
            other.close()  # so that either end sees the other one go
        try:
            self._pipe.send((uri, data))
            found: Look | None = self._pipe.recv()
        except (EOFError, OSError):
            self.__exit__()
            return None
        return found


def _serve(pipe: Connection) -> None:
    """Answer until whoever asks is gone."""
    with contextlib.suppress(EOFError, OSError, KeyboardInterrupt):
        while True:
            pipe.send(_look(*pipe.recv()))
