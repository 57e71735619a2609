"""Images read, made into thumbnails and prepared for an encoder, ahead of it, in worker processes.

Workers read files of this machine themselves; what lies in object storage or on the web is fetched
for them, many at a time. A worker that a broken file takes down (a reader written in C can) costs
that one file only.
"""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TypeAlias

from core.arrays import Rgb
from core.encoders.base import Prepared
from core.errors import CoreError, ImageError
from core.sources.remote_ahead import ReadAhead
from core.sources.remote_guard import shown

INLINE = 32  # up to so many images, starting workers takes longer than it saves

WINDOW = 2_048  # images a stream knows of at a time: some 20 s of work

STREAM_ROOM = 64 * 2**20  # bytes fetched ahead in a stream, whose promise is little memory


@dataclass(frozen=True)
class Task:
    """One image to prepare."""

    id: str
    uri: str
    thumbnails: str | None = None
    """Folder of the collection's thumbnails; None makes none."""
    value_range: tuple[float, float] | None = None


@dataclass(frozen=True)
class Ready:
    """One image read and prepared."""

    id: str
    content_hash: str
    width: int
    height: int
    prepared: Prepared


@dataclass(frozen=True)
class Failed:
    """One image that could not be read."""

    id: str
    uri: str
    """Without what a signed address gives its reader rights by."""
    reason: str


Prepare = Callable[[Rgb], Prepared]


def prepare_all(
    tasks: Iterable[Task], prepare: Prepare, *, workers: int | None = None
) -> Iterator[Ready | Failed]:
    """Prepare images in the order given, reading ahead of whoever consumes them.

    Parameters
    ----------
    tasks : iterable of Task
    prepare : picklable callable
        An encoder's `prepare`.
    workers : int, optional
        Processes; by default one a core, and none at all for a handful of images.
    """
    listed = list(tasks)
    if workers is None:
        workers = 0 if len(listed) <= INLINE else os.cpu_count() or 1
    with ReadAhead([task.uri for task in listed]) as ahead:
        if workers:
            with _Pool(prepare, workers) as pool:
                for _, _, result in pool.run(listed, ahead):
                    yield result
            return
        for task in listed:
            data = ahead.next()
            result = (
                _failed(task, data.reason)
                if isinstance(data, ImageError)
                else prepare_one(task, prepare, data)
            )
            ahead.done()
            yield result


def prepare_stream(
    tasks: Iterable[Task], prepare: Prepare, *, workers: int | None = None, window: int = WINDOW
) -> Iterator[tuple[Task, Ready | Failed, bytes | None]]:
    """The same for any number of images, of which only some are held at a time.

    Parameters
    ----------
    tasks : iterable of Task
        Taken a window at a time; the workers stay the same.
    prepare : picklable callable
        An encoder's `prepare`.
    workers : int, optional
        Processes; by default one a core, none for a handful of images; 0 is this process itself.
    window : int
        Images whose addresses are known at a time; between two windows little is waited for.

    Yields
    ------
    task : Task
    outcome : Ready or Failed
    data : bytes or None
        The file's bytes where they were fetched from afar, so that nobody asks for them again.
    """
    upcoming = iter(tasks)
    with contextlib.ExitStack() as stack:
        pool: _Pool | None = None
        while listed := list(itertools.islice(upcoming, window)):
            if workers is None:
                workers = 0 if len(listed) <= INLINE else os.cpu_count() or 1
            if workers and pool is None:
                pool = stack.enter_context(_Pool(prepare, workers))
            with ReadAhead([task.uri for task in listed], room=STREAM_ROOM) as ahead:
                if pool is not None:
                    for task, data, result in pool.run(listed, ahead):
                        yield task, result, data if isinstance(data, bytes) else None
                    continue
                for task in listed:
                    found = ahead.next()
                    ahead.done()
                    if isinstance(found, ImageError):
                        yield task, _failed(task, found.reason), None
                    else:
                        yield task, prepare_one(task, prepare, found), found


def prepare_one(task: Task, prepare: Prepare, data: bytes | None = None) -> Ready | Failed:
    """Read one image, write its thumbnail and prepare it.

    Parameters
    ----------
    data : bytes or None
        The file's bytes when they were fetched already.

    Raises
    ------
    OSError
        If the thumbnail cannot be written: that is no fault of the image.
    """
    from core.images import read_picture

    try:
        picture = read_picture(task.uri, value_range=task.value_range, data=data)
        image, digest = picture.pixels, picture.content_hash
        prepared = prepare(image)
        if task.thumbnails is not None:
            write_thumbnail(image, thumbnail_path(Path(task.thumbnails), digest))
    except ImageError as error:
        return _failed(task, error.reason)
    except MemoryError:
        return _failed(task, "too large for the memory there is")
    except OSError:
        raise
    except Exception as error:  # one strange picture among 100,000 must not end the run
        why = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        return _failed(task, f"it could not be prepared for the encoder ({why})")
    height, width = image.shape[:2]
    return Ready(task.id, digest, width, height, prepared)


def _failed(task: Task, reason: str) -> Failed:
    return Failed(task.id, shown(task.uri), reason)


def thumbnail_path(folder: Path, content_hash: str) -> Path:
    """Where the thumbnail of a file of that content lies."""
    return folder / content_hash[:2] / f"{content_hash}.webp"


def write_thumbnail(image: Rgb, path: Path) -> None:
    """Write it once; two writers of the same content do not meet."""
    if path.exists():
        return
    from core.images import thumbnail

    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    temporary.write_bytes(thumbnail(image))
    temporary.replace(path)


_Data: TypeAlias = bytes | ImageError | None
"""What was fetched, why it could not be, or None: the worker reads it."""


class _Pool:
    def __init__(self, prepare: Prepare, workers: int) -> None:
        self._prepare = prepare
        self._workers = workers
        self._ahead = workers * 24  # enough to hide a slow file, few enough to bound memory
        self._pool = self._start()

    def _start(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            self._workers,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_become_worker,
            initargs=(self._prepare, os.getpid()),
        )

    def __enter__(self) -> _Pool:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def run(
        self, tasks: list[Task], ahead: ReadAhead
    ) -> Iterator[tuple[Task, _Data, Ready | Failed]]:
        """Each task with what was fetched for it and what became of it, in their order."""
        waiting: deque[tuple[Task, _Data, Future[Ready | Failed]]] = deque()
        left = deque(tasks)
        while left or waiting:
            # what is still being fetched is waited for only when there is nothing else to do
            while left and len(waiting) < self._ahead and (not waiting or ahead.ready()):
                task, data = left.popleft(), ahead.next()
                waiting.append((task, data, self._submit(task, data)))
            task, data, future = waiting.popleft()
            try:
                result = future.result()
            except BrokenProcessPool:
                again = [(task, data), *((t, d) for t, d, _ in waiting)]
                waiting.clear()
                for (task, data), result in zip(again, self._one_by_one(again), strict=True):
                    ahead.done()
                    yield task, data, result
                continue
            ahead.done()
            yield task, data, result

    def _submit(self, task: Task, data: _Data) -> Future[Ready | Failed]:
        outcome: Future[Ready | Failed] = Future()
        if isinstance(data, ImageError):
            outcome.set_result(_failed(task, data.reason))
            return outcome
        try:
            with _single_threaded():
                return self._pool.submit(_work, task, data)
        except BrokenProcessPool as error:
            outcome.set_exception(error)
            return outcome

    def _one_by_one(self, tasks: list[tuple[Task, _Data]]) -> Iterator[Ready | Failed]:
        """Find the file that took a worker down: alone in the pool, only it can."""
        self._restart()
        for task, data in tasks:
            try:
                yield self._submit(task, data).result()
            except BrokenProcessPool:
                self._restart()
                yield _failed(task, "the picture crashed its reader; it is damaged")

    def _restart(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._pool = self._start()
        try:
            with _single_threaded():
                begun = self._pool.submit(_nothing)
            begun.result()
        except BrokenProcessPool as error:  # no picture has been looked at yet
            raise CoreError(
                "the processes that read pictures end as soon as they start; this machine may be "
                "out of memory: close other programs, then run the same command again"
            ) from error


_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_threads_lock = threading.Lock()


@contextlib.contextmanager
def _single_threaded() -> Iterator[None]:
    """Workers that start within compute with one thread each: there is one of them a core.

    A worker cannot see to it itself: what it is handed imports numpy before it runs anything.
    """
    with _threads_lock:
        before = {name: os.environ.get(name) for name in _THREADS}
        os.environ.update(dict.fromkeys(_THREADS, "1"))
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


def _nothing() -> None:
    """What any worker can do."""


_prepare: Prepare | None = None


def _become_worker(prepare: Prepare, parent: int) -> None:
    global _prepare
    _prepare = prepare
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    """End when the parent was killed, which runs no clean-up of its own."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _work(task: Task, data: bytes | None) -> Ready | Failed:
    if _prepare is None:
        raise RuntimeError("a worker was started without its encoder")
    return prepare_one(task, _prepare, data)
