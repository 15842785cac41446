"""Making what comes next while the last is used."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, TypeVar

from edgeage.images import import_opencv

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

__all__ = ["prefetch"]

Item = TypeVar("Item")


def prefetch(batches: Iterator[Item], depth: int = 3) -> Generator[Item]:
    """Yield the same batches, made ``depth`` ahead in a thread of their own.

    An error in the thread is raised here; closing the generator ends the thread.
    """
    ready: queue.Queue[Item | BaseException | None] = queue.Queue(maxsize=depth)
    stop = threading.Event()

    def put(item: Item | BaseException | None) -> bool:
        while not stop.is_set():
            try:
                ready.put(item, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def work() -> None:
        try:
            for batch in batches:
                if not put(batch):
                    return
            put(None)
        # Whatever ends the thread is raised where its batches are awaited.
        except BaseException as error:
            put(error)

    import_opencv()
    thread = threading.Thread(target=work, name="edgeage-prefetch", daemon=True)
    thread.start()
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()
        thread.join()
