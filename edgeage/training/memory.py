"""The C library's memory, kept between two steps of a training."""

from __future__ import annotations

import ctypes
import sys

__all__ = ["keep_memory"]

_MMAP_MAX, _TRIM_THRESHOLD, _TOP_PAD = -4, -1, -2
_AHEAD_BYTES = 256 << 20


def keep_memory() -> bool:
    """Have the C library keep what a training step frees for the next one.

    Every step asks for the same large blocks. glibc fetches each from the kernel and gives it back,
    and the kernel clears every page of it again; for a small network that takes as long as the
    arithmetic. It holds for the whole process.

    Returns:
        Whether the C library knows how (mallopt(3) of glibc).
    """
    if sys.platform != "linux":
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:
        return False
    asked = ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, 2**31 - 1), (_TOP_PAD, _AHEAD_BYTES))
    taken = [mallopt(name, value) for name, value in asked]
    return taken == [1] * len(asked)
