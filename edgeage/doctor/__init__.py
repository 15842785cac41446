"""``edgeage doctor``: is everything there that the devices here need, and what mends it if not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeage.doctor.finding import NOT_NEEDED, OK, PROBLEM, WARNING, Finding
from edgeage.movidius.machine import Machine
from edgeage.movidius.usb import scan

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["NOT_NEEDED", "OK", "PROBLEM", "WARNING", "Finding", "examine"]


def examine(machine: Machine | None = None) -> Iterator[Finding]:
    """Check everything, one finding after another.

    A problem is only what is needed for a device that is there: the CPU always is, so OpenVINO
    and the models are; the Movidius tools are when a stick or an OAK is plugged in.

    Args:
        machine: where to look for USB devices; None for this machine.
    """
    from edgeage.doctor import software, tools, usbcheck

    machine = machine or Machine()
    devices = scan(machine)
    yield software.check_python()
    yield software.check_packages()
    yield software.check_openvino()
    yield software.check_models()
    yield software.check_cache()
    yield from usbcheck.check_usb(machine, devices)
    yield from usbcheck.check_surroundings(machine, devices)
    yield from usbcheck.check_udev(machine, devices)
    for device in devices:
        yield from usbcheck.check_usb_device(machine, device)
    yield from tools.check_toolchain(devices)
    yield from tools.check_depthai(devices)
