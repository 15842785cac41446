"""Trained weights: ``.caffemodel`` files to arrays and back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from google.protobuf.message import EncodeError

from edgeage.caffe.blobs import array_to_blob, blob_to_array, read_message
from edgeage.caffe.schema import LayerParameter, NetParameter
from edgeage.caffe.upgrade import upgrade_net
from edgeage.errors import ModelError, did_you_mean
from edgeage.paths import atomic_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["read_weights", "write_weights"]

_EXPECTED = "a binary .caffemodel"


def read_weights(path: str | Path) -> dict[str, list[np.ndarray]]:
    """Read the weights of a ``.caffemodel``.

    Both syntaxes are read, packed and unpacked floats, and doubles. A convolution's blobs are
    weights (outputs, inputs ÷ groups, kernel height, kernel width) and bias (outputs,); an inner
    product's are weights (outputs, inputs) and bias (outputs,). Files of old Caffe versions
    store every blob with four axes, a bias as (1, 1, 1, outputs); they come as stored. Of two
    layers with one name the later counts, as in Caffe.

    Args:
        path: the file.

    Returns:
        Layer name → its blobs, writable float32 arrays of the shapes above, in file order; layers
        without blobs are left out.

    Raises:
        ModelError: when the file is missing, empty, truncated, not a caffemodel, or holds a blob
            whose data does not fit its shape.

    Source:
        ``NetParameter`` in Caffe's ``caffe.proto``; ``Net::CopyTrainedLayersFrom`` in its
        ``net.cpp``.
    """
    net = upgrade_net(read_message(path, NetParameter(), expected=_EXPECTED), source=str(path))
    weights = {}
    for index, layer in enumerate(net.layer):
        if layer.blobs:
            name = _layer_name(layer, index, path)
            weights[name] = [
                blob_to_array(blob, what=f"{path}: layer {name}, blob {number}")
                for number, blob in enumerate(layer.blobs)
            ]
    if not weights:
        raise ModelError(
            f"{path} holds no weights; expected {_EXPECTED} of a trained network (not a prototxt, "
            "a mean or a solverstate)"
        )
    return weights


def write_weights(
    path: str | Path, net: NetParameter, weights: Mapping[str, Sequence[np.ndarray]]
) -> None:
    """Write a ``.caffemodel`` that Caffe, OpenCV and OpenVINO's Model Optimizer read.

    It holds the network as given, each layer with its name, type, bottoms, tops and parameters,
    in the modern syntax, and the blobs of the layers that have weights. The file appears whole
    or not at all.

    Args:
        path: the file to write.
        net: the network, usually one phase of it (:func:`edgeage.caffe.filter_net`).
        weights: layer name → blobs of real numbers, each of its true shape; stored as float32.

    Raises:
        ModelError: when there are weights for a layer the network does not have, or the network
            is too large for the format (2 GB).

    Source:
        ``Net::ToProto`` in Caffe's ``net.cpp``.
    """
    names = [layer.name for layer in net.layer]
    for name in weights:
        if name not in names:
            raise ModelError(
                f"weights of «{name}» have no layer in network «{net.name}»"
                + did_you_mean(name, names)
            )
    model = NetParameter()
    model.CopyFrom(net)
    for layer in model.layer:
        layer.ClearField("blobs")
        layer.blobs.extend(array_to_blob(np.asarray(blob)) for blob in weights.get(layer.name, ()))
    try:
        data = model.SerializeToString()
    except (EncodeError, ValueError) as error:
        raise ModelError(f"{path} cannot be written as a caffemodel: {error}") from None
    with atomic_file(Path(path)) as temporary:
        temporary.write_bytes(data)


def _layer_name(layer: LayerParameter, index: int, path: str | Path) -> str:
    # Protobuf hands out text that is not UTF-8 as bytes.
    if not isinstance(layer.name, str) or not layer.name:
        raise ModelError(f"{path}: layer {index} has no readable name; the file is damaged")
    return layer.name
