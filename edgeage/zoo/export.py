"""A network of the zoo as ONNX, whatever backend it was made with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgeage.errors import UnsupportedLayerError
from edgeage.onnxgraph import OnnxGraph
from edgeage.paths import atomic_file
from edgeage.zoo.onnxlayers import add_layer
from edgeage.zoo.onnxstep import Step

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edgeage.zoo.network import ZooNetwork

__all__ = ["INPUT_NAME", "write_onnx"]

INPUT_NAME = "data"


def write_onnx(network: ZooNetwork, path: Path) -> None:
    """Write a network as ONNX, whole or not at all.

    Args:
        network: what to write. The graph takes what the Keras model takes, with the channels in
            front: float32 (n, 3, height, width); its outputs have the names of the network's.
        path: an ``.onnx`` file.

    Raises:
        UnsupportedLayerError: for a layer that has no form in ONNX here.
        MissingDependencyError: without the package onnx.

    Source:
        ONNX, operator set 11.
    """
    graph = OnnxGraph([INPUT_NAME, *(output.name for output in network.outputs)])
    ends = _add_layers(graph, network.model)
    sizes = {}
    for end, tensor, output in zip(ends, network.model.outputs, network.outputs, strict=True):
        graph.end(end, output.name)
        sizes[output.name] = int(tensor.shape[-1])
    shape = ("n", 3, *network.input_hw)
    made = graph.model(network.name, (INPUT_NAME, shape), list(sizes.items()))
    with atomic_file(path) as temporary:
        temporary.write_bytes(made.SerializeToString())


def _add_layers(graph: OnnxGraph, model: Any) -> list[str]:
    """Add a model's layers in the order they are computed; return the names of its outputs."""
    values = {id(model.inputs[0]): INPUT_NAME}
    pads: dict[str, Any] = {}
    for layer in model.operations:
        if type(layer).__name__ == "InputLayer":
            continue
        for node in _calls(layer, values):
            shapes = [tuple(tensor.shape[1:]) for tensor in node.input_tensors]
            names = [values[id(tensor)] for tensor in node.input_tensors]
            made = node.output_tensors[0]
            step = Step(graph, layer, names, shapes, tuple(made.shape[1:]), pads, _numbers(node))
            values[id(made)] = add_layer(step)
    missing = [tensor.name for tensor in model.outputs if id(tensor) not in values]
    if missing:
        raise UnsupportedLayerError(f"{model.name}: nothing known computes {', '.join(missing)}")
    return [values[id(tensor)] for tensor in model.outputs]


def _calls(layer: Any, values: dict[int, str]) -> Iterator[Any]:
    """Yield Keras's node for each time a layer is used in this model."""
    for node in layer._inbound_nodes:
        if all(id(tensor) in values for tensor in node.input_tensors):
            if len(node.output_tensors) != 1:
                raise UnsupportedLayerError(f"layer «{layer.name}» has several outputs")
            yield node


def _numbers(node: Any) -> dict[int, float]:
    """Return what a node is given as plain numbers, by their places."""
    given = enumerate(node.arguments.args)
    return {place: float(value) for place, value in given if type(value) in (int, float)}
