"""Run a compiled model with OpenVINO."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import openvino as ov

from edgeage.errors import DeviceError, EdgeageError, ModelError, UsageError
from edgeage.inputspec import center_crop
from edgeage.runtime.backend import Answer, batch_problem, parted
from edgeage.runtime.compiling import NetworkCompiler, Source
from edgeage.runtime.core import openvino_core
from edgeage.runtime.options import RuntimeOptions
from edgeage.runtime.requests import RequestPool, even_sizes
from edgeage.runtime.sharing import joined_manifest, joined_model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from edgeage.manifest import Manifest

__all__ = [
    "BATCH",
    "MEAN_NODE",
    "OpenVINOBackend",
    "OpenVINOSession",
    "available_devices",
    "graph_mean",
    "translated",
]

BATCH = 8
"""Pictures a full batch holds. AgeNet on one core of a CPU with AVX-512: 12.2 ms a picture alone,
9.3 of eight at once, 9.0 of sixteen; in INT8 3.7, 2.7 and 2.6."""

MEAN_NODE = "mean"
"""Name of the constant in the graph that holds the mean, cut to the network's input."""


@contextlib.contextmanager
def translated(
    doing: str,
    as_error: type[EdgeageError] = DeviceError,
    hint: Callable[[], str] = str,
) -> Iterator[None]:
    """Turn whatever OpenVINO raises into one line of ours.

    Args:
        doing: what is being done, to begin the line («cannot …»).
        as_error: the error to raise instead of OpenVINO's.
        hint: called on an error for what to add to the line.
    """
    try:
        yield
    except EdgeageError:
        raise
    except MemoryError:
        raise DeviceError(f"cannot {doing}: there is not enough memory") from None
    except (RuntimeError, ValueError, TypeError, OSError) as error:
        raise as_error(f"cannot {doing}: {_reason(str(error))}{hint()}") from error


def available_devices() -> list[str]:
    """Return the devices this OpenVINO finds here, for example ``["CPU"]``."""
    with translated("list the devices"):
        return [str(name) for name in openvino_core().available_devices]


class OpenVINOBackend:
    """A device OpenVINO knows, or a list of them.

    Args:
        device: ``"AUTO"``, ``"CPU"``, ``"GPU"``, ``"NPU"``, ``"AUTO:GPU,CPU"`` or whatever else
            this OpenVINO has.
        options: how the device is to be used; None for the defaults.
    """

    models: tuple[Manifest, ...] = ()

    def __init__(self, device: str = "AUTO", options: RuntimeOptions | None = None) -> None:
        self.device = device
        self._options = options or RuntimeOptions()

    def load(self, manifest: Manifest, *, mean: np.ndarray | None = None) -> OpenVINOSession:
        """Load one compiled model; see :meth:`edgeage.runtime.Backend.load`.

        Raises:
            ModelError: when a file is missing, changed or no network.
            DeviceNotFoundError: when the device is not there.
            DeviceError: when it refuses the network.
        """
        source, largest = self._source(manifest, mean)
        return self._open(source, manifest, largest)

    def _open(self, source: Source, manifest: Manifest, largest: int) -> OpenVINOSession:
        with translated(f"open device «{self.device}» for {manifest.name}", hint=_here):
            compiler = NetworkCompiler(self.device, source, self._options)
        several = self._options.mode == "throughput"
        session = OpenVINOSession(compiler, manifest, self.device, largest, several=several)
        session.open()
        return session

    def load_joined(
        self, manifests: Sequence[Manifest], *, mean: np.ndarray | None = None
    ) -> OpenVINOSession | None:
        """Load two networks as one that computes what they have in common once.

        Args:
            manifests: two of edgeage's own networks.
            mean: as for :meth:`load`.

        Returns:
            A session of :func:`edgeage.runtime.sharing.joined_manifest`; None where the networks
            do not begin alike or are to be run differently.

        Raises:
            ModelError: when a file is missing, changed or no network.
            DeviceError: when the device is not there or refuses the network.
        """
        first, second = manifests
        alike = first.is_own and second.is_own and first.input == second.input
        if not alike or first.options != second.options:
            return None
        sources = [self._source(manifest, mean)[0] for manifest in manifests]

        def read() -> Any:
            return joined_model(sources[0].read(), sources[1].read(), second.name)

        if (model := read()) is None:
            return None
        ready = [model]
        source = Source(
            lambda: ready.pop() if ready else read(),
            first.input.input_hw,
            first.options,
            identity=sources[0].identity and (*sources[0].identity, *sources[1].identity),
        )
        return self._open(source, joined_manifest(manifests), BATCH)

    def _source(self, manifest: Manifest, mean: np.ndarray | None) -> tuple[Source, int]:
        """Return the network to compile, and how many pictures it takes at once."""
        if not manifest.is_own:
            return self._foreign_source(manifest)
        xml, weights = manifest.file("ir_xml"), manifest.file("ir_bin")

        def read() -> Any:
            with translated(f"read {xml}", ModelError):
                model = openvino_core().read_model(xml, weights)
            if mean is not None:
                _replace_mean(model, graph_mean(mean, manifest.input.input_hw), xml)
            return model

        if mean is not None or weights != xml.with_suffix(".bin"):
            return Source(read, manifest.input.input_hw, manifest.options), BATCH
        identity = tuple(manifest.files[role]["sha256"] for role in ("ir_xml", "ir_bin"))
        return Source(read, manifest.input.input_hw, manifest.options, xml, identity), BATCH

    def _foreign_source(self, manifest: Manifest) -> tuple[Source, int]:
        from edgeage.runtime.foreign import prepared_model

        prepared = prepared_model(manifest)
        source = Source(
            lambda: prepared_model(manifest).model,
            manifest.input.input_hw,
            manifest.options,
        )
        return source, BATCH if prepared.takes_batches else 1


class OpenVINOSession:
    """One network on one OpenVINO device; see :class:`edgeage.runtime.Session`.

    Pictures run one by one until a call brings :data:`BATCH` of them; from then on calls go
    through a second compilation of the same network, which takes a batch at once. A session for
    ``several`` has only that one where the device takes batches of any size, and cuts every call
    into as many parts as the device runs side by side. Threads share the device's requests.
    """

    def __init__(
        self,
        compiler: NetworkCompiler,
        manifest: Manifest,
        device: str,
        largest: int = BATCH,
        *,
        several: bool = False,
    ) -> None:
        self._compiler, self._manifest, self._requested = compiler, manifest, device
        self.device, self._largest = device, largest
        self._smallest = largest if several and compiler.any_size else 1
        self._lock = threading.Lock()
        self._pools: dict[int, RequestPool] = {}
        self._nothing: list[np.ndarray] = []
        self._open = True
        self.first_ms: float | None = None

    def open(self) -> None:
        """Compile the network, and run it once on an empty picture.

        A device's first run takes longer, and may be the one that shows it does not work.

        Raises:
            DeviceError: when the device refuses the network.
        """
        self._pool(self._smallest)
        started = time.perf_counter()
        outputs = self._run(self._pool(self._smallest), [self._empty_picture()])[0]
        self._nothing = [values[:0] for values in outputs]
        self.first_ms = (time.perf_counter() - started) * 1000

    def _empty_picture(self) -> np.ndarray:
        return np.zeros((1, 3, *self._manifest.input.input_hw), np.uint8)

    def infer(self, batch: np.ndarray) -> Answer:
        """Run the network; see :meth:`edgeage.runtime.Session.infer`.

        Raises:
            UsageError: for a batch of another shape or dtype, or after :meth:`close`.
            DeviceError: when the device fails.
        """
        if problem := batch_problem(batch, self._manifest.input.input_hw):
            raise UsageError(problem)
        if not self._open:
            raise UsageError("this session is closed; load the model again")
        parts, done = [self._nothing], 0
        for size, sizes in self._plan(len(batch)):
            stops = list(itertools.accumulate(sizes, initial=done))
            pieces = [batch[start:stop] for start, stop in itertools.pairwise(stops)]
            parts += self._run(self._pool(size), pieces)
            done = stops[-1]
        names = [output.name for output in self._manifest.outputs]
        rows = [np.concatenate(values) for values in zip(*parts, strict=True)]
        if len(rows) == 1 < len(names):
            outputs = parted(self._manifest, rows[0])
        else:
            outputs = dict(zip(names, rows, strict=True))
        return Answer(outputs, (self.device,) * len(batch))

    def close(self) -> None:
        """Give the device and its memory back; closing twice is harmless."""
        with self._lock:
            self._open = False
            for pool in self._pools.values():
                pool.close()
            self._pools.clear()

    def _plan(self, count: int) -> list[tuple[int, list[int]]]:
        """Say in parts of which sizes the compilation of which size takes so many pictures."""
        largest = self._largest
        if self._smallest == largest or (self._compiler.any_size and self._is_batch(count)):
            lanes = self._pool(largest).limit
            plan = [(largest, even_sizes(count, largest, lanes))]
        else:
            whole, rest = divmod(count, largest)
            plan = [(largest, [largest] * whole), (1, [1] * rest)]
        return [(size, sizes) for size, sizes in plan if sizes]

    def _is_batch(self, count: int) -> bool:
        return count >= self._largest or (count > 1 and self._largest in self._pools)

    def _run(self, pool: RequestPool, parts: list[np.ndarray]) -> list[list[np.ndarray]]:
        with translated(f"run {self._manifest.name} on {self.device}"):
            rows = pool.run(parts)
            if self._compiler.may_move and pool.compiled is not None:
                self.device = _device_name(pool.compiled, self._requested)
        return rows

    def _pool(self, size: int) -> RequestPool:
        with self._lock:
            if not self._open:
                raise UsageError("this session is closed; load the model again")
            if size not in self._pools:
                self._pools[size] = self._compiled(size)
            return self._pools[size]

    def _compiled(self, size: int) -> RequestPool:
        doing = f"open device «{self._requested}» for {self._manifest.name}"
        with translated(doing, hint=_here):
            compiled = self._compiler.compiled(size)
            self.device = _device_name(compiled, self._requested)
            return RequestPool(compiled, _requests(compiled))


def _here() -> str:
    return f"; devices here: {', '.join(available_devices())}"


def _device_name(compiled: Any, requested: str) -> str:
    """Name the device AUTO has chosen; while it still loads, OpenVINO writes it in brackets."""
    names = compiled.get_property("EXECUTION_DEVICES")
    found = ", ".join(names) if isinstance(names, list) else str(names)
    return found.strip("()") or requested


def _requests(compiled: Any) -> int:
    """Return how many runs the device wants under way at once."""
    with contextlib.suppress(RuntimeError):
        return max(1, int(compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")))
    return 1


def _replace_mean(model: Any, mean: np.ndarray, xml: object) -> None:
    for node in model.get_ordered_ops():
        if node.get_friendly_name() == MEAN_NODE and node.get_type_name() == "Constant":
            constant = ov.op.Constant(mean)
            constant.set_friendly_name(MEAN_NODE)
            for target in node.output(0).get_target_inputs():
                target.replace_source_output(constant.output(0))
            return
    raise ModelError(f"{xml} has no constant «{MEAN_NODE}»; compile the model again")


def graph_mean(mean: np.ndarray, input_hw: tuple[int, int]) -> np.ndarray:
    """Give a mean the form the graph holds: (1, 3, *input_hw), or (1, 3, 1, 1) for channels."""
    cut = center_crop(mean, input_hw) if mean.ndim == 3 else mean.reshape(3, 1, 1)
    return cut[None].astype(np.float32)


def _reason(text: str) -> str:
    """Return the one line of OpenVINO's several that says what is wrong."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [
        line
        for line in lines
        if not line.startswith(("Exception from", "Check '")) and not line.endswith(":")
    ]
    return (telling or lines or ["no reason given"])[0]
