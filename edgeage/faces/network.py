"""A detector's network on OpenVINO, run by several threads at once."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeage.errors import ModelError, UsageError
from edgeage.runtime.core import openvino_core
from edgeage.runtime.modelcache import ModelCache
from edgeage.runtime.options import RuntimeOptions
from edgeage.runtime.properties import device_properties

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = ["Network", "byte_input", "input_layout", "read_network"]


def read_network(path: Path) -> Any:
    """Read an OpenVINO IR (``.xml``) or an ONNX file.

    Returns:
        The ``openvino.Model``.

    Raises:
        ModelError: when it is missing or no network.
    """
    from edgeage.runtime.openvino import translated

    if not path.is_file():
        raise ModelError(f"{path} is missing; expected a face detector (.xml or .onnx)")
    with translated(f"read {path}", ModelError):
        return openvino_core().read_model(path)


def input_layout(model: Any, side: int) -> tuple[str, tuple[int, int]]:
    """Tell a network's layout, and give it one picture of a fixed size at a time.

    Args:
        model: an ``openvino.Model`` of one input of rank 4; one whose size is open is reshaped.
        side: height and width in pixels for an open one.

    Returns:
        ``"NCHW"`` or ``"NHWC"``, and height and width in pixels.

    Raises:
        ModelError: when its input has no three channels, or cannot be so reshaped.
    """
    from edgeage.runtime.openvino import translated

    shape = [
        dimension.get_length() if dimension.is_static else None
        for dimension in model.inputs[0].get_partial_shape()
    ]
    if 3 not in (shape[1], shape[3]):
        raise ModelError(f"expected a network that takes 1×3×H×W or 1×H×W×3, found {shape}")
    layout = "NCHW" if shape[1] == 3 else "NHWC"
    height, width = shape[2:] if layout == "NCHW" else shape[1:3]
    size_hw = height or side, width or side
    sides = [1, 3, *size_hw] if layout == "NCHW" else [1, *size_hw, 3]
    if shape != sides:
        with translated(f"reshape the network to {sides}", ModelError):
            model.reshape(sides)
    return layout, size_hw


def byte_input(
    model: Any,
    layout: str,
    *,
    rgb: bool = False,
    mean: float = 0.0,
    scale: float = 1.0,
) -> Any:
    """Give a network an input of bytes: uint8 (n, height, width, 3), BGR, whatever it took before.

    Args:
        model: an ``openvino.Model`` of one input.
        layout: of its own input, ``"NCHW"`` or ``"NHWC"``.
        rgb: it wants red first.
        mean: subtracted from every byte.
        scale: the difference is divided by it.

    Returns:
        A model with the other input.
    """
    import openvino as ov
    from openvino.preprocess import PrePostProcessor

    processor = PrePostProcessor(model)
    entry = processor.input()
    entry.tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
    steps = entry.preprocess().convert_element_type(ov.Type.f32)
    if rgb:
        steps.reverse_channels()
    if mean:
        steps.mean(mean)
    if scale != 1:
        steps.scale(scale)
    entry.model().set_layout(ov.Layout(layout))
    return processor.build()


class Network:
    """A compiled network and the requests that run it.

    Args:
        model: an ``openvino.Model``.
        name: what to call it in an error.
        device: an OpenVINO device.
        options: how to use it; None for the defaults.
        properties: what the device is told besides, in OpenVINO's words.

    Raises:
        DeviceError: when the device is not there or refuses the network.
    """

    def __init__(
        self,
        model: Any,
        name: str,
        device: str = "CPU",
        options: RuntimeOptions | None = None,
        properties: Mapping[str, Any] | None = None,
    ) -> None:
        import openvino as ov

        from edgeage.runtime.openvino import translated

        self._name, self._device = name, device
        self._lock = threading.Lock()
        options = options or RuntimeOptions()
        wanted = device_properties(device, options, properties or {})
        what = ("detector", ov.get_version(), device, name, repr(sorted(wanted.items())))
        kept = ModelCache().folder(*what) if options.cache else contextlib.nullcontext()
        with translated(f"open device «{device}» for {name}"), kept as folder:
            if folder is not None:
                wanted["CACHE_DIR"] = str(folder)
            self._compiled: Any = openvino_core().compile_model(model, device, wanted)
            self._side_by_side = int(
                self._compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
            )
        self._idle: list[Any] = []

    def infer(self, inputs: Sequence[np.ndarray]) -> list[list[np.ndarray]]:
        """Run the network on several inputs, as many at a time as the device does best.

        Args:
            inputs: contiguous arrays of the network's input shape.

        Returns:
            For each input the outputs, in the network's order; copies.

        Raises:
            DeviceError: when the device fails.
            UsageError: after :meth:`close`.
        """
        answers: list[list[np.ndarray]] = []
        for start in range(0, len(inputs), self._side_by_side):
            answers += self._together(inputs[start : start + self._side_by_side])
        return answers

    def close(self) -> None:
        """Give the device and its memory back; closing twice is harmless."""
        with self._lock:
            self._compiled = None
            self._idle.clear()

    def _together(self, inputs: Sequence[np.ndarray]) -> list[list[np.ndarray]]:
        from edgeage.runtime.openvino import translated

        requests = [self._take() for _ in inputs]
        with translated(f"run {self._name} on {self._device}"), _all_ended(requests):
            for request, array in zip(requests, inputs, strict=True):
                request.start_async([array], share_inputs=True)
            answers = [_outputs(request) for request in requests]
        with self._lock:
            if self._compiled is not None:
                self._idle += requests
        return answers

    def _take(self) -> Any:
        with self._lock:
            if self._compiled is None:
                raise UsageError("this detector is closed; make a new one")
            return self._idle.pop() if self._idle else self._compiled.create_infer_request()


@contextlib.contextmanager
def _all_ended(requests: Sequence[Any]) -> Iterator[None]:
    """Leave none running when one fails: they read arrays that are gone afterwards."""
    try:
        yield
    except BaseException:
        for request in requests:
            with contextlib.suppress(RuntimeError):
                request.wait()
        raise


def _outputs(request: Any) -> list[np.ndarray]:
    request.wait()
    return [np.array(tensor.data, np.float32) for tensor in request.output_tensors]
