"""What a layer builder is given, and how it reads Caffe's ways of writing a number twice."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from edgeage.errors import ModelError, UnsupportedLayerError

__all__ = ["Parts", "Value", "enum_name"]

Value = Any
"""An ``openvino.Output``: one tensor of the graph."""

_HALF_MAX = float(np.finfo(np.float16).max)


@dataclasses.dataclass(frozen=True)
class Parts:
    """One layer on its way into the graph.

    Attributes:
        layer: the Caffe ``LayerParameter``.
        inputs: the values of its bottoms, in order.
        blobs: its learned arrays, float32, as the caffemodel stores them.
        half: store weights as half precision.
        lrn_scale: a power of two that inputs of local response normalisations are divided by.
    """

    layer: Any
    inputs: list[Value]
    blobs: list[np.ndarray]
    half: bool
    lrn_scale: float = 1.0

    @property
    def name(self) -> str:
        """The layer's name."""
        return str(self.layer.name)

    def shape(self, bottom: int = 0) -> list[int]:
        """Return the static shape of a bottom."""
        return list(self.inputs[bottom].get_shape())

    def axis(self, axis: int) -> int:
        """Count a possibly negative axis of the first bottom from the front."""
        rank = len(self.shape())
        if not -rank <= axis < rank:
            raise ModelError(f"layer «{self.name}»: axis {axis} of an input of {rank} axes")
        return axis % rank

    def refuse(self, unfit: bool, what: str) -> None:
        """Raise when the layer asks for something that is not implemented.

        Raises:
            UnsupportedLayerError: when ``unfit``.
        """
        if unfit:
            raise UnsupportedLayerError(
                f"layer «{self.name}» of type {self.layer.type} uses {what}, which the compiler "
                "does not know"
            )

    def blob(self, index: int, shape: tuple[int, ...]) -> np.ndarray:
        """Return a learned array in the shape it is needed.

        Legacy caffemodels store every array with four axes, so only the number of values counts.

        Raises:
            ModelError: when the caffemodel has no such array or one of another size.
        """
        if index >= len(self.blobs):
            raise ModelError(
                f"layer «{self.name}»: the caffemodel holds {len(self.blobs)} arrays, expected at "
                f"least {index + 1}; are the prototxt and the caffemodel of the same network?"
            )
        found = self.blobs[index]
        if found.size != int(np.prod(shape)):
            raise ModelError(
                f"layer «{self.name}»: array {index} has shape {found.shape}, expected {shape}; "
                "are the prototxt and the caffemodel of the same network?"
            )
        return found.reshape(shape)

    def constant(self, array: np.ndarray, suffix: str) -> Value:
        """Put a learned array into the graph, in the precision weights are stored in.

        Raises:
            ModelError: when it holds NaN, infinity, or more than half precision can.
        """
        from openvino import opset1 as ops

        peak = float(np.abs(array).max(initial=0.0))
        if not np.isfinite(peak):
            raise ModelError(f"layer «{self.name}» holds a value that is not a finite number")
        if self.half and peak > _HALF_MAX:
            raise ModelError(
                f"layer «{self.name}» holds {peak:g}, beyond half precision's {_HALF_MAX:g}; "
                "compile with --precision FP32"
            )
        name = f"{self.name}/{suffix}"
        if not self.half:
            return ops.constant(np.ascontiguousarray(array, np.float32), name=name).output(0)
        stored = ops.constant(array.astype(np.float16), name=name)
        return ops.convert(stored, "f32", name=f"{name}/float").output(0)


def enum_name(param: Any, field: str) -> str:
    """Return the name of an enum field's value, for example ``"MAX"``."""
    kind = param.DESCRIPTOR.fields_by_name[field].enum_type
    return str(kind.values_by_number[getattr(param, field)].name)
