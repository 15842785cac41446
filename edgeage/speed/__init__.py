"""How fast this machine answers: networks × devices × precisions × batches, and a picture's steps.

Nothing is imported before it is asked for: the measuring itself needs no more than numpy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgeage.speed.bench import Bench, BenchOptions, run_bench
    from edgeage.speed.hardware import machine
    from edgeage.speed.timing import Figures, take_turns

__all__ = ["Bench", "BenchOptions", "Figures", "machine", "run_bench", "take_turns"]

_HOME_OF = {
    "Bench": "bench",
    "BenchOptions": "bench",
    "Figures": "timing",
    "machine": "hardware",
    "run_bench": "bench",
    "take_turns": "timing",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value
