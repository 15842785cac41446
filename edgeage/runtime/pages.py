"""Memory of files that are mapped but no longer needed, given back."""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["give_back_pages"]

_MAPS = Path("/proc/self/maps")


def give_back_pages(paths: Sequence[Path]) -> int:
    """Take the pages of mapped files out of this process's memory; on Linux only.

    OpenVINO maps a network's weights, packs a copy for its kernels and keeps the map. The pages
    come back from the file should anything read them again, so nothing is lost. (``madvise(2)``,
    ``MADV_DONTNEED``, of maps that cannot be written.)

    Args:
        paths: files, or folders of files.

    Returns:
        How many bytes of address space were given back.
    """
    if sys.platform != "linux":
        return 0
    given = 0
    with contextlib.suppress(OSError, AttributeError):
        madvise = ctypes.CDLL(None).madvise
        madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
        for start, size in _read_only_maps([str(path) for path in paths]):
            if madvise(start, size, mmap.MADV_DONTNEED) == 0:
                given += size
    return given


def _read_only_maps(places: Sequence[str]) -> Iterator[tuple[int, int]]:
    for line in _MAPS.read_text(encoding="utf-8", errors="replace").splitlines():
        span, rights, _, _, _, *name = line.split(None, 5)
        if name and rights.startswith("r--") and _is_in(name[0], places):
            start, end = (int(address, 16) for address in span.split("-"))
            yield start, end - start


def _is_in(name: str, places: Sequence[str]) -> bool:
    return any(name == place or name.startswith(f"{place}/") for place in places)
