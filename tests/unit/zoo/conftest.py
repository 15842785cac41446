"""Keras, and files as Keras 2 wrote them."""

from __future__ import annotations

import numpy as np
import pytest

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


def blocks(network, count, seed):
    """Coloured blocks; all pictures of noise look alike to a network."""
    colours = np.random.default_rng(seed).integers(0, 256, (count, 3, 4, 4), np.uint8)
    height, width = network.input_hw
    tall, wide = np.arange(height) * 4 // height, np.arange(width) * 4 // width
    return np.ascontiguousarray(colours[:, :, tall][:, :, :, wide])


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
        network.model(network.prepared(blocks(network, 6, seed=11)), training=True)
        return network

    return change


@pytest.fixture(scope="session")
def faces():
    """Pictures that differ: uint8 (n, 3, height, width)."""
    return lambda network, count=2: blocks(network, count, seed=3)
