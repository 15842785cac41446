"""Which runtime drives which device, by the device's name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeage.errors import UsageError

if TYPE_CHECKING:
    from edgeage.runtime.backend import Backend

__all__ = ["is_pluggable", "open_backend", "target_of"]

_PLUGGABLE = ("MYRIAD", "OAK")


def open_backend(device: str) -> Backend:
    """Return the backend for a device; nothing is opened before a model is loaded.

    Args:
        device: ``"MYRIAD"`` or ``"MYRIAD.<id>"`` for Neural Compute Sticks, ``"OAK"`` or
            ``"OAK.<id>"`` for a camera, and whatever OpenVINO knows: ``"AUTO"``, ``"CPU"``, …

    Raises:
        UsageError: for no name at all.
        MissingDependencyError: when the device's optional package is not installed.
    """
    if not device.strip():
        raise UsageError("expected a device, for example CPU or MYRIAD, got an empty name")
    target = target_of(device)
    if target == "MYRIAD":
        from edgeage.runtime.myriad import MyriadBackend

        return MyriadBackend(device)
    if target == "OAK":
        from edgeage.runtime.oak import OakBackend

        return OakBackend(device)
    from edgeage.runtime.openvino import OpenVINOBackend

    return OpenVINOBackend(device)


def target_of(device: str) -> str:
    """Return the target a model must be compiled for to run on a device.

    >>> target_of("MYRIAD.1.2-ma2480"), target_of("AUTO")
    ('MYRIAD', 'CPU')
    """
    kind = device.partition(".")[0]
    return kind if kind in _PLUGGABLE else "CPU"


def is_pluggable(device: str) -> bool:
    """Say whether a device may be unplugged, and come back.

    >>> is_pluggable("MYRIAD"), is_pluggable("CPU")
    (True, False)
    """
    return target_of(device) != "CPU"
