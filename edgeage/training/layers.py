"""The layer types the torch engine knows, each with Caffe's parameters, shapes and defaults.

A layer is built from a ``LayerParameter``; ``setup`` sees its bottoms once and makes its
parameter blobs; ``forward`` maps bottom tensors to top tensors.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

from edgeage.errors import UnsupportedLayerError, did_you_mean
from edgeage.training import functional as caffe_functional
from edgeage.training.fillers import fill

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["DATA_TYPES", "LAYERS", "Layer", "build_layer"]

DATA_TYPES = ("Data", "Input")


class Layer:
    """One layer of a net.

    Attributes:
        param: the layer's ``LayerParameter``.
        blobs: its parameters, weights first.
        loss_weight: factor of its top in the net's loss; 0 for a layer that is no loss.
    """

    default_loss_weight = 0.0

    def __init__(self, param: Any) -> None:
        self.param = param
        self.blobs: list[torch.Tensor] = []
        weights = list(param.loss_weight)
        self.loss_weight = float(weights[0]) if weights else self.default_loss_weight

    def setup(self, bottoms: list[torch.Tensor], generator: torch.Generator) -> None:
        """Make the parameter blobs; most layers have none."""

    def forward(self, bottoms: list[torch.Tensor], training: bool) -> torch.Tensor:
        """Return the layer's top."""
        raise UnsupportedLayerError(f"layer type «{self.param.type}» computes nothing")

    def fail(self, reason: str) -> UnsupportedLayerError:
        """Return the error that names this layer and what it cannot do."""
        return UnsupportedLayerError(f"layer «{self.param.name}» ({self.param.type}): {reason}")


def _pair(param: Any, name: str, default: int) -> tuple[int, int]:
    """Return a (height, width) setting: ``name_h``/``name_w``, or ``name`` once or twice."""
    short = name.removesuffix("_size")
    if param.HasField(f"{short}_h") or param.HasField(f"{short}_w"):
        return int(getattr(param, f"{short}_h")), int(getattr(param, f"{short}_w"))
    value = getattr(param, name)
    if isinstance(value, int):
        return (value, value) if param.HasField(name) else (default, default)
    sides = [int(side) for side in value] or [default]
    return sides[0], sides[-1]


class _Weighted(Layer):
    """A layer with a weight blob and, unless ``bias_term`` is false, a bias blob."""

    def make(self, param: Any, shape: tuple[int, ...], generator: torch.Generator) -> None:
        if self.blobs:
            return
        weights = fill(param.weight_filler, shape, generator)
        if weights.ndim == 4:
            weights = weights.contiguous(memory_format=torch.channels_last)
        self.blobs = [weights]
        if param.bias_term:
            self.blobs.append(fill(param.bias_filler, (int(param.num_output),), generator))
        for blob in self.blobs:
            blob.requires_grad_(True)

    @property
    def bias(self) -> torch.Tensor | None:
        return self.blobs[1] if len(self.blobs) > 1 else None


class _Convolution(_Weighted):
    def __init__(self, param: Any) -> None:
        super().__init__(param)
        self.settings = settings = param.convolution_param
        self.kernel = _pair(settings, "kernel_size", 0)
        self.stride = _pair(settings, "stride", 1)
        self.pad = _pair(settings, "pad", 0)
        sides = [int(side) for side in settings.dilation] or [1]
        self.dilation = (sides[0], sides[-1])
        if min(self.kernel) < 1 or settings.num_output < 1:
            raise self.fail("needs num_output and kernel_size above 0")

    def setup(self, bottoms: list[torch.Tensor], generator: torch.Generator) -> None:
        group = int(self.settings.group)
        shape = (int(self.settings.num_output), bottoms[0].shape[1] // group, *self.kernel)
        self.make(self.settings, shape, generator)

    def forward(self, bottoms: list[torch.Tensor], training: bool) -> torch.Tensor:
        return functional.conv2d(
            bottoms[0],
            self.blobs[0],
            self.bias,
            self.stride,
            self.pad,
            self.dilation,
            int(self.settings.group),
        )


class _InnerProduct(_Weighted):
    def __init__(self, param: Any) -> None:
        super().__init__(param)
        self.settings = param.inner_product_param
        if self.settings.axis not in (1, -3) or self.settings.transpose:
            raise self.fail("only axis 1 without transpose is known")

    def setup(self, bottoms: list[torch.Tensor], generator: torch.Generator) -> None:
        inputs = math.prod(bottoms[0].shape[1:])
        self.make(self.settings, (int(self.settings.num_output), inputs), generator)

    def forward(self, bottoms: list[torch.Tensor], training: bool) -> torch.Tensor:
        # Caffe flattens in C, H, W order whatever the memory format.
        return functional.linear(bottoms[0].contiguous().flatten(1), self.blobs[0], self.bias)


class _ReLU(Layer):
    def forward(self, bottoms: list[torch.Tensor], training: bool) -> torch.Tensor:
        slope = self.param.relu_param.negative_slope
        inplace = training and self.param.bottom[0] == self.param.top[0]
        if slope:
            return functional.leaky_relu(bottoms[0], slope, inplace)
        return functional.relu(bottoms[0], inplace)


class _Pooling(Layer):
    def __init__(self, param: Any) -> None:
        super().__init__(param)
        settings = param.pooling_param
        self.kind = (
            settings.DESCRIPTOR.fields_by_name["pool"]
            .enum_type.values_by_number[settings.pool]
            .name
        )
        if self.kind not in ("MAX", "AVE"):
            raise self.fail(f"pooling {self.kind} is not known; expected MAX or AVE")
        self.whole = bool(settings.global_pooling)
        self.kernel = _pair(settings, "kernel_size", 0)
        self.stride = _pair(settings, "stride", 1)
        self.pad = _pair(settings, "pad", 0)
        if not self.whole and min(self.kernel) < 1:
            raise self.fail("needs a kernel_size above 0 or global_pooling")

    def forward(self, bottoms: list[torch.Tensor], training: bool) -> torch.Tensor:
        height, width = bottoms[0].shape[2:]
        kernel = (height, width) if self.whole else self.kernel
        return caffe_functional.pool_caffe(bottoms[0], self.kind, kernel, self.stride, self.pad)


class _LRN(Layer):
    def __init__(self, param: Any) -> None:
        super().__init__(param)
        if param.lrn_param.norm_region != 0:
            raise self.fail("only norm_region ACROSS_CHANNELS is known")
        if param.lrn_param.local_size % 2 == 0:
            raise self.fail(f"local_size must be odd, got {param.lrn_param.local_size}")

    def forward(self, bottoms: list[torch.Tensor], training: bool) -> torch.Tensor:
        settings = self.param.lrn_param
        return caffe_functional.local_response_norm(
            bottoms[0], int(settings.local_size), settings.alpha, settings.beta, settings.k
        )


class _Dropout(Layer):
    def forward(self, bottoms: list[torch.Tensor], training: bool) -> torch.Tensor:
        ratio = self.param.dropout_param.dropout_ratio
        return functional.dropout(bottoms[0], ratio, training)


class _Softmax(Layer):
    def forward(self, bottoms: list[torch.Tensor], training: bool) -> torch.Tensor:
        return bottoms[0].float().softmax(dim=self.param.softmax_param.axis)


class _SoftmaxWithLoss(Layer):
    default_loss_weight = 1.0

    def __init__(self, param: Any) -> None:
        super().__init__(param)
        settings = param.loss_param
        # loss_layer.cpp: an explicit normalization wins over the older normalize flag.
        if settings.HasField("normalization") or not settings.HasField("normalize"):
            values = settings.DESCRIPTOR.fields_by_name["normalization"].enum_type
            self.normalization = values.values_by_number[settings.normalization].name
        else:
            self.normalization = "VALID" if settings.normalize else "BATCH_SIZE"
        has_ignore = settings.HasField("ignore_label")
        self.ignore_label = int(settings.ignore_label) if has_ignore else None

    def forward(self, bottoms: list[torch.Tensor], training: bool) -> torch.Tensor:
        scores, labels = bottoms
        return caffe_functional.softmax_loss(scores, labels, self.normalization, self.ignore_label)


class _Accuracy(Layer):
    def forward(self, bottoms: list[torch.Tensor], training: bool) -> torch.Tensor:
        scores, labels = bottoms
        settings = self.param.accuracy_param
        best = scores.topk(int(settings.top_k), dim=1).indices
        hits = (best == labels[:, None]).any(dim=1)
        if settings.HasField("ignore_label"):
            hits = hits[labels != settings.ignore_label]
        return hits.float().mean()


LAYERS: dict[str, Callable[[Any], Layer]] = {
    "Accuracy": _Accuracy,
    "Convolution": _Convolution,
    "Data": Layer,
    "Dropout": _Dropout,
    "InnerProduct": _InnerProduct,
    "Input": Layer,
    "LRN": _LRN,
    "Pooling": _Pooling,
    "ReLU": _ReLU,
    "Softmax": _Softmax,
    "SoftmaxWithLoss": _SoftmaxWithLoss,
}
"""Layer type to the class that computes it."""


def build_layer(param: Any) -> Layer:
    """Build one layer.

    Args:
        param: a ``LayerParameter``.

    Raises:
        UnsupportedLayerError: for a type or setting this engine does not know, by name.
    """
    if param.type not in LAYERS:
        raise UnsupportedLayerError(
            f"layer «{param.name}» has type «{param.type}», which the torch engine does not "
            f"know{did_you_mean(param.type, LAYERS)}; known types: {', '.join(sorted(LAYERS))}"
        )
    return LAYERS[param.type](param)
