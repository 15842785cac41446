"""Keras layers that look through a window, and padding, as ONNX operators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edgeage.zoo.onnxstep import activated

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgeage.zoo.onnxstep import Step

__all__ = ["TAKES_PADS", "WINDOWS", "padded"]


def padded(step: Step, name: str) -> str:
    """Add the zero padding of an input that nothing behind it takes in; return its name."""
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
    return activated(step, _convolution(step, kernel, step.layer.groups), step.layer.activation)


def _depthwise_kernel(kernel: np.ndarray) -> np.ndarray:
    height, width, channels, multiplier = kernel.shape
    shape = (channels * multiplier, 1, height, width)
    return np.ascontiguousarray(kernel.transpose(2, 3, 0, 1)).reshape(shape)


def _depthwise(step: Step) -> str:
    name = "kernel" if hasattr(step.layer, "kernel") else "depthwise_kernel"
    kernel = _depthwise_kernel(step.weight(name))
    made = _convolution(step, kernel, step.shapes[0][2])
    return activated(step, made, step.layer.activation)


def _separable(step: Step) -> str:
    kernel = _depthwise_kernel(step.weight("depthwise_kernel"))
    made = _convolution(step, kernel, step.shapes[0][2], "/depthwise")
    pointwise = step.constant(step.weight("pointwise_kernel").transpose(3, 2, 0, 1), "pointwise")
    inputs = [made, pointwise]
    if step.layer.use_bias:
        inputs.append(step.constant(step.weight("bias"), "bias"))
    return activated(step, step.node("Conv", inputs, kernel_shape=[1, 1]), step.layer.activation)


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


TAKES_PADS = ("Conv2D", "DepthwiseConv2D", "SeparableConv2D", "ZeroPadding2D")
"""Kinds of layers that take in the zero padding in front of them."""

WINDOWS: dict[str, Callable[[Step], str]] = {
    "AveragePooling2D": _average_pooling,
    "Conv2D": _conv,
    "Cropping2D": _cropping,
    "DepthwiseConv2D": _depthwise,
    "GlobalAveragePooling2D": _global("GlobalAveragePool"),
    "GlobalMaxPooling2D": _global("GlobalMaxPool"),
    "MaxPooling2D": _max_pooling,
    "SameAverage": _same_average,
    "SeparableConv2D": _separable,
    "ZeroPadding2D": _zero_padding,
}
"""What adds each of them to the graph."""
