"""An ONNX graph under construction: names, nodes, constants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edgeage.errors import require

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["IR_VERSION", "OPSET", "OnnxGraph"]

OPSET = 11
"""The newest operator set all of whose operators OpenVINO 2021.4 reads."""

IR_VERSION = 6
"""The version of the file format that goes with :data:`OPSET`."""


class OnnxGraph:
    """Collects nodes and constants; :meth:`model` makes the file of them.

    Args:
        ends: names kept for the model's outputs.

    Raises:
        MissingDependencyError: without the package onnx.
    """

    def __init__(self, ends: Sequence[str] = ()) -> None:
        self._onnx: Any = require("onnx", extra="zoo", purpose="write ONNX")
        self._nodes: list[Any] = []
        self._constants: dict[str, Any] = {}
        self._used: set[str] = set(ends)

    def node(self, kind: str, inputs: Sequence[str], name: str, **attributes: Any) -> str:
        """Add an operator with one output; return the output's name.

        Args:
            kind: ONNX's operator.
            inputs: names of tensors; an empty one is left out.
            name: wanted name; a number is added where it is taken.
            attributes: the operator's.
        """
        name = self._free(name)
        made = self._onnx.helper.make_node(kind, list(inputs), [name], name=name, **attributes)
        self._nodes.append(made)
        return name

    def constant(self, values: Any, name: str, dtype: Any = np.float32) -> str:
        """Add a constant; return its name."""
        name = self._free(name)
        array = np.ascontiguousarray(values, dtype)
        self._constants[name] = self._onnx.numpy_helper.from_array(array, name)
        return name

    def end(self, value: str, name: str) -> None:
        """Make a tensor an output of the model, under one of the names kept for them."""
        self._nodes.append(
            self._onnx.helper.make_node("Identity", [value], [name], name=f"{name}/end")
        )

    def model(
        self, name: str, taken: tuple[str, Sequence[Any]], given: Sequence[tuple[str, int]]
    ) -> Any:
        """Return the checked ``onnx.ModelProto``; constants that nothing takes are left out.

        Args:
            name: the graph's name.
            taken: the input's name and shape; a word is a dimension of any size.
            given: each output's name and how many values a picture has.
        """
        helper, kind = self._onnx.helper, self._onnx.TensorProto.FLOAT
        inputs = [helper.make_tensor_value_info(taken[0], kind, list(taken[1]))]
        batch = taken[1][0]
        outputs = [
            helper.make_tensor_value_info(output, kind, [batch, size]) for output, size in given
        ]
        used = {value for node in self._nodes for value in node.input}
        constants = [array for key, array in self._constants.items() if key in used]
        graph = helper.make_graph(self._nodes, name, inputs, outputs, constants)
        model = helper.make_model(
            graph,
            producer_name="edgeage",
            ir_version=IR_VERSION,
            opset_imports=[helper.make_opsetid("", OPSET)],
        )
        self._onnx.checker.check_model(model)
        return model

    def _free(self, name: str) -> str:
        number, wanted = 1, name
        while name in self._used:
            name, number = f"{wanted}_{number}", number + 1
        self._used.add(name)
        return name
