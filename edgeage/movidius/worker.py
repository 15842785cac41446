"""The client of ``scripts/worker.py``: one process that drives one device, and its networks."""

from __future__ import annotations

import contextlib
import json
import queue
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeage.errors import (
    DeviceLostError,
    DeviceVersionError,
    EdgeageError,
    ModelError,
    ToolchainError,
)
from edgeage.movidius import protocol
from edgeage.movidius.process import WorkerProcess
from edgeage.movidius.remedies import after_the_end, device_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edgeage.movidius.protocol import Layout, Limits
    from edgeage.movidius.toolchain import Toolchain

__all__ = ["Call", "LoadedNetwork", "Worker"]


class Call:
    """One picture under way: waits for its answer or for what went wrong."""

    __slots__ = ("_event", "answer", "error", "network", "sent", "slot")

    def __init__(self, network: LoadedNetwork, slot: int) -> None:
        self.network, self.slot = network, slot
        self.sent = time.monotonic()
        self.answer: np.ndarray | None = None
        self.error: EdgeageError | None = None
        self._event = threading.Event()

    def finish(self, error: EdgeageError | None = None) -> None:
        """Take the answer out of its slot, free the slot, and wake who waits."""
        self.error = error
        if error is None:
            self.answer = self.network.answers[self.slot].copy()
            self.network.requests += 1
            self.network.times_ms.append((time.monotonic() - self.sent) * 1000)
        self.network.on_free(self.network, self.slot)
        self._event.set()

    def result(self) -> np.ndarray:
        """Wait for the answer, float32 of shape (labels,).

        Raises:
            EdgeageError: when the worker or its device failed.
        """
        self._event.wait()
        if self.error is not None:
            # A new one each time: several threads may raise what they share.
            raise type(self.error)(str(self.error)) from None
        assert self.answer is not None
        return self.answer


class LoadedNetwork:
    """One network on one worker.

    Attributes:
        worker: where it is.
        answers: float32 view of the shared file, (slots, labels).
        load_ms: milliseconds it took to load, without the first run.
        first_ms: milliseconds of the first run, the warm-up.
        requests: how many pictures it has answered.
        times_ms: from a picture's sending to its answer, of the last thousand.
        on_free: called with the network and a slot that is free again.
    """

    def __init__(
        self, worker: Worker, number: int, layout: Layout, region: Any, said: Mapping[str, Any]
    ) -> None:
        self.worker, self._number, self.layout = worker, number, layout
        shape = (layout.slots, *layout.input_shape)
        self._pictures = np.frombuffer(region, np.uint8, int(np.prod(shape))).reshape(shape)
        answers = np.frombuffer(region, np.float32, layout.slots * layout.labels, layout.answers_at)
        self.answers = answers.reshape(layout.slots, layout.labels)
        self.load_ms, self.first_ms = float(said["load_ms"]), float(said["warm_up_ms"])
        self.requests = 0
        self.times_ms: deque[float] = deque(maxlen=1000)
        self.on_free: Callable[[LoadedNetwork, int], None] = lambda _network, _slot: None

    def send(self, picture: np.ndarray, slot: int) -> Call:
        """Send a uint8 (3, height, width) picture through a slot that is free."""
        self._pictures[slot] = picture
        return self.worker.send(self, self._number, slot)


class Worker:
    """A process that drives one device.

    Args:
        toolchain: whose Python runs it.
        plugin: what its OpenVINO calls the device, for example ``"MYRIAD.1.2-ma2480"``.
        name: what we call it.
        limits: how long it may take.

    Attributes:
        hello: what it said of itself: ``openvino``, ``python`` and ``devices``.

    Raises:
        ToolchainError: when it does not start, or has no OpenVINO.
        DeviceError: when its OpenVINO cannot look for the device.
    """

    def __init__(self, toolchain: Toolchain, plugin: str, name: str, limits: Limits) -> None:
        self.plugin, self.name, self._limits = plugin, name, limits
        self._process = WorkerProcess(toolchain, plugin, limits)
        self._lock = threading.Lock()
        self._calls: dict[int, Call] = {}
        self._count = 0
        self._networks = 0
        self._heard = 0
        self._patient = True
        self._ended_itself = False
        self._replies: queue.Queue[tuple[int, dict[str, Any]] | None] = queue.Queue()
        self.lost: EdgeageError | None = None
        for target in (self._read, self._watch):
            threading.Thread(target=target, daemon=True).start()
        try:
            self.hello = self._greeted(toolchain)
        except EdgeageError:
            self.close(kindly=False)
            raise

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def load(self, order: Mapping[str, Any], layout_of: Callable[[int], Layout]) -> LoadedNetwork:
        """Load a network and run it once.

        Args:
            order: ``xml`` and ``bin``, or ``blob``; ``options`` for the plugin; ``doing`` to
                begin an error with.
            layout_of: what its part of the shared file looks like, from the part's offset.

        Raises:
            DeviceError: when the device is not there or refuses the network.
            ModelError: when the files are no network, or another one.
        """
        layout = layout_of(0)
        offset, region = self._process.share(layout.size)
        layout = layout_of(offset)
        number, self._networks = self._networks, self._networks + 1
        self._patient = True
        sent = {
            "network": number,
            "device": self.plugin,
            "requests": layout.slots,
            **{key: order.get(key) for key in ("xml", "bin", "blob")},
            "options": order.get("options", {}),
            **layout.to_dict(),
        }
        self._process.send(protocol.LOAD_IT, json.dumps(sent).encode())
        doing = str(order["doing"])
        kind, said = self._reply(self._limits.load_s, doing)
        self._patient = False
        if said.get("kind") == "model":
            raise ModelError(f"cannot {doing}: {said['error']}; compile the model again")
        if kind != protocol.LOADED:
            raise device_error(doing, str(said.get("error")), self._process.last_words())
        return LoadedNetwork(self, number, layout, region, said)

    def send(self, network: LoadedNetwork, number: int, slot: int) -> Call:
        """Ask for one picture's answer; a lost worker answers with its error at once."""
        call = Call(network, slot)
        with self._lock:
            lost = self.lost
            self._count = request = (self._count + 1) & 0xFFFFFFFF
            if lost is None:
                self._calls[request] = call
        if lost is not None:
            call.finish(lost)
        else:
            # Nobody takes it when the process just ended; then the reader finishes the call.
            self._process.send(protocol.RUN_IT, protocol.RUN.pack(request, number, slot))
        return call

    def close(self, *, kindly: bool = True) -> None:
        """End the process; closing twice is harmless."""
        self._lose(DeviceLostError(f"{self.name} was closed"), kindly=kindly)

    def _greeted(self, toolchain: Toolchain) -> dict[str, Any]:
        doing = f"start {self.name}"
        try:
            _, said = self._reply(self._limits.start_s, doing)
        except DeviceLostError as error:
            if not self._ended_itself:
                raise
            # It got nowhere near a device.
            raise ToolchainError(f"{error}, or mend it with: edgeage toolchain install") from None
        if said.get("protocol") != protocol.PROTOCOL:
            raise ToolchainError(
                f"expected a worker that speaks protocol {protocol.PROTOCOL}, got "
                f"{said.get('protocol')}; install edgeage again"
            )
        if said.get("kind") == "import":
            raise ToolchainError(
                f"{toolchain.python} cannot import OpenVINO: {said['error']}; install it with: "
                f"edgeage toolchain install",
                kind="import",
            )
        if "error" in said:
            raise device_error(doing, str(said["error"]), self._process.last_words())
        self._patient = False
        return said

    def _reply(self, timeout_s: float, doing: str) -> tuple[int, dict[str, Any]]:
        with contextlib.suppress(queue.Empty):
            reply = self._replies.get(timeout=timeout_s)
            if reply is not None:
                return reply
            assert self.lost is not None
            raise type(self.lost)(f"cannot {doing}: {self.lost}")
        error = DeviceLostError(
            f"cannot {doing}: no answer within {timeout_s:g} s; unplug the stick and plug it in "
            f"again; look with: edgeage doctor"
        )
        self._lose(error, kindly=False)
        raise error

    def _read(self) -> None:
        while True:
            try:
                frame = self._process.receive()
            except DeviceLostError as error:
                text = f"{self.name} is lost: {error}; {after_the_end(0)}"
                self._lose(DeviceLostError(text), kindly=False)
                return
            if frame is None:
                self._ended_itself = self.lost is None
                self._lose(self._ended(), kindly=False)
                return
            self._heard += 1
            self._take(*frame)

    def _take(self, kind: int, payload: bytes) -> None:
        if kind == protocol.RUN_DONE:
            request, _ = protocol.DONE.unpack(payload)
            with self._lock:
                call = self._calls.pop(request, None)
            if call is not None:
                call.finish()
        elif kind == protocol.RUN_FAILED:
            text = payload[protocol.FAILED.size :].decode("utf-8", "replace")
            # A stick that fails once fails from then on; it is opened anew.
            error = device_error(f"run on {self.name}", text, self._process.last_words())
            lost = isinstance(error, (DeviceVersionError, ModelError))
            self._lose(error if lost else DeviceLostError(str(error)), kindly=False)
        elif kind in {protocol.HELLO, protocol.LOADED, protocol.NOT_LOADED}:
            self._replies.put((kind, json.loads(payload)))

    def _ended(self) -> EdgeageError:
        code = self._process.how_it_ended()
        how = "closed its pipe" if code is None else f"ended with status {code}"
        if code is not None and code < 0:
            how = f"was killed by signal {-code}"
        if log := self._process.last_words():
            how += f": {log.splitlines()[-1].strip()[:200]}"
        remedy = after_the_end(-min(code or 0, 0))
        return DeviceLostError(f"{self.name} is lost: the process that drives it {how}; {remedy}")

    def _watch(self) -> None:
        """Find a worker that is silent, or sits on a picture.

        Silence is counted in turns, so that a machine that slept is not taken for it.
        """
        turns, silent, heard = 8, 0, -1
        while self.lost is None:
            time.sleep(self._limits.silence_s / turns)
            silent = 0 if self._patient or heard != self._heard else silent + 1
            heard = self._heard
            if silent >= turns:
                self._hang(f"gave no sign of life for {self._limits.silence_s:g} s")
            elif not self._patient and self._oldest_s() > self._limits.request_s:
                self._hang(f"did not answer within {self._limits.request_s:g} s")

    def _hang(self, what: str) -> None:
        text = f"{self.name} is lost: it {what} and hangs; unplug the stick and plug it in again"
        self._lose(DeviceLostError(text), kindly=False)

    def _oldest_s(self) -> float:
        with self._lock:
            sent = next((call.sent for call in self._calls.values()), None)
        return 0.0 if sent is None else time.monotonic() - sent

    def _lose(self, error: EdgeageError, *, kindly: bool) -> None:
        """End it once, whoever finds out first, and tell all who wait."""
        with self._lock:
            if self.lost is not None:
                return
            self.lost = error
            calls = list(self._calls.values())
            self._calls.clear()
        self._replies.put(None)
        for call in calls:
            call.finish(error)
        self._process.end(kindly=kindly)
