"""Age and gender on edge devices, from Caffe's networks to today's OpenVINO."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeage.lazy import lazy_names

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

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
