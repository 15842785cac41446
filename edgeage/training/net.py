"""A Caffe network in torch: built from a prototxt's layers, one set of parameters, two phases."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from edgeage.caffe import filter_net
from edgeage.errors import ModelError, UnsupportedLayerError
from edgeage.training.layers import DATA_TYPES, Layer, build_layer

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Parameter", "TorchNet"]


@dataclasses.dataclass(frozen=True)
class Parameter:
    """One learnable blob and its multipliers.

    Attributes:
        layer: name of the layer it belongs to.
        index: 0 for weights, 1 for bias.
        blob: the float32 tensor, updated in place.
        lr_mult: factor on the solver's learning rate.
        decay_mult: factor on the solver's weight decay.
    """

    layer: str
    index: int
    blob: torch.Tensor
    lr_mult: float
    decay_mult: float


class TorchNet:
    """A network as a prototxt describes it.

    Args:
        net: a ``NetParameter`` with rules for both phases, or a deploy net.
        input_shape: (channels, height, width) of the data layer's first top.
        seed: seed of the fillers.
        phases: the phases to build, ``TRAIN`` first when both are.

    Raises:
        UnsupportedLayerError: for a layer type or setting this engine does not know.
        ModelError: when a layer's bottom is produced by no layer before it.
    """

    def __init__(
        self,
        net: Any,
        input_shape: tuple[int, int, int],
        seed: int = 0,
        phases: tuple[str, ...] = ("TRAIN", "TEST"),
    ) -> None:
        self._generator = torch.Generator().manual_seed(seed)
        self._phases: dict[str, list[Layer]] = {}
        self.data_layers: dict[str, Any] = {}
        self._layers: dict[str, Layer] = {}
        for phase in phases:
            self._add_phase(phase, filter_net(net, phase), input_shape)
        self.parameters = [
            _parameter(layer, index)
            for layer in self._layers.values()
            for index in range(len(layer.blobs))
        ]
        for entry in self.parameters:
            # Caffe computes no gradient for a frozen blob, and clips the others without it.
            entry.blob.requires_grad_(entry.lr_mult != 0)

    def _add_phase(self, phase: str, net: Any, input_shape: tuple[int, int, int]) -> None:
        layers = [build_layer(param) for param in net.layer]
        data = [layer.param for layer in layers if layer.param.type in DATA_TYPES]
        if len(data) != 1:
            raise UnsupportedLayerError(
                f"expected one data layer in phase {phase}, found {len(data)}"
            )
        self.data_layers[phase] = data[0]
        layers = [layer for layer in layers if layer.param.type not in DATA_TYPES]
        blobs = _feed(data[0], torch.zeros(1, *input_shape), torch.zeros(1, dtype=torch.int64))
        with torch.no_grad():
            for layer in layers:
                if layer.param.name in self._layers:
                    layer.blobs = self._layers[layer.param.name].blobs
                layer.setup(_bottoms(layer, blobs), self._generator)
                self._layers.setdefault(layer.param.name, layer)
                blobs[layer.param.top[0]] = layer.forward(_bottoms(layer, blobs), False)
        self._phases[phase] = _pool_before_relu(layers)

    def forward(
        self, phase: str, pixels: torch.Tensor, labels: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """Run one phase over a batch.

        Args:
            phase: ``TRAIN`` or ``TEST``.
            pixels: float32 (N, C, H, W) as the data layer would give it.
            labels: int64 (N,).

        Returns:
            Every blob by its name, after the last layer that wrote it.
        """
        blobs = _feed(self.data_layers[phase], pixels, labels)
        for layer in self._phases[phase]:
            blobs[layer.param.top[0]] = layer.forward(_bottoms(layer, blobs), phase == "TRAIN")
        return blobs

    def loss(self, phase: str, blobs: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return the weighted sum of a phase's losses.

        Raises:
            ModelError: when the phase has no loss layer.
        """
        terms = [
            blobs[layer.param.top[0]] * layer.loss_weight
            for layer in self._phases[phase]
            if layer.loss_weight
        ]
        if not terms:
            raise ModelError(f"the network has no loss layer in phase {phase}")
        return torch.stack(terms).sum()

    def layer_types(self, phase: str) -> dict[str, str]:
        """Return the type of the layer that makes each blob of a phase."""
        return {layer.param.top[0]: layer.param.type for layer in self._phases[phase]}

    def weights(self) -> dict[str, list[np.ndarray]]:
        """Return a float32 copy of every layer's parameters, by layer name, weights first."""
        return {
            name: [np.ascontiguousarray(blob.detach().numpy()).copy() for blob in layer.blobs]
            for name, layer in self._layers.items()
            if layer.blobs
        }

    def load(self, weights: Mapping[str, list[np.ndarray]]) -> tuple[list[str], list[str]]:
        """Copy weights into the layers of the same names and blob sizes.

        Args:
            weights: layer name to float32 blobs.

        Returns:
            The names of the layers that took weights, and of those with parameters that did not,
            because the weights have no such layer or one of other sizes.
        """
        taken, left = [], []
        for name, layer in self._layers.items():
            if not layer.blobs:
                continue
            found = [blob.size for blob in weights.get(name, [])]
            if found != [blob.numel() for blob in layer.blobs]:
                left.append(name)
                continue
            with torch.no_grad():
                for blob, values in zip(layer.blobs, weights[name], strict=True):
                    blob.copy_(torch.from_numpy(np.array(values).reshape(tuple(blob.shape))))
            taken.append(name)
        return taken, left


def _feed(data: Any, pixels: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
    return dict(zip(data.top, (pixels, labels), strict=False))


def _bottoms(layer: Layer, blobs: Mapping[str, torch.Tensor]) -> list[torch.Tensor]:
    try:
        return [blobs[name] for name in layer.param.bottom]
    except KeyError as error:
        raise ModelError(
            f"layer «{layer.param.name}» wants the blob {error}, which no layer before it makes"
        ) from None


def _parameter(layer: Layer, index: int) -> Parameter:
    specs = layer.param.param
    spec = specs[index] if index < len(specs) else None
    return Parameter(
        layer=layer.param.name,
        index=index,
        blob=layer.blobs[index],
        lr_mult=float(spec.lr_mult) if spec is not None else 1.0,
        decay_mult=float(spec.decay_mult) if spec is not None else 1.0,
    )


def _pool_before_relu(layers: list[Layer]) -> list[Layer]:
    """Swap an in-place ReLU with the max-pooling behind it.

    The maximum of clipped values is the clipped maximum and the gradient takes the same path, on
    a quarter of the values.
    """
    swapped = list(layers)
    for index in range(len(swapped) - 1):
        relu, pool = swapped[index], swapped[index + 1]
        if not (
            relu.param.type == "ReLU"
            and relu.param.bottom[0] == relu.param.top[0]
            and not relu.param.relu_param.negative_slope
            and pool.param.type == "Pooling"
            and getattr(pool, "kind", "") == "MAX"
            and pool.param.bottom[0] == relu.param.top[0]
        ):
            continue
        blob = relu.param.top[0]
        if any(blob in layer.param.bottom for layer in swapped[index + 2 :]):
            continue
        moved = type(relu.param)()
        moved.CopyFrom(relu.param)
        moved.bottom[0] = moved.top[0] = pool.param.top[0]
        swapped[index], swapped[index + 1] = pool, build_layer(moved)
    return swapped
