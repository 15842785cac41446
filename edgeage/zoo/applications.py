"""Backbones of ``keras.applications`` with heads for age and gender."""

from __future__ import annotations

import inspect
import logging
from typing import TYPE_CHECKING, Any

from edgeage.errors import ModelError, UsageError
from edgeage.networkinput import NetworkInput
from edgeage.zoo.backend import open_keras
from edgeage.zoo.heads import find_head
from edgeage.zoo.network import ZooNetwork

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["application", "application_names"]

_LOGGER = logging.getLogger(__name__)

_SIZES = {"mobilenetv2": 96, "inceptionv3": 140}
"""What the age and gender projects use; else the size the backbone was made for."""

_EFFICIENTNET = (224, 240, 260, 300, 380, 456, 528, 600)
_DEFAULT_SIZE = 224
_MOST_MOMENTUM = 0.99
"""Of batch normalisation's statistics. MobileNet's own 0.999 takes several epochs of a data set of
this size to forget where they began, and validation until then says nothing."""

_UNIT = NetworkInput("RGB", pixel_range=(-1, 1))
_TAKES = {
    "densenet": NetworkInput(
        "RGB", pixel_range=(0, 1), mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)
    ),
    "inception_resnet_v2": _UNIT,
    "inception_v3": _UNIT,
    "mobilenet": _UNIT,
    "mobilenet_v2": _UNIT,
    "nasnet": _UNIT,
    "resnet": NetworkInput("BGR", mean=(103.939, 116.779, 123.68)),
    "resnet_v2": _UNIT,
    "vgg16": NetworkInput("BGR", mean=(103.939, 116.779, 123.68)),
    "vgg19": NetworkInput("BGR", mean=(103.939, 116.779, 123.68)),
    "xception": _UNIT,
}
"""How each module of keras.applications wants its pictures; the others take bytes in RGB."""


def application_names() -> dict[str, Callable[..., Any]]:
    """Return the builders of ``keras.applications`` by their names in lower case."""
    offered = vars(open_keras().applications)
    return {
        name.lower(): builder
        for name, builder in sorted(offered.items())
        if inspect.isfunction(builder) and "include_top" in inspect.signature(builder).parameters
    }


def application(
    backbone: str,
    *,
    head: str = "years",
    size: int | None = None,
    weights: str = "imagenet",
    name: str | None = None,
) -> ZooNetwork:
    """Return a backbone with a head; the features are the mean over height and width.

    Args:
        backbone: one of :func:`application_names`.
        head: one of :data:`edgeage.zoo.heads.HEADS`.
        size: side of the picture in pixels; None for the backbone's own.
        weights: ``"imagenet"``, downloaded by Keras where it has not been, or ``"none"`` for
            random ones.
        name: the network's name; None for the backbone's.

    Raises:
        UsageError: for an unknown head or kind of weights, or a size that does not fit.
        ModelError: when the weights cannot be downloaded.
    """
    if weights not in ("imagenet", "none"):
        raise UsageError(f"expected weights imagenet or none, got «{weights}»")
    builder = application_names()[backbone]
    side = size or _SIZES.get(backbone) or _efficientnet_size(backbone) or _DEFAULT_SIZE
    base = _base(builder, backbone, side, weights)
    for layer in base.layers:
        if isinstance(layer, open_keras().layers.BatchNormalization):
            layer.momentum = min(layer.momentum, _MOST_MOMENTUM)
    features = open_keras().layers.GlobalAveragePooling2D(name="features")(base.output)
    ends, outputs = find_head(head)(features)
    name = name or backbone
    model = open_keras().Model(base.input, ends, name=name.replace("-", "_"))
    return ZooNetwork(name, model, _taken_by(builder), outputs)


def _efficientnet_size(backbone: str) -> int | None:
    kind, letter, number = backbone.partition("efficientnetb")
    return _EFFICIENTNET[int(number)] if not kind and letter and number.isdecimal() else None


def _base(builder: Any, backbone: str, side: int, weights: str) -> Any:
    settings = {"include_top": False, "input_shape": (side, side, 3)}
    chosen = None if weights == "none" else "imagenet"
    if chosen:
        _LOGGER.info("Taking the ImageNet weights of %s", backbone)
    try:
        return builder(weights=chosen, **settings)
    except ValueError as error:
        raise UsageError(f"{backbone} of {side}×{side}: {_first_line(error)}") from None
    # Keras raises a plain Exception when a download fails.
    except Exception as error:
        raise ModelError(
            f"the ImageNet weights of {backbone} cannot be had ({_first_line(error)}); connect to "
            "the network, or start from random weights with weights=none"
        ) from None


def _taken_by(builder: Any) -> NetworkInput:
    module = inspect.unwrap(builder).__module__.rpartition(".")[2]
    return _TAKES.get(module, NetworkInput("RGB"))


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
