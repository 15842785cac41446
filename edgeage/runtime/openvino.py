"""Run a compiled model with OpenVINO: the only module that imports it to run something."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import openvino as ov

from edgeage.errors import DeviceError, EdgeageError, ModelError, UsageError
from edgeage.inputspec import center_crop
from edgeage.runtime.backend import Answer, batch_problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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
"""Pictures a full batch holds: on a CPU with bf16 eight at once take 55 % of eight single runs."""

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
        return [str(name) for name in ov.Core().available_devices]


class OpenVINOBackend:
    """A device OpenVINO knows.

    Args:
        device: ``"AUTO"``, ``"CPU"``, ``"GPU"``, ``"NPU"`` or whatever else this OpenVINO has.
    """

    models: tuple[Manifest, ...] = ()

    def __init__(self, device: str = "AUTO") -> None:
        self.device = device
        self._core = ov.Core()

    def load(self, manifest: Manifest, *, mean: np.ndarray | None = None) -> OpenVINOSession:
        """Load one compiled model; see :meth:`edgeage.runtime.Backend.load`.

        Raises:
            ModelError: when a file is missing, changed or no network.
            DeviceError: when the device is not there or refuses the network.
        """
        model, batch = self._model(manifest, mean)
        session = OpenVINOSession(self._core, model, manifest, self.device, batch)
        session.open()
        return session

    def _model(self, manifest: Manifest, mean: np.ndarray | None) -> tuple[Any, int]:
        """Return the network to compile, and how many pictures it takes at once."""
        if not manifest.is_own:
            from edgeage.runtime.foreign import prepared_model

            prepared = prepared_model(self._core, manifest)
            return prepared.model, BATCH if prepared.takes_batches else 1
        xml, weights = manifest.file("ir_xml"), manifest.file("ir_bin")
        with translated(f"read {xml}", ModelError):
            model = self._core.read_model(xml, weights)
        if mean is not None:
            _replace_mean(model, graph_mean(mean, manifest.input.input_hw), xml)
        return model, BATCH


class OpenVINOSession:
    """One network on one OpenVINO device; see :class:`edgeage.runtime.Session`.

    Pictures run one by one until a call brings :data:`BATCH` of them; from then on whole batches
    go through a second compilation of the same network and only the rest runs one by one. (An
    asynchronous queue of single pictures gains a seventh, a batch nearly half.)
    """

    def __init__(
        self, core: Any, model: Any, manifest: Manifest, device: str, batch: int = BATCH
    ) -> None:
        self._core, self._model, self._manifest, self._batch = core, model, manifest, batch
        self._requested, self.device = device, device
        self._lock = threading.Lock()
        self._requests: dict[int, Any] = {}
        self._nothing: list[np.ndarray] = []
        self._open = True
        self.first_ms: float | None = None

    def open(self) -> None:
        """Compile the network for one picture at a time, and run it once on an empty one.

        A device's first run takes longer, and may be the one that shows it does not work.

        Raises:
            DeviceError: when the device is not there or refuses the network.
        """
        picture = np.zeros((1, 3, *self._manifest.input.input_hw), np.uint8)
        self._request(len(picture))
        started = time.perf_counter()
        self._nothing = [values[:0] for values in self._run(picture)]
        self.first_ms = (time.perf_counter() - started) * 1000

    def infer(self, batch: np.ndarray) -> Answer:
        """Run the network; see :meth:`edgeage.runtime.Session.infer`.

        Raises:
            UsageError: for a batch of another shape or dtype, or after :meth:`close`.
            DeviceError: when the device fails.
        """
        if problem := batch_problem(batch, self._manifest.input.input_hw):
            raise UsageError(problem)
        parts = [self._nothing]
        devices: list[str] = []
        while (start := len(devices)) < len(batch):
            size = self._batch if len(batch) - start >= self._batch else 1
            parts.append(self._run(batch[start : start + size]))
            devices += [self.device] * size
        names = [output.name for output in self._manifest.outputs]
        rows = [np.concatenate(values) for values in zip(*parts, strict=True)]
        return Answer(dict(zip(names, rows, strict=True)), tuple(devices))

    def close(self) -> None:
        """Give the device and its memory back; closing twice is harmless."""
        with self._lock:
            self._open = False
            self._requests.clear()
            self._model = self._core = None

    def _run(self, batch: np.ndarray) -> list[np.ndarray]:
        with self._lock:
            if not self._open:
                raise UsageError("this session is closed; load the model again")
            request = self._request(len(batch))
            with translated(f"run {self._manifest.name} on {self.device}"):
                request.infer([np.ascontiguousarray(batch)], share_inputs=True)
                tensors = [
                    request.get_output_tensor(place).data
                    for place in range(len(self._manifest.outputs))
                ]
                return [np.array(data, np.float32).reshape(len(batch), -1) for data in tensors]

    def _request(self, size: int) -> Any:
        if size not in self._requests:
            self._model.reshape([size, 3, *self._manifest.input.input_hw])
            options = {"PERFORMANCE_HINT": "LATENCY", **self._manifest.options}
            doing = f"open device «{self._requested}» for {self._manifest.name}"
            with translated(doing, hint=_here):
                compiled = self._core.compile_model(self._model, self._requested, options)
                self.device = _device_name(compiled, self._requested)
                self._requests[size] = compiled.create_infer_request()
        return self._requests[size]


def _here() -> str:
    return f"; devices here: {', '.join(available_devices())}"


def _device_name(compiled: Any, requested: str) -> str:
    """Name the device AUTO has chosen; while it still loads, OpenVINO writes it in brackets."""
    names = compiled.get_property("EXECUTION_DEVICES")
    found = ", ".join(names) if isinstance(names, list) else str(names)
    return found.strip("()") or requested


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
