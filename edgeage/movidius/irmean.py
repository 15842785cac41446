"""Another mean in the weights of a compiled network, for a runtime that cannot edit the graph."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree

import numpy as np

from edgeage.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["weights_with_mean"]

_NODE = "mean"
_TYPES = {"f32": np.float32, "f16": np.float16}


def weights_with_mean(xml: Path, weights: Path, mean: np.ndarray) -> bytes:
    """Return the bytes of an IR's ``.bin`` with another mean in it.

    Args:
        xml: the network; its constant «mean» says where in the weights the mean lies.
        weights: its ``.bin``.
        mean: float32 array of the constant's shape; see ``edgeage.runtime.openvino.graph_mean``.

    Raises:
        ModelError: when the network has no such constant, or one of another size or type.
    """
    try:
        root = ElementTree.parse(xml).getroot()  # noqa: S314 - a file with a checked hash
    except (ElementTree.ParseError, OSError) as error:
        raise ModelError(f"{xml} is no network: {error}; compile the model again") from None
    entry = _constant(root)
    if entry is None or entry.get("element_type") not in _TYPES:
        raise ModelError(f"{xml} has no constant «{_NODE}»; compile the model again")
    new = mean.astype(_TYPES[entry.get("element_type", "")]).tobytes()
    offset, size = int(entry.get("offset", 0)), int(entry.get("size", 0))
    if len(new) != size:
        raise ModelError(
            f"{xml} has a mean of {size} bytes, the new one has {len(new)}; compile the model again"
        )
    data = bytearray(weights.read_bytes())
    data[offset : offset + size] = new
    return bytes(data)


def _constant(root: ElementTree.Element) -> ElementTree.Element | None:
    for layer in root.iter("layer"):
        name = layer.get("name", "").removesuffix("_compressed")
        if name == _NODE and layer.get("type") == "Const":
            return layer.find("data")
    return None
