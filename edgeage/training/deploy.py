"""The deploy form of a trained network: pictures in, probabilities out."""

from __future__ import annotations

from typing import Any

from edgeage.caffe import NetParameter, filter_net
from edgeage.errors import ModelError

__all__ = ["OUTPUT_NAME", "deploy_net"]

OUTPUT_NAME = "prob"


def deploy_net(net: Any, input_shape: tuple[int, int, int]) -> Any:
    """Return the deploy form of a network with training and test phases.

    The data layer becomes an ``Input`` of one picture, the loss a ``Softmax`` called
    :data:`OUTPUT_NAME`; what only training needs (accuracy, fillers, multipliers) goes.

    Args:
        net: a ``NetParameter`` with a ``SoftmaxWithLoss`` in phase TEST.
        input_shape: (channels, height, width) the network sees.

    Returns:
        A ``NetParameter``.

    Raises:
        ModelError: without such a loss.
    """
    test = filter_net(net, "TEST")
    losses = [layer for layer in test.layer if layer.type == "SoftmaxWithLoss"]
    if len(losses) != 1:
        raise ModelError(
            f"expected one SoftmaxWithLoss layer to turn into a Softmax, found {len(losses)}"
        )
    deploy = NetParameter(name=net.name)
    data = next(layer for layer in test.layer if layer.type == "Data")
    _add_input(deploy, data, input_shape)
    for layer in test.layer:
        if layer.type not in ("Data", "Accuracy", "SoftmaxWithLoss"):
            _add_layer(deploy, layer)
    deploy.layer.add(
        name=OUTPUT_NAME, type="Softmax", bottom=[losses[0].bottom[0]], top=[OUTPUT_NAME]
    )
    return deploy


def _add_input(deploy: Any, data: Any, input_shape: tuple[int, int, int]) -> None:
    layer = deploy.layer.add(name=data.name, type="Input", top=[data.top[0]])
    layer.input_param.shape.add(dim=(1, *input_shape))


def _add_layer(deploy: Any, source: Any) -> None:
    layer = deploy.layer.add()
    layer.CopyFrom(source)
    for field in ("param", "include", "exclude", "phase"):
        layer.ClearField(field)
    for settings in ("convolution_param", "inner_product_param"):
        if layer.HasField(settings):
            getattr(layer, settings).ClearField("weight_filler")
            getattr(layer, settings).ClearField("bias_filler")
