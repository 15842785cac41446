"""Keras, and files as Keras 2 wrote them."""

from __future__ import annotations

import numpy as np
import pytest
from pictures import coloured_blocks

from edgeage.zoo.backend import open_keras


@pytest.fixture(scope="session")
def keras():
    return open_keras()


@pytest.fixture(autouse=True)
def same_every_time(keras):
    keras.utils.set_random_seed(7)


@pytest.fixture(scope="session")
def write_keras2():
    """Write a model's weights as Keras 2's save_weights did; ``change`` edits them first."""
    import h5py

    def write(model, path, change=None, count=False):
        layers = {
            layer.name: {
                w.name: np.asarray(v)
                for w, v in zip(layer.weights, layer.get_weights(), strict=True)
            }
            for layer in model.layers
        }
        if change is not None:
            change(layers)
        with h5py.File(path, "w") as stored:
            stored.attrs["layer_names"] = [name.encode() for name in layers]
            for name, arrays in layers.items():
                if count and name.startswith("normalization"):
                    arrays["count"] = np.zeros((), np.int64)
                group = stored.create_group(name)
                group.attrs["weight_names"] = [f"{name}/{key}:0".encode() for key in arrays]
                for key, array in arrays.items():
                    group[f"{name}/{key}:0"] = array
        return path

    return write


@pytest.fixture(scope="session")
def stir():
    """Give every batch normalisation the statistics of random pictures, SSR-Net small stretches.

    Random ones saturate at -1, where a stage's width is infinite.
    """

    def change(network):
        for layer in network.model.layers:
            if type(layer).__name__ == "BatchNormalization":
                layer.momentum = 0.02
            if "delta_s" in layer.name and "local" not in layer.name:
                layer.kernel.assign(layer.get_weights()[0] * 1e-4)
        network.model(network.prepared(coloured_blocks(6, network.input_hw, 11)), training=True)
        return network

    return change


@pytest.fixture(scope="session")
def faces():
    """Pictures that differ: uint8 (n, 3, height, width)."""
    return lambda network, count=2: coloured_blocks(count, network.input_hw, 3)
