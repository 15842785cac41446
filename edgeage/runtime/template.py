"""The manifest to write for a network that has none, as far as the network itself tells it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import openvino as ov

from edgeage.errors import ModelError
from edgeage.labels import AGE_GROUPS
from edgeage.runtime.foreign import names_of, read_network

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["manifest_template"]

_FEWEST_YEARS, _MOST_YEARS = 20, 200
"""How many values an output has that is taken for a distribution over years."""


def manifest_template(network: Path) -> str:
    """Return a ``model.json`` for a network, on one line, to be put right by its user.

    Names, sizes and numbers of values are the network's. What it does not tell stands as a
    choice («BGR or RGB»), which a manifest may not have, so that nobody overlooks it.

    Args:
        network: an ``.xml`` or ``.onnx`` file.

    Raises:
        ModelError: when it is no network, or one with no output that could be an age or gender.
    """
    model = read_network(network)
    outputs = [fields for port in model.outputs if (fields := _output(port))]
    if not outputs:
        names = ", ".join(names_of(port)[0] for port in model.outputs)
        raise ModelError(f"{network} answers {names}, none of which is an age or a gender")
    role = "onnx" if network.suffix == ".onnx" else "ir_xml"
    fields = {
        "manifest": 1,
        "files": {role: network.name},
        "input": {"size": _size(model.inputs[0]), "channel_order": "BGR or RGB"},
        "outputs": outputs,
    }
    return json.dumps(fields, ensure_ascii=False)


def _size(port: Any) -> list[int]:
    shape = port.get_partial_shape()
    sides = list(shape) if shape.rank.is_static and len(shape) == 4 else []
    for start in (2, 1):
        pair = sides[start : start + 2]
        if pair and all(side.is_static and side.get_length() > 3 for side in pair):
            return [side.get_length() for side in pair]
    return [224, 224]


def _output(port: Any) -> dict[str, Any]:
    """Return the likeliest meaning of an output by its number of values; empty for too many."""
    name, count = names_of(port)[0], _values(port)
    if count == 1:
        return {"name": name, "task": "age", "kind": "years", "factor": 1}
    if count == 2:
        return {"name": name, "task": "gender", "labels": ["Female or Male", "Male or Female"]}
    if count is not None and count < _FEWEST_YEARS:
        labels = list(AGE_GROUPS) if count == len(AGE_GROUPS) else ["0-2", "…"]
        return {"name": name, "task": "age", "labels": labels}
    known = count is None or count <= _MOST_YEARS
    return {"name": name, "task": "age", "kind": "distribution"} if known else {}


def _values(port: Any) -> int | None:
    """Return how many values an output has for a picture, where its shape says so."""
    shape = port.get_partial_shape()
    count = 1
    for side in list(shape)[1:] if shape.rank.is_static else [ov.Dimension()]:
        if side.is_dynamic:
            return None
        count *= side.get_length()
    return count
