"""The layer table: how each Caffe layer type becomes nodes of an OpenVINO graph."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from edgeage.compiler.parts import Parts, Value, enum_name
from edgeage.compiler.pooling import pooling

__all__ = ["LAYERS", "LayerBuilder"]

LayerBuilder = Callable[[Parts], Value]
"""Makes one layer's only top from its bottoms and learned arrays."""


def _ops() -> Any:
    from openvino import opset1

    return opset1


def _spatial(parts: Parts, field: str, prefix: str, default: int) -> list[int]:
    """Read a (height, width) of a convolution, written once, twice, or as two fields."""
    param = parts.layer.convolution_param
    if prefix and (param.HasField(f"{prefix}_h") or param.HasField(f"{prefix}_w")):
        return [getattr(param, f"{prefix}_h"), getattr(param, f"{prefix}_w")]
    values = list(getattr(param, field)) or [default]
    parts.refuse(len(values) > 2, f"{len(values)} spatial axes")
    return values * 2 if len(values) == 1 else values


def _convolution(parts: Parts) -> Value:
    param = parts.layer.convolution_param
    parts.refuse(param.axis != 1, f"axis {param.axis}")
    kernel = _spatial(parts, "kernel_size", "kernel", 0)
    stride = _spatial(parts, "stride", "stride", 1)
    pad = _spatial(parts, "pad", "pad", 0)
    dilation = _spatial(parts, "dilation", "", 1)
    outputs, groups, channels = param.num_output, param.group, parts.shape()[1]
    parts.refuse(min(kernel) < 1 or outputs < 1, "no kernel_size or no num_output")
    parts.refuse(
        groups < 1 or channels % groups != 0 or outputs % groups != 0,
        f"{groups} groups of {channels} channels into {outputs}",
    )
    weights = parts.blob(0, (outputs, channels // groups, *kernel))
    places = (stride, pad, pad, dilation)
    if groups == 1:
        answer = _ops().convolution(parts.inputs[0], parts.constant(weights, "weights"), *places)
    else:
        split = weights.reshape(groups, outputs // groups, *weights.shape[1:])
        answer = _ops().group_convolution(
            parts.inputs[0], parts.constant(split, "weights"), *places
        )
    return _with_bias(parts, answer, (1, outputs, 1, 1), wanted=param.bias_term)


def _inner_product(parts: Parts) -> Value:
    param = parts.layer.inner_product_param
    axis, shape = parts.axis(param.axis), parts.shape()
    outputs, inputs = param.num_output, int(np.prod(shape[axis:]))
    stored = (inputs, outputs) if param.transpose else (outputs, inputs)
    flat = _reshape(parts.inputs[0], [0] * axis + [inputs])
    weights = parts.constant(parts.blob(0, stored), "weights")
    answer = _ops().matmul(flat, weights, False, not param.transpose)
    return _with_bias(parts, answer, (1,) * axis + (outputs,), wanted=param.bias_term)


def _with_bias(parts: Parts, answer: Any, shape: tuple[int, ...], *, wanted: bool) -> Value:
    if not wanted:
        return answer.output(0)
    answer.set_friendly_name(f"{parts.name}/without_bias")
    bias = parts.constant(parts.blob(1, shape), "bias")
    return _ops().add(answer.output(0), bias).output(0)


def _reshape(value: Value, pattern: list[int]) -> Value:
    """Reshape; a 0 keeps the axis of that place."""
    target = _ops().constant(np.array(pattern, np.int64))
    return _ops().reshape(value, target, True).output(0)


def _relu(parts: Parts) -> Value:
    slope = parts.layer.relu_param.negative_slope
    if not slope:
        return _ops().relu(parts.inputs[0]).output(0)
    return _ops().prelu(parts.inputs[0], _ops().constant(np.array([slope], np.float32))).output(0)


def _lrn(parts: Parts) -> Value:
    """Local response normalisation; Caffe and OpenVINO both divide alpha by the region's size.

    Across channels x · (k + a Σ x²)^-β is computed as s · x/s · (k + a s² Σ (x/s)²)^-β where a
    scale s is wanted: s is a power of two, so this changes no bit but keeps the sum small.
    Within a channel, which no network of ours does, the scale is left out.
    """
    param = parts.layer.lrn_param
    parts.refuse(param.local_size % 2 == 0, f"an even local_size {param.local_size}")
    across = enum_name(param, "norm_region") == "ACROSS_CHANNELS"
    axes = _ops().constant(np.array([1] if across else [2, 3], np.int64))
    # Within a channel Caffe computes 1 + alpha · mean, whatever k says.
    bias = param.k if across else 1.0
    scale = parts.lrn_scale if across else 1.0
    value = _multiplied(parts, parts.inputs[0], 1 / scale, "scaled")
    alpha = param.alpha * scale**2
    answer = _ops().lrn(value, axes, alpha, param.beta, bias, param.local_size)
    answer.set_friendly_name(f"{parts.name}/lrn")
    return _multiplied(parts, answer.output(0), scale, "unscaled")


def _multiplied(parts: Parts, value: Value, factor: float, name: str) -> Value:
    if factor == 1:
        return value
    # Stored in half precision as weights are. OpenVINO would fold a plain constant into the next
    # convolution when it reads the IR, and the layer's name would be gone.
    constant = parts.constant(np.array(factor, np.float32), f"{name}/factor")
    return _ops().multiply(value, constant, name=f"{parts.name}/{name}").output(0)


def _softmax(parts: Parts) -> Value:
    axis = parts.axis(parts.layer.softmax_param.axis)
    return _ops().softmax(parts.inputs[0], axis).output(0)


def _concat(parts: Parts) -> Value:
    param = parts.layer.concat_param
    axis = param.concat_dim if param.HasField("concat_dim") else param.axis
    return _ops().concat(parts.inputs, parts.axis(axis)).output(0)


def _eltwise(parts: Parts) -> Value:
    param = parts.layer.eltwise_param
    operation = enum_name(param, "operation")
    values = list(parts.inputs)
    if param.coeff:
        parts.refuse(operation != "SUM" or len(param.coeff) != len(values), "these coeff")
        values = [
            _ops().multiply(value, _ops().constant(np.float32(factor))).output(0)
            for value, factor in zip(values, param.coeff, strict=True)
        ]
    join = {"SUM": _ops().add, "PROD": _ops().multiply, "MAX": _ops().maximum}[operation]
    return functools.reduce(lambda left, right: join(left, right).output(0), values)


def _flatten(parts: Parts) -> Value:
    param = parts.layer.flatten_param
    shape, first, last = parts.shape(), parts.axis(param.axis), parts.axis(param.end_axis)
    flat = int(np.prod(shape[first : last + 1]))
    return _reshape(parts.inputs[0], [0] * first + [flat] + shape[last + 1 :])


def _batch_norm(parts: Parts) -> Value:
    """Normalise with the stored statistics, which Caffe keeps multiplied by a common factor."""
    channels = parts.shape()[1]
    factor = float(parts.blob(2, (1,))[0])
    undo = 0.0 if factor == 0 else 1.0 / factor
    mean = parts.blob(0, (channels,)) * undo
    variance = parts.blob(1, (channels,)) * undo
    gain = 1.0 / np.sqrt(variance + parts.layer.batch_norm_param.eps)
    return _affine(parts, gain, -mean * gain, axis=1)


def _scale(parts: Parts) -> Value:
    param = parts.layer.scale_param
    parts.refuse(len(parts.inputs) != 1, "a second bottom")
    parts.refuse(param.num_axes != 1, f"num_axes {param.num_axes}")
    axis = parts.axis(param.axis)
    size = (parts.shape()[axis],)
    shift = parts.blob(1, size) if param.bias_term else None
    return _affine(parts, parts.blob(0, size), shift, axis=axis)


def _affine(parts: Parts, gain: np.ndarray, shift: np.ndarray | None, *, axis: int) -> Value:
    rank = len(parts.shape())
    shape = [-1 if place == axis else 1 for place in range(rank)]
    value = parts.constant(gain.reshape(shape), "gain")
    answer = _ops().multiply(parts.inputs[0], value)
    if shift is None:
        return answer.output(0)
    answer.set_friendly_name(f"{parts.name}/without_bias")
    return _ops().add(answer.output(0), parts.constant(shift.reshape(shape), "bias")).output(0)


LAYERS: dict[str, LayerBuilder] = {
    "BatchNorm": _batch_norm,
    "Concat": _concat,
    "Convolution": _convolution,
    "Dropout": lambda parts: parts.inputs[0],
    "Eltwise": _eltwise,
    "Flatten": _flatten,
    "InnerProduct": _inner_product,
    "LRN": _lrn,
    "Pooling": pooling,
    "ReLU": _relu,
    "Scale": _scale,
    "Sigmoid": lambda parts: _ops().sigmoid(parts.inputs[0]).output(0),
    "Softmax": _softmax,
    "TanH": lambda parts: _ops().tanh(parts.inputs[0]).output(0),
}
"""Every layer type the compiler knows but ``Input``, by Caffe's name for it."""
