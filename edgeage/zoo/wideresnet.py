"""WRN-16-8: a wide residual network, as an earlier age and gender project of yu4u's trained it.

Zagoruyko and Komodakis, *Wide Residual Networks*, BMVC 2016: 16 layers, 8 times as wide, on
pictures of 64×64. The layers are made in that project's order, so that their numbered names are
those of its published weights.
"""

from __future__ import annotations

from typing import Any

from edgeage.networkinput import NetworkInput
from edgeage.outputs import Output
from edgeage.zoo.backend import open_keras
from edgeage.zoo.heads import FEMALE_FIRST, YEARS
from edgeage.zoo.layers import SameAverage
from edgeage.zoo.network import ZooNetwork

__all__ = ["wide_resnet"]

SIDE = 64
MARGIN = 0.4
"""What that project leaves around a face."""

layers = open_keras().layers


class _Numbered:
    """Makes layers with Keras 2's names: the kind and how many of it there are."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def conv(self, filters: int, size: int, stride: int = 1) -> Any:
        """Return a convolution as they all are there: zero padded, without a bias."""
        name = self._next("conv2d")
        return layers.Conv2D(
            filters, size, stride, padding="same", use_bias=False,
            kernel_initializer="he_normal", name=name,
        )  # fmt: skip

    def normalised(self, value: Any) -> Any:
        """Return a batch normalisation and a ReLU of a value."""
        value = layers.BatchNormalization(name=self._next("batch_normalization"))(value)
        return layers.Activation("relu", name=self._next("activation"))(value)

    def _next(self, kind: str) -> str:
        self._counts[kind] = self._counts.get(kind, 0) + 1
        return f"{kind}_{self._counts[kind]}"


def wide_resnet(depth: int = 16, width: int = 8) -> ZooNetwork:
    """Return the network with random weights.

    Args:
        depth: layers, 6n + 4.
        width: how many times as wide as the narrowest.
    """
    make = _Numbered()
    picture = layers.Input((SIDE, SIDE, 3), name="input_1")
    value = make.conv(16, 3)(picture)
    for filters, stride in ((16 * width, 1), (32 * width, 2), (64 * width, 2)):
        for block in range((depth - 4) // 6):
            value = _block(make, value, filters, stride if block == 0 else 1)
    value = make.normalised(value)
    value = SameAverage(8, name="average_pooling2d_1")(value)
    value = layers.Flatten(name="flatten_1")(value)
    ends = [
        layers.Dense(size, activation="softmax", use_bias=False, name=name)(value)
        for name, size in (("pred_gender", 2), ("pred_age", YEARS))
    ]
    outputs = (
        Output("pred_gender", "gender", "classes", FEMALE_FIRST),
        Output("pred_age", "age", "distribution"),
    )
    name = f"wrn-{depth}-{width}"
    model = open_keras().Model(picture, ends, name=name.replace("-", "_"))
    return ZooNetwork(name, model, NetworkInput("BGR"), outputs, MARGIN)


def _block(make: _Numbered, value: Any, filters: int, stride: int) -> Any:
    """Return two convolutions beside a shortcut; a new width is normalised before both."""
    widened = value.shape[-1] != filters
    first = make.normalised(value)
    if widened:
        value = first
    inner = make.conv(filters, 3, stride)(first)
    inner = make.conv(filters, 3)(make.normalised(inner))
    if widened:
        value = make.conv(filters, 1, stride)(value)
    return layers.Add()([inner, value])
