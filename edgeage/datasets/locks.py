"""One build at a time in an output folder, and no remains of killed ones."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from typing import TYPE_CHECKING, TextIO

from edgeage.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["output_lock"]


@contextlib.contextmanager
def output_lock(output: Path) -> Iterator[None]:
    """Hold the right to write a folder, and first remove what a killed build of it left.

    The lock is of the file ``.NAME.lock`` beside the folder and ends with the process, however
    that ends. On systems without ``flock`` nothing is locked and nothing removed.

    Raises:
        DatasetError: when another process is writing the same folder.
    """
    try:
        import fcntl
    except ModuleNotFoundError:
        yield
        return
    output.parent.mkdir(parents=True, exist_ok=True)
    path = output.parent / f".{output.name}.lock"
    while True:
        file = path.open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            raise DatasetError(f"another process is building {output}; wait for it") from None
        if _is_still(path, file):
            break
        file.close()
    try:
        _remove_leftovers(output)
        yield
    finally:
        path.unlink(missing_ok=True)
        file.close()


def _is_still(path: Path, file: TextIO) -> bool:
    """Say whether the locked file is the one that has the name, not one its owner just removed."""
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    return False


def _remove_leftovers(output: Path) -> None:
    # The names are those of edgeage.paths.atomic_dir.
    pattern = re.compile(re.escape(f".{output.name}.") + r"[a-z0-9_]{8}\.part")
    for folder in output.parent.iterdir():
        if pattern.fullmatch(folder.name) and folder.is_dir() and not folder.is_symlink():
            shutil.rmtree(folder, ignore_errors=True)
