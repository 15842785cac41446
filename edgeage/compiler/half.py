"""A network as a chip that keeps numbers in half precision computes it, simulated on the CPU.

Weights, biases and the mean are rounded to IEEE half precision, and so is what every layer hands
to the next one (to the nearest, ties to even; beyond 65,504 it becomes infinite). Inside a layer
sums are taken in single precision; only local response normalisation across channels, whose
squares are what may overflow, is rounded at every step. A Myriad X fuses some layers and so
rounds less often, and its square roots and exponentials differ in the last bits: this is its
arithmetic's scale, not its answers bit by bit.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeage.compiler.graph import build_layer, input_blob
from edgeage.compiler.parts import enum_name
from edgeage.errors import ModelError
from edgeage.runtime.core import openvino_core
from edgeage.runtime.openvino import graph_mean, translated

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgeage.compiler.sources import TrainedModel

__all__ = ["HALF_MAX", "HalfNetwork", "rounded_to_half"]

HALF_MAX = float(np.finfo(np.float16).max)
"""The largest number half precision holds, 65,504."""

CHUNK = 8
"""Pictures that are taken through the layers at once."""


def rounded_to_half(array: np.ndarray) -> np.ndarray:
    """Round to half precision and return it as float32.

    >>> rounded_to_half(np.float32([100.02, 129.9, 70000])).tolist()
    [100.0, 129.875, inf]
    """
    with np.errstate(over="ignore"):
        rounded: np.ndarray = array.astype(np.float16).astype(np.float32)
    return rounded


@dataclasses.dataclass(frozen=True)
class _Step:
    """One layer: the blobs it takes, the blob it makes, and how."""

    layer: Any
    run: Any

    @property
    def name(self) -> str:
        return str(self.layer.name)

    @property
    def top(self) -> str:
        return str(self.layer.top[0])


class HalfNetwork:
    """A network prepared to be simulated; its layers are compiled once, at the first pictures.

    Args:
        trained: the network.
        lrn_scale: as for :func:`edgeage.compiler.graph.build_graph`.

    Attributes:
        peaks: by layer name, the largest magnitude it has made of any picture so far, before
            rounding; for a local response normalisation also ``"NAME: sum of squares"``, which
            it needs on its way, of its input divided by ``lrn_scale``.

    Raises:
        ModelError: when layers, weights and shapes do not fit together.
    """

    def __init__(self, trained: TrainedModel, *, lrn_scale: float = 1.0) -> None:
        from edgeage import caffe

        self._net = caffe.filter_net(caffe.read_net(trained.prototxt), "TEST")
        weights = caffe.read_weights(trained.caffemodel)
        self._weights = {
            name: [rounded_to_half(array) for array in arrays] for name, arrays in weights.items()
        }
        self._input, input_hw = input_blob(self._net)
        self._scale = trained.manifest.input.scale
        self._mean = np.float32(0)
        if trained.mean is not None:
            self._mean = rounded_to_half(graph_mean(trained.mean, input_hw))
        self._lrn_scale = lrn_scale
        self._steps: dict[int, list[_Step]] = {}
        self.peaks: dict[str, float] = {}

    def chunks(self, batch: np.ndarray) -> Iterator[dict[str, np.ndarray]]:
        """Run pictures, a few at a time, and yield what every layer makes of them.

        Args:
            batch: uint8 of shape (n, 3, height, width), BGR, of the network's input size.

        Yields:
            By layer name, in order, float32 of shape (at most 8, …) whose values half precision can
            hold or are infinite: 6 MB a picture of AgeNet. The first is called as the input blob:
            bytes minus mean, times scale. A layer that works in place, such as a ReLU, has an
            entry of its own.

        Raises:
            ModelError: when layers, weights and shapes do not fit together.
        """
        for start in range(0, len(batch), CHUNK):
            yield self._run(batch[start : start + CHUNK])

    def _run(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        value = rounded_to_half(pixels - self._mean)
        blobs = {self._input: rounded_to_half(value * np.float32(self._scale))}
        made = dict(blobs)
        if len(pixels) not in self._steps:
            self._steps[len(pixels)] = self._compiled(blobs[self._input].shape)
        for step in self._steps[len(pixels)]:
            bottoms = [blobs[name] for name in step.layer.bottom]
            answer = step.run(bottoms)
            made[step.name] = blobs[step.top] = rounded_to_half(answer)
            self._note(step.name, answer)
            if step.layer.type == "LRN":
                sums = _square_sums(step.layer, bottoms[0], self._lrn_scale)
                self._note(f"{step.name}: sum of squares", sums)
        return made

    def _note(self, name: str, values: np.ndarray) -> None:
        peak = float(np.abs(values).max(initial=0.0))
        # Written so that NaN, of which nothing is larger, is kept.
        if not peak <= self.peaks.get(name, 0.0):
            self.peaks[name] = peak

    def _compiled(self, shape: tuple[int, ...]) -> list[_Step]:
        """Make every layer a graph of its own, so that nothing is fused across them."""
        shapes: dict[str, tuple[int, ...]] = {self._input: shape}
        steps = []
        for layer in self._net.layer:
            if layer.type == "Input":
                continue
            run, made = _compile_layer(layer, shapes, self._weights.get(layer.name, []))
            if _is_across(layer):
                run = functools.partial(_half_lrn, layer.lrn_param, self._lrn_scale)
            shapes[layer.top[0]] = made
            steps.append(_Step(layer, run))
        return steps


def _compile_layer(
    layer: Any, shapes: dict[str, tuple[int, ...]], arrays: list[np.ndarray]
) -> tuple[Any, tuple[int, ...]]:
    import openvino as ov
    from openvino import opset1 as ops

    inputs = {
        name: ops.parameter(list(shapes[name]), np.float32, name=name)
        for name in layer.bottom
        if name in shapes
    }
    value = build_layer(layer, {name: node.output(0) for name, node in inputs.items()}, arrays)
    with translated(f"compile layer «{layer.name}»", ModelError):
        graph = ov.Model([ops.result(value)], [inputs[name] for name in layer.bottom], layer.name)
        options = {"INFERENCE_PRECISION_HINT": "f32"}
        compiled = openvino_core().compile_model(graph, "CPU", options)

    def run(values: list[np.ndarray]) -> np.ndarray:
        with translated(f"run layer «{layer.name}»", ModelError):
            return np.array(compiled(values)[0])

    return run, tuple(value.get_shape())


def _is_across(layer: Any) -> bool:
    return layer.type == "LRN" and enum_name(layer.lrn_param, "norm_region") == "ACROSS_CHANNELS"


def _half_lrn(param: Any, scale: float, values: list[np.ndarray]) -> np.ndarray:
    """Normalise across channels as the graph does it, every number on the way rounded.

    The answer alone is left as it is: every layer's is rounded where it is handed on.
    """
    half = rounded_to_half
    with np.errstate(over="ignore"):
        scaled = half(values[0] / np.float32(scale))
        sums: np.ndarray = np.float32(0)
        for squares in _windows(half(np.square(scaled)), param.local_size):
            sums = half(sums + squares)
        # A blob holds alpha in half precision. A share of it for every channel may be subnormal
        # there, with fewer bits: AgeNet's, 2e-5, is where nothing is scaled.
        share = half(half(np.float32(param.alpha * scale**2)) / np.float32(param.local_size))
        base = half(np.float32(param.k) + half(share * sums))
        answer = half(scaled * half(np.power(base, np.float32(-param.beta))))
        unscaled: np.ndarray = answer * np.float32(scale)
    return unscaled


def _windows(values: np.ndarray, size: int) -> list[np.ndarray]:
    """Return the neighbours of every channel, as ``size`` arrays of the same shape as the input."""
    padded = np.pad(values, ((0, 0), (size // 2, size // 2), (0, 0), (0, 0)))
    return [padded[:, place : place + values.shape[1]] for place in range(size)]


def _square_sums(layer: Any, values: np.ndarray, scale: float) -> np.ndarray:
    """Return the sums of squares a local response normalisation divides by a power of, exactly."""
    size = layer.lrn_param.local_size
    squares = np.square(values, dtype=np.float64)
    if _is_across(layer):
        across: np.ndarray = np.sum(_windows(squares / scale**2, size), axis=0)
        return across
    # All of the channel bounds what a window of it can hold.
    within: np.ndarray = np.minimum(squares.max((2, 3)) * size**2, squares.sum((2, 3)))
    return within
