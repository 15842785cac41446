"""Caffe's pooling, whose window arithmetic no OpenVINO rounding mode matches by itself."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from edgeage.compiler.parts import Parts, Value, enum_name

__all__ = ["PoolAxis", "pooling"]


@dataclasses.dataclass(frozen=True)
class PoolAxis:
    """The pooling windows along one axis (BVLC Caffe 1.0, ``pooling_layer.cpp``).

    Attributes:
        size: the input's length.
        kernel: the window's length.
        stride: the step from window to window.
        pad: the padding at either end.
        ceil: round the number of windows up, Caffe's default, or down.
    """

    size: int
    kernel: int
    stride: int
    pad: int
    ceil: bool = True

    @property
    def windows(self) -> int:
        """Return how many windows there are; with padding the last one starts before its end.

        >>> PoolAxis(size=56, kernel=3, stride=2, pad=0).windows
        28
        >>> PoolAxis(size=4, kernel=2, stride=2, pad=1).windows
        3
        """
        rounded = math.ceil if self.ceil else math.floor
        count = rounded((self.size + 2 * self.pad - self.kernel) / self.stride) + 1
        if self.pad and (count - 1) * self.stride >= self.size + self.pad:
            count -= 1
        return count

    @property
    def pad_end(self) -> int:
        """Return the padding at the end that makes exactly that many windows, rounding down."""
        reach = (self.windows - 1) * self.stride + self.kernel
        return max(0, reach - self.size - self.pad)

    def lengths(self) -> np.ndarray:
        """Return the length an average divides by, a window each.

        Caffe counts the padding it was told of, and not what rounding up adds beyond it.

        >>> PoolAxis(size=4, kernel=3, stride=2, pad=0).lengths()
        array([3, 2])
        """
        starts = np.arange(self.windows) * self.stride - self.pad
        return np.minimum(starts + self.kernel, self.size + self.pad) - starts


def pooling(parts: Parts) -> Value:
    """Build MAX or AVE pooling; a global one covers its input whatever its size."""
    param = parts.layer.pooling_param
    method = enum_name(param, "pool")
    parts.refuse(method == "STOCHASTIC", "pool: STOCHASTIC")
    axes = _axes(parts)
    parts.refuse(
        any((axis.windows - 1) * axis.stride >= axis.size + axis.pad for axis in axes),
        "a stride that leaves a window without a pixel",
    )
    return _max_pool(parts, axes) if method == "MAX" else _average_pool(parts, axes)


def _axes(parts: Parts) -> tuple[PoolAxis, PoolAxis]:
    param = parts.layer.pooling_param
    height, width = parts.shape()[2:]
    if param.global_pooling:
        return PoolAxis(height, height, 1, 0), PoolAxis(width, width, 1, 0)
    ceil = enum_name(param, "round_mode") == "CEIL"

    def pair(name: str) -> tuple[int, int]:
        prefix = name.split("_", maxsplit=1)[0]
        if param.HasField(f"{prefix}_h") or param.HasField(f"{prefix}_w"):
            return getattr(param, f"{prefix}_h"), getattr(param, f"{prefix}_w")
        return getattr(param, name), getattr(param, name)

    kernel, stride, pad = pair("kernel_size"), pair("stride"), pair("pad")
    parts.refuse(min(*kernel, *stride) < 1, "a kernel or stride of 0")
    return (
        PoolAxis(height, kernel[0], stride[0], pad[0], ceil),
        PoolAxis(width, kernel[1], stride[1], pad[1], ceil),
    )


def _max_pool(parts: Parts, axes: tuple[PoolAxis, PoolAxis]) -> Value:
    from openvino import opset1 as ops

    return ops.max_pool(
        parts.inputs[0],
        [axis.stride for axis in axes],
        [axis.pad for axis in axes],
        [axis.pad_end for axis in axes],
        [axis.kernel for axis in axes],
        rounding_type="floor",
    ).output(0)


def _average_pool(parts: Parts, axes: tuple[PoolAxis, PoolAxis]) -> Value:
    from openvino import opset1 as ops

    average = ops.avg_pool(
        parts.inputs[0],
        [axis.stride for axis in axes],
        [axis.pad for axis in axes],
        [axis.pad_end for axis in axes],
        [axis.kernel for axis in axes],
        False,
        rounding_type="floor",
    ).output(0)
    areas = np.outer(axes[0].lengths(), axes[1].lengths())
    full = axes[0].kernel * axes[1].kernel
    if (areas == full).all():
        return average
    correction = (full / areas).astype(np.float32)[None, None]
    return ops.multiply(average, ops.constant(correction)).output(0)
