"""Run a compiled model on Neural Compute Sticks, each driven by a process in the old Python."""

from __future__ import annotations

import contextlib
import logging
import re
import statistics
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeage.errors import (
    DeviceError,
    DeviceVersionError,
    EdgeageError,
    ToolchainError,
    UsageError,
)
from edgeage.movidius.pool import NetworkPool
from edgeage.movidius.protocol import Layout, Limits
from edgeage.movidius.remedies import device_error
from edgeage.movidius.toolchain import find_toolchain
from edgeage.movidius.worker import Worker
from edgeage.runtime.backend import Answer, batch_problem, check_own, parted, values_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np

    from edgeage.manifest import Manifest
    from edgeage.movidius.toolchain import Toolchain
    from edgeage.movidius.worker import LoadedNetwork

__all__ = ["MyriadBackend", "MyriadSession"]

_NAME = re.compile(r"MYRIAD(?:\.(?P<id>\S+))?")
_LOGGER = logging.getLogger("edgeage")


class MyriadBackend:
    """Neural Compute Sticks, one process each, opened one after the other.

    Sticks that boot at the same time take one another's place on the bus, so they never do. All
    networks loaded by one backend share its sticks; the last session to close gives them back.

    Args:
        device: ``"MYRIAD"`` for all sticks, ``"MYRIAD.<id>"`` for one, with an id as «edgeage
            devices» lists it.
        python: the Python with the Movidius tools; None for ``$EDGEAGE_MOVIDIUS_PYTHON`` or the
            one «edgeage toolchain install» made.
        plugin: what plays the stick: ``"CPU"`` to test without one.
        workers: how many sticks to use at most; with another plugin, how many to play.
        in_flight: pictures under way at once on a stick; it is idle in between with less than 4.
        limits: how long everything may take.

    Raises:
        UsageError: for a name that is none of ours.
    """

    models: tuple[Manifest, ...] = ()

    def __init__(
        self,
        device: str = "MYRIAD",
        python: str | Path | None = None,
        *,
        plugin: str = "MYRIAD",
        workers: int | None = None,
        in_flight: int = 4,
        limits: Limits | None = None,
    ) -> None:
        found = _NAME.fullmatch(device)
        if found is None:
            raise UsageError(f"expected «MYRIAD» or «MYRIAD.<id>», got «{device}»")
        if in_flight < 1 or (workers is not None and workers < 1):
            raise UsageError(
                f"expected 1 or more in_flight and workers, got {in_flight}, {workers}"
            )
        self.device, self._id = device, found["id"]
        self._python = None if python is None else Path(python)
        self._plugin, self._most, self._in_flight = plugin, workers, in_flight
        self._limits = limits or Limits()
        self._lock = threading.Lock()
        self._workers: list[Worker] = []
        self._sessions: list[MyriadSession] = []

    def load(self, manifest: Manifest, *, mean: np.ndarray | None = None) -> MyriadSession:
        """Load one compiled model on every stick; see :meth:`edgeage.runtime.Backend.load`.

        Raises:
            ToolchainError: when the Movidius tools are not there or do not work.
            ModelError: when a file is missing, changed or no network.
            DeviceError: when no stick is there or takes the network.
            UsageError: for a model that «edgeage compile» did not make.
        """
        check_own(manifest, self.device)
        with self._lock, _orders(manifest, mean, with_blob=self._plugin == "MYRIAD") as orders:
            self._open_workers()
            try:
                pool = NetworkPool(self._loaded(manifest, orders))
            except EdgeageError:
                self._close_workers_without_sessions()
                raise
            session = MyriadSession(self, manifest, pool)
            self._sessions.append(session)
        return session

    def stats(self) -> list[dict[str, Any]]:
        """Return the times of every network on every stick, in milliseconds.

        Returns:
            ``device``, ``network``, ``load_ms``, ``first_ms`` (the warm-up), ``steady_ms`` (the
            median from sending a picture to its answer, None before the first) and ``requests``.
        """
        return [
            {
                "device": network.worker.name,
                "network": session.manifest.name,
                "load_ms": network.load_ms,
                "first_ms": network.first_ms,
                "steady_ms": statistics.median(times) if times else None,
                "requests": network.requests,
            }
            for session in list(self._sessions)
            for network in session.pool.networks
            for times in [list(network.times_ms)]
        ]

    def drop(self, session: MyriadSession) -> None:
        """Forget a closed session, and give the sticks back with the last one."""
        with self._lock:
            if session in self._sessions:
                self._sessions.remove(session)
            self._close_workers_without_sessions()

    def _open_workers(self) -> None:
        """Start what is missing; leave what works."""
        for worker in self._workers:
            if worker.lost is not None:
                worker.close()
        self._workers = [worker for worker in self._workers if worker.lost is None]
        if self._workers:
            return
        toolchain = self._toolchain()
        asked = f"{self._plugin}.{self._id}" if self._uses_id else self._plugin
        first = Worker(toolchain, asked, self.device, self._limits)
        self._workers = [first]
        try:
            names = self._names(first.hello["devices"])
            if len(names) > 1:
                first.plugin, first.name = names[0]
            for plugin, name in names[1:]:
                self._workers.append(Worker(toolchain, plugin, name, self._limits))
        except EdgeageError:
            self._close_workers_without_sessions()
            raise

    def _toolchain(self) -> Toolchain:
        try:
            return find_toolchain(self._python)
        except ToolchainError as error:
            raise ToolchainError(f"cannot open {self.device}: {error}", kind=error.kind) from None

    @property
    def _uses_id(self) -> bool:
        return self._id is not None and self._plugin == "MYRIAD"

    def _names(self, found: Sequence[str]) -> list[tuple[str, str]]:
        """Return the plugin's and our own name of every device to use."""
        if self._plugin != "MYRIAD":
            count = self._most or 1
            names = [f"{self.device}.{number}" for number in range(count)]
            return [(self._plugin, name) for name in (names if count > 1 else [self.device])]
        if self._id is not None and self._id not in found:
            raise device_error(f"open {self.device}", f"Myriad device: {self._id} not found")
        if not found:
            raise device_error(f"open {self.device}", "the plugin lists no available devices")
        if self._id is not None:
            return [(self.device, self.device)]
        return [(f"MYRIAD.{name}", f"MYRIAD.{name}") for name in found[: self._most]]

    def _loaded(self, manifest: Manifest, orders: Sequence[dict[str, Any]]) -> list[LoadedNetwork]:
        """Load a network on every worker; a stick that refuses is left out if another does not."""
        options = manifest.options if manifest.target == self._plugin else {}
        loaded: list[LoadedNetwork] = []
        problems: list[EdgeageError] = []
        for worker in list(self._workers):
            try:
                loaded.append(self._load_on(worker, manifest, orders, options))
            except EdgeageError as error:
                problems.append(error)
                self._workers.remove(worker)
                worker.close()
        if not loaded:
            raise problems[0]
        for problem in problems:
            _LOGGER.warning("%s; going on without it", problem)
        return loaded

    def _load_on(
        self,
        worker: Worker,
        manifest: Manifest,
        orders: Sequence[dict[str, Any]],
        options: dict[str, str],
    ) -> LoadedNetwork:
        def layout(offset: int) -> Layout:
            shape = (3, *manifest.input.input_hw)
            return Layout(offset, self._in_flight, shape, sum(values_of(manifest).values()))

        doing = f"load {manifest.name} on {worker.name}"
        for place, order in enumerate(orders):
            try:
                network = worker.load({**order, "options": options, "doing": doing}, layout)
            except DeviceError as error:
                last = place == len(orders) - 1
                # The blob is refused for its own sake, not for the stick's: compile it there.
                if last or type(error) not in {DeviceError, DeviceVersionError}:
                    raise
                _LOGGER.warning("%s; loading the IR instead", error)
                continue
            _LOGGER.debug(
                "%s: loaded in %.0f ms, first answer in %.0f ms",
                doing, network.load_ms, network.first_ms,
            )  # fmt: skip
            return network
        raise AssertionError("there is at least one order")

    def _close_workers_without_sessions(self) -> None:
        if self._sessions:
            return
        for worker in self._workers:
            worker.close()
        self._workers = []


class MyriadSession:
    """One network on the sticks of a backend; see :class:`edgeage.runtime.Session`.

    A session whose sticks are all lost stays lost; load the model again.
    """

    def __init__(self, backend: MyriadBackend, manifest: Manifest, pool: NetworkPool) -> None:
        self._backend, self.manifest, self.pool = backend, manifest, pool
        self._closed = threading.Event()

    @property
    def device(self) -> str:
        """Name of the stick, or of all of them."""
        alive = self.pool.alive or self.pool.networks
        return ", ".join(network.worker.name for network in alive)

    @property
    def first_ms(self) -> float:
        """Milliseconds of the slowest stick's first run, which is behind it."""
        return max(network.first_ms for network in self.pool.networks)

    def infer(self, batch: np.ndarray) -> Answer:
        """Run the network; see :meth:`edgeage.runtime.Session.infer`.

        Raises:
            UsageError: for a batch of another shape or dtype, or after :meth:`close`.
            DeviceLostError: when the last stick is lost.
        """
        if problem := batch_problem(batch, self.manifest.input.input_hw):
            raise UsageError(problem)
        if self._closed.is_set():
            raise UsageError("this session is closed; load the model again")
        rows, names = self.pool.infer(batch)
        return Answer(parted(self.manifest, rows), names)

    def close(self) -> None:
        """Give the stick back when no other session uses it; closing twice is harmless."""
        if not self._closed.is_set():
            self._closed.set()
            self._backend.drop(self)


@contextlib.contextmanager
def _orders(
    manifest: Manifest, mean: np.ndarray | None, *, with_blob: bool
) -> Iterator[list[dict[str, Any]]]:
    """Yield what to load, the best first: the blob, which is compiled already, then the IR."""
    orders: list[dict[str, Any]] = []
    if with_blob and mean is None and "blob" in manifest.files:
        orders.append({"blob": str(manifest.file("blob"))})
    xml, weights = manifest.file("ir_xml"), manifest.file("ir_bin")
    if mean is None:
        yield [*orders, {"xml": str(xml), "bin": str(weights)}]
        return
    from edgeage.movidius.irmean import weights_with_mean
    from edgeage.runtime.openvino import graph_mean

    data = weights_with_mean(xml, weights, graph_mean(mean, manifest.input.input_hw))
    with tempfile.TemporaryDirectory(prefix="edgeage-") as name:
        changed = Path(name) / weights.name
        changed.write_bytes(data)
        yield [{"xml": str(xml), "bin": str(changed)}]
