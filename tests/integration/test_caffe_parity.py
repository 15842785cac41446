"""The torch engine is Caffe: the same losses, gradients, weights and scores as real Caffe's.

Both start from the same weights and read the same LMDBs of made-up pictures, in their order.
What draws random numbers is off, because the two draw from different generators: no mirror, no
random crop, and dropout with ratio 0 (which keeps every value and scales by 1, in both).
"""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from caffe_race import ASKED_TWICE, Starter, write_data

from edgeage.caffe import parse_net, parse_solver, read_net, read_solver
from edgeage.caffe.solverstate import read_solverstate
from edgeage.paths import data_dir
from edgeage.training.schedule import learning_rate

STEPS = 50
FIRST_STEP, CURVE = 1e-4, 1e-3

# ---- AgeNet and GenderNet at their full size

FULL = {"agenet": ("age_", 9), "gendernet": ("gender_", 2)}


def _full_size(name, folder, toolchain, steps):
    prefix, classes = FULL[name]
    data = folder / "data"
    data.mkdir()
    write_data(data, prefix, 227, classes, (12, 7))
    net = read_net(data_dir("prototxt") / f"{name}_train_test.prototxt")
    for layer in net.layer:
        if layer.type == "Data":
            layer.transform_param.mirror = False
            layer.data_param.batch_size = 2
        if layer.type == "Dropout":
            layer.dropout_param.dropout_ratio = 0
    solver = read_solver(data_dir("prototxt") / f"{name}_solver.prototxt")
    # At 0.001 two pictures a batch throw the weights about until rounding grows past 1e-3.
    solver.base_lr = 0.0001
    starter = Starter(folder, toolchain)
    starter.add(name, net, solver, data, steps)
    return starter.go()[name]


def _check_first_step(race):
    assert race.worst("grad/")[0] < FIRST_STEP, race.worst("grad/")
    assert len([name for name in race.caffe if name.startswith("grad/")]) == 12
    np.testing.assert_allclose(race.torch["losses"][0], race.caffe["losses"][0], rtol=FIRST_STEP)
    for name in ("pool1", "norm1", "pool2", "norm2", "pool3", "fc6", "fc7", "fc8"):
        assert race.error(f"train/{name}") < FIRST_STEP, name


@pytest.mark.parametrize("name", FULL)
def test_the_first_step_and_the_test_phase_agree(name, tmp_path, toolchain):
    race = _full_size(name, tmp_path, toolchain, steps=2)
    _check_first_step(race)
    np.testing.assert_allclose(race.torch["score"][0], race.caffe["score"][0], rtol=FIRST_STEP)
    np.testing.assert_allclose(race.torch["score"][1], race.caffe["score"][1], rtol=1e-6)
    np.testing.assert_allclose(race.torch["losses"], race.caffe["losses"], rtol=CURVE)


@pytest.mark.heavy
@pytest.mark.parametrize("name", FULL)
def test_fifty_steps_agree(name, tmp_path, toolchain):
    race = _full_size(name, tmp_path, toolchain, steps=STEPS)
    _check_first_step(race)
    assert len(race.caffe["losses"]) == STEPS
    # It moves, by much more than the tolerance: equal losses of a net that learns nothing would
    # prove little.
    assert np.ptp(race.caffe["losses"]) > 0.05
    np.testing.assert_allclose(race.torch["losses"], race.caffe["losses"], rtol=CURVE)


# ---- small networks, one for each thing a prototxt can say

_SMALL = """
name: "small"
layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TRAIN }
  transform_param { mean_file: "mean.binaryproto" }
  data_param { source: "train_lmdb" batch_size: 5 } }
layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TEST }
  transform_param { mean_file: "mean.binaryproto" }
  data_param { source: "test_lmdb" batch_size: 4 } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  param { lr_mult: 1 decay_mult: 1 } BIAS
  convolution_param { num_output: 6 CONV
    weight_filler { type: "gaussian" std: 0.02 } bias_filler { type: "constant" value: 0.1 } } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" RELU }
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1" pooling_param { POOL } }
MORE
layer { name: "fc2" type: "InnerProduct" bottom: "pool1" top: "fc2" FC2
  inner_product_param { num_output: 10 weight_filler { type: "xavier" } IP } }
layer { name: "relu2" type: "ReLU" bottom: "fc2" top: "fc2" }
layer { name: "drop2" type: "Dropout" bottom: "fc2" top: "fc2"
  dropout_param { dropout_ratio: 0 } }
layer { name: "fc3" type: "InnerProduct" bottom: "fc2" top: "fc3"
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "accuracy" type: "Accuracy" bottom: "fc3" bottom: "label" top: "accuracy"
  include { phase: TEST } ACCURACY }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fc3" bottom: "label" top: "loss" LOSS }
"""
_PARTS = {
    "CONV": "kernel_size: 3 stride: 2",
    "BIAS": "param { lr_mult: 2 decay_mult: 0 }",
    "POOL": "pool: MAX kernel_size: 3 stride: 2",
    "RELU": "", "MORE": "", "FC2": "", "IP": "", "ACCURACY": "", "LOSS": "",
}  # fmt: skip
_SOLVER = 'base_lr: 0.0005 lr_policy: "fixed" momentum: 0.9 weight_decay: 0.005 '
_LRN = """layer { name: "norm1" type: "LRN" bottom: "pool1" top: "norm1" lrn_param { %s } }
layer { name: "conv2" type: "Convolution" bottom: "norm1" top: "conv2"
  convolution_param { num_output: 4 kernel_size: 1 weight_filler { type: "xavier" } } }"""


def _policy(text):
    return {"solver": f"{_SOLVER.replace('fixed', text.split()[0])} {' '.join(text.split()[1:])}"}


CASES = {
    # so fast that the loss of single pictures runs into its limit, -log(FLT_MIN)
    "loss at its limit": {"solver": _SOLVER.replace("0.0005", "0.002")},
    # learning-rate policies
    "fixed": {},
    "step": _policy("step gamma:0.5 stepsize:7"),
    "exp": _policy("exp gamma:0.95"),
    "inv": _policy("inv gamma:0.1 power:0.75"),
    "multistep": _policy("multistep gamma:0.5 stepvalue:3 stepvalue:9 stepvalue:10"),
    "multistep twice at once": _policy("multistep gamma:0.5 stepvalue:5 stepvalue:5"),
    "multistep unsorted": _policy("multistep gamma:0.5 stepvalue:9 stepvalue:4"),
    "poly": _policy("poly power:1.5 max_iter:60"),
    "sigmoid": _policy("sigmoid gamma:0.3 stepsize:10"),
    # the update
    "no momentum": {"solver": 'base_lr: 0.0005 lr_policy: "fixed" weight_decay: 0.005'},
    "no decay": {"solver": 'base_lr: 0.0005 lr_policy: "fixed" momentum: 0.9'},
    "L1": {"solver": _SOLVER + 'regularization_type: "L1"'},
    "iter_size": {"solver": _SOLVER + "iter_size: 3"},
    "clipped": {"solver": _SOLVER + "clip_gradients: 0.5"},
    "clipped iter_size": {"solver": _SOLVER + "clip_gradients: 0.5 iter_size: 2"},
    "multipliers": {"FC2": "param { lr_mult: 3 decay_mult: 10 } param { lr_mult: 0.5 }"},
    "frozen": {"FC2": "param { lr_mult: 0 } param { lr_mult: 0 decay_mult: 0 }"},
    "frozen clipped": {
        "FC2": "param { lr_mult: 0 } param { lr_mult: 0 decay_mult: 0 }",
        "solver": _SOLVER + "clip_gradients: 0.5",
    },
    # layers
    "pool ceil": {"POOL": "pool: MAX kernel_size: 2 stride: 2"},
    "pool padded": {"POOL": "pool: MAX kernel_size: 3 stride: 2 pad: 1"},
    "pool average": {"POOL": "pool: AVE kernel_size: 3 stride: 2"},
    "pool average hangs over": {"POOL": "pool: AVE kernel_size: 3 stride: 3 pad: 1"},
    "pool sides": {"POOL": "pool: MAX kernel_h: 3 kernel_w: 2 stride_h: 2 stride_w: 3"},
    "pool global": {"POOL": "pool: AVE global_pooling: true"},
    "conv grouped": {
        "MORE": 'layer { name: "conv2" type: "Convolution" bottom: "pool1" top: "conv2" '
        "convolution_param { num_output: 4 kernel_size: 3 pad: 1 group: 2 "
        'weight_filler { type: "xavier" } } }'
    },
    "conv dilated": {"CONV": "kernel_size: 3 dilation: 2 pad: 1"},
    "conv sides": {"CONV": "kernel_h: 5 kernel_w: 3 stride_h: 2 stride_w: 1 pad_h: 1 pad_w: 2"},
    "no bias": {
        "BIAS": "",
        "CONV": "kernel_size: 3 stride: 2 bias_term: false",
        "IP": "bias_term: false",
    },
    "leaky": {"RELU": "relu_param { negative_slope: 0.2 }"},
    "lrn": {"MORE": _LRN % "local_size: 5 alpha: 0.0001 beta: 0.75"},
    "lrn strong": {"MORE": _LRN % "local_size: 3 alpha: 0.5 beta: 0.75 k: 2"},
    "lrn other beta": {"MORE": _LRN % "local_size: 5 alpha: 0.05 beta: 0.5"},
    # loss and scores
    "loss full": {"LOSS": "loss_param { normalization: FULL ignore_label: 1 }"},
    "loss valid": {"LOSS": "loss_param { normalization: VALID ignore_label: 1 }"},
    "loss batch": {"LOSS": "loss_param { normalization: BATCH_SIZE }"},
    "loss none": {"LOSS": "loss_weight: 0.1 loss_param { normalization: NONE }"},
    "loss old flag": {"LOSS": "loss_param { normalize: false }"},
    "loss weight": {"LOSS": "loss_weight: 0.5"},
    "top two": {"ACCURACY": "accuracy_param { top_k: 2 }"},
    # data
    "mean values": {"mean": "mean_value: 90 mean_value: 100 mean_value: 110"},
    "no mean": {"mean": "scale: 0.01"},
    "scaled": {"mean": 'mean_file: "mean.binaryproto" scale: 0.02'},
    "centre crop": {"mean": 'mean_file: "mean.binaryproto" crop_size: 14', "steps": 0},
}


def _small(case):
    text = _SMALL
    for part, default in _PARTS.items():
        text = text.replace(part, case.get(part, default))
    if "MORE" in case:
        made = re.findall(r'top: "(\w+)"', case["MORE"])[-1]
        text = text.replace(
            'type: "InnerProduct" bottom: "pool1"', f'type: "InnerProduct" bottom: "{made}"'
        )
    if "mean" in case:
        text = text.replace('mean_file: "mean.binaryproto"', case["mean"])
    return parse_net(text), parse_solver(case.get("solver", _SOLVER))


@pytest.fixture(scope="module")
def races(tmp_path_factory, toolchain):
    """Every small case, trained in both engines."""
    data = write_data(tmp_path_factory.mktemp("data"), "", 17, 3, (20, 10))
    starter = Starter(tmp_path_factory.mktemp("small"), toolchain)
    threads = torch.get_num_threads()
    # So small that several threads only wait for one another.
    torch.set_num_threads(1)
    try:
        for name, case in CASES.items():
            starter.add(name, *_small(case), data, case.get("steps", 20))
    finally:
        torch.set_num_threads(threads)
    return starter.go(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1")


@pytest.mark.parametrize("name", CASES)
def test_small_networks_agree(name, races):
    race = races[name]
    np.testing.assert_allclose(race.torch["score"], race.caffe["score"], rtol=FIRST_STEP)
    if not CASES[name].get("steps", 20):
        return
    assert race.worst("grad/")[0] < FIRST_STEP, race.worst("grad/")
    np.testing.assert_allclose(race.torch["losses"][0], race.caffe["losses"][0], rtol=FIRST_STEP)
    np.testing.assert_allclose(race.torch["losses"], race.caffe["losses"], rtol=CURVE)
    assert race.worst("end/")[0] < CURVE, race.worst("end/")


@pytest.mark.parametrize("name", [name for name in CASES if CASES[name].get("steps", 20)])
def test_learning_rates_and_solver_states_agree(name, races):
    race = races[name]
    ours = [learning_rate(race.solver, number) for number in range(20)]
    if name not in ASKED_TWICE:
        np.testing.assert_allclose(ours, race.caffe["rates"], rtol=1e-6)
    torchs, caffes = (
        read_solverstate(race.folder / f"{prefix}_iter_20.solverstate")
        for prefix in (name, "theirs")
    )
    assert (torchs.iter, torchs.current_step) == (caffes.iter, caffes.current_step)
    assert len(torchs.history) == len(caffes.history)
    for left, right in zip(torchs.history, caffes.history, strict=True):
        assert left.shape == right.shape
        np.testing.assert_allclose(left, right, atol=2e-3 * max(abs(right).max(), 1e-6))
