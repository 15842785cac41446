"""Each kind of Keras layer as ONNX operators, pictures laid out (n, channels, height, width).

Only operators that a Myriad X runs are used: swish is a product with a sigmoid, a mean over height
and width is a global pooling, zero padding becomes part of the convolution behind it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edgeage.errors import UnsupportedLayerError
from edgeage.zoo.onnxstep import activated, softmax
from edgeage.zoo.onnxwindows import TAKES_PADS, WINDOWS, padded

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgeage.zoo.onnxstep import Step

__all__ = ["add_layer"]


def add_layer(step: Step) -> str:
    """Add a layer's operators; return the name of its output.

    Raises:
        UnsupportedLayerError: for a layer that is not known.
    """
    kind = type(step.layer).__name__
    if kind not in _BUILDERS:
        raise UnsupportedLayerError(
            f"layer «{step.name}» is of type {kind}, which the export to ONNX does not know; it "
            f"knows {', '.join(sorted(_BUILDERS))}"
        )
    if kind not in TAKES_PADS:
        step.inputs = [padded(step, name) for name in step.inputs]
    return _BUILDERS[kind](step)


def _dense(step: Step) -> str:
    step.refuse(len(step.shapes[0]) != 1, "an input that is no vector")
    kernel = step.weight("kernel")
    bias = step.weight("bias") if step.layer.use_bias else np.zeros(kernel.shape[1], np.float32)
    inputs = [step.inputs[0], step.constant(kernel, "kernel"), step.constant(bias, "bias")]
    return activated(step, step.node("Gemm", inputs), step.layer.activation)


def _batch_normalization(step: Step) -> str:
    layer = step.layer
    rank = len(step.shapes[0]) + 1
    axis = layer.axis if isinstance(layer.axis, int) else layer.axis[0]
    step.refuse(axis % rank != rank - 1, f"axis {axis}")
    channels = step.shapes[0][-1]
    arrays = {
        "gamma": step.weight("gamma") if layer.scale else np.ones(channels),
        "beta": step.weight("beta") if layer.center else np.zeros(channels),
        "mean": step.weight("moving_mean"),
        "variance": step.weight("moving_variance"),
    }
    inputs = [step.constant(array, name) for name, array in arrays.items()]
    return step.node("BatchNormalization", [*step.inputs, *inputs], epsilon=float(layer.epsilon))


def _activation(step: Step) -> str:
    return activated(step, step.inputs[0], step.layer.activation)


def _relu(step: Step) -> str:
    layer, value = step.layer, step.inputs[0]
    step.refuse(bool(layer.threshold), "a threshold")
    if layer.negative_slope:
        step.refuse(layer.max_value is not None, "a slope and a maximum")
        return step.node("LeakyRelu", [value], alpha=float(layer.negative_slope))
    if layer.max_value is None:
        return step.node("Relu", [value])
    limits = [step.constant(limit, "limit") for limit in (0.0, float(layer.max_value))]
    return step.node("Clip", [value, *limits])


def _softmax_layer(step: Step) -> str:
    return softmax(step, step.inputs[0])


def _is_point(shape: tuple[int, ...]) -> bool:
    return len(shape) == 3 and shape[:2] == (1, 1)


def _flat(step: Step, value: str, shape: tuple[int, ...]) -> str:
    """Return an input as a vector in Keras's order of values."""
    if len(shape) == 3 and not _is_point(shape):
        value = step.graph.node("Transpose", [value], f"{step.name}/order", perm=[0, 2, 3, 1])
    return value if len(shape) == 1 else step.node("Flatten", [value], axis=1)


def _flatten(step: Step) -> str:
    return _flat(step, step.inputs[0], step.shapes[0])


def _reshape(step: Step) -> str:
    shape = step.output_shape
    step.refuse(len(shape) not in (1, 3), f"shape {shape}")
    value = _flat(step, step.inputs[0], step.shapes[0])
    if len(shape) == 1:
        return value
    if _is_point(shape):
        shape = (shape[2], 1, 1)
    sides = step.constant([-1, *shape], "shape", np.int64)
    made = step.node("Reshape", [value, sides])
    return (
        made if _is_point(step.output_shape) else step.node("Transpose", [made], perm=[0, 3, 1, 2])
    )


def _folded(kind: str) -> Callable[[Step], str]:
    def build(step: Step) -> str:
        value, *others = step.operands
        step.refuse(not others, "an operand that is neither a layer's answer nor a number")
        for other in others:
            value = step.node(kind, [value, other])
        return value

    return build


def _average(step: Step) -> str:
    total = _folded("Add")(step)
    return step.node("Mul", [total, step.constant(1 / len(step.inputs), "share")])


def _concatenate(step: Step) -> str:
    rank = len(step.shapes[0]) + 1
    axis = step.layer.axis % rank
    return step.node("Concat", step.inputs, axis={3: 1, 1: 2, 2: 3}[axis] if rank == 4 else axis)


def _per_channel(step: Step, values: Any, suffix: str) -> str:
    array = np.asarray(values, np.float32).reshape(-1)
    shape = (-1, 1, 1) if len(step.shapes[0]) == 3 else (-1,)
    return step.constant(array.reshape(shape), suffix)


def _rescaling(step: Step) -> str:
    scaled = step.node("Mul", [step.inputs[0], _per_channel(step, step.layer.scale, "scale")])
    return step.node("Add", [scaled, _per_channel(step, step.layer.offset, "offset")])


def _normalization(step: Step) -> str:
    step.refuse(bool(step.layer.invert), "inversion")
    mean, variance = (
        np.asarray(step.weight(name), np.float32).reshape(-1) for name in ("mean", "variance")
    )
    divisor = np.maximum(np.sqrt(variance), 1e-7)
    centred = step.node("Sub", [step.inputs[0], _per_channel(step, mean, "mean")])
    return step.node("Mul", [centred, _per_channel(step, 1 / divisor, "scale")])


def _nothing(step: Step) -> str:
    return step.inputs[0]


def _soft_stagewise(step: Step) -> str:
    bins = [shape[0] for shape in step.shapes[:3]]
    total, stretched = "", ""
    for number, count in enumerate(bins):
        shares, stretch, shifts = (step.inputs[3 * part + number] for part in range(3))
        places = step.constant([np.arange(count)], f"places{number}")
        terms = step.node("Mul", [shares, step.node("Add", [shifts, places])])
        # A sum over bins as an inner product with the width of this stage's bins.
        width = step.layer.span / float(np.prod(bins[: number + 1]))
        sums = step.node("MatMul", [terms, step.constant(np.full((count, 1), width), f"w{number}")])
        longer = step.node("Add", [stretch, step.constant([[1.0]], f"one{number}")])
        stretched = step.node("Mul", [stretched, longer]) if stretched else longer
        part = step.node("Div", [sums, stretched])
        total = step.node("Add", [total, part]) if total else part
    return total


def _expectation(step: Step) -> str:
    values = np.asarray(step.layer.values, np.float32)[:, None]
    return step.node("MatMul", [*step.inputs, step.constant(values, "values")])


_BUILDERS: dict[str, Callable[[Step], str]] = {
    **WINDOWS,
    "Activation": _activation,
    "Add": _folded("Add"),
    "Average": _average,
    "BatchNormalization": _batch_normalization,
    "Concatenate": _concatenate,
    "Dense": _dense,
    "Divide": _folded("Div"),
    "Dropout": _nothing,
    "Expectation": _expectation,
    "Flatten": _flatten,
    "Maximum": _folded("Max"),
    "Multiply": _folded("Mul"),
    "Normalization": _normalization,
    "ReLU": _relu,
    "Rescaling": _rescaling,
    "Reshape": _reshape,
    "SoftStagewise": _soft_stagewise,
    "Softmax": _softmax_layer,
    "SpatialDropout2D": _nothing,
    "Subtract": _folded("Sub"),
    "TrueDivide": _folded("Div"),
}
