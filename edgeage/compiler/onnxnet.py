"""A compiled graph as an ONNX file, operator by operator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edgeage.errors import UnsupportedLayerError
from edgeage.onnxgraph import OnnxGraph

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["onnx_of"]


def onnx_of(graph: Any) -> bytes:
    """Return a graph of :func:`edgeage.compiler.graph.build_graph` as an ONNX file.

    Args:
        graph: ``openvino.Model`` in single precision.

    Returns:
        The file: its input has the graph's name and is float32 (n, 3, height, width), BGR, 0 to
        255; its output has the graph's name, float32 (n, labels).

    Raises:
        UnsupportedLayerError: for what ONNX has no operator for.
        MissingDependencyError: without the package onnx.

    Source:
        ONNX, operator set 11.
    """
    pixels, result = graph.get_parameters()[0], graph.get_results()[0]
    taken, given = (port.get_any_name() for port in (graph.input(0), graph.output(0)))
    made = OnnxGraph([taken, given])
    names = {pixels.get_friendly_name(): taken}
    for node in graph.get_ordered_ops():
        kind = node.get_type_name()
        if kind not in ("Parameter", "Result"):
            names[node.get_friendly_name()] = _built(made, node, _inputs(node, names))
    end = result.input_value(0).get_node().get_friendly_name()
    made.end(names[end], given)
    shape = ["n", *list(graph.input(0).get_shape())[1:]]
    labels = int(graph.output(0).get_shape()[1])
    model = made.model(graph.get_friendly_name(), (taken, shape), [(given, labels)])
    return bytes(model.SerializeToString())


def _inputs(node: Any, names: dict[str, str]) -> list[str]:
    return [names[port.get_node().get_friendly_name()] for port in node.input_values()]


def _built(made: OnnxGraph, node: Any, inputs: list[str]) -> str:
    kind, name = node.get_type_name(), str(node.get_friendly_name())
    if kind == "Constant":
        values = node.get_data()
        whole = np.issubdtype(values.dtype, np.integer)
        return made.constant(values, name, np.int64 if whole else np.float32)
    if kind == "Convert":
        # Bytes are taken as float32.
        return inputs[0]
    if kind in _PLAIN:
        return made.node(_PLAIN[kind], inputs, name)
    if kind not in _BUILDERS:
        raise UnsupportedLayerError(f"layer «{name}»: ONNX is not written of {kind}")
    return _BUILDERS[kind](made, node, inputs, name)


_PLAIN = {
    "Add": "Add",
    "Maximum": "Max",
    "Multiply": "Mul",
    "PRelu": "PRelu",
    "Relu": "Relu",
    "Reshape": "Reshape",
    "Sigmoid": "Sigmoid",
    "Subtract": "Sub",
    "Tanh": "Tanh",
}


def _window(attributes: dict[str, Any]) -> dict[str, Any]:
    pads = [*attributes["pads_begin"], *attributes["pads_end"]]
    return {"strides": list(attributes["strides"]), "pads": pads}


def _convolution(made: OnnxGraph, node: Any, inputs: list[str], name: str) -> str:
    attributes = node.get_attributes()
    kernel = node.input_value(1).get_shape()
    groups = 1
    if node.get_type_name() == "GroupConvolution":
        groups, kernel = int(kernel[0]), kernel[1:]
        flat = node.input_value(1).get_node().get_data()
        flat = flat.reshape(-1, *flat.shape[2:])
        inputs = [inputs[0], made.constant(flat, f"{name}/kernel")]
    return made.node(
        "Conv", inputs, name, group=groups, kernel_shape=list(kernel)[2:],
        dilations=list(attributes["dilations"]), **_window(attributes),
    )  # fmt: skip


def _pooling(made: OnnxGraph, node: Any, inputs: list[str], name: str) -> str:
    attributes = node.get_attributes()
    kind = "MaxPool" if node.get_type_name() == "MaxPool" else "AveragePool"
    extra = {} if kind == "MaxPool" else {"count_include_pad": int(not attributes["exclude-pad"])}
    return made.node(
        kind, inputs[:1], name, kernel_shape=list(attributes["kernel"]),
        ceil_mode=int("ceil" in attributes["rounding_type"]), **extra, **_window(attributes),
    )  # fmt: skip


def _lrn(made: OnnxGraph, node: Any, inputs: list[str], name: str) -> str:
    attributes, axes = node.get_attributes(), node.input_value(1).get_node().get_data()
    if axes.reshape(-1).tolist() != [1]:
        raise UnsupportedLayerError(f"layer «{name}»: ONNX normalises across channels only")
    numbers = {key: float(attributes[key]) for key in ("alpha", "beta", "bias")}
    return made.node("LRN", inputs[:1], name, size=int(attributes["size"]), **numbers)


def _matmul(made: OnnxGraph, node: Any, inputs: list[str], name: str) -> str:
    attributes = node.get_attributes()
    if attributes["transpose_b"]:
        turned = node.input_value(1).get_node().get_data().T
        inputs = [inputs[0], made.constant(turned, f"{name}/turned")]
    return made.node("MatMul", inputs, name)


def _axis(kind: str) -> Callable[[OnnxGraph, Any, list[str], str], str]:
    return lambda made, node, inputs, name: made.node(
        kind, inputs, name, axis=int(node.get_attributes()["axis"])
    )


_BUILDERS: dict[str, Callable[[OnnxGraph, Any, list[str], str], str]] = {
    "AvgPool": _pooling,
    "Concat": _axis("Concat"),
    "Convolution": _convolution,
    "GroupConvolution": _convolution,
    "LRN": _lrn,
    "MatMul": _matmul,
    "MaxPool": _pooling,
    "Softmax": _axis("Softmax"),
}
