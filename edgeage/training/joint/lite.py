"""EfficientNet-Lite with a layer for the age and one for the gender: the compact networks."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import torch
from torch import nn

from edgeage.labels import GENDERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["LITE0", "LiteNetwork", "LiteShape", "Stage", "bgr_start"]

AGES = 101
_NORM_EPS = 1e-3
_NORM_MOMENTUM = 0.01


@dataclasses.dataclass(frozen=True)
class Stage:
    """Inverted residual blocks of one width (Sandler et al., MobileNetV2, CVPR 2018).

    Attributes:
        expansion: how many times wider a block is inside.
        channels: channels it gives.
        blocks: how many there are.
        kernel: side of the depthwise convolution.
        stride: of the first block.
    """

    expansion: int
    channels: int
    blocks: int
    kernel: int
    stride: int


@dataclasses.dataclass(frozen=True)
class LiteShape:
    """A network's widths and depths.

    Attributes:
        stem: channels of the first convolution.
        stages: the stages in order.
        features: channels of the last convolution, which are averaged over the picture.
        dropout: share of the features dropped in training.
    """

    stem: int
    stages: tuple[Stage, ...]
    features: int
    dropout: float = 0.2


LITE0 = LiteShape(
    stem=32,
    stages=(
        Stage(1, 16, 1, 3, 1),
        Stage(6, 24, 2, 3, 2),
        Stage(6, 40, 2, 5, 2),
        Stage(6, 80, 3, 3, 2),
        Stage(6, 112, 3, 5, 1),
        Stage(6, 192, 4, 5, 2),
        Stage(6, 320, 1, 3, 1),
    ),
    features=1280,
)
"""EfficientNet-Lite0: EfficientNet-B0 (Tan and Le, ICML 2019) without squeeze-and-excitation and
with ReLU6, so that it quantises well and runs on devices that know few operations."""


def _convolution(
    inside: int, out: int, kernel: int, stride: int = 1, groups: int = 1, *, act: bool = True
) -> nn.Sequential:
    layers: list[nn.Module] = [
        nn.Conv2d(inside, out, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(out, eps=_NORM_EPS, momentum=_NORM_MOMENTUM),
    ]
    return nn.Sequential(*layers, *([nn.ReLU6(inplace=True)] if act else []))


class _Block(nn.Module):  # type: ignore[misc]
    def __init__(self, inside: int, out: int, stage: Stage, stride: int) -> None:
        super().__init__()
        wide = inside * stage.expansion
        expand = [_convolution(inside, wide, 1)] if stage.expansion > 1 else []
        self.path = nn.Sequential(
            *expand,
            _convolution(wide, wide, stage.kernel, stride, wide),
            _convolution(wide, out, 1, act=False),
        )
        self.adds = stride == 1 and inside == out

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.path(pixels)
        return pixels + result if self.adds else result


class LiteNetwork(nn.Module):  # type: ignore[misc]
    """A compact network of both tasks.

    Args:
        shape: its widths and depths.
        fixed_statistics: normalise with the running statistics in training too, as they are:
            what begins with another training's weights keeps theirs.

    The input is float32 (n, 3, height, width), BGR, ``(pixel − 127) / 128``; sides are multiples
    of 32. The outputs are the scores of 101 ages, 0 to 100 years, and of the two genders.
    """

    def __init__(self, shape: LiteShape = LITE0, *, fixed_statistics: bool = False) -> None:
        super().__init__()
        self.fixed_statistics = fixed_statistics
        layers: list[nn.Module] = [_convolution(3, shape.stem, 3, 2)]
        inside = shape.stem
        for stage in shape.stages:
            for number in range(stage.blocks):
                stride = stage.stride if number == 0 else 1
                layers.append(_Block(inside, stage.channels, stage, stride))
                inside = stage.channels
        layers.append(_convolution(inside, shape.features, 1))
        self.trunk = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(shape.dropout)
        self.age = nn.Linear(shape.features, AGES)
        self.gender = nn.Linear(shape.features, len(GENDERS))
        for head in (self.age, self.gender):
            nn.init.normal_(head.weight, std=0.01)
            nn.init.zeros_(head.bias)

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the scores of the ages (n, 101) and of the genders (n, 2)."""
        features = self.dropout(self.pool(self.trunk(pixels)).flatten(1))
        return self.age(features), self.gender(features)

    def train(self, mode: bool = True) -> LiteNetwork:
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


def bgr_start(network: LiteNetwork, imagenet: Mapping[str, torch.Tensor]) -> None:
    """Begin with the weights of an ImageNet classifier of the same trunk, whose input was RGB.

    Args:
        network: gets every layer of the trunk; the heads stay.
        imagenet: the classifier's arrays in the order of its layers, the last layer's
            (``_fc.…``) among them.

    Raises:
        ValueError: when the trunk is another.
    """
    arrays = [v for k, v in imagenet.items() if not k.startswith("_fc.") and v.ndim]
    own = [v for v in network.trunk.state_dict().values() if v.ndim]
    shapes = [[tuple(v.shape) for v in side] for side in (arrays, own)]
    if shapes[0] != shapes[1]:
        raise ValueError(f"expected {len(own)} arrays of this trunk, got {len(arrays)}")
    with torch.no_grad():
        for target, values in zip(own, arrays, strict=True):
            target.copy_(values)
        own[0].copy_(arrays[0].flip(1))
