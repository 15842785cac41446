"""The C library's memory, kept between two steps of the same work."""

from __future__ import annotations

import ctypes
import os
import sys

__all__ = ["PICTURES_BYTES", "keep_memory"]

PICTURES_BYTES = 64 << 20
"""What «edgeage infer» has each thread keep: a few photographs of some million pixels."""

_MMAP_MAX, _MMAP_THRESHOLD, _TRIM_THRESHOLD, _TOP_PAD = -4, -3, -1, -2
_LARGEST_BYTES = 32 << 20
_AHEAD_BYTES = 256 << 20
_OWN = {f"MALLOC_{name}_" for name in ("MMAP_MAX", "MMAP_THRESHOLD", "TRIM_THRESHOLD", "TOP_PAD")}


def keep_memory(at_most: int | None = None) -> bool:
    """Have the C library keep what is freed for the next step that asks for it.

    Every step of a training, and every photograph, asks for the same large blocks. glibc fetches
    each from the kernel and gives it back, and the kernel clears every page of it again; for a
    small network that takes as long as the arithmetic. It holds for the whole process, and where
    its user has told glibc himself (``MALLOC_…``, ``GLIBC_TUNABLES``) nothing is changed.

    Args:
        at_most: bytes that each thread keeps, of blocks up to 32 MB; None for all. A server's many
            threads are better left alone.

    Returns:
        Whether it is so now; False where the C library is another (mallopt(3) is glibc's).
    """
    told = os.environ.get("GLIBC_TUNABLES", "")
    if sys.platform != "linux" or "glibc.malloc" in told or _OWN & os.environ.keys():
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:
        return False
    asked = (
        ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, 2**31 - 1), (_TOP_PAD, _AHEAD_BYTES))
        if at_most is None
        else ((_MMAP_THRESHOLD, _LARGEST_BYTES), (_TRIM_THRESHOLD, at_most))
    )
    return [mallopt(name, value) for name, value in asked] == [1] * len(asked)
