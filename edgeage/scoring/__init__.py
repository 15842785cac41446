"""Models on data sets: every one scored alike, compared, timed, reported and calibrated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeage.lazy import lazy_names

if TYPE_CHECKING:
    from edgeage.scoring.calibration import calibrate
    from edgeage.scoring.run import EvaluateOptions, evaluate

__all__ = ["EvaluateOptions", "calibrate", "evaluate"]

_HOMES = {
    "calibration": ("calibrate",),
    "run": ("EvaluateOptions", "evaluate"),
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
