"""One build at a time in an output folder, and no remains of killed ones."""

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

__all__ = ["output_lock"]


@contextlib.contextmanager
def output_lock(output: Path) -> Iterator[None]:
    """Hold the right to write a folder, and first remove what a killed build of it left.

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
    for folder in output.parent.iterdir():
        if pattern.fullmatch(folder.name) and folder.is_dir() and not folder.is_symlink():
            shutil.rmtree(folder, ignore_errors=True)
