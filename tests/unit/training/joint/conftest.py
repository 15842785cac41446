"""A joint network small enough to train in a test, and faces to train it on."""

import pytest

from edgeage.caffe import parse_net
from edgeage.datasets.store import DatumReader
from edgeage.training.joint.faces import read_faces
from edgeage.training.joint.network import JointNetwork
from edgeage.training.joint.recipe import JointRecipe
from edgeage.training.joint.trainer import JointTrainer
from edgeage.training.transform import Transform

NET = """
name: "small"
layer { name: "data" type: "Data" top: "data" top: "label"
  transform_param { mirror: true mean_value: 90 scale: 0.02 }
  data_param { source: "x" batch_size: 4 } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  convolution_param { num_output: 4 kernel_size: 3 stride: 2
    weight_filler { type: "msra" } bias_filler { type: "constant" } } }
layer { name: "fc7" type: "InnerProduct" bottom: "conv1" top: "fc7"
  inner_product_param { num_output: 16 weight_filler { type: "msra" } } }
layer { name: "relu7" type: "ReLU" bottom: "fc7" top: "fc7" }
layer { name: "drop7" type: "Dropout" bottom: "fc7" top: "fc7" }
layer { name: "fc8" type: "InnerProduct" bottom: "fc7" top: "fc8"
  inner_product_param { num_output: 9 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fc8" bottom: "label" top: "loss" }
"""

RECIPE = JointRecipe(
    12, batch_size=8, warmup=2, learning_rate=1e-3, validation=0.3, race_weights={"asian": 3.0}
).changed(["augment.shift=0.1", "augment.blur=1"])


@pytest.fixture
def recipe():
    """The recipe the small trainings follow."""
    return RECIPE


@pytest.fixture
def joint_net():
    """The small network's prototxt."""
    return NET


@pytest.fixture
def joint_faces(joint_data):
    """A function from a recipe to the faces to train on and to validate with."""
    with DatumReader(joint_data / "age_train_lmdb") as reader:
        layer = parse_net(NET).layer[0]
        sides = [
            Transform(layer.transform_param, reader.shape, training, joint_data)
            for training in (True, False)
        ]
        yield lambda recipe=RECIPE: read_faces(joint_data, reader, *sides, recipe)


@pytest.fixture
def joint_trainer(joint_faces, tmp_path):
    """A function that makes a trainer; its checkpoint is ``tmp_path / "state.npz"``."""

    def make(recipe=RECIPE, state=None, every=4, **settings):
        network = JointNetwork(parse_net(NET), (3, 16, 16), seed=recipe.seed)
        state = state or tmp_path / "state.npz"
        return JointTrainer(network, recipe, *joint_faces(recipe), state, every=every, **settings)

    return make
