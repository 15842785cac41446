"""What machine a measurement was made on."""

from __future__ import annotations

import os
import platform
from pathlib import Path

__all__ = ["machine"]

_CPUINFO = Path("/proc/cpuinfo")
_TELLING = ("amx_bf16", "avx512_bf16", "avx512f", "avx2", "asimd")


def machine() -> dict[str, object]:
    """Return the CPU's name, its best vector instructions, the cores and Python's version."""
    fields = _cpuinfo()
    flags = fields.get("flags", fields.get("Features", "")).split()
    found = [flag for flag in _TELLING if flag in flags]
    return {
        "cpu": fields.get("model name") or platform.processor() or platform.machine(),
        "instructions": found[0] if found else "",
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }


def _cpuinfo() -> dict[str, str]:
    """Return what Linux says of its last processor; nothing elsewhere."""
    if not _CPUINFO.exists():
        return {}
    lines = [line.split(":", 1) for line in _CPUINFO.read_text().splitlines() if ":" in line]
    return {name.strip(): value.strip() for name, value in lines}
