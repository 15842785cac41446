"""One process at a time: a lock of a file that ends with the process, however that ends."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["file_lock"]


@contextlib.contextmanager
def file_lock(path: Path, *, on_wait: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold a lock file for the length of the block, and take the file away at the end.

    On systems without ``flock`` nothing is locked.

    Args:
        path: the file; the folders above it are made.
        on_wait: called once before waiting for another process that holds the lock. None does not
            wait.

    Raises:
        BlockingIOError: when another process holds it and ``on_wait`` is None.
    """
    try:
        import fcntl
    except ModuleNotFoundError:
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        file = path.open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if on_wait is None:
                file.close()
                raise
            on_wait()
            on_wait = _quietly
            with contextlib.ExitStack() as undo:
                undo.callback(file.close)
                fcntl.flock(file, fcntl.LOCK_EX)
                undo.pop_all()
        if _is_still(path, file):
            break
        file.close()
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        file.close()


def _quietly() -> None:
    """Wait again without a word."""


def _is_still(path: Path, file: TextIO) -> bool:
    """Say whether the locked file is the one that has the name, not one its owner just removed."""
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    return False
