"""What the C library does with freed memory: mallopt(3) of glibc, for the whole process."""

from __future__ import annotations

import ctypes
import sys

__all__ = ["keep_memory", "share_memory"]

_MMAP_MAX, _TRIM_THRESHOLD, _TOP_PAD, _ARENA_MAX = -4, -1, -2, -8
_AHEAD_BYTES = 256 << 20


def keep_memory() -> bool:
    """Have the C library keep what a training step frees for the next one.

    Every step asks for the same large blocks. glibc fetches each from the kernel and gives it back,
    and the kernel clears every page of it again; for a small network that takes as long as the
    arithmetic.

    Returns:
        Whether the C library knows how.
    """
    return _set((_MMAP_MAX, 0), (_TRIM_THRESHOLD, 2**31 - 1), (_TOP_PAD, _AHEAD_BYTES))


def share_memory() -> bool:
    """Have threads take memory from the same two heaps, before any is begun.

    glibc gives each thread a heap of its own, up to eight a processor, and each keeps room for the
    largest picture that ever went through its thread.

    Returns:
        Whether the C library knows how.
    """
    return _set((_ARENA_MAX, 2))


def _set(*asked: tuple[int, int]) -> bool:
    if sys.platform != "linux":
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:
        return False
    return [mallopt(name, value) for name, value in asked] == [1] * len(asked)
