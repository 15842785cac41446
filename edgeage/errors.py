"""Every error edgeage raises, in one tree.

::

    EdgeageError                    anything edgeage itself refuses or cannot do
    ├── UsageError                  the call was wrong: unknown option, name or combination
    ├── ImageError                  a picture is missing, unreadable, truncated or too large
    │   └── NoFaceError             a picture shows no face, and one was asked for
    ├── VideoError                  a camera, video or stream is missing, unreadable or lost
    ├── DatasetError                a data set, LMDB or record list is missing, empty or corrupt
    ├── MeanError                   a mean file is missing, corrupt or of the wrong shape or order
    ├── ModelError                  a network, its weights or its manifest is missing or corrupt
    │   └── UnsupportedLayerError   a prototxt asks for something this engine does not know
    ├── ParityError                 a compiled network disagrees with the trained one
    ├── TrainingError               training cannot start, resume or go on
    ├── DeviceError                 a device is missing or failed
    │   ├── DeviceNotFoundError     no such device is plugged in
    │   ├── DevicePermissionError   the device is there and may not be opened by this user
    │   ├── DeviceBusyError         another process or session holds the device
    │   ├── DeviceLostError         the device, or what drives it, went away or hung while working
    │   └── DeviceVersionError      the device's firmware, blob or tools are of versions apart
    ├── ToolchainError              the Movidius tools are not installed, or failed
    └── MissingDependencyError      an optional package is not installed

The command line ends with exit status 2 on a UsageError and with 1 on any other.
"""

from __future__ import annotations

import contextlib
import difflib
import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType

__all__ = [
    "DatasetError",
    "DeviceBusyError",
    "DeviceError",
    "DeviceLostError",
    "DeviceNotFoundError",
    "DevicePermissionError",
    "DeviceVersionError",
    "EdgeageError",
    "ImageError",
    "MeanError",
    "MissingDependencyError",
    "ModelError",
    "NoFaceError",
    "ParityError",
    "ToolchainError",
    "TrainingError",
    "UnsupportedLayerError",
    "UsageError",
    "VideoError",
    "did_you_mean",
    "one_line",
    "require",
]

_REASON_LENGTH = 160


class EdgeageError(Exception):
    """Base of every error edgeage raises; its text is one line fit to show a user.

    Attributes:
        exit_code: exit status of the command line on such an error: 1.
    """

    exit_code = 1


class UsageError(EdgeageError):
    """The call itself was wrong: an unknown option, name or combination of them.

    Attributes:
        exit_code: exit status of the command line on such an error: 2, as for a wrong call.
    """

    exit_code = 2


class ImageError(EdgeageError):
    """A picture is missing, unreadable, truncated or larger than allowed."""


class NoFaceError(ImageError):
    """A picture shows no face, and only faces that are found were asked for."""


class VideoError(EdgeageError):
    """A camera, a video or a stream of frames is missing, cannot be read or went away."""


class DatasetError(EdgeageError):
    """A data set, LMDB or record list is missing, empty, incomplete or corrupt."""


class MeanError(EdgeageError):
    """A mean file is missing, corrupt, or of the wrong shape or channel order."""


class ModelError(EdgeageError):
    """A network, its weights or its manifest is missing, corrupt or inconsistent."""


class UnsupportedLayerError(ModelError):
    """A prototxt uses a layer type or parameter this engine does not implement."""


class ParityError(EdgeageError):
    """A compiled network disagrees with the trained one by more than its profile allows."""


class TrainingError(EdgeageError):
    """Training cannot start, resume or continue."""


class DeviceError(EdgeageError):
    """A device is not there, cannot be opened, or failed while working."""


class DeviceNotFoundError(DeviceError):
    """No such device is plugged in, or none that this user's system can see."""


class DevicePermissionError(DeviceError):
    """The device is there, and this user may not open it."""


class DeviceBusyError(DeviceError):
    """Another process or session holds the device."""


class DeviceLostError(DeviceError):
    """The device, or the process that drives it, went away or stopped answering."""


class DeviceVersionError(DeviceError):
    """The device's firmware, the blob or the tools are of versions that do not go together."""


class ToolchainError(EdgeageError):
    """The Movidius tools are not installed, or one of them failed.

    Args:
        message: one line for the user.
        kind: which of a tool's own errors it was, or an empty string.
    """

    def __init__(self, message: str, *, kind: str = "") -> None:
        super().__init__(message)
        self.kind = kind


class MissingDependencyError(EdgeageError):
    """An optional package is needed here and is not installed."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``'; did you mean «x»?'`` for the closest known word, or an empty string.

    Args:
        word: what was given.
        known: what there is.

    >>> did_you_mean("agnet", ["agenet", "gendernet"])
    '; did you mean «agenet»?'
    >>> did_you_mean("zzz", ["agenet"])
    ''
    """
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean «{close[0]}»?" if close else ""


def one_line(error: BaseException) -> str:
    """Return an exception's text as one line.

    Args:
        error: of an error of the system the reason alone is told; one without a text is named by
            its type.

    Returns:
        At most 160 characters and «…».
    """
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    line = " ".join(text.split()) or type(error).__name__
    return line if len(line) <= _REASON_LENGTH else f"{line[:_REASON_LENGTH]}…"


def require(module: str, *, extra: str | None = None, purpose: str) -> ModuleType:
    """Import an optional module, or say how to install it.

    Args:
        module: dotted import name, for example ``"torch"``.
        extra: the edgeage extra that brings it, or None when it is a core dependency.
        purpose: what it is needed for, to end «… is needed to …».

    Returns:
        The imported module.

    Raises:
        MissingDependencyError: when it cannot be imported.
    """
    with contextlib.suppress(ModuleNotFoundError):
        return importlib.import_module(module)
    target = f"edgeage[{extra}]" if extra else module
    raise MissingDependencyError(
        f"the package «{module}» is needed to {purpose} and is not installed; "
        f"install it with: pip install '{target}'"
    )
