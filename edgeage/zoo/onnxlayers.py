"""Each kind of Keras layer as ONNX operators, pictures laid out (n, channels, height, width).

Only operators that a Myriad X runs are used: swish is a product with a sigmoid, a mean over height
and width is a global pooling, zero padding becomes part of the convolution behind it.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeage.errors import UnsupportedLayerError

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgeage.zoo.onnxgraph import OnnxGraph

__all__ = ["Step", "add_layer"]

Pads = tuple[int, int, int, int]
"""Zeros above, left, below, right."""


@dataclasses.dataclass
class Step:
    """One Keras layer on its way into the graph.

    Attributes:
        graph: where it goes.
        layer: the Keras layer.
        inputs: names of the ONNX tensors it takes.
        shapes: their shapes in Keras, without the batch.
        output_shape: the shape it makes, likewise.
        pads: zero padding not yet done of each input, by its name.
    """

    graph: OnnxGraph
    layer: Any
    inputs: list[str]
    shapes: list[tuple[int, ...]]
    output_shape: tuple[int, ...]
    pads: dict[str, Pads]

    @property
    def name(self) -> str:
        """The layer's name."""
        return str(self.layer.name)

    def weight(self, name: str) -> np.ndarray:
        """Return one of the layer's variables as float32."""
        import keras

        found = getattr(self.layer, name)
        return np.asarray(keras.ops.convert_to_numpy(getattr(found, "value", found)), np.float32)

    def node(self, kind: str, inputs: list[str], **attributes: Any) -> str:
        """Add an operator named after the layer."""
        return self.graph.node(kind, inputs, self.name, **attributes)

    def constant(self, values: Any, suffix: str, dtype: Any = np.float32) -> str:
        """Add a constant named after the layer."""
        return self.graph.constant(values, f"{self.name}/{suffix}", dtype)

    def refuse(self, unfit: bool, what: str) -> None:
        """Raise UnsupportedLayerError when ``unfit``."""
        if unfit:
            raise UnsupportedLayerError(
                f"layer «{self.name}» of type {type(self.layer).__name__} uses {what}, which the "
                "export to ONNX does not know"
            )


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
    if kind not in _TAKES_PADS:
        step.inputs = [_padded(step, name) for name in step.inputs]
    return _BUILDERS[kind](step)


def _padded(step: Step, name: str) -> str:
    """Do zero padding that nothing behind it takes in."""
    top, left, bottom, right = step.pads.get(name, (0, 0, 0, 0))
    if not any((top, left, bottom, right)):
        return name
    pads = step.constant([0, 0, top, left, 0, 0, bottom, right], "pads", np.int64)
    return step.graph.node("Pad", [name, pads], f"{name}/padded")


def _same(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return Keras's padding «same»: what is odd goes behind."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def _window(step: Step, kernel: Any, strides: Any, dilation: Any = (1, 1)) -> dict[str, Any]:
    """Return the attributes of a convolution or pooling."""
    pads = step.pads.get(step.inputs[0], (0, 0, 0, 0))
    if step.layer.padding == "same":
        step.refuse(any(pads), "padding twice")
        spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
        sides = zip(step.shapes[0][:2], spans, strides, strict=True)
        (top, bottom), (left, right) = (_same(*side) for side in sides)
        pads = (top, left, bottom, right)
    else:
        step.refuse(step.layer.padding != "valid", f"padding {step.layer.padding}")
    return {"kernel_shape": list(kernel), "strides": list(strides), "pads": list(pads)}


def _convolution(step: Step, kernel: np.ndarray, groups: int, suffix: str = "") -> str:
    """Add a convolution; ``kernel`` is (out, in / groups, height, width)."""
    layer = step.layer
    window = _window(step, kernel.shape[2:], layer.strides, layer.dilation_rate)
    inputs = [step.inputs[0], step.constant(kernel, f"kernel{suffix}")]
    if layer.use_bias and not suffix:
        inputs.append(step.constant(step.weight("bias"), "bias"))
    dilations = list(layer.dilation_rate)
    return step.node("Conv", inputs, group=groups, dilations=dilations, **window)


def _conv(step: Step) -> str:
    kernel = step.weight("kernel").transpose(3, 2, 0, 1)
    return _activated(step, _convolution(step, kernel, step.layer.groups), step.layer.activation)


def _depthwise_kernel(kernel: np.ndarray) -> np.ndarray:
    height, width, channels, multiplier = kernel.shape
    shape = (channels * multiplier, 1, height, width)
    return np.ascontiguousarray(kernel.transpose(2, 3, 0, 1)).reshape(shape)


def _depthwise(step: Step) -> str:
    name = "kernel" if hasattr(step.layer, "kernel") else "depthwise_kernel"
    kernel = _depthwise_kernel(step.weight(name))
    made = _convolution(step, kernel, step.shapes[0][2])
    return _activated(step, made, step.layer.activation)


def _separable(step: Step) -> str:
    kernel = _depthwise_kernel(step.weight("depthwise_kernel"))
    made = _convolution(step, kernel, step.shapes[0][2], "/depthwise")
    pointwise = step.constant(step.weight("pointwise_kernel").transpose(3, 2, 0, 1), "pointwise")
    inputs = [made, pointwise]
    if step.layer.use_bias:
        inputs.append(step.constant(step.weight("bias"), "bias"))
    return _activated(step, step.node("Conv", inputs, kernel_shape=[1, 1]), step.layer.activation)


def _dense(step: Step) -> str:
    step.refuse(len(step.shapes[0]) != 1, "an input that is no vector")
    kernel = step.weight("kernel")
    bias = step.weight("bias") if step.layer.use_bias else np.zeros(kernel.shape[1], np.float32)
    inputs = [step.inputs[0], step.constant(kernel, "kernel"), step.constant(bias, "bias")]
    return _activated(step, step.node("Gemm", inputs), step.layer.activation)


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
    return _activated(step, step.inputs[0], step.layer.activation)


def _activated(step: Step, value: str, activation: Any) -> str:
    name = getattr(activation, "__name__", str(activation))
    step.refuse(name not in _ACTIVATIONS, f"the activation {name}")
    return _ACTIVATIONS[name](step, value)


def _plain(kind: str, **attributes: Any) -> Callable[[Step, str], str]:
    return lambda step, value: step.node(kind, [value], **attributes)


def _relu6(step: Step, value: str) -> str:
    limits = [step.constant(limit, name) for name, limit in (("low", 0.0), ("high", 6.0))]
    return step.node("Clip", [value, *limits])


def _swish(step: Step, value: str) -> str:
    return step.node("Mul", [value, step.node("Sigmoid", [value])])


def _hard_sigmoid(step: Step, value: str) -> str:
    """Return relu6(x + 3) / 6, Keras 3's own."""
    shifted = step.node("Add", [value, step.constant(3.0, "three")])
    return step.node("Mul", [_relu6(step, shifted), step.constant(1 / 6, "sixth")])


def _hard_swish(step: Step, value: str) -> str:
    return step.node("Mul", [value, _hard_sigmoid(step, value)])


def _softmax(step: Step, value: str) -> str:
    step.refuse(len(step.output_shape) != 1, "softmax of anything but a vector")
    return step.node("Softmax", [value], axis=1)


_ACTIVATIONS: dict[str, Callable[[Step, str], str]] = {
    "linear": lambda _step, value: value,
    "relu": _plain("Relu"),
    "relu6": _relu6,
    "sigmoid": _plain("Sigmoid"),
    "tanh": _plain("Tanh"),
    "silu": _swish,
    "swish": _swish,
    "hard_sigmoid": _hard_sigmoid,
    "hard_silu": _hard_swish,
    "softmax": _softmax,
}


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
    return _softmax(step, step.inputs[0])


def _max_pooling(step: Step) -> str:
    return step.node(
        "MaxPool", step.inputs, **_window(step, step.layer.pool_size, step.layer.strides)
    )


def _average_pooling(step: Step) -> str:
    window = _window(step, step.layer.pool_size, step.layer.strides)
    return step.node("AveragePool", step.inputs, count_include_pad=0, **window)


def _same_average(step: Step) -> str:
    before, behind = step.layer.padding
    return step.node(
        "AveragePool",
        step.inputs,
        kernel_shape=[step.layer.size] * 2,
        strides=[1, 1],
        pads=[before, before, behind, behind],
        count_include_pad=0,
    )


def _global(kind: str) -> Callable[[Step], str]:
    def build(step: Step) -> str:
        made = step.node(kind, step.inputs)
        if step.layer.keepdims:
            return made
        return step.graph.node("Flatten", [made], f"{step.name}/flat", axis=1)

    return build


def _zero_padding(step: Step) -> str:
    (top, bottom), (left, right) = step.layer.padding
    before = step.pads.get(step.inputs[0], (0, 0, 0, 0))
    step.refuse(any(before), "padding twice")
    name = step.node("Identity", step.inputs)
    step.pads[name] = (top, left, bottom, right)
    return name


def _cropping(step: Step) -> str:
    (top, bottom), (left, right) = step.layer.cropping
    height, width = step.shapes[0][:2]
    numbers = {"starts": [top, left], "ends": [height - bottom, width - right], "axes": [2, 3]}
    inputs = [step.constant(values, name, np.int64) for name, values in numbers.items()]
    return step.node("Slice", [*step.inputs, *inputs])


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
        # A constant operand, as in MobileNetV3's «x + 3», is none of the step's inputs.
        step.refuse(len(step.inputs) < 2, "a constant")
        value = step.inputs[0]
        for other in step.inputs[1:]:
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


_TAKES_PADS = ("Conv2D", "DepthwiseConv2D", "SeparableConv2D", "ZeroPadding2D")

_BUILDERS: dict[str, Callable[[Step], str]] = {
    "Activation": _activation,
    "Add": _folded("Add"),
    "Average": _average,
    "AveragePooling2D": _average_pooling,
    "BatchNormalization": _batch_normalization,
    "Concatenate": _concatenate,
    "Conv2D": _conv,
    "Cropping2D": _cropping,
    "Dense": _dense,
    "DepthwiseConv2D": _depthwise,
    "Dropout": _nothing,
    "Expectation": _expectation,
    "Flatten": _flatten,
    "GlobalAveragePooling2D": _global("GlobalAveragePool"),
    "GlobalMaxPooling2D": _global("GlobalMaxPool"),
    "MaxPooling2D": _max_pooling,
    "Maximum": _folded("Max"),
    "Multiply": _folded("Mul"),
    "Normalization": _normalization,
    "ReLU": _relu,
    "Rescaling": _rescaling,
    "Reshape": _reshape,
    "SameAverage": _same_average,
    "SeparableConv2D": _separable,
    "SoftStagewise": _soft_stagewise,
    "Softmax": _softmax_layer,
    "SpatialDropout2D": _nothing,
    "ZeroPadding2D": _zero_padding,
}
