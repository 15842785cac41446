"""Checks of what sticks and cameras need besides: the Movidius tools, libusb, depthai."""

from __future__ import annotations

import ctypes.util
from typing import TYPE_CHECKING

from edgeage.doctor.finding import NOT_NEEDED, OK, PROBLEM, WARNING, Finding
from edgeage.errors import ToolchainError
from edgeage.movidius.libusb import packaged_library
from edgeage.movidius.status import toolchain_status
from edgeage.movidius.toolchain import PYTHON_VARIABLE, Toolchain, find_toolchain
from edgeage.runtime.inventory import depthai_problem, list_oak_cameras

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edgeage.movidius.usb import UsbDevice

__all__ = ["check_depthai", "check_toolchain"]

_INSTALL = "edgeage toolchain install"
# The toolchain compiles the blobs of sticks and of OAK cameras alike.
_WANT_TOOLCHAIN = {"stick", "OAK", "stick or OAK"}


def check_toolchain(devices: Sequence[UsbDevice]) -> Iterator[Finding]:
    """Check the Movidius tools: installed, able to reach libusb, and working, each by trying."""
    wanted = any(device.kind in _WANT_TOOLCHAIN for device in devices)
    try:
        toolchain = find_toolchain()
    except ToolchainError as error:
        yield Finding("Movidius tools", PROBLEM if wanted else NOT_NEEDED, str(error), _INSTALL)
        return
    whose = "ours" if toolchain.managed else f"named by ${PYTHON_VARIABLE}"
    yield Finding("Movidius tools", OK, f"{toolchain.python} ({whose})")
    yield _check_libusb(toolchain, wanted=wanted)
    for check in toolchain_status().checks:
        broken = PROBLEM if wanted else WARNING
        status = OK if check.ok else broken if check.needed else NOT_NEEDED
        name = f"Movidius tools, {check.name.replace('_', ' ')}"
        yield Finding(name, status, check.detail, check.remedy)


def _check_libusb(toolchain: Toolchain, *, wanted: bool) -> Finding:
    library = packaged_library(toolchain.python) or ctypes.util.find_library("usb-1.0")
    if library is None:
        text = "libusb-1.0.so.0 is neither beside the Movidius tools nor in the system"
        status = PROBLEM if wanted else WARNING
        return Finding("libusb", status, text, "sudo apt install libusb-1.0-0")
    return Finding("libusb", OK, str(library))


def check_depthai(devices: Sequence[UsbDevice]) -> Iterator[Finding]:
    """Check depthai, which drives OAK cameras."""
    kinds = {device.kind for device in devices}
    problem = depthai_problem()
    remedy = problem.rpartition(": ")[2]
    if problem and "OAK" in kinds:
        yield Finding("depthai", PROBLEM, f"{problem}; the OAK here needs it", remedy)
    elif problem and "stick or OAK" in kinds:
        text = f"{problem}; only needed if the Myriad X here is an OAK camera"
        yield Finding("depthai", NOT_NEEDED, text, remedy)
    elif problem:
        yield Finding("depthai", NOT_NEEDED, f"{problem}; only OAK cameras need it", remedy)
    else:
        yield _check_cameras()


def _check_cameras() -> Finding:
    cameras, problem = list_oak_cameras()
    if problem:
        return Finding("depthai", WARNING, problem)
    names = ", ".join(f"{camera['mxid'] or '?'} at {camera['name']}" for camera in cameras)
    return Finding("depthai", OK, f"sees {names or 'no camera'}")
