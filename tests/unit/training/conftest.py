"""A network small enough to train in a test, and an LMDB to train it on."""

import numpy as np
import pytest

from edgeage.caffe import parse_net, parse_solver, write_mean
from edgeage.datasets.records import FaceRecord, SplitRecord, write_records
from edgeage.datasets.store import DatumReader, DatumWriter
from edgeage.training.data import BatchSource
from edgeage.training.trainer import TorchTrainer

TINY_NET = """
name: "tiny"
layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TRAIN }
  transform_param { mirror: true crop_size: 15 mean_file: "mean.binaryproto" }
  data_param { source: "train_lmdb" batch_size: 8 backend: LMDB } }
layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TEST }
  transform_param { crop_size: 15 mean_file: "mean.binaryproto" }
  data_param { source: "test_lmdb" batch_size: 7 backend: LMDB } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  param { lr_mult: 1 decay_mult: 1 } param { lr_mult: 2 decay_mult: 0 }
  convolution_param { num_output: 6 kernel_size: 3 stride: 2
    weight_filler { type: "gaussian" std: 0.02 } bias_filler { type: "constant" } } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1"
  pooling_param { pool: MAX kernel_size: 3 stride: 2 } }
layer { name: "norm1" type: "LRN" bottom: "pool1" top: "norm1"
  lrn_param { local_size: 3 alpha: 0.001 beta: 0.75 } }
layer { name: "fc2" type: "InnerProduct" bottom: "norm1" top: "fc2"
  inner_product_param { num_output: 10 weight_filler { type: "xavier" } } }
layer { name: "relu2" type: "ReLU" bottom: "fc2" top: "fc2" }
layer { name: "drop2" type: "Dropout" bottom: "fc2" top: "fc2"
  dropout_param { dropout_ratio: 0.5 } }
layer { name: "fc3" type: "InnerProduct" bottom: "fc2" top: "fc3"
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "accuracy" type: "Accuracy" bottom: "fc3" bottom: "label" top: "accuracy"
  include { phase: TEST } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fc3" bottom: "label" top: "loss" }
"""

TINY_SOLVER = """
net: "tiny" base_lr: 0.01 lr_policy: "step" gamma: 0.5 stepsize: 7 momentum: 0.9
weight_decay: 0.0005 max_iter: 20 snapshot: 5 test_interval: 10 test_initialization: false
random_seed: 7
"""


@pytest.fixture
def tiny_net():
    """The tiny network's prototxt."""
    return TINY_NET


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory):
    """A folder with train_lmdb (30 pictures of 17×17, 3 classes), test_lmdb (10) and a mean."""
    folder = tmp_path_factory.mktemp("tiny")
    random = np.random.default_rng(0)
    for name, count in (("train", 30), ("test", 10)):
        with DatumWriter(folder / f"{name}_lmdb") as writer:
            for index in range(count):
                label = index % 3
                pixels = random.integers(0, 120, (3, 17, 17), dtype=np.uint8)
                pixels[label] += 100
                writer.put(f"{index}.jpg", pixels, label)
    write_mean(folder / "mean.binaryproto", np.full((3, 17, 17), 90, np.float32))
    return folder


@pytest.fixture
def tiny_trainer(tiny_data, tmp_path):
    """A function that makes a trainer of the tiny net; keywords change solver fields."""
    readers = {name: DatumReader(tiny_data / f"{name}_lmdb") for name in ("train", "test")}

    def make(out=None, net=TINY_NET, precision="fp32", reporters=(), **solver):
        param = parse_net(net)
        sources = []
        for name, layer in zip(("train", "test"), param.layer[:2], strict=True):
            sources.append(
                BatchSource(layer, readers[name], tiny_data, training=name == "train", seed=7)
            )
        target = out or tmp_path / "out"
        target.mkdir(exist_ok=True)
        settings = parse_solver(TINY_SOLVER)
        for field, value in solver.items():
            setattr(settings, field, value)
        return TorchTrainer("tiny", target, settings, param, *sources, precision, reporters)

    yield make
    for reader in readers.values():
        reader.close()


@pytest.fixture(scope="session")
def joint_data(tmp_path_factory):
    """A folder with 40 training faces of 16×16 in an LMDB, and their records."""
    folder = tmp_path_factory.mktemp("joint")
    random = np.random.default_rng(0)
    items = []
    with DatumWriter(folder / "age_train_lmdb") as writer:
        for number in range(40):
            age, gender = (number * 7) % 90, number % 2
            face = FaceRecord(
                f"{number:02d}_a.jpg", age, gender, ("white", "asian")[number % 5 == 0]
            )
            # Two faces a group, the groups of near-duplicates.
            items.append(SplitRecord(face, "train", number // 2 if number < 10 else None))
            pixels = random.integers(0, 60, (3, 16, 16), dtype=np.uint8)
            pixels[gender] += 120
            pixels += np.uint8(age // 2)
            writer.put(face.name, pixels, face.age_group)
    write_records(folder / "records.csv", items)
    return folder
