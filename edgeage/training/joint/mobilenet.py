"""MobileNet with a layer for the age and one for the gender: the compact networks."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from edgeage.labels import GENDERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["AGES", "MobileNet", "padded_evenly", "take_face_weights"]

AGES = 101
_CHANNELS = (64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)
_HALVED = (1, 3, 5, 11)
_STEM = 32
_FEATURES = 256
_NORM_EPS = 1e-3
_NORM_MOMENTUM = 0.01


def _scaled(channels: int, width: float) -> int:
    return max(8, round(channels * width / 8) * 8)


class _Convolution(nn.Sequential):  # type: ignore[misc]
    """Convolution, batch normalisation and ReLU6."""

    def __init__(self, inside: int, out: int, kernel: int, stride: int, groups: int) -> None:
        # A halving convolution is padded below and on the right alone, as TensorFlow does, so that
        # weights trained there see what they saw.
        pads = [nn.ZeroPad2d((0, 1, 0, 1))] if stride == 2 else []
        padding = 0 if pads else kernel // 2
        super().__init__(
            *pads,
            nn.Conv2d(inside, out, kernel, stride, padding, groups=groups, bias=False),
            nn.BatchNorm2d(out, eps=_NORM_EPS, momentum=_NORM_MOMENTUM),
            nn.ReLU6(inplace=True),
        )

    def forward(self, pixels: torch.Tensor, added: torch.Tensor | None = None) -> Any:
        *pads, convolution, norm, activation = self
        for pad in pads:
            pixels = pad(pixels)
        if norm.training or not self.training:
            pixels = norm(convolution(pixels))
        else:
            # Fixed statistics are a factor and a sum for each channel. Taken into the weights they
            # cost nothing; as a layer of their own, half the time of a training step.
            factor = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
            kernel = convolution.weight * factor.reshape(-1, 1, 1, 1)
            bias = norm.bias - norm.running_mean * factor
            padding, groups = convolution.padding, convolution.groups
            pixels = nn.functional.conv2d(
                pixels, kernel, bias, convolution.stride, padding, groups=groups
            )
        return activation(pixels if added is None else pixels + added)


class MobileNet(nn.Module):  # type: ignore[misc]
    """A compact network of both tasks (Howard et al., MobileNets, 2017).

    The input is float32 (n, 3, height, width), BGR, bytes less ImageNet's mean; sides are multiples
    of 16. The outputs are the scores of 101 ages, 0 to 100 years, and of the two genders.

    Args:
        width: factor of every layer's channels, rounded to a multiple of 8.
        width_early: that of the first convolution and of the blocks of 64 and 128 channels; None
            for ``width``.
        width_last: that of the blocks of 1024 channels; None for ``width``.
        residual: add what a block sees to what it says, before its last ReLU, where both have the
            same shape (He et al., *Deep Residual Learning for Image Recognition*, CVPR 2016).
        dropout: share of the pooled features dropped in training.
        fixed_statistics: normalise with the running statistics in training too, as they are:
            what begins with another training's weights keeps theirs.
    """

    def __init__(
        self,
        width: float = 1.0,
        *,
        width_early: float | None = None,
        width_last: float | None = None,
        residual: bool = False,
        dropout: float = 0.2,
        fixed_statistics: bool = False,
    ) -> None:
        super().__init__()
        self.fixed_statistics = fixed_statistics
        early = width if width_early is None else width_early
        widths = {64: early, 128: early, 1024: width if width_last is None else width_last}
        inside = _scaled(_STEM, early)
        layers = [_Convolution(3, inside, 3, 2, 1)]
        self._residual: list[bool] = []
        for number, channels in enumerate(_CHANNELS):
            out, halving = _scaled(channels, widths.get(channels, width)), number in _HALVED
            layers.append(_Convolution(inside, inside, 3, 2 if halving else 1, inside))
            layers.append(_Convolution(inside, out, 1, 1, 1))
            self._residual.append(residual and inside == out and not halving)
            inside = out
        features = _scaled(_FEATURES, width)
        self.trunk = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.features = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(inside, features), nn.ReLU(inplace=True)
        )
        self.age = nn.Linear(features, AGES)
        self.gender = nn.Linear(features, len(GENDERS))
        for module in self.trunk.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_in")
        for across, begins_as_nothing in zip(self.trunk[2::2], self._residual, strict=True):
            if begins_as_nothing:
                nn.init.zeros_(across[-2].weight)

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the scores of the ages (n, 101) and of the genders (n, 2)."""
        features = self.features(self.pool(self._seen(pixels)).flatten(1))
        return self.age(features), self.gender(features)

    def _seen(self, pixels: torch.Tensor) -> Any:
        first, *blocks = self.trunk
        pixels = first(pixels)
        for spatial, across, residual in zip(
            blocks[::2], blocks[1::2], self._residual, strict=True
        ):
            pixels = across(spatial(pixels), pixels if residual else None)
        return pixels

    def train(self, mode: bool = True) -> MobileNet:
        """Switch dropout and, unless they are fixed, the statistics."""
        super().train(mode)
        if self.fixed_statistics:
            for norm in self._norms():
                norm.eval()
        return self

    def _norms(self) -> Iterator[nn.BatchNorm2d]:
        return (module for module in self.modules() if isinstance(module, nn.BatchNorm2d))

    def statistics(self) -> list[torch.Tensor]:
        """Return every running mean and variance."""
        found = ((norm.running_mean, norm.running_var) for norm in self._norms())
        return [values for pair in found for values in pair if values is not None]


@contextlib.contextmanager
def padded_evenly(network: MobileNet) -> Iterator[None]:
    """Have a network's halving convolutions pad alike on all sides, inside the block.

    That is another network; it is for a format whose convolutions are then told to pad otherwise,
    which a layer of padding before them would hide.
    """
    halving = [block for block in network.trunk if isinstance(block[0], nn.ZeroPad2d)]
    pads = [block[0] for block in halving]
    for block in halving:
        block[0], block[1].padding = nn.Identity(), (1, 1)
    try:
        yield
    finally:
        for block, pad in zip(halving, pads, strict=True):
            block[0], block[1].padding = pad, (0, 0)


def take_face_weights(network: MobileNet, arrays: Mapping[str, np.ndarray]) -> None:
    """Begin with HSE-FaceRes, a MobileNet of faces with both tasks (Savchenko, PeerJ CS 2019).

    Its batch normalisation is folded into the weights; each kernel is brought back to the size
    that its number of inputs asks for, so that one learning rate suits every layer.

    Args:
        network: of width 1; gets every layer, the age of 100 years an empty one.
        arrays: by the names of that graph, float32, kernels as TensorFlow lays them out.

    Raises:
        KeyError: when an array is missing.
        ValueError: when one is of another shape.
    """
    convolutions = [block for block in network.trunk if isinstance(block, _Convolution)]
    names = ["conv1", *(f"conv_{kind}_{n}" for n in range(1, 14) for kind in ("dw", "pw"))]
    with torch.no_grad():
        for name, block in zip(names, convolutions, strict=True):
            _take_convolution(block, arrays, name)
        _take_linear(network.features[1], arrays["feats/kernel"], arrays["feats/bias"])
        ages, male = (arrays[f"{task}_pred/kernel"] for task in ("age", "gender"))
        age_bias, male_bias = (arrays[f"{task}_pred/bias"] for task in ("age", "gender"))
        none = ages[:, :1] * 0
        _take_linear(
            network.age,
            _beside(ages, none),
            _beside(age_bias[None], age_bias[None, -1:])[0],
        )
        signs = [0.5 if gender == "Male" else -0.5 for gender in GENDERS]
        _take_linear(
            network.gender,
            _beside(*(male * sign for sign in signs)),
            _beside(*(male_bias[None] * sign for sign in signs))[0],
        )


def _beside(*parts: np.ndarray) -> np.ndarray:
    return np.concatenate(parts, axis=1)


def _take_convolution(block: _Convolution, arrays: Mapping[str, np.ndarray], name: str) -> None:
    convolution = next(part for part in block if isinstance(part, nn.Conv2d))
    norm = next(part for part in block if isinstance(part, nn.BatchNorm2d))
    if "_dw_" in name:
        kernel = torch.from_numpy(arrays[f"{name}/depthwise_kernel"].copy()).permute(2, 3, 0, 1)
        kernel = kernel * torch.from_numpy(arrays[f"{name}_bn/batchnorm_1/mul"].copy()).reshape(
            -1, 1, 1, 1
        )
    else:
        merged = arrays[f"{name}/convolution/merged_input"].copy()
        kernel = torch.from_numpy(merged).permute(3, 2, 0, 1)
    size = kernel.flatten(1).norm(dim=1).clamp_min(1e-12) / 2**0.5
    norm.weight.copy_(size)
    norm.bias.copy_(torch.from_numpy(arrays[f"{name}_bn/batchnorm_1/sub"].copy()))
    norm.running_mean.zero_()
    norm.running_var.fill_(1 - norm.eps)
    _copy(convolution.weight, kernel / size.reshape(-1, 1, 1, 1))


def _take_linear(layer: nn.Linear, kernel: np.ndarray, bias: np.ndarray) -> None:
    _copy(layer.weight, torch.from_numpy(kernel.T.copy()))
    _copy(layer.bias, torch.from_numpy(bias.copy()))


def _copy(target: torch.Tensor, values: torch.Tensor) -> None:
    if target.shape != values.shape:
        raise ValueError(f"expected {tuple(target.shape)}, got {tuple(values.shape)}")
    target.copy_(values)
