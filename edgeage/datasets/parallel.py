"""Work done by several threads, in order, with a bounded number of results waiting."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from edgeage.images import import_opencv

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["ordered_map"]

Item = TypeVar("Item")
Result = TypeVar("Result")


def ordered_map(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int, *, ahead: int = 8
) -> Iterator[Result]:
    """Apply a function in threads and yield the results in the order of the items.

    Threads fit this package's heavy calls (decoding, resizing, noise, hashing), which release
    Python's lock. At most ``ahead`` items a worker are taken before their results are used, so
    memory does not depend on how many items there are.

    Args:
        function: called with each item, in any thread.
        items: taken in the caller's thread only.
        workers: number of threads; 1 works in the caller's thread.
        ahead: how many items each worker may be ahead.

    >>> list(ordered_map(abs, [-3, 2, -1], workers=2))
    [3, 2, 1]
    """
    if workers <= 1:
        yield from map(function, items)
        return
    import_opencv()
    pool = ThreadPoolExecutor(workers)
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) >= workers * ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
