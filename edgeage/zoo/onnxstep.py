"""One Keras layer on its way into an ONNX graph, and the activations a layer may end in."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeage.errors import UnsupportedLayerError

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgeage.onnxgraph import OnnxGraph

__all__ = ["Pads", "Step", "activated", "softmax"]

Pads = tuple[int, int, int, int]
"""Zeros above, left, below, right."""


@dataclasses.dataclass
class Step:
    """One Keras layer on its way into the graph.

    Attributes:
        graph: where it goes.
        layer: the Keras layer.
        inputs: names of the ONNX tensors it takes.
        shapes: their shapes in Keras, without the batch.
        output_shape: the shape it makes, likewise.
        pads: zero padding not yet done of each input, by its name.
        numbers: operands that are plain numbers, as in ``x + 3``, by their place.
    """

    graph: OnnxGraph
    layer: Any
    inputs: list[str]
    shapes: list[tuple[int, ...]]
    output_shape: tuple[int, ...]
    pads: dict[str, Pads]
    numbers: dict[int, float] = dataclasses.field(default_factory=dict)

    @property
    def name(self) -> str:
        """The layer's name."""
        return str(self.layer.name)

    def weight(self, name: str) -> np.ndarray:
        """Return one of the layer's variables as float32."""
        import keras

        found = getattr(self.layer, name)
        return np.asarray(keras.ops.convert_to_numpy(getattr(found, "value", found)), np.float32)

    def node(self, kind: str, inputs: list[str], **attributes: Any) -> str:
        """Add an operator named after the layer."""
        return self.graph.node(kind, inputs, self.name, **attributes)

    def constant(self, values: Any, suffix: str, dtype: Any = np.float32) -> str:
        """Add a constant named after the layer."""
        return self.graph.constant(values, f"{self.name}/{suffix}", dtype)

    @property
    def operands(self) -> list[str]:
        """Names of the inputs with the plain numbers among them, in the order they are given."""
        found = list(self.inputs)
        for place, number in sorted(self.numbers.items()):
            found.insert(place, self.constant(number, f"number{place}"))
        return found

    def refuse(self, unfit: bool, what: str) -> None:
        """Raise UnsupportedLayerError when ``unfit``."""
        if unfit:
            raise UnsupportedLayerError(
                f"layer «{self.name}» of type {type(self.layer).__name__} uses {what}, which the "
                "export to ONNX does not know"
            )


def activated(step: Step, value: str, activation: Any) -> str:
    """Add the activation a layer ends in.

    Raises:
        UnsupportedLayerError: for one that is not known.
    """
    name = getattr(activation, "__name__", str(activation))
    step.refuse(name not in _ACTIVATIONS, f"the activation {name}")
    return _ACTIVATIONS[name](step, value)


def _plain(kind: str, **attributes: Any) -> Callable[[Step, str], str]:
    return lambda step, value: step.node(kind, [value], **attributes)


def _relu6(step: Step, value: str) -> str:
    limits = [step.constant(limit, name) for name, limit in (("low", 0.0), ("high", 6.0))]
    return step.node("Clip", [value, *limits])


def _swish(step: Step, value: str) -> str:
    return step.node("Mul", [value, step.node("Sigmoid", [value])])


def _hard_sigmoid(step: Step, value: str) -> str:
    """Return relu6(x + 3) / 6, Keras 3's own."""
    shifted = step.node("Add", [value, step.constant(3.0, "three")])
    return step.node("Mul", [_relu6(step, shifted), step.constant(1 / 6, "sixth")])


def _hard_swish(step: Step, value: str) -> str:
    return step.node("Mul", [value, _hard_sigmoid(step, value)])


def softmax(step: Step, value: str) -> str:
    """Add a softmax over a vector; UnsupportedLayerError for anything else."""
    step.refuse(len(step.output_shape) != 1, "softmax of anything but a vector")
    return step.node("Softmax", [value], axis=1)


_ACTIVATIONS: dict[str, Callable[[Step, str], str]] = {
    "linear": lambda _step, value: value,
    "relu": _plain("Relu"),
    "relu6": _relu6,
    "sigmoid": _plain("Sigmoid"),
    "tanh": _plain("Tanh"),
    "silu": _swish,
    "swish": _swish,
    "hard_sigmoid": _hard_sigmoid,
    "hard_silu": _hard_swish,
    "softmax": softmax,
}
