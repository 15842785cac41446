"""Networks of the zoo small enough to train in a test."""

import pytest

from edgeage.datasets.store import DatumReader
from edgeage.networkinput import NetworkInput
from edgeage.outputs import Output
from edgeage.training.joint.faces import read_faces
from edgeage.training.joint.resized import Resized
from edgeage.training.zoo.recipe import ZooRecipe
from edgeage.training.zoo.trainer import ZooTrainer
from edgeage.zoo.backend import open_keras
from edgeage.zoo.heads import HEADS
from edgeage.zoo.network import ZooNetwork

RECIPE = ZooRecipe(4, batch_size=8, learning_rate=0.01, validation=0.3)


@pytest.fixture
def zoo_recipe():
    """Four epochs of three iterations."""
    return RECIPE


@pytest.fixture(scope="session")
def small_network():
    """A function from a head's name to a network of 8×8 with dropout and batch normalisation."""
    keras = open_keras()

    def make(head="years"):
        keras.utils.set_random_seed(7)
        picture = keras.Input((8, 8, 3))
        here = keras.layers.Conv2D(6, 3, strides=2, use_bias=False)(picture)
        here = keras.layers.BatchNormalization(momentum=0.5)(here)
        here = keras.layers.Flatten()(keras.layers.ReLU()(here))
        here = keras.layers.Dropout(0.3)(here)
        if head == "one number":
            ends = [keras.layers.Dense(1, name="age")(here)]
            outputs = (Output("age", "age", "years"),)
        else:
            ends, outputs = HEADS[head](here)
        takes = NetworkInput("RGB", pixel_range=(-1, 1))
        return ZooNetwork("small", keras.Model(picture, ends), takes, outputs)

    return make


@pytest.fixture
def zoo_trainer(joint_data, small_network, tmp_path):
    """A function that makes a trainer of a small network; its files are in ``out``."""
    with DatumReader(joint_data / "age_train_lmdb") as reader:

        def make(recipe=RECIPE, head="years", out=tmp_path, fold=None):
            network = small_network(head)
            sides = [
                Resized(network.spec, network.takes, mirror=mirror) for mirror in (True, False)
            ]
            faces = read_faces(joint_data, reader, *sides, recipe, fold=fold)
            out.mkdir(exist_ok=True)
            files = {"state": out / "state.npz", "best": out / "best.keras"}
            return ZooTrainer(network, recipe, *faces, **files)

        yield make
