"""What reading objects and web addresses share: how often to ask, how much to take, and where."""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from core.sources.remote_guard import RefusedError

if TYPE_CHECKING:
    from aiohttp import ClientResponse

T = TypeVar("T")

TRIES = 4
DOWN_AFTER = 20
"""Files in a row for which a server failed all tries."""
WAIT_S = 0.25
"""Before the second try; each later wait is three times the one before, give or take a half."""
LONGEST_WAIT_S = 5.0
"""Also where a server asks for more."""

CONNECT_S = 10.0
SILENT_S = 20.0
"""A server that sends nothing for so long is given up."""
ANSWER_S = 60.0
"""Until a server's answer begins."""
BODY_S = 300.0
"""For one body, without the time it was kept waiting here."""

CONNECTIONS = 64

AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504, 509, 520, 521, 522, 523, 524, 529})
"""Answers that say the same question may be answered later."""


class PassingError(Exception):
    """What asking again may change; its text is the reason, for a person."""

    def __init__(self, reason: str, after_s: float = 0.0) -> None:
        super().__init__(reason)
        self.after_s = after_s


_given_up: dict[str, int] = {}  # files in a row, for each server; used on one loop only


async def patiently(server: str, attempt: Callable[[], Awaitable[T]]) -> T:
    """What `attempt` gives, asked for again while it fails in passing.

    A server that failed for many files in a row is asked once for each further one: it is down,
    and 100,000 files would wait for it in vain.

    Raises
    ------
    RefusedError
        Its own, or the last passing one with the number of tries.
    """
    tries = TRIES if _given_up.get(server, 0) < DOWN_AFTER else 1
    for again in range(1, tries + 1):
        try:
            found = await attempt()
        except PassingError as error:
            if again == tries:
                _given_up[server] = _given_up.get(server, 0) + 1
                times = f"{tries} tries" if tries > 1 else "a try, as for others before"
                raise RefusedError(
                    f"{error}; given up after {times}: run the same command again later"
                ) from None
            wait = WAIT_S * 3 ** (again - 1) * random.uniform(0.5, 1.5)
            await asyncio.sleep(min(max(wait, error.after_s), LONGEST_WAIT_S))
        except RefusedError:
            _given_up.pop(server, None)  # it answers
            raise
        else:
            _given_up.pop(server, None)
            return found
    raise AssertionError("unreachable")


def retry_after(headers: Any) -> float:
    """Seconds a server asks to wait; 0 when it says nothing that can be read."""
    text = headers.get("Retry-After") or headers.get("retry-after") or ""
    return float(text) if text.isdecimal() and len(text) < 6 else 0.0


class Room:
    """Bytes that may be held at a time; lives on the loop that reads.

    Whoever is first in line always gets in, or all could wait for each other.
    """

    def __init__(self, size: int) -> None:
        self._free = size
        self._first = 0
        self._waiting: list[asyncio.Future[None]] = []

    async def take(self, turn: int, size: int) -> None:
        """Wait until `size` bytes fit, or everything before `turn` is done with."""
        while size > self._free and turn != self._first:
            woken = asyncio.get_running_loop().create_future()
            self._waiting.append(woken)
            await woken
        self._free -= size

    def give(self, size: int) -> None:
        self._free += size
        self._wake()

    def advance(self) -> None:
        """The first in line is done with."""
        self._first += 1
        self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            if not each.done():
                each.set_result(None)


@dataclass
class Place:
    """One reader's place in a `Room`."""

    room: Room
    turn: int
    taken: int = 0

    async def take(self, size: int) -> None:
        await self.room.take(self.turn, size)
        self.taken += size

    def give_back(self) -> None:
        self.room.give(self.taken)
        self.taken = 0


@dataclass(frozen=True)
class Wanted:
    """Which bytes of a body, and where they are to be held."""

    limit: int
    start: int = 0
    size: int | None = None
    place: Place | None = None

    def range(self) -> str | None:
        """The header that asks for them; None for all."""
        if self.size is not None:
            return f"bytes={self.start}-{self.start + self.size - 1}"
        return f"bytes={self.start}-" if self.start else None


async def body(response: ClientResponse, wanted: Wanted) -> bytes:
    """The bytes wanted of an answer, be it all of the object or the part asked for.

    Raises
    ------
    RefusedError
        If they are more than allowed, or took too long.
    PassingError
        If the answer was another part than the one asked for.
    """
    skip = wanted.start if response.status != 206 else 0  # a server may ignore what was asked
    if response.status == 206:
        said = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
        if said is not None and int(said[1]) != wanted.start:
            raise PassingError("the server answered with another part of the file")
    length = response.content_length
    if length is not None and wanted.size is None and length - skip > wanted.limit:
        raise RefusedError(too_large(length - skip, wanted.limit))
    found: list[bytes] = []
    held = 0
    end = time.monotonic() + BODY_S
    while chunk := await response.content.readany():
        if time.monotonic() > end:
            raise RefusedError(f"it took more than {BODY_S:.0f} s; its server is too slow")
        if skip:
            skip, chunk = max(0, skip - len(chunk)), chunk[skip:]
        if wanted.size is not None:
            chunk = chunk[: wanted.size - held]
        held += len(chunk)
        if held > wanted.limit:
            raise RefusedError(too_large(held, wanted.limit))
        if wanted.place is not None and chunk:
            asked = time.monotonic()
            await wanted.place.take(len(chunk))
            end += time.monotonic() - asked
        found.append(chunk)
        if held == wanted.size:
            break
    return found[0] if len(found) == 1 else b"".join(found)


def too_large(size: int, limit: int) -> str:
    return f"{size:,} bytes is more than the {limit:,} allowed for one file"


def begin(work: Coroutine[Any, Any, T]) -> Future[T]:
    """Start it on the thread all of fsspec reads in."""
    return asyncio.run_coroutine_threadsafe(work, fsspec_loop())


def fsspec_loop() -> asyncio.AbstractEventLoop:
    """The one loop of this process that all remote reading happens on, in a thread of its own."""
    from fsspec.asyn import get_loop  # type: ignore[import-untyped]

    loop: asyncio.AbstractEventLoop = get_loop()
    return loop


def wait_for(work: Coroutine[Any, Any, T]) -> T:
    """What it gives; an interrupt ends it."""
    future = begin(work)
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise
