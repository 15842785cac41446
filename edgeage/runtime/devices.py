"""Which runtime drives which device, by the device's name.

Kinds of devices are accepted in any case; what follows a kind's dot, a stick's or camera's own
name, is kept as it is. OpenVINO's syntax of lists is kept too: ``AUTO:GPU,CPU``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeage.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgeage.runtime.backend import Backend
    from edgeage.runtime.options import RuntimeOptions

__all__ = ["device_name", "is_pluggable", "kind_of", "members_of", "open_backend", "target_of"]

_PLUGGABLE = ("MYRIAD", "OAK")
_OPENVINO = ("CPU", "GPU", "NPU")
_LISTS = ("AUTO", "MULTI", "HETERO")


def open_backend(device: str, options: RuntimeOptions | None = None) -> Backend:
    """Return the backend for a device; nothing is opened before a model is loaded.

    Args:
        device: ``"MYRIAD"`` or ``"MYRIAD.<id>"`` for Neural Compute Sticks, ``"OAK"`` or
            ``"OAK.<id>"`` for a camera; OpenVINO's ``"AUTO"``, ``"CPU"``, ``"GPU"``, ``"GPU.1"``,
            ``"NPU"``, ``"AUTO:GPU,CPU"``, ``"MULTI:GPU,CPU"`` or ``"HETERO:GPU,CPU"``.
        options: how OpenVINO is to use it; None for the defaults. Sticks and cameras take
            pictures as fast as they come and have no such choices.

    Raises:
        UsageError: for no name, an unknown one, or a list with something that fits in none.
        MissingDependencyError: when the device's optional package is not installed.
    """
    name = device_name(device)
    kind = kind_of(name)
    if kind == "MYRIAD":
        from edgeage.runtime.myriad import MyriadBackend

        return MyriadBackend(name)
    if kind == "OAK":
        from edgeage.runtime.oak import OakBackend

        return OakBackend(name)
    from edgeage.runtime.openvino import OpenVINOBackend

    return OpenVINOBackend(name, options)


def device_name(device: str) -> str:
    """Return a device's name as the runtimes spell it.

    Raises:
        UsageError: as :func:`open_backend`.

    >>> device_name("auto: gpu.1, cpu"), device_name("myriad.1.2-ma2480")
    ('AUTO:GPU.1,CPU', 'MYRIAD.1.2-ma2480')
    """
    if not device.strip():
        raise UsageError("expected a device, for example CPU or MYRIAD, got an empty name")
    name = _spelled(device)
    members = members_of(name)
    if kind_of(name) in _LISTS:
        _check_list(name, members)
    for member in members or [name]:
        _check_kind(kind_of(member), device)
    return name


def kind_of(device: str) -> str:
    """Return what a device is, without which one.

    >>> kind_of("GPU.1"), kind_of("AUTO:GPU,CPU"), kind_of("oak.192.168.1.5")
    ('GPU', 'AUTO', 'OAK')
    """
    kind = device.strip().partition(".")[0].upper()
    return kind if kind in _PLUGGABLE else kind.partition(":")[0].strip()


def members_of(device: str) -> list[str]:
    """Return the devices a list names, without those AUTO is told to leave out.

    >>> members_of("HETERO:GPU,CPU"), members_of("AUTO:-NPU"), members_of("CPU")
    (['GPU', 'CPU'], [], [])
    """
    if kind_of(device) not in _LISTS:
        return []
    listed = [name.strip() for name in device.partition(":")[2].split(",")]
    return [name for name in listed if name and not name.startswith("-")]


def target_of(device: str) -> str:
    """Return the target a model must be compiled for to run on a device.

    What is compiled for ``"CPU"`` in half precision runs on all of OpenVINO's devices; it is what
    AUTO and lists of several kinds get.

    >>> [target_of(name) for name in ("MYRIAD.1.2-ma2480", "AUTO", "gpu.1", "MULTI:GPU,NPU")]
    ['MYRIAD', 'CPU', 'GPU', 'CPU']
    """
    kinds = {kind_of(member) for member in members_of(device)} or {kind_of(device)}
    kind = kinds.pop()
    return kind if not kinds and kind in (*_PLUGGABLE, *_OPENVINO) else "CPU"


def is_pluggable(device: str) -> bool:
    """Say whether a device may be unplugged, and come back.

    >>> is_pluggable("MYRIAD"), is_pluggable("CPU")
    (True, False)
    """
    return kind_of(device) in _PLUGGABLE


def _spelled(device: str) -> str:
    name = device.strip()
    kind, dot, rest = name.partition(".")
    if kind.upper() in _PLUGGABLE:
        return f"{kind.upper()}{dot}{rest}"
    head, colon, listed = name.upper().partition(":")
    return f"{head.strip()}{colon}{','.join(part.strip() for part in listed.split(','))}"


def _check_list(name: str, members: Sequence[str]) -> None:
    if kind_of(name) != "AUTO" and not members:
        raise UsageError(f"«{name}» names no devices; list them, for example {name[:6]}:GPU,CPU")
    for kind in map(kind_of, members):
        if kind in _PLUGGABLE:
            raise UsageError(
                f"«{name}» cannot hold {kind}: today's OpenVINO drives no Myriad X; use device "
                f"{kind}, and another one as its fallback"
            )
        if kind in _LISTS:
            raise UsageError(f"«{name}» holds another list, {kind}; name its devices instead")


def _check_kind(kind: str, device: str) -> None:
    known = (*_LISTS, *_OPENVINO, *_PLUGGABLE)
    if kind in known or kind in _plugins():
        return
    raise UsageError(
        f"unknown device «{device.strip()}»; expected {', '.join(known[:-1])} or {known[-1]}"
        f"{did_you_mean(kind, known)}"
    )


def _plugins() -> set[str]:
    """Return the kinds of the devices OpenVINO has here, those of other vendors' plugins too."""
    from edgeage.runtime.openvino import available_devices

    return {kind_of(name) for name in available_devices()}
