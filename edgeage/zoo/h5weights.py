"""Weights in Keras 2's HDF5 format, put into a Keras 3 model layer by layer.

The format: an attribute ``layer_names`` lists the layers; each is a group whose ``weight_names``
lists its arrays (``conv2d_1/kernel:0``). A whole saved model has all of it in ``model_weights``.
Nothing in such a file is executed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeage.errors import ModelError, did_you_mean, require

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["load_h5", "read_h5"]

_UNUSED = {"normalization": ("count",)}
"""What one Keras stores of a layer and another does not, by the start of the layer's name."""


def read_h5(path: Path) -> dict[str, dict[str, np.ndarray]]:
    """Read the arrays of a Keras 2 weights file.

    Returns:
        By layer name, its arrays by their own name (``kernel``, ``bias``, ``gamma``, …); layers
        without any are left out.

    Raises:
        ModelError: when the file is missing, no HDF5, or not of this format.
        MissingDependencyError: without h5py.
    """
    h5py = require("h5py", extra="zoo", purpose="read Keras weights")
    try:
        with h5py.File(path, "r") as stored:
            root = stored.get("model_weights", stored)
            names = [_text(name) for name in root.attrs["layer_names"]]
            layers = {name: _arrays(root[name]) for name in names}
    except FileNotFoundError:
        raise ModelError(f"{path} is missing; expected Keras weights there") from None
    except (OSError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise ModelError(
            f"{path} holds no Keras 2 weights ({error}); expected an .h5 or .hdf5 of save_weights"
        ) from None
    return {name: arrays for name, arrays in layers.items() if arrays}


def load_h5(model: Any, path: Path) -> None:
    """Put the weights of a file into a model whose layers have the file's names.

    Args:
        model: ``keras.Model``.
        path: a Keras 2 weights file.

    Raises:
        ModelError: when the file cannot be read, or a layer or array is missing, too many or of
            another shape; the model is unchanged then.
    """
    stored = read_h5(path)
    wanted = _by_stored_name([layer for layer in model.layers if layer.weights], stored)
    for name in wanted:
        if name not in stored:
            raise ModelError(
                f"{path} has no layer «{name}» of {model.name}{did_you_mean(name, stored)}; is it "
                "of another network?"
            )
    for name in stored:
        if name not in wanted:
            raise ModelError(
                f"{path} has a layer «{name}» that {model.name} has not"
                f"{did_you_mean(name, wanted)}; is it of another network?"
            )
    values = [
        (layer, _in_order(layer, stored[name], f"{path}: layer «{name}»"))
        for name, layer in wanted.items()
    ]
    for layer, arrays in values:
        layer.set_weights(arrays)


def _by_stored_name(layers: list[Any], stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return layers by the names a file has for them.

    A layer that Keras named is «normalization» in one process and «normalization_1» in another;
    where a kind is there once on either side, these are the same.
    """
    here, there = ([_kind(name) for name in names] for names in ([x.name for x in layers], stored))
    found = {}
    for layer in layers:
        kind = _kind(layer.name)
        once = layer.name not in stored and here.count(kind) == there.count(kind) == 1
        same = [name for name in stored if _kind(name) == kind] if once else [layer.name]
        found[same[0]] = layer
    return found


def _kind(name: str) -> str:
    return re.sub(r"_\d+$", "", name)


def _arrays(group: Any) -> dict[str, np.ndarray]:
    names = [_text(name) for name in group.attrs["weight_names"]]
    return {
        name.rpartition("/")[2].partition(":")[0]: np.asarray(group[name], np.float32)
        for name in names
    }


def _in_order(layer: Any, arrays: Mapping[str, np.ndarray], where: str) -> list[np.ndarray]:
    """Return a layer's arrays in its own order, after checking names and shapes."""
    shapes = {weight.name: tuple(weight.shape) for weight in layer.weights}
    unused = [names for start, names in _UNUSED.items() if layer.name.startswith(start)]
    spare = {name for names in unused for name in names}
    if set(arrays) - spare != set(shapes) - spare:
        raise ModelError(f"{where} holds {sorted(arrays)}, expected {sorted(shapes)}")
    arrays = {**{weight.name: weight.numpy() for weight in layer.weights}, **arrays}
    for name, shape in shapes.items():
        if arrays[name].size != np.prod(shape, dtype=int) or (
            arrays[name].shape != shape and arrays[name].ndim == len(shape)
        ):
            raise ModelError(f"{where}: {name} has shape {arrays[name].shape}, expected {shape}")
        if not np.isfinite(arrays[name]).all():
            raise ModelError(f"{where}: {name} holds a value that is not a finite number")
    return [arrays[weight.name].reshape(tuple(weight.shape)) for weight in layer.weights]


def _text(value: Any) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)
