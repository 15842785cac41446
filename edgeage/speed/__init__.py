"""How fast this machine answers: networks × devices × precisions × batches, and a picture's steps.

Nothing is imported before it is asked for: the measuring itself needs no more than numpy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeage.lazy import lazy_names

if TYPE_CHECKING:
    from edgeage.speed.bench import Bench, BenchOptions, run_bench
    from edgeage.speed.hardware import machine
    from edgeage.speed.timing import Figures, take_turns

__all__ = ["Bench", "BenchOptions", "Figures", "machine", "run_bench", "take_turns"]

_HOMES = {
    "bench": ("Bench", "BenchOptions", "run_bench"),
    "hardware": ("machine",),
    "timing": ("Figures", "take_turns"),
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
