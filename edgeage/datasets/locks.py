"""One build at a time in an output folder, and what becomes of the remains of killed ones."""

from __future__ import annotations

import contextlib
import re
import shutil
from typing import TYPE_CHECKING

from edgeage.errors import DatasetError
from edgeage.locks import file_lock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["output_lock", "take_rescued"]

_WORK = "work"


@contextlib.contextmanager
def output_lock(output: Path) -> Iterator[None]:
    """Hold the right to write a folder, and first remove what a killed build of it left.

    Its working folder alone is set aside, for :func:`take_rescued`.

    The lock is of the file ``.NAME.lock`` beside the folder and ends with the process, however
    that ends. On systems without ``flock`` nothing is locked and nothing removed.

    Raises:
        DatasetError: when another process is writing the same folder.
    """
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(file_lock(output.parent / f".{output.name}.lock"))
        except BlockingIOError:
            raise DatasetError(f"another process is building {output}; wait for it") from None
        _remove_leftovers(output)
        yield


def _remove_leftovers(output: Path) -> None:
    # The names are those of edgeage.paths.atomic_dir.
    pattern = re.compile(re.escape(f".{output.name}.") + r"[a-z0-9_]{8}\.part")
    for folder in list(output.parent.iterdir()):
        if pattern.fullmatch(folder.name) and folder.is_dir() and not folder.is_symlink():
            rescued = _rescued(output)
            if (folder / _WORK).is_dir() and not rescued.exists():
                (folder / _WORK).rename(rescued)
            shutil.rmtree(folder, ignore_errors=True)


def _rescued(output: Path) -> Path:
    return output.parent / f".{output.name}.work"


def take_rescued(output: Path, folder: Path) -> Path:
    """Return the working folder of a build, with what a killed one left in it.

    Args:
        output: the folder to be made, whose lock is held.
        folder: where its parts are put together.
    """
    work, rescued = folder / _WORK, _rescued(output)
    if rescued.is_dir() and not rescued.is_symlink():
        rescued.rename(work)
    work.mkdir(exist_ok=True)
    return work
