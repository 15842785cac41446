"""What machine a benchmark ran on, for its results file."""

from __future__ import annotations

import os
import platform
from pathlib import Path

__all__ = ["machine"]

_CPUINFO = Path("/proc/cpuinfo")
_TELLING = ("amx_bf16", "avx512_bf16", "avx512f", "avx2", "asimd")


def machine() -> dict[str, object]:
    """Return the CPU's name, its best vector instructions, the cores and Python's version."""
    name, flags = platform.processor() or platform.machine(), ""
    if _CPUINFO.exists():
        fields = dict(
            (part.strip() for part in line.split(":", 1))
            for line in _CPUINFO.read_text().splitlines()
            if ":" in line
        )
        name = fields.get("model name", name)
        flags = fields.get("flags", fields.get("Features", ""))
    found = [flag for flag in _TELLING if flag in flags.split()]
    return {
        "cpu": name,
        "instructions": found[0] if found else "",
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }
