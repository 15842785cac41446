"""OAK cameras through depthai 2: one device, one pipeline, both networks in it.

A pipeline is fixed once a device runs it, and a device runs one at a time, while models are loaded
one after another. So loading only checks the blob and that a device is there; the device starts
with the first picture, with everything loaded by then. A model loaded later makes it start anew.

Written against depthai 2's documented API (docs.luxonis.com, «DepthAI v2»).
"""

from __future__ import annotations

import itertools
import os
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeage.errors import DeviceLostError, DeviceVersionError, UsageError, require
from edgeage.runtime.backend import Answer, batch_problem, check_own, parted, values_of
from edgeage.runtime.oakcamera import Camera
from edgeage.runtime.oakpipeline import IN_FLIGHT, check_blob, probabilities

if TYPE_CHECKING:
    from pathlib import Path

    from edgeage.manifest import Manifest

__all__ = ["OakBackend", "OakSession"]

_TIMEOUT_S = 10.0
_POLL_S = 0.001


class OakBackend:
    """An OAK camera; its networks share one pipeline.

    Args:
        device: ``"OAK"`` for any, or ``"OAK.<name>"`` with an MX id, a USB path as
            ``edgeage devices`` shows it (``1.2.3``) or an address on the network.
        timeout_s: seconds one picture may take before the device counts as lost.

    Raises:
        UsageError: for another device's name.
    """

    models: tuple[Manifest, ...] = ()

    def __init__(self, device: str = "OAK", *, timeout_s: float = _TIMEOUT_S) -> None:
        kind, _, wanted = device.partition(".")
        if kind != "OAK":
            raise UsageError(f"expected device «OAK» or «OAK.<id>», got «{device}»")
        self.device = device
        self._wanted, self._timeout_s = wanted, timeout_s
        self._camera: Camera | None = None

    def load(self, manifest: Manifest, *, mean: np.ndarray | None = None) -> OakSession:
        """Load one model; see :meth:`edgeage.runtime.Backend.load`.

        Raises:
            ModelError: when the blob is missing, changed, or does not fit its manifest.
            UsageError: when a mean is given: a blob has its own built in; for a model that
                «edgeage compile» did not make.
            MissingDependencyError: when depthai is not installed.
            DeviceVersionError: when it is not depthai 2, or does not read the blob's version.
            DeviceNotFoundError: when there is no such device.
            DevicePermissionError: when it may not be opened.
            DeviceBusyError: when another program holds it.
        """
        check_own(manifest, self.device)
        if mean is not None:
            raise UsageError(
                "a blob has its mean built in and takes no other; compile the model anew with: "
                "edgeage compile --target OAK --mean FILE"
            )
        if self._camera is None:
            self._camera = Camera(_depthai(), self._wanted)
        blob = manifest.file("blob")
        check_blob(self._camera.depthai, blob, manifest)
        return OakSession(self._camera, manifest, blob, self._timeout_s)


class OakSession:
    """One network on an OAK; see :class:`edgeage.runtime.Session`.

    Up to :data:`edgeage.runtime.oakpipeline.IN_FLIGHT` pictures are on their way at once. Each
    carries a sequence number, which its answer brings back.
    """

    def __init__(self, camera: Camera, manifest: Manifest, blob: Path, timeout_s: float) -> None:
        self._camera, self._manifest, self._timeout_s = camera, manifest, timeout_s
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._open = True
        self._key = camera.add(manifest.name, blob)

    @property
    def device(self) -> str:
        """``OAK.`` and the MX id once it runs, the name asked for until then."""
        return self._camera.name

    def infer(self, batch: np.ndarray) -> Answer:
        """Run the network; see :meth:`edgeage.runtime.Session.infer`.

        Raises:
            UsageError: for a batch of another shape or dtype, or after :meth:`close`.
            DeviceLostError: when the device goes away or does not answer in time. It is closed
                then; a later call opens it again.
            DeviceError: when it cannot be opened.
        """
        if problem := batch_problem(batch, self._manifest.input.input_hw):
            raise UsageError(problem)
        with self._lock:
            if not self._open:
                raise UsageError("this session is closed; load the model again")
            rows = self._run(batch) if len(batch) else []
        answer = np.empty((len(batch), sum(values_of(self._manifest).values())), np.float32)
        answer[:] = rows or 0
        return Answer(parted(self._manifest, answer), (self.device,) * len(batch))

    def close(self) -> None:
        """Take the network out; the last one closes the device. Closing twice is harmless."""
        with self._lock:
            if self._open:
                self._open = False
                self._camera.remove(self._key)

    def _run(self, batch: np.ndarray) -> list[np.ndarray]:
        with self._camera.queues(self._key) as (send, receive):
            answers: dict[int, np.ndarray] = {}
            pending: dict[int, int] = {}
            unsent = iter(range(len(batch)))
            deadline = time.monotonic() + self._timeout_s
            while len(answers) < len(batch):
                for row in itertools.islice(unsent, IN_FLIGHT - len(pending)):
                    number = next(self._numbers)
                    pending[number] = row
                    send.send(self._frame(batch[row], number))
                message = receive.tryGet()
                if message is None:
                    self._wait(deadline, len(answers), len(batch))
                # One that is not awaited belongs to a call that has given up.
                elif (found := pending.pop(message.getSequenceNum(), None)) is not None:
                    answers[found] = probabilities(message, self._manifest)
                    deadline = time.monotonic() + self._timeout_s
        return [answers[row] for row in range(len(batch))]

    def _frame(self, pixels: np.ndarray, number: int) -> Any:
        """Make the message: a picture, planes B, G, R, as the blob's byte input has them.

        A picture and not an ``NNData``: of the two only a picture has had its bytes set from an
        array at once in every depthai 2 (a layer's were a list of numbers, 13 ms each), the
        device refuses one of another size, and its answer is documented to carry its number.
        """
        depthai = self._camera.depthai
        frame = depthai.ImgFrame()
        frame.setType(depthai.ImgFrame.Type.BGR888p)
        frame.setWidth(pixels.shape[2])
        frame.setHeight(pixels.shape[1])
        frame.setData(np.ascontiguousarray(pixels).reshape(-1))
        frame.setSequenceNum(number)
        return frame

    def _wait(self, deadline: float, done: int, total: int) -> None:
        if time.monotonic() > deadline:
            raise DeviceLostError(
                f"{self.device} did not answer within {self._timeout_s:g} s ({done} of {total} "
                f"pictures done); unplug it and plug it in again, and check its cable and power"
            )
        time.sleep(_POLL_S)


def _depthai() -> Any:
    # Its warnings go to stdout, which is for data.
    os.environ.setdefault("DEPTHAI_LEVEL", "off")
    # Its handler takes over every crash and the stack on which signals are handled.
    os.environ.setdefault("DEPTHAI_INSTALL_SIGNAL_HANDLER", "0")
    depthai = require("depthai", extra="oak", purpose="run networks on an OAK camera")
    if not hasattr(depthai.node, "XLinkIn"):
        found = getattr(depthai, "__version__", "another version")
        raise DeviceVersionError(
            f"depthai {found} is installed, 2.x is needed; get it with: pip install 'depthai<3'"
        )
    return depthai
