"""A Caffe network, its weights and its mean become one OpenVINO graph that takes bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edgeage.compiler.layers import LAYERS
from edgeage.compiler.parts import Parts, Value
from edgeage.errors import ModelError, UnsupportedLayerError, did_you_mean
from edgeage.runtime.openvino import MEAN_NODE, graph_mean, translated

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["build_graph", "build_layer", "input_blob", "name_the_rest"]


def build_graph(
    net: Any,
    weights: Mapping[str, list[np.ndarray]],
    *,
    mean: np.ndarray | None = None,
    scale: float = 1.0,
    output_name: str = "prob",
    half: bool = False,
    lrn_scale: float = 1.0,
) -> Any:
    """Build the graph of a deploy network.

    Nodes carry the names of the Caffe layers and tensors those of the Caffe blobs. All of them
    are of OpenVINO's first operation set, which every version reads.

    Args:
        net: the deploy ``NetParameter`` (:func:`edgeage.caffe.read_net`), with one Input layer.
        weights: float32 arrays by layer name (:func:`edgeage.caffe.read_weights`).
        mean: float32 of shape (3, H, W) at least as large as the input, cut to its centre, or
            (3,); BGR; subtracted inside the graph.
        scale: factor after the mean.
        output_name: the blob that is the answer.
        half: store weights in half precision. The mean stays float32 either way: half precision
            would round its values by up to 1/16 of a grey level.
        lrn_scale: a power of two that local response normalisation across channels divides its
            input by, and multiplies its answer with: the same numbers, with squares that half
            precision can hold.

    Returns:
        ``openvino.Model`` with input uint8 (1, 3, height, width) BGR and output float32.

    Raises:
        UnsupportedLayerError: for a layer type or setting that is not implemented, by its name.
        ModelError: when layers, weights and shapes do not fit together.
    """
    import openvino as ov
    from openvino import opset1 as ops

    name, input_hw = input_blob(net)
    pixels = ops.parameter([1, 3, *input_hw], np.uint8, name=name)
    blobs: dict[str, Value] = {name: _normalised(pixels, input_hw, mean, scale)}
    for layer in net.layer:
        if layer.type != "Input":
            arrays = weights.get(layer.name, [])
            blobs[layer.top[0]] = build_layer(layer, blobs, arrays, half=half, lrn_scale=lrn_scale)
    if output_name not in blobs:
        raise ModelError(
            f"{net.name or 'the network'} has no blob «{output_name}»"
            f"{did_you_mean(output_name, blobs)}"
        )
    answer = blobs[output_name]
    answer.get_tensor().set_names({output_name})
    pixels.output(0).get_tensor().set_names({name})
    graph = ov.Model([ops.result(answer, name=f"{output_name}/result")], [pixels], net.name)
    name_the_rest(graph)
    return graph


def name_the_rest(graph: Any) -> None:
    """Name the nodes OpenVINO numbers itself, so that the same network is always the same file."""
    for place, node in enumerate(graph.get_ordered_ops()):
        if node.get_friendly_name() == node.get_name():
            node.set_friendly_name(f"{node.get_type_name().lower()}/{place}")


def input_blob(net: Any) -> tuple[str, tuple[int, int]]:
    """Return the name and (height, width) of a deploy network's only input.

    Raises:
        ModelError: when there is not exactly one Input layer of three channels.
    """
    layers = [layer for layer in net.layer if layer.type == "Input"]
    if len(layers) != 1 or len(layers[0].top) != 1 or len(layers[0].input_param.shape) != 1:
        raise ModelError(
            f"{net.name or 'the network'} has {len(layers)} Input layers, expected one with one "
            "shape; give the deploy prototxt, not the training one"
        )
    shape = tuple(layers[0].input_param.shape[0].dim)
    if len(shape) != 4 or shape[1] != 3 or min(shape) < 1:
        raise ModelError(
            f"input «{layers[0].top[0]}» has shape {shape}, expected (batch, 3, height, width)"
        )
    return layers[0].top[0], (shape[2], shape[3])


def _normalised(
    pixels: Any, input_hw: tuple[int, int], mean: np.ndarray | None, scale: float
) -> Value:
    from openvino import opset1 as ops

    value = ops.convert(pixels, "f32", name="pixels").output(0)
    if mean is not None:
        constant = ops.constant(graph_mean(mean, input_hw), name=MEAN_NODE)
        value = ops.subtract(value, constant, name="minus_mean").output(0)
    if scale != 1:
        value = ops.multiply(value, ops.constant(np.float32(scale)), name="scaled").output(0)
    return value


def build_layer(
    layer: Any,
    blobs: Mapping[str, Value],
    arrays: list[np.ndarray],
    *,
    half: bool = False,
    lrn_scale: float = 1.0,
) -> Value:
    """Build the nodes of one layer.

    Args:
        layer: its ``LayerParameter``.
        blobs: the values so far, by blob name; its bottoms must be among them.
        arrays: what it learned, float32.
        half: store weights in half precision.
        lrn_scale: as for :func:`build_graph`.

    Returns:
        Its only top, whose node bears the layer's name.

    Raises:
        UnsupportedLayerError: for a layer type or setting that is not implemented.
        ModelError: when layer, weights and shapes do not fit together.
    """
    build = LAYERS.get(layer.type)
    if build is None:
        raise UnsupportedLayerError(
            f"layer «{layer.name}» is of type {layer.type}, which the compiler does not know"
            f"{did_you_mean(layer.type, LAYERS)}"
        )
    missing = [name for name in layer.bottom if name not in blobs]
    if missing or not layer.bottom or len(layer.top) != 1:
        raise ModelError(
            f"layer «{layer.name}» has bottoms {list(layer.bottom)} and tops {list(layer.top)}; "
            "expected bottoms that an earlier layer makes, and one top"
        )
    parts = Parts(layer, [blobs[name] for name in layer.bottom], arrays, half, lrn_scale)
    with translated(f"build layer «{layer.name}»", ModelError):
        value = build(parts)
    if all(value is not given for given in parts.inputs):
        value.get_node().set_friendly_name(layer.name)
    return value
