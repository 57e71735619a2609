"""Bytes of many objects in order, fetched while whoever wants them is busy with earlier ones."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from types import TracebackType

from core.errors import ImageError
from core.sources.files import READ_LIMIT
from core.sources.reading import read_bytes
from core.sources.remote import fetch
from core.sources.remote_base import Place, Room, begin, fsspec_loop
from core.sources.remote_guard import shown
from core.sources.uri import REMOTE, Address, parse

TOGETHER = 32
"""Objects asked for at a time: a storage takes some 30 ms to answer, a picture some 10 ms of a
processor to prepare."""
AHEAD = 256
"""Objects begun before the first of them is done with: one that fails for seconds holds up none."""
ROOM = 128 * 2**20
"""Bytes held for all of them; one larger object is let in when it is the first."""


class ReadAhead:
    """What uris name, in their order.

    Files of this machine are left to whoever wants them, and so are rectangles of a collage: a
    reader keeps that unpacked.

    Parameters
    ----------
    uris : sequence of str
    limit : int
        Most bytes of one object.
    together, ahead, room
        How much is done at a time.
    """

    def __init__(
        self,
        uris: Sequence[str],
        *,
        limit: int = READ_LIMIT,
        together: int = TOGETHER,
        ahead: int = AHEAD,
        room: int = ROOM,
    ) -> None:
        self._uris, self._limit = uris, limit
        self._ahead = ahead
        self._slots = asyncio.Semaphore(together)  # first come, first served: the first always runs
        self._room = Room(room)
        self._begun: deque[tuple[Place, Future[bytes] | None]] = deque()
        self._given: deque[Place] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._turn = 0

    def __enter__(self) -> ReadAhead:
        self._begin()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def ready(self) -> bool:
        """Whether `next` would give its bytes without waiting."""
        self._begin()
        future = self._begun[0][1]
        return future is None or future.done()

    def next(self) -> bytes | ImageError | None:
        """The next one's bytes, why there are none, or None where they are not fetched ahead.

        Unless it is `ready`, those given before have to be `done` with: their bytes may fill the
        room it waits for.
        """
        self._begin()
        place, future = self._begun[0]
        try:
            return None if future is None else future.result()
        except ImageError as error:
            return error
        finally:
            self._given.append(place)
            self._begun.popleft()

    def done(self) -> None:
        """The first of those that `next` gave is not needed any more."""
        place = self._given.popleft()
        if self._loop is None:
            self._leave(place)
        else:
            self._loop.call_soon_threadsafe(self._leave, place)

    def close(self) -> None:
        """End what is still being fetched."""
        for _, future in self._begun:
            if future is not None:
                future.cancel()

    def _leave(self, place: Place) -> None:
        place.give_back()
        self._room.advance()

    def _begin(self) -> None:
        while (
            self._turn < len(self._uris) and len(self._begun) + len(self._given) < self._ahead
        ) or not (self._begun or self._turn == len(self._uris)):
            uri = self._uris[self._turn]
            address = parse(uri)
            place = Place(self._room, self._turn)
            future: Future[bytes] | None = None
            if address.scheme in REMOTE and not address.part.startswith("xywh="):
                self._loop = fsspec_loop()
                future = begin(self._fetch(uri, address, place))
            self._begun.append((place, future))
            self._turn += 1

    async def _fetch(self, uri: str, address: Address, place: Place) -> bytes:
        async with self._slots:
            try:
                if not address.part:
                    return await fetch(uri, address, limit=self._limit, place=place)
                data = await _in_thread(
                    read_bytes, uri
                )  # several reads: a trigger's line, its pixels
                await place.take(len(data))
                return data
            except ImageError:
                raise
            except Exception as error:  # one strange object among 100,000 must not end the run
                why = " ".join(f"{type(error).__name__}: {error}".split())[:200]
                raise ImageError(shown(uri), f"it cannot be read ({why})") from None


async def _in_thread(work: Callable[[str], bytes], uri: str) -> bytes:
    """What it gives; the end of this process does not wait for it, as it would for a pool's."""
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[bytes] = loop.create_future()

    def tell(data: bytes | None, error: Exception | None) -> None:
        if outcome.done():
            return
        if error is not None or data is None:
            outcome.set_exception(error or RuntimeError("nothing was read"))
        else:
            outcome.set_result(data)

    def run() -> None:
        data, failed = None, None
        try:
            data = work(uri)
        except Exception as error:
            failed = error
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(tell, data, failed)

    threading.Thread(target=run, name="read-ahead", daemon=True).start()
    return await outcome
