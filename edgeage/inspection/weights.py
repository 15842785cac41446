"""What is in a ``.caffemodel``: layers, numbers, and whether half precision holds them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeage import caffe
from edgeage.caffe.blobs import blob_to_array, read_message
from edgeage.caffe.schema import NetParameter
from edgeage.caffe.upgrade import upgrade_net
from edgeage.errors import EdgeageError
from edgeage.inspection.finding import Finding, Table
from edgeage.manifest import Manifest

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["describe_weights", "multiplications"]

_HALF_MAX = float(np.finfo(np.float16).max)
_COLUMNS = (
    "name",
    "type",
    "blob_shapes",
    "parameters",
    "macs",
    "smallest",
    "largest",
    "exact_in_half",
)


def describe_weights(path: Path, prototxt: Path | None = None) -> Finding:
    """Explain a ``.caffemodel``.

    Args:
        path: the file.
        prototxt: its deploy network, by which multiplications are counted; the one its manifest
            names by default.

    Raises:
        ModelError: when it is damaged.
    """
    net = read_message(path, NetParameter(), expected="a binary .caffemodel")
    syntax = "V1 (layers)" if net.layers else "V2 (layer)"
    net = upgrade_net(net, source=str(path))
    blobs = {
        index: [
            blob_to_array(blob, what=f"{path}: layer {layer.name}, blob {number}")
            for number, blob in enumerate(layer.blobs)
        ]
        for index, layer in enumerate(net.layer)
    }
    arrays = [blob for layer in blobs.values() for blob in layer]
    macs, macs_note = _macs(path, prototxt)
    rows = [_row(layer, blobs[index], macs) for index, layer in enumerate(net.layer)]
    exact = all(_exact_in_half(array) for array in arrays)
    facts = {
        "network": str(net.name),
        "syntax": syntax,
        "parameters": sum(array.size for array in arrays),
        "macs": sum(macs.values()) if macs else None,
        "weight_bytes": 4 * sum(array.size for array in arrays),
        "smallest": min((_finite(array.min()) for array in arrays if array.size), default=None),
        "largest": max((_finite(array.max()) for array in arrays if array.size), default=None),
        "exact_in_half": exact,
    }
    notes = [*macs_note, *_notes(net, blobs)]
    summary = f"weights of a Caffe network, {len(net.layer)} layers"
    return Finding(
        path, "caffemodel", summary, facts, (Table("layers", _COLUMNS, tuple(rows)),), tuple(notes)
    )


def multiplications(prototxt: Path, weights: dict[str, list[np.ndarray]]) -> dict[str, int]:
    """Count the multiply-accumulates of one picture in each convolution and inner product.

    Args:
        prototxt: the deploy network.
        weights: its weights by layer name.

    Returns:
        Layer name → multiply-accumulates.

    Raises:
        ModelError: when network and weights do not fit together.
    """
    from edgeage.compiler.graph import build_graph

    net = caffe.filter_net(caffe.read_net(prototxt), "TEST")
    graph = build_graph(net, weights, output_name=net.layer[-1].top[0])
    shapes = {node.get_friendly_name(): node for node in graph.get_ordered_ops()}
    counted = {}
    for layer in net.layer:
        field = {"Convolution": "convolution_param", "InnerProduct": "inner_product_param"}
        if layer.type in field:
            outputs = getattr(layer, field[layer.type]).num_output
            places = math.prod(shapes[layer.name].output(0).get_shape()) // outputs
            counted[str(layer.name)] = places * int(weights[layer.name][0].size)
    return counted


def _macs(path: Path, prototxt: Path | None) -> tuple[dict[str, int], list[str]]:
    """Count with the prototxt given or found, or say why not."""
    try:
        found = prototxt or _manifest_prototxt(path)
        if found is None:
            note = "multiplications are not counted without a deploy prototxt; give --prototxt"
            return {}, [note]
        return multiplications(found, caffe.read_weights(path)), []
    except EdgeageError as error:
        if prototxt is not None:
            raise
        return {}, [f"multiplications are not counted: {error}"]


def _manifest_prototxt(path: Path) -> Path | None:
    manifest = path.with_suffix(".json")
    return Manifest.read(manifest).file("prototxt") if manifest.is_file() else None


def _row(layer: Any, blobs: list[np.ndarray], macs: dict[str, int]) -> tuple[Any, ...]:
    sizes = sum(blob.size for blob in blobs)
    return (
        str(layer.name),
        str(layer.type),
        " ".join("×".join(map(str, blob.shape)) for blob in blobs) or None,
        sizes or None,
        macs.get(str(layer.name)),
        min((_finite(blob.min()) for blob in blobs), default=None),
        max((_finite(blob.max()) for blob in blobs), default=None),
        all(map(_exact_in_half, blobs)) if blobs else None,
    )


def _finite(value: np.floating[Any]) -> float:
    """Return a number as JSON knows it; what is not finite counts as beyond everything."""
    return float(np.nan_to_num(value, nan=np.finfo(np.float32).max))


def _exact_in_half(array: np.ndarray) -> bool:
    with np.errstate(over="ignore"):
        return bool(np.array_equal(array, array.astype(np.float16).astype(np.float32)))


def _notes(net: Any, blobs: dict[int, list[np.ndarray]]) -> list[str]:
    notes = []
    for index, layer in enumerate(net.layer):
        for blob in blobs[index]:
            broken = int(np.count_nonzero(~np.isfinite(blob)))
            beyond = int(np.count_nonzero(np.abs(blob) > _HALF_MAX)) - broken
            if broken:
                notes.append(f"layer {layer.name} holds {broken:,} values that are not finite")
            if beyond > 0:
                notes.append(
                    f"layer {layer.name} holds {beyond:,} values beyond half precision's 65,504"
                )
    return notes
