"""What can run a network here: Movidius sticks, OAK cameras, and OpenVINO's own devices."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from edgeage.errors import ToolchainError
from edgeage.movidius.machine import Machine
from edgeage.movidius.toolchain import find_toolchain
from edgeage.movidius.usb import UsbDevice, scan, usb_is_visible
from edgeage.runtime.core import openvino_core

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "Device",
    "Inventory",
    "depthai_problem",
    "list_devices",
    "list_oak_cameras",
    "list_openvino_devices",
]

_OAK_TIMEOUT_S = 20
_DEPTHAI_MAJOR = "2"

# In a process of its own: depthai writes its warnings to stdout, and a fault of a native library
# must not take the caller along.
_OAK_LISTING = """
import json, os
os.environ.setdefault("DEPTHAI_LEVEL", "off")
try:
    import depthai
    answer = [
        {"mxid": info.getMxId(), "name": info.name, "state": info.state.name,
         "status": info.status.name, "protocol": info.protocol.name}
        for info in depthai.Device.getAllConnectedDevices()
    ]
except Exception as error:
    answer = " ".join(f"{type(error).__name__}: {error}".split())
print("\\n" + json.dumps(answer))
"""

_TITLES = {
    "NCS1": "Myriad 2: Neural Compute Stick (NCS1) or RealSense T265",
    "stick": "Neural Compute Stick",
    "OAK": "OAK camera",
    "stick or OAK": "Myriad X: Neural Compute Stick 2 or OAK camera",
    "unknown": "Movidius device of an unknown kind",
}
_NEEDS = {"stick": ("MYRIAD",), "OAK": ("OAK",), "stick or OAK": ("MYRIAD", "OAK")}
_UNUSABLE = {
    "NCS1": "OpenVINO 2021.4 has no program for this chip any more; 2020.3 was the last that had",
    "unknown": "edgeage does not know this product id",
}
_HINDRANCES = {
    "in use": "another program holds it",
    "no permission": "this user may not open it; «edgeage doctor» says how to change that",
    "no device node": "its file in /dev/bus/usb is missing, as in a container that was not given "
    "it; «edgeage doctor» says how to change that",
    "left booted": "a program has booted it and is gone; it resets itself within some twenty "
    "seconds, or unplug it and plug it in again",
}


@dataclasses.dataclass(frozen=True)
class Device:
    """One device, and whether edgeage can use it.

    Attributes:
        name: what it is, for people.
        use_as: the names for ``--device`` that reach it now; empty when it cannot be used.
        state: ``ready``, or what it is or does instead; see :attr:`UsbDevice.state`.
        notes: why it cannot be used as something, and what else to know; one sentence each.
        connection: speed of its USB connection, ``"network"``, or an empty string.
        port: the kernel's name of its USB port, or its network address.
        details: all that is known about it, as JSON-ready values.
    """

    name: str
    use_as: tuple[str, ...] = ()
    state: str = "ready"
    notes: tuple[str, ...] = ()
    connection: str = ""
    port: str = ""
    details: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def usable(self) -> bool:
        """Whether edgeage can use it now."""
        return bool(self.use_as)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-ready values."""
        fields = dataclasses.asdict(self)
        return {"usable": self.usable, **fields}


@dataclasses.dataclass(frozen=True)
class Inventory:
    """Everything found, and what could not be looked at.

    Attributes:
        devices: sticks and cameras first, then OpenVINO's devices.
        notes: what could not be looked at, and why.
    """

    devices: tuple[Device, ...]
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return both as JSON-ready values."""
        return {"devices": [d.to_dict() for d in self.devices], "notes": list(self.notes)}


def list_devices(machine: Machine | None = None) -> Inventory:
    """Look at everything that could run a network here.

    Sticks are only looked at, never opened for use. Where depthai is installed it is asked for
    its cameras, which makes it read each unbooted device's MX id.

    Args:
        machine: where to look for USB devices; None for this machine.
    """
    machine = machine or Machine()
    notes = []
    if not machine.shows_usb:
        notes.append(
            f"on {machine.platform} edgeage cannot see which sticks are plugged in, in what state "
            f"or at which speed; what OpenVINO and depthai list is all there is"
        )
    elif not usb_is_visible(machine):
        notes.append(f"{machine.path('sys/bus/usb/devices')} is missing: USB devices are not seen")
    cameras, problem = list_oak_cameras()
    notes += [problem] if problem else []
    plugged = scan(machine)
    sticks = [_usb_entry(device, cameras, one_of_several=len(plugged) > 1) for device in plugged]
    ports = {stick.details["depthai_name"] for stick in sticks}
    network = [_camera_entry(camera) for camera in cameras if camera["name"] not in ports]
    others, problem = list_openvino_devices()
    notes += [problem] if problem else []
    return Inventory((*sticks, *network, *others), tuple(notes))


def list_openvino_devices() -> tuple[list[Device], str]:
    """Return the devices of the installed OpenVINO, and what went wrong, or an empty string."""
    try:
        core = openvino_core()
        names = [str(name) for name in core.available_devices]
        return [_openvino_entry(core, name) for name in names], ""
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        reason = (str(error).strip().splitlines() or ["no reason given"])[0]
        return [], f"OpenVINO's devices cannot be listed: {reason}"


def depthai_problem() -> str:
    """Say why depthai cannot be used, or return an empty string; it is not imported."""
    if importlib.util.find_spec("depthai") is None:
        return "depthai is not installed; install it with: pip install 'edgeage[oak]'"
    try:
        found = version("depthai")
    except PackageNotFoundError:
        return ""
    if found.split(".")[0] == _DEPTHAI_MAJOR:
        return ""
    return f"depthai {found} is installed, 2.x is needed; get it with: pip install 'depthai<3'"


def list_oak_cameras() -> tuple[list[dict[str, str]], str]:
    """Ask depthai for its cameras, those on the network too.

    Returns:
        For each camera ``mxid``, ``name`` (its USB path or address), ``state``, ``status`` and
        ``protocol``, in XLink's words; and what went wrong, or an empty string. Without a fitting
        depthai there is nothing to go wrong.
    """
    if depthai_problem():
        return [], ""
    answer = _ask_depthai()
    if isinstance(answer, str):
        return [], f"depthai failed to list its cameras: {answer}"
    return answer, ""


def _ask_depthai() -> list[dict[str, str]] | str:
    """Return what the listing answers, or in one line why it does not."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", _OAK_LISTING],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_OAK_TIMEOUT_S,
            check=False,
            env={**os.environ},
        )
        answer: list[dict[str, str]] | str = json.loads(done.stdout.splitlines()[-1])
    except subprocess.TimeoutExpired:
        return f"no answer within {_OAK_TIMEOUT_S} s"
    except OSError as error:
        return str(error)
    except (ValueError, IndexError):
        said = done.stderr.decode("utf-8", "replace").split("\n")
        last = next((line.strip() for line in reversed(said) if line.strip()), "it gave no reason")
        return f"its process ended with status {done.returncode}: {last}"
    return answer


def _usb_entry(
    device: UsbDevice, cameras: Sequence[dict[str, str]], *, one_of_several: bool
) -> Device:
    mxid = next((c["mxid"] for c in cameras if c["name"] == device.depthai_name), "")
    ids = {"MYRIAD": device.myriad_id, "OAK": mxid or device.depthai_name}
    notes = _hindrances(device)
    use_as = []
    for wanted in _NEEDS.get(device.kind, ()):
        if problem := _missing_for(wanted):
            notes.append(f"as {wanted}: {problem}")
        else:
            use_as.append(f"{wanted}.{ids[wanted]}" if one_of_several else wanted)
    if device.slow_because:
        notes.append(f"USB 2 speed: {device.slow_because}")
    if device.kind == "stick or OAK" and device.firmware == "unbooted":
        notes.append("nothing tells a stick from an OAK before it is booted; name what you have")
    details = {**dataclasses.asdict(device), "firmware": device.firmware, "kind": device.kind}
    details["node"] = None if device.node is None else str(device.node)
    details |= {"depthai_name": device.depthai_name, "mxid": mxid, "myriad_id": device.myriad_id}
    return Device(
        _TITLES[device.kind],
        () if _hindrances(device) else tuple(use_as),
        device.state,
        tuple(notes),
        device.speed,
        device.port,
        details,
    )


def _hindrances(device: UsbDevice) -> list[str]:
    """Say why it cannot be used as anything at all."""
    found = (_UNUSABLE.get(device.kind, ""), _HINDRANCES.get(device.state, ""))
    return [reason for reason in found if reason]


def _missing_for(wanted: str) -> str:
    if wanted == "OAK":
        return depthai_problem()
    try:
        find_toolchain()
    except ToolchainError as error:
        return str(error)
    return ""


def _camera_entry(camera: dict[str, str]) -> Device:
    """Describe a camera that only depthai sees: on the network, or where sysfs is not."""
    busy = camera["state"] == "X_LINK_BOOTED"
    state = "in use" if busy else camera["state"].removeprefix("X_LINK_").lower().replace("_", " ")
    network = camera["protocol"] == "X_LINK_TCP_IP"
    return Device(
        "OAK camera",
        () if busy else ("OAK",),
        state,
        (_HINDRANCES["in use"],) if busy else (),
        "network" if network else "",
        camera["name"],
        dict(camera),
    )


def _openvino_entry(core: Any, name: str) -> Device:
    from edgeage.runtime.capabilities import capabilities_of

    try:
        title = str(core.get_property(name, "FULL_DEVICE_NAME"))
    except (RuntimeError, TypeError) as error:
        title = f"{name} ({str(error).splitlines()[0]})"
    found = capabilities_of(core, name)
    return Device(
        title, (name,), notes=(found.text(),), details={"openvino": name, **found.to_dict()}
    )
