"""Movidius devices on USB, as Linux' sysfs shows them; neither lsusb nor libusb is needed.

The chips have no program of their own: the host sends them one, and they come back under another
id. What each id means (Intel's and Luxonis' XLink, ``usb_host.cpp``):

====  =============================================================================
id    a Movidius device (vendor 03e7) that …
====  =============================================================================
2150  is a Myriad 2, waiting for its program: the first Neural Compute Stick, or a T265
2485  is a Myriad X, waiting for its program: a Neural Compute Stick 2, or an OAK
f63b  runs a program that the host has sent
f63c  is an OAK in Luxonis' boot loader, waiting for its program
f63d  is an OAK that runs a program from its own flash memory
====  =============================================================================

An unbooted NCS2 and an unbooted OAK say the same of themselves («Movidius MyriadX», serial number
03e72485). Booted, OpenVINO's program calls itself «VSC Loopback Device» and depthai's «Luxonis
Device».
"""

from __future__ import annotations

import dataclasses
import errno
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edgeage.movidius.machine import Machine

__all__ = ["VENDOR", "UsbDevice", "scan", "usb_is_visible"]

VENDOR = "03e7"
"""USB vendor id of Movidius."""

_FIRMWARE = {
    "2150": "unbooted",
    "2485": "unbooted",
    "f63b": "booted",
    "f63c": "bootloader",
    "f63d": "flash booted",
}
_SUPER_SPEED_MBPS = 5000


@dataclasses.dataclass(frozen=True)
class UsbDevice:
    """One Movidius device as the kernel sees it.

    Attributes:
        port: the kernel's name of the place it is plugged in, for example ``"1-2.3"``: bus 1,
            port 2, and port 3 of the hub there.
        product_id: four hexadecimal digits, one of the table above or another of the vendor's.
        product: what it calls itself.
        serial: its serial number; for an OAK that runs, its MX id.
        bus: number of the USB bus, or None.
        address: its number on the bus, which changes each time it boots, or None.
        speed_mbps: speed of the connection in megabits a second (480 is USB 2, 5000 USB 3), or
            None.
        usb3_port: whether the port has USB 3 wires, or None where the kernel does not say.
        node: its file below ``/dev/bus/usb``, or None.
        open_errno: None when this user can open ``node``, or the ``errno`` of trying.
        claimed: whether a program on this machine holds it.
    """

    port: str
    product_id: str
    product: str = ""
    serial: str = ""
    bus: int | None = None
    address: int | None = None
    speed_mbps: float | None = None
    usb3_port: bool | None = None
    node: Path | None = None
    open_errno: int | None = None
    claimed: bool = False

    @property
    def firmware(self) -> str:
        """``unbooted``, ``booted``, ``bootloader``, ``flash booted`` or ``unknown``."""
        return _FIRMWARE.get(self.product_id, "unknown")

    @property
    def kind(self) -> str:
        """What it is: ``NCS1``, ``stick``, ``OAK``, ``stick or OAK``, or ``unknown``.

        ``stick`` is one that OpenVINO has booted: an NCS2, or an NCS1 of an older OpenVINO.
        """
        if self.product_id == "2150":
            return "NCS1"
        if self.firmware in ("bootloader", "flash booted") or "luxonis" in self.product.lower():
            return "OAK"
        if self.product_id == "f63b" and "loopback" in self.product.lower():
            return "stick"
        return "unknown" if self.firmware == "unknown" else "stick or OAK"

    @property
    def state(self) -> str:
        """What can be done with it now.

        ``no device node``, ``no permission``, ``in use``, ``left booted`` (a program booted it and
        is gone), or else :attr:`firmware`.
        """
        if self.claimed:
            return "in use"
        if self.node is None or self.open_errno == errno.ENOENT:
            return "no device node"
        if self.open_errno in (errno.EACCES, errno.EPERM):
            return "no permission"
        return "left booted" if self.firmware == "booted" else self.firmware

    @property
    def myriad_id(self) -> str:
        """The name OpenVINO gives the device on this port, for example ``1.2.3-ma2480``."""
        chip = "ma2450" if self.product_id == "2150" else "ma2480"
        return f"{self.depthai_name}-{chip}"

    @property
    def depthai_name(self) -> str:
        """The name depthai gives the device on this port, for example ``1.2.3``."""
        return self.port.replace("-", ".")

    @property
    def speed(self) -> str:
        """The connection's speed in words; empty when it is not known."""
        if self.speed_mbps is None:
            return ""
        version = "USB 3" if self.speed_mbps >= _SUPER_SPEED_MBPS else "USB 2"
        return f"{version} ({self.speed_mbps:g} Mbit/s)"

    @property
    def slow_because(self) -> str:
        """Why it runs, or is going to run, at USB 2 speed; empty when it does not.

        Before they are booted these chips only know USB 2, whatever the port; then the port's
        wires tell.
        """
        running = self.firmware in ("booted", "flash booted")
        if not running and self.usb3_port is False:
            return "the port has no USB 3"
        if not running or self.speed_mbps is None or self.speed_mbps >= _SUPER_SPEED_MBPS:
            return ""
        return "the port has no USB 3" if self.usb3_port is False else "a cable or hub between"


def usb_is_visible(machine: Machine) -> bool:
    """Whether USB devices can be listed: sysfs' folder of them is there, and a controller in it."""
    return machine.shows_usb and bool(machine.entries(_folder(machine)))


def scan(machine: Machine) -> list[UsbDevice]:
    """List the Movidius devices that are plugged in, in the order of their ports.

    A device that goes away meanwhile is left out; an attribute that cannot be read or makes no
    sense counts as not known.
    """
    return list(_scan(machine)) if machine.shows_usb else []


def _scan(machine: Machine) -> Iterator[UsbDevice]:
    for folder in machine.entries(_folder(machine)):
        if (machine.text(folder / "idVendor") or "").lower() != VENDOR:
            continue
        device = _read(machine, folder)
        # It may have gone, or come back as another, since its first attribute was read.
        still = (machine.text(folder / "idProduct") or "").lower()
        if device.product_id and still == device.product_id:
            yield device


def _read(machine: Machine, folder: Path) -> UsbDevice:
    bus, address = (_number(machine, folder / name) for name in ("busnum", "devnum"))
    node = None
    if bus is not None and address is not None:
        node = machine.path(f"dev/bus/usb/{int(bus):03}/{int(address):03}")
    return UsbDevice(
        port=folder.name,
        product_id=(machine.text(folder / "idProduct") or "").lower(),
        product=machine.text(folder / "product") or "",
        serial=machine.text(folder / "serial") or "",
        bus=None if bus is None else int(bus),
        address=None if address is None else int(address),
        speed_mbps=_number(machine, folder / "speed"),
        usb3_port=_usb3_port(machine, folder),
        node=node,
        open_errno=machine.open_error(node) if node is not None else None,
        claimed=_is_claimed(machine, folder),
    )


def _usb3_port(machine: Machine, folder: Path) -> bool | None:
    """A port with USB 3 wires is two ports to the kernel, each of which names its peer."""
    speed = _number(machine, folder / "speed")
    if speed is not None and speed >= _SUPER_SPEED_MBPS:
        return True
    port = folder / "port"
    return machine.exists(port / "peer") if machine.exists(port) else None


def _is_claimed(machine: Machine, folder: Path) -> bool:
    """Whether a program holds an interface: the kernel then shows ``usbfs`` as its driver."""
    for interface in machine.entries(folder.parent):
        if not interface.name.startswith(f"{folder.name}:"):
            continue
        try:
            driver = (interface / "driver").readlink().name
        except OSError:
            continue
        if driver == "usbfs":
            return True
    return False


def _number(machine: Machine, path: Path) -> float | None:
    text = machine.text(path) or ""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 <= number < 1e9 else None


def _folder(machine: Machine) -> Path:
    return machine.path("sys/bus/usb/devices")
