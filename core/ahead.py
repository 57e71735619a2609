"""Reading ahead: work in threads, results in order, little of it waiting."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def ahead(
    work: Callable[[Item], Result], items: Iterable[Item], *, workers: int
) -> Iterator[Result]:
    """Results in the order of the items, at most `workers` of them made or waiting.

    Examples
    --------
    >>> list(ahead(lambda n: n * n, range(5), workers=2))
    [0, 1, 4, 9, 16]
    """
    waiting: deque[Future[Result]] = deque()
    upcoming = iter(items)
    with ThreadPoolExecutor(workers) as pool:
        try:
            while True:
                while len(waiting) < workers:
                    try:
                        item = next(upcoming)
                    except StopIteration:
                        break
                    waiting.append(pool.submit(work, item))
                if not waiting:
                    return
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
