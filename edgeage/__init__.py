"""Age and gender on edge devices, from Caffe's networks to today's OpenVINO."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgeage.errors import (
        DatasetError,
        DeviceBusyError,
        DeviceError,
        DeviceLostError,
        DeviceNotFoundError,
        DevicePermissionError,
        DeviceVersionError,
        EdgeageError,
        ImageError,
        MeanError,
        MissingDependencyError,
        ModelError,
        NoFaceError,
        ParityError,
        ToolchainError,
        TrainingError,
        UnsupportedLayerError,
        UsageError,
        VideoError,
    )
    from edgeage.faceresult import Face, PictureResult, Timing
    from edgeage.inputspec import InputSpec
    from edgeage.labels import AGE_GROUPS, GENDERS
    from edgeage.manifest import Manifest
    from edgeage.networkinput import NetworkInput
    from edgeage.outputs import Output
    from edgeage.predictor import Predictor

__all__ = [
    "AGE_GROUPS",
    "GENDERS",
    "DatasetError",
    "DeviceBusyError",
    "DeviceError",
    "DeviceLostError",
    "DeviceNotFoundError",
    "DevicePermissionError",
    "DeviceVersionError",
    "EdgeageError",
    "Face",
    "ImageError",
    "InputSpec",
    "Manifest",
    "MeanError",
    "MissingDependencyError",
    "ModelError",
    "NetworkInput",
    "NoFaceError",
    "Output",
    "ParityError",
    "PictureResult",
    "Predictor",
    "Timing",
    "ToolchainError",
    "TrainingError",
    "UnsupportedLayerError",
    "UsageError",
    "VideoError",
    "__version__",
]

__version__ = "0.1.0"
"""The version of edgeage, as in its package metadata."""

_HOMES = {
    "errors": tuple(name for name in __all__ if name.endswith("Error")),
    "faceresult": ("Face", "PictureResult", "Timing"),
    "inputspec": ("InputSpec",),
    "labels": ("AGE_GROUPS", "GENDERS"),
    "manifest": ("Manifest",),
    "networkinput": ("NetworkInput",),
    "outputs": ("Output",),
    "predictor": ("Predictor",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
