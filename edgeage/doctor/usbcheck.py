"""Checks of Movidius devices on USB: may they be opened, in what state are they, how fast."""

from __future__ import annotations

import errno
import stat
from typing import TYPE_CHECKING

from edgeage.doctor.finding import NOT_NEEDED, OK, PROBLEM, WARNING, Finding
from edgeage.movidius.udev import find_rules, install_commands
from edgeage.movidius.usb import UsbDevice, usb_is_visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from edgeage.movidius.machine import Machine

__all__ = ["check_surroundings", "check_udev", "check_usb", "check_usb_device"]

_DOCKER = (
    "# start the container with these options:\n"
    "docker run -v /dev/bus/usb:/dev/bus/usb --device-cgroup-rule='c 189:* rmw' IMAGE"
)
_REPLUG = "# unplug it, and plug it in again"


def check_usb(machine: Machine, devices: Sequence[UsbDevice]) -> Iterator[Finding]:
    """Say whether USB devices can be seen, and how many of Movidius' there are."""
    if not machine.shows_usb:
        text = f"{machine.platform} does not show USB devices in files; sticks are not checked"
        yield Finding("USB", NOT_NEEDED, text)
    elif not usb_is_visible(machine):
        folder = machine.path("sys/bus/usb/devices")
        where = "as in a container" if machine.container() else "no USB controller, or no driver"
        yield Finding("USB", NOT_NEEDED, f"{folder} is missing ({where}); no stick can be seen")
    elif not devices:
        yield Finding("USB", NOT_NEEDED, "no Movidius stick and no OAK camera is plugged in")


def check_surroundings(machine: Machine, devices: Sequence[UsbDevice]) -> Iterator[Finding]:
    """Say what a container or a virtual machine has to be given."""
    status = OK if devices else NOT_NEEDED
    if kind := machine.container():
        text = f"this is a container ({kind}); it sees a stick only if it is given /dev/bus/usb"
        yield Finding("container", status, text, "" if devices else _DOCKER)
    if kind := machine.hypervisor():
        hint = "\n".join(_pass_through(kind))
        text = f"this is a virtual machine ({kind}); a stick changes its USB id as it boots"
        yield Finding("virtual machine", status, f"{text}, so hand over both", hint)


def _pass_through(kind: str) -> Iterator[str]:
    for product in ("2485", "f63b"):
        if kind == "WSL":
            yield f"usbipd attach --wsl --auto-attach --hardware-id 03e7:{product}"
        elif kind == "VirtualBox":
            yield (
                f"VBoxManage usbfilter add 0 --target VM --name movidius-{product} "
                f"--vendorid 03e7 --productid {product}"
            )
        else:
            yield f"# hand USB device 03e7:{product} to this machine in {kind}'s settings"


def check_udev(machine: Machine, devices: Sequence[UsbDevice]) -> Iterator[Finding]:
    """Check that there is a udev rule for Movidius devices."""
    if not machine.shows_usb or machine.container():
        return
    if rules := find_rules(machine):
        yield Finding("udev rule", OK, ", ".join(map(str, rules)))
    elif any(device.open_errno in (errno.EACCES, errno.EPERM) for device in devices):
        yield Finding("udev rule", PROBLEM, "there is none for 03e7", install_commands())
    elif devices and machine.is_root:
        text = "there is none for 03e7; it works because you are root"
        yield Finding("udev rule", WARNING, text, install_commands())
    elif not devices:
        text = "there is none for 03e7; a stick will want one"
        yield Finding("udev rule", NOT_NEEDED, text, install_commands())


def check_usb_device(machine: Machine, device: UsbDevice) -> Iterator[Finding]:
    """Check one device: its kind, its node, its state and its speed."""
    name = f"{device.port} (03e7:{device.product_id})"
    if device.kind == "NCS1":
        text = "a Myriad 2 (NCS1 or T265): OpenVINO 2021.4 has no program for it any more"
        yield Finding(name, WARNING, f"{text}; 2020.3 was the last that had")
        return
    yield from _check_access(machine, device, name)
    yield from _check_state(machine, device, name)
    if device.slow_because:
        text = f"USB 2 speed ({device.slow_because}): pictures take longer to reach it"
        remedy = "# plug it into a USB 3 port (blue, or marked SS), without a hub"
        yield Finding(name, WARNING, text, remedy)


def _check_access(machine: Machine, device: UsbDevice, name: str) -> Iterator[Finding]:
    if device.node is None or device.open_errno == errno.ENOENT:
        where = device.node or "its number on the bus cannot be read, so its file"
        text = f"{where} is missing from /dev/bus/usb"
        yield Finding(name, PROBLEM, text, _DOCKER if machine.container() else _REPLUG)
    elif device.open_errno in (errno.EACCES, errno.EPERM):
        owner = _describe(device.node)
        text = f"this user may not open {device.node}{owner}"
        yield Finding(name, PROBLEM, text, _access_remedy(machine, device.node))
    elif device.open_errno is not None:
        reason = errno.errorcode.get(device.open_errno, str(device.open_errno))
        yield Finding(name, PROBLEM, f"{device.node} cannot be opened ({reason})", _REPLUG)
    else:
        yield Finding(name, OK, f"{_title(device)}; {device.node} can be opened")


def _title(device: UsbDevice) -> str:
    words = {"stick or OAK": "Myriad X (NCS2 or OAK)", "stick": "Neural Compute Stick"}
    title = words.get(device.kind, device.kind)
    return ", ".join(part for part in (title, device.firmware, device.speed) if part)


def _access_remedy(machine: Machine, node: Path) -> str:
    if machine.container() or machine.is_root:
        # Root is refused by a container's device rules only.
        return _DOCKER
    if (group := _group_with_access(node)) and group not in machine.groups:
        return f'sudo usermod -aG {group} "$USER"\n# then log out and in again'
    if find_rules(machine):
        return "sudo udevadm control --reload-rules && sudo udevadm trigger\n" + _REPLUG
    return install_commands()


def _group_with_access(node: Path) -> str | None:
    try:
        mode = node.stat().st_mode
        return node.group() if mode & 0o060 == 0o060 and node.group() != "root" else None
    except (OSError, KeyError):
        return None


def _describe(node: Path) -> str:
    try:
        status = node.stat()
        mode = stat.S_IMODE(status.st_mode)
        return f" (mode {mode:04o}, {node.owner()}:{node.group()})"
    except (OSError, KeyError):
        return ""


def _check_state(machine: Machine, device: UsbDevice, name: str) -> Iterator[Finding]:
    if device.kind == "unknown":
        yield Finding(name, WARNING, "edgeage does not know this product id; it is left alone")
    elif device.state == "in use":
        node = device.node
        found = list(machine.holders(node)) if node is not None else []
        who = ", ".join(f"{title} (process {number})" for number, title in found)
        remedy = "\n".join(f"kill {number}  # ends {title}" for number, title in found)
        text = f"in use by {who or 'a program of another user'}; only one at a time can have it"
        yield Finding(name, WARNING, text, remedy)
    elif device.state == "left booted":
        text = "a program booted it and is gone; it resets itself within some twenty seconds"
        yield Finding(name, WARNING, text, _REPLUG)
