"""The device that an OAK backend's sessions share: found, opened with one pipeline, given back."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from typing import TYPE_CHECKING, Any

from edgeage.errors import (
    DeviceBusyError,
    DeviceError,
    DeviceLostError,
    DeviceNotFoundError,
    DevicePermissionError,
)
from edgeage.runtime.oakpipeline import IN_FLIGHT, build_pipeline, streams

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Camera"]

_SEARCH_S = 2.0
_RESET_S = 10.0


class Camera:
    """One OAK, opened when it is first needed.

    Args:
        depthai: the module.
        wanted: MX id, USB path or network address of the device; empty for any.

    Attributes:
        name: ``OAK.`` and the MX id once it has run, the name asked for until then.
    """

    def __init__(self, depthai: Any, wanted: str) -> None:
        self.depthai, self._wanted = depthai, wanted
        self.name = f"OAK.{wanted}" if wanted else "OAK"
        self._lock = threading.RLock()
        self._blobs: dict[str, Path] = {}
        self._running: tuple[str, ...] = ()
        self._device: Any = None
        self._queues: dict[str, tuple[Any, Any]] = {}
        self._search_s = _SEARCH_S

    def add(self, name: str, blob: Path) -> str:
        """Put a network into the next pipeline and return its key.

        Raises:
            DeviceError: when there is no device to run it.
        """
        with self._lock:
            if self._device is None:
                self._choose(self._search_s)
            key = next(k for k in _keys(name) if k not in self._blobs)
            self._blobs[key] = blob
            return key

    def remove(self, key: str) -> None:
        """Take a network out; without any left the device is closed."""
        with self._lock:
            self._blobs.pop(key, None)
            if not self._blobs:
                self.close()

    @contextlib.contextmanager
    def queues(self, key: str) -> Iterator[tuple[Any, Any]]:
        """Yield a network's input and output queue on a running device.

        Raises:
            DeviceLostError: when depthai fails inside the block; the device is closed.
            DeviceError: when the device cannot be opened.
        """
        with self._lock:
            if self._device is None or key not in self._running:
                self._start()
            try:
                yield self._queues[key]
            except DeviceError:
                self._lose()
                raise
            except RuntimeError as error:
                self._lose()
                raise DeviceLostError(
                    f"{self.name} was lost: {_first_line(error)}; check its cable and power, and "
                    f"plug it in again"
                ) from error

    def close(self) -> None:
        """Give the device back; closing twice is harmless."""
        with self._lock:
            device, self._device = self._device, None
            self._queues, self._running = {}, ()
            if device is not None:
                # A device that is gone cannot be closed, and need not be.
                with contextlib.suppress(RuntimeError):
                    device.close()
                # It resets itself and is not to be seen meanwhile.
                self._search_s = _RESET_S

    def _lose(self) -> None:
        """Close a device that failed; it may be gone for good, so no one waits long for it."""
        self.close()
        self._search_s = _SEARCH_S

    def _start(self) -> None:
        self.close()
        info = self._choose(self._search_s)
        keys = tuple(self._blobs)
        try:
            pipeline = build_pipeline(self.depthai, self._blobs)
            device = self.depthai.Device(pipeline, info)
        except RuntimeError as error:
            # Between being chosen and being opened it may have gone, or been taken.
            self._choose(0)
            raise DeviceError(f"{self.name} cannot be opened: {_first_line(error)}") from error
        self._device, self._running = device, keys
        try:
            self.name = f"OAK.{device.getMxId()}"
            for key in keys:
                into, out_of = streams(key)
                self._queues[key] = (
                    device.getInputQueue(into, IN_FLIGHT, True),
                    device.getOutputQueue(out_of, IN_FLIGHT, True),
                )
        except RuntimeError as error:
            self._lose()
            raise DeviceLostError(
                f"{self.name} was lost as it started: {_first_line(error)}; check its cable and "
                f"power"
            ) from error

    def _choose(self, search_s: float) -> Any:
        """Return the device to open, as depthai describes it.

        Args:
            search_s: seconds to look again while there is none that can be opened.

        Raises:
            DeviceError: when there is none that can be opened, of the type that says why.
        """
        deadline = time.monotonic() + search_s
        while True:
            found = self._connected()
            asked = [info for info in found if self._wanted in ("", info.getMxId(), info.name)]
            for info in asked:
                if not self._hindrance(info):
                    return info
            if time.monotonic() >= deadline:
                break
            time.sleep(min(0.1, search_s))
        for info in asked:
            if hindrance := self._hindrance(info):
                raise hindrance
        others = ", ".join(info.getMxId() or info.name for info in found)
        raise DeviceNotFoundError(
            f"there is no {self._asked}; {f'found: {others}' if others else 'plug one in'}; "
            f"«edgeage devices» shows what is there"
        )

    def _connected(self) -> list[Any]:
        try:
            return list(self.depthai.Device.getAllConnectedDevices())
        except RuntimeError as error:
            raise DeviceError(f"depthai cannot list its devices: {_first_line(error)}") from error

    @property
    def _asked(self) -> str:
        return f"OAK «{self._wanted}»" if self._wanted else "OAK camera"

    def _hindrance(self, info: Any) -> DeviceError | None:
        errors, states = self.depthai.XLinkError_t, self.depthai.XLinkDeviceState
        if info.status == errors.X_LINK_INSUFFICIENT_PERMISSIONS:
            return DevicePermissionError(
                f"this user may not open the OAK at {info.name}; «edgeage doctor» prints the udev "
                f"rule that lets it"
            )
        taken = info.status == errors.X_LINK_DEVICE_ALREADY_IN_USE
        if taken or info.state == states.X_LINK_BOOTED:
            return DeviceBusyError(
                f"another program holds OAK {info.getMxId() or info.name}; end it, or wait some "
                f"twenty seconds if it has just ended"
            )
        return None


def _keys(name: str) -> Iterator[str]:
    yield name
    for number in itertools.count(2):
        yield f"{name}-{number}"


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or ["no reason given"])[0]
