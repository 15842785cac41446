"""What this machine's processor is quick at."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["single_is_quicker", "usable_processors"]

_CPUINFO = Path("/proc/cpuinfo")


def single_is_quicker(cpuinfo: Path = _CPUINFO) -> bool:
    """Say whether this CPU is slower in bf16, which OpenVINO takes wherever it can, than in f32.

    On Intel's it is the matrix unit (AMX) that is quick in bf16, and a virtual machine may hide
    it: a Xeon without takes 16 ms instead of 9 for AgeNet, a picture of a batch on one core. With
    AMX it takes half of f32's time, and so does AMD's Zen 4 without. Where the flags cannot be
    read, OpenVINO decides.

    Args:
        cpuinfo: Linux's description of the processor.
    """
    try:
        text = cpuinfo.read_text(encoding="utf-8", errors="replace").partition("\n\n")[0]
    except OSError:
        return False
    fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    named = {name.strip(): value.split() for name, value in fields.items()}
    flags = named.get("flags", [])
    return (
        named.get("vendor_id") == ["GenuineIntel"]
        and "avx512_bf16" in flags
        and "amx_bf16" not in flags
    )


def usable_processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
