"""How much each layer's quantisation changes what that layer makes, the layers before it exact."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeage.compiler.quantise import WEIGHTED
from edgeage.runtime.core import openvino_core

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["LayerError", "float_layers", "layer_errors"]

_SUFFIX = "/without_bias"


@dataclasses.dataclass(frozen=True)
class LayerError:
    """What one layer's quantisation does to its answers.

    Attributes:
        layer: its name in Caffe, or in the graph of an imported network.
        relative_error: root of the squared error's sum over that of the squared exact answers,
            before the bias is added; 0 for none, 1 for an error as large as the answers.
    """

    layer: str
    relative_error: float

    @property
    def sqnr_db(self) -> float:
        """Signal to quantisation noise in decibels; 20 is an error of a tenth."""
        return 20 * math.log10(1 / self.relative_error) if self.relative_error > 0 else math.inf

    def __str__(self) -> str:
        return f"{self.layer} {self.relative_error:.1%} ({self.sqnr_db:.0f} dB)"


def layer_errors(graph: Any, quantised: Any, batch: np.ndarray) -> list[LayerError]:
    """Measure every quantised layer by itself on real faces.

    Each layer is run twice on what the graph in single precision hands to it: as it is, and with
    its weights and its input rounded as the quantised graph rounds them.

    Args:
        graph: ``openvino.Model`` in single precision.
        quantised: the same quantised, by :func:`edgeage.compiler.quantise.quantise`.
        batch: uint8 of shape (n, 3, height, width), BGR.

    Returns:
        One entry a quantised layer, the largest error first; layers in float have none.
    """
    layers, probe = _probe(graph.clone(), quantised.clone())
    if not layers:
        return []
    compiled = openvino_core().compile_model(probe, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    request, sums = compiled.create_infer_request(), np.zeros((len(layers), 2))
    for pixels in batch:
        request.infer([pixels[None]])
        for place in range(len(layers)):
            for part in range(2):
                tensor = request.get_output_tensor(2 * place + part)
                sums[place, part] += float(tensor.data.reshape(-1)[0])
    errors = [
        LayerError(name, math.sqrt(noise / signal) if signal > 0 else 0.0)
        for name, (signal, noise) in zip(layers, sums, strict=True)
    ]
    return sorted(errors, key=lambda error: -error.relative_error)


def float_layers(quantised: Any) -> list[str]:
    """Return the names of the convolutions and inner products that are in float, in order."""
    return [_layer(node) for node in _weighted(quantised) if _quantiser(node) is None]


def _probe(exact: Any, quantised: Any) -> tuple[list[str], Any]:
    """Feed every quantiser of one graph from the other, and join both to a graph of sums.

    Returns:
        The quantised layers, and an ``openvino.Model`` with two outputs for each: the sum of its
        squared exact answers, and of its squared errors.
    """
    import openvino as ov
    from openvino import opset1 as ops

    layers = {node: _quantiser(node) for node in _weighted(quantised)}
    layers = {node: quantiser for node, quantiser in layers.items() if quantiser is not None}
    sources = {node.get_friendly_name(): node for node in exact.get_ordered_ops()}
    outputs = []
    for quantiser in {q.get_friendly_name(): q for q in layers.values()}.values():
        place = quantiser.input(0)
        source = place.get_source_output()
        same = sources[source.get_node().get_friendly_name()].output(source.get_index())
        place.replace_source_output(same)
    for node in layers:
        reference = sources[node.get_friendly_name()]
        outputs += [_energy(reference), _energy(ops.subtract(node, reference))]
    return [_layer(node) for node in layers], ov.Model(outputs, exact.get_parameters(), "probe")


def _energy(value: Any) -> Any:
    from openvino import opset1 as ops

    axes = ops.constant(np.arange(len(value.output(0).get_shape())))
    return ops.reduce_sum(ops.multiply(value, value), axes).output(0)


def _weighted(graph: Any) -> Iterator[Any]:
    return (node for node in graph.get_ordered_ops() if node.get_type_name() in WEIGHTED)


def _layer(node: Any) -> str:
    return str(node.get_friendly_name()).removesuffix(_SUFFIX)


def _quantiser(node: Any) -> Any:
    """Return the FakeQuantize that a layer's input passes, behind what only moves numbers."""
    found = node.input(0).get_source_output().get_node()
    while found.get_type_name() in ("MaxPool", "AvgPool", "Reshape", "Squeeze", "Unsqueeze"):
        found = found.input(0).get_source_output().get_node()
    return found if found.get_type_name() == "FakeQuantize" else None
