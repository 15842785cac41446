"""What this machine's processor is quick at."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["adds_bytes_in_sixteen_bits", "single_is_quicker", "usable_processors"]

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
    named = _first_processor(cpuinfo)
    flags = named.get("flags", [])
    return (
        named.get("vendor_id") == ["GenuineIntel"]
        and "avx512_bf16" in flags
        and "amx_bf16" not in flags
    )


def adds_bytes_in_sixteen_bits(cpuinfo: Path = _CPUINFO) -> bool:
    """Say whether this CPU adds two products of bytes in sixteen bits, where they may saturate.

    So do x86 processors without VNNI and AMX (``pmaddubsw``). Where the flags cannot be read, it is
    taken to be a later one.

    Args:
        cpuinfo: Linux's description of the processor.
    """
    flags = _first_processor(cpuinfo).get("flags", [])
    return "ssse3" in flags and not {"avx512_vnni", "avx_vnni", "amx_int8"} & set(flags)


def usable_processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _first_processor(cpuinfo: Path) -> dict[str, list[str]]:
    """Return the fields of the first processor, each as its words; none where they are hidden."""
    try:
        text = cpuinfo.read_text(encoding="utf-8", errors="replace").partition("\n\n")[0]
    except OSError:
        return {}
    fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    return {name.strip(): value.split() for name, value in fields.items()}
