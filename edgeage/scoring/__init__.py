"""Models on data sets: every one scored alike, compared, timed, reported and calibrated."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgeage.scoring.calibration import calibrate
    from edgeage.scoring.run import EvaluateOptions, evaluate

__all__ = ["EvaluateOptions", "calibrate", "evaluate"]

_HOME_OF = {
    "EvaluateOptions": "run",
    "calibrate": "calibration",
    "evaluate": "run",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)
