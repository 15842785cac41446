"""Write a trained network as ONNX with the operators onnxruntime has kernels of its own for.

Layers of AgeNet and GenderNet only: Convolution, ReLU, MAX Pooling, LRN across channels,
InnerProduct, Dropout, Softmax. Like the networks edgeage compiles, it takes uint8 pixels of any
number of pictures and subtracts the mean itself (ONNX operator specification, opset 17).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgeage import caffe
from edgeage.runtime.openvino import graph_mean

if TYPE_CHECKING:
    from pathlib import Path

    from edgeage.compiler import TrainedModel

__all__ = ["write_onnx"]

_OPSET, _IR_VERSION = 17, 10


def write_onnx(trained: TrainedModel, path: Path) -> Path:
    """Write the network; its input is «pixels», uint8 (n, 3, height, width), BGR."""
    writer = _Writer(caffe.read_weights(trained.caffemodel))
    net = caffe.filter_net(caffe.read_net(trained.prototxt), "TEST")
    input_hw = trained.manifest.input.input_hw
    value = writer.node("Cast", ["pixels"], to=TensorProto.FLOAT)
    if trained.mean is not None:
        mean = writer.constant("mean", graph_mean(trained.mean, input_hw))
        value = writer.node("Sub", [value, mean])
    blobs = {trained.manifest.input_name: value}
    for layer in net.layer:
        if layer.type != "Input":
            blobs[layer.top[0]] = writer.layer(layer, blobs[layer.bottom[0]])
    answer = blobs[trained.manifest.output_name]
    onnx.save(writer.model(input_hw, answer, len(trained.manifest.labels)), path)
    return path


class _Writer:
    def __init__(self, weights: dict[str, list[np.ndarray]]) -> None:
        self._weights = weights
        self._nodes: list[Any] = []
        self._constants: list[Any] = []

    def constant(self, name: str, array: np.ndarray) -> str:
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def node(self, kind: str, inputs: list[str], **attributes: Any) -> str:
        output = f"{kind.lower()}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def layer(self, layer: Any, value: str) -> str:
        if layer.type == "Dropout":
            return value
        if layer.type == "ReLU":
            return self.node("Relu", [value])
        if layer.type == "Softmax":
            return self.node("Softmax", [value], axis=1)
        return getattr(self, f"_{layer.type.lower()}")(layer, value)

    def model(self, input_hw: tuple[int, int], answer: str, labels: int) -> Any:
        pixels = helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["n", 3, *input_hw])
        output = helper.make_tensor_value_info(answer, TensorProto.FLOAT, ["n", labels])
        graph = helper.make_graph(self._nodes, "network", [pixels], [output], self._constants)
        opsets = [helper.make_opsetid("", _OPSET)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION)
        onnx.checker.check_model(model)
        return model

    def _learned(self, layer: Any) -> list[str]:
        arrays = self._weights[layer.name]
        return [self.constant(f"{layer.name}_{n}", array) for n, array in enumerate(arrays)]

    def _convolution(self, layer: Any, value: str) -> str:
        param = layer.convolution_param
        kernel, stride, pad = (
            next(iter(values), default)
            for values, default in ((param.kernel_size, 1), (param.stride, 1), (param.pad, 0))
        )
        return self.node(
            "Conv",
            [value, *self._learned(layer)],
            kernel_shape=[kernel] * 2,
            strides=[stride] * 2,
            pads=[pad] * 4,
            group=param.group,
        )

    def _pooling(self, layer: Any, value: str) -> str:
        param = layer.pooling_param
        assert param.pool == 0, "expected MAX pooling"
        return self.node(
            "MaxPool",
            [value],
            kernel_shape=[param.kernel_size] * 2,
            strides=[param.stride] * 2,
            pads=[param.pad] * 4,
            ceil_mode=1,
        )

    def _lrn(self, layer: Any, value: str) -> str:
        param = layer.lrn_param
        assert param.norm_region == 0, "expected LRN across channels"
        return self.node(
            "LRN",
            [value],
            size=param.local_size,
            alpha=param.alpha,
            beta=param.beta,
            bias=param.k,
        )

    def _innerproduct(self, layer: Any, value: str) -> str:
        weights, biases = self._weights[layer.name]
        flat = self.node("Flatten", [value], axis=1)
        names = [
            self.constant(f"{layer.name}_0", weights.reshape(weights.shape[-2:])),
            self.constant(f"{layer.name}_1", biases.reshape(-1)),
        ]
        return self.node("Gemm", [flat, *names], transB=1)
