"""What the Movidius tools mean by what they say, and what mends it.

The texts are those of OpenVINO 2021.4 and 2022.3, its MYRIAD plugin (whose library holds them),
XLink and libusb. The table is looked through in order, first in the error and then in the log, so
what tells more comes first.
"""

from __future__ import annotations

import dataclasses
import re

from edgeage.errors import (
    DeviceBusyError,
    DeviceError,
    DeviceLostError,
    DeviceNotFoundError,
    DevicePermissionError,
    DeviceVersionError,
    EdgeageError,
    ModelError,
    ToolchainError,
)

__all__ = ["TROUBLES", "Cause", "Trouble", "after_the_end", "device_error", "find_trouble"]


@dataclasses.dataclass(frozen=True)
class Cause:
    """Something that leads to a trouble.

    Attributes:
        text: what it is.
        remedy: what mends it; a command, where there is one.
    """

    text: str
    remedy: str


@dataclasses.dataclass(frozen=True)
class Trouble:
    """A trouble the tools report.

    Attributes:
        pattern: regular expression for their texts, capitals or not.
        error: what we raise.
        meaning: what it means, in a few words.
        causes: the most likely first.
    """

    pattern: str
    error: type[EdgeageError]
    meaning: str
    causes: tuple[Cause, ...]


_DOCTOR = "edgeage doctor"
_UDEV = Cause("this user may not open the stick", f"{_DOCTOR} prints the udev rule and its command")
_UNPLUGGED = Cause(
    "the stick is not plugged in, or is not seen", "plug it in and run: lsusb -d 03e7:"
)
_HELD = Cause(
    "another program holds the stick", "end that program; find it with: pgrep -af 'python|openvino'"
)
_POWER = Cause(
    "the USB port or hub gives too little power or loses data",
    "plug the stick into a port of the computer itself or a powered hub",
)
_VIRTUAL = Cause(
    "a virtual machine or container does not see the stick again after it has booted",
    "pass both 03e7:2485 and 03e7:f63b through; docker: -v /dev/bus/usb:/dev/bus/usb "
    "--device-cgroup-rule='c 189:* rmw'",
)
_KILLED = 9
_REINSTALL = "edgeage toolchain install"
_RECOMPILE = "edgeage compile --target MYRIAD --overwrite"

TROUBLES: tuple[Trouble, ...] = (
    Trouble(
        r"libusb-1\.0[^:]*: cannot open shared object|LIBUSB_NOT_FOUND",
        ToolchainError,
        "libusb is missing",
        (
            Cause("the tools' libusb is gone", _REINSTALL),
            Cause("this Python is not ours and the system has none", "apt install libusb-1.0-0"),
        ),
    ),
    Trouble(
        r"name is not registered in the (InferenceEngine|OpenVINO Runtime)",
        ToolchainError,
        "this OpenVINO has no MYRIAD plugin",
        (
            Cause("it is a wheel newer than 2021.4, which lost the plugin", _REINSTALL),
            Cause(
                "EDGEAGE_MOVIDIUS_PYTHON names another Python than that of the 2022.3 archive",
                "source setupvars.sh of the archive and name its Python in EDGEAGE_MOVIDIUS_PYTHON",
            ),
        ),
    ),
    Trouble(
        r"Failed to create plugin|Cannot load library|Firmware not found in|Can't get firmware"
        r"|Fail to (read|patch|allocate memory for|get file size).*firmware",
        ToolchainError,
        "the Movidius tools are damaged",
        (Cause("files of the plugin or its firmware are missing", _REINSTALL),),
    ),
    Trouble(
        r"global mutex initialization failed|/tmp/mvnc\.mutex",
        DevicePermissionError,
        "the lock that all programs share belongs to another user",
        (
            Cause("a program of another user made it", "sudo rm /tmp/mvnc.mutex"),
            _HELD,
        ),
    ),
    Trouble(
        r"LIBUSB_ERROR_ACCESS|Access denied|insufficient.permissions|Permission denied",
        DevicePermissionError,
        "the stick is there and this user may not open it",
        (
            _UDEV,
            Cause(
                "the rule is new and the stick was plugged in before", "unplug it and plug it in"
            ),
        ),
    ),
    Trouble(
        r"LIBUSB_ERROR_BUSY|Resource busy|X_LINK_ALREADY_OPEN|Device was already opened|NC_BUSY"
        r"|ALREADY[ _]ALLOCATED|already in use",
        DeviceBusyError,
        "another program holds the stick",
        (
            _HELD,
            Cause("a program that ended left it booted", "unplug the stick and plug it in again"),
        ),
    ),
    Trouble(
        r"(version of|magic number) imported blob|NC_UNSUPPORTED_GRAPH_FILE"
        r"|offset \+ sizeof\(T\) <= blob|NC_UNSUPPORTED_CONFIGURATION_FILE",
        DeviceVersionError,
        "the blob is of another version than the tools",
        (
            Cause("it was compiled by another OpenVINO", _RECOMPILE),
            Cause("the file is damaged", _RECOMPILE),
        ),
    ),
    Trouble(
        r"cannot parse future versions|Unknown model format|from unsupported opset"
        r"|Unsupported IR version|doesn't support this version|Cannot create \w+ layer",
        DeviceVersionError,
        "the network's files are too new for the Movidius tools",
        (Cause("it was compiled for another target", _RECOMPILE),),
    ),
    Trouble(
        r"Incorrect weights in bin file|Attribute and shape size are inconsistent|offset_size"
        r"|information is invalid",
        ModelError,
        "the network's files are damaged",
        (Cause("a file was cut off or changed", _RECOMPILE),),
    ),
    Trouble(
        r"Unsupported property|Unsupported config|NOT_FOUND \] .*property|Unknown option",
        ModelError,
        "the model's manifest has an option the device does not know",
        (Cause("it was compiled for another target", _RECOMPILE),),
    ),
    Trouble(
        r"Failed to find booted device after boot|MYRIAD device is not opened"
        r"|didn't appear after reboot|doesn't disappear after firmware"
        r"|XLinkBootRemote returned error",
        DeviceNotFoundError,
        "the stick got its firmware and did not come back",
        (_UDEV, _POWER, _VIRTUAL, Cause("the stick hangs", "unplug it, wait, plug it in again")),
    ),
    Trouble(
        r"X_LINK_DEVICE_NOT_FOUND|NC_DEVICE_NOT_FOUND|LIBUSB_ERROR_NO(T_FOUND|_DEVICE)"
        r"|no available devices|no device found|Myriad device: \S+ not found",
        DeviceNotFoundError,
        "there is no such stick, or none that is free",
        (_UNPLUGGED, _HELD, _UDEV, _VIRTUAL),
    ),
    Trouble(
        r"Failed to (read output from|write to|init (in|out)put) ?FIFO|Failed to read output|"
        r"X_LINK_(ERROR|COMMUNICATION\w*|TIMEOUT)|Event sending failed|not respond, removing"
        r"|NC_(TIMEOUT|MYRIAD_ERROR)|LIBUSB_ERROR_(IO|PIPE|TIMEOUT)|(Write|Read) failed",
        DeviceLostError,
        "the stick stopped answering",
        (
            Cause("it was unplugged or its contact is loose", "plug it in again"),
            _POWER,
            Cause("it got too hot", "let it cool and give it air"),
        ),
    ),
    Trouble(
        r"NC_OUT_OF_MEMORY|X_LINK_OUT_OF_MEMORY|Failed to allocate graph",
        DeviceError,
        "the stick's memory is full",
        (
            Cause("too many networks are on it", "close the other Predictors"),
            _HELD,
        ),
    ),
    Trouble(
        r"Can not init (Myriad|USB) device|NC_ERROR",
        DeviceNotFoundError,
        "the stick cannot be opened",
        (_UNPLUGGED, _UDEV, _HELD, _POWER, _VIRTUAL),
    ),
)


def find_trouble(text: str) -> Trouble | None:
    """Return what a text of the tools tells of, or None.

    >>> find_trouble("Can not init Myriad device: NC_ERROR").meaning
    'the stick cannot be opened'
    """
    return next((t for t in TROUBLES if re.search(t.pattern, text, re.IGNORECASE)), None)


def after_the_end(signal_number: int) -> str:
    """Return what to do after the process that drives a stick has ended by itself.

    Args:
        signal_number: what killed it; 0 when nothing did.

    >>> after_the_end(9)
    'if nobody killed it, memory ran out; look with: dmesg | tail'
    """
    if signal_number == _KILLED:
        return "if nobody killed it, memory ran out; look with: dmesg | tail"
    if signal_number:
        return f"if it does so again, install the tools again: {_REINSTALL}"
    return f"look with: {_DOCTOR}"


def device_error(doing: str, text: str, log: str = "") -> EdgeageError:
    """Make our error of theirs, in one line: what it means, the likeliest cause, what mends it.

    Args:
        doing: what was being done, to begin the line («cannot …»).
        text: their error.
        log: what they wrote on stderr; a line there often tells more than the error.

    >>> error = device_error("load agenet on MYRIAD", "Can not init Myriad device: NC_ERROR")
    >>> type(error).__name__
    'DeviceNotFoundError'
    """
    said = " ".join(text.split()) or "no reason given"
    found = find_trouble(text)
    # The last of them says no more than that it did not work; the log may know why.
    if found is None or found is TROUBLES[-1]:
        found = find_trouble(log) or found
    if found is None:
        return DeviceError(f"cannot {doing}: {said}; look with: {_DOCTOR}")
    cause = found.causes[0]
    more = "" if len(found.causes) == 1 else f"; for other causes: {_DOCTOR}"
    return found.error(
        f"cannot {doing}: {found.meaning} («{said}»); most likely {cause.text}: "
        f"{cause.remedy}{more}"
    )
