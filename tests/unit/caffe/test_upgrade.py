"""Older syntax reads as the modern one."""

import pytest

from edgeage.caffe import parse_net, parse_solver
from edgeage.caffe.netfields import NET_MESSAGES
from edgeage.errors import ModelError

OLD = """
name: "old"
layers {
  name: "data" type: DATA top: "data" top: "label" include { phase: TRAIN }
  data_param {
    source: "db" backend: LMDB batch_size: 50 scale: 0.5 mean_file: "m" crop_size: 227 mirror: true
  }
}
layers {
  name: "conv1" type: CONVOLUTION bottom: "data" top: "conv1"
  blobs_lr: 1 blobs_lr: 2 weight_decay: 1 weight_decay: 0
  convolution_param { num_output: 96 kernel_size: 7 stride: 4 weight_filler { std: 0.01 } }
}
layers { name: "relu1" type: RELU bottom: "conv1" top: "conv1" }
layers {
  name: "pool1" type: POOLING bottom: "conv1" top: "pool1"
  pooling_param { pool: MAX kernel_size: 3 stride: 2 }
}
layers { name: "norm1" type: LRN bottom: "pool1" top: "norm1" lrn_param { alpha: 0.0001 } }
layers {
  name: "fc6" type: INNER_PRODUCT bottom: "norm1" top: "fc6" param: "w" param: "b"
  blob_share_mode: PERMISSIVE inner_product_param { num_output: 9 }
}
layers { name: "drop6" type: DROPOUT bottom: "fc6" top: "fc6" dropout_param { dropout_ratio: 0.5 } }
layers { name: "loss" type: SOFTMAX_LOSS bottom: "fc6" bottom: "label" top: "loss" loss_weight: 1 }
layers { name: "acc" type: ACCURACY bottom: "fc6" bottom: "label" exclude { phase: TRAIN } }
"""

MODERN = """
name: "old"
layer {
  name: "data" type: "Data" top: "data" top: "label" include { phase: TRAIN }
  transform_param { scale: 0.5 mean_file: "m" crop_size: 227 mirror: true }
  data_param { source: "db" backend: LMDB batch_size: 50 }
}
layer {
  name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  param { lr_mult: 1 decay_mult: 1 } param { lr_mult: 2 decay_mult: 0 }
  convolution_param { num_output: 96 kernel_size: 7 stride: 4 weight_filler { std: 0.01 } }
}
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer {
  name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1"
  pooling_param { pool: MAX kernel_size: 3 stride: 2 }
}
layer { name: "norm1" type: "LRN" bottom: "pool1" top: "norm1" lrn_param { alpha: 0.0001 } }
layer {
  name: "fc6" type: "InnerProduct" bottom: "norm1" top: "fc6"
  param { name: "w" share_mode: PERMISSIVE } param { name: "b" }
  inner_product_param { num_output: 9 }
}
layer {
  name: "drop6" type: "Dropout" bottom: "fc6" top: "fc6" dropout_param { dropout_ratio: 0.5 }
}
layer {
  name: "loss" type: "SoftmaxWithLoss" bottom: "fc6" bottom: "label" top: "loss" loss_weight: 1
}
layer { name: "acc" type: "Accuracy" bottom: "fc6" bottom: "label" exclude { phase: TRAIN } }
"""

INPUT_LAYER = """
layer {
  name: "input" type: "Input" top: "data"
  input_param { shape { dim: 10 dim: 3 dim: 227 dim: 227 } }
}
layer { name: "relu" type: "ReLU" bottom: "data" top: "data" }
"""
RELU = 'layer { name: "relu" type: "ReLU" bottom: "data" top: "data" }'

# The names of upgrade_proto.cpp's UpgradeV1LayerType.
TYPE_NAMES = (
    "AbsVal Accuracy ArgMax BNLL Concat ContrastiveLoss Convolution Data Deconvolution Dropout "
    "DummyData Eltwise EuclideanLoss Exp Flatten HDF5Data HDF5Output HingeLoss Im2col ImageData "
    "InfogainLoss InnerProduct LRN MVN MemoryData MultinomialLogisticLoss Pooling Power ReLU "
    "Sigmoid SigmoidCrossEntropyLoss Silence Slice Softmax SoftmaxWithLoss Split TanH Threshold "
    "WindowData"
)


def test_the_older_syntax_reads_as_the_modern_one():
    assert parse_net(OLD) == parse_net(MODERN)


def test_modern_syntax_is_left_as_it_is():
    assert not parse_net(MODERN).layers
    assert [layer.name for layer in parse_net(MODERN).layer][:2] == ["data", "conv1"]


def test_every_older_type_gets_its_modern_name():
    words = NET_MESSAGES["V1LayerParameter"][1]["LayerType"].split()
    found = [parse_net(f"layers {{ type: {word} }}").layer[0].type for word in words[1:]]
    assert sorted(found) == TYPE_NAMES.split()


@pytest.mark.parametrize(
    "fields",
    [
        'input: "data" input_dim: 10 input_dim: 3 input_dim: 227 input_dim: 227',
        'input: "data" input_shape { dim: 10 dim: 3 dim: 227 dim: 227 }',
    ],
    ids=["input_dim", "input_shape"],
)
def test_deprecated_inputs_become_an_input_layer(fields):
    assert parse_net(f"{fields}\n{RELU}") == parse_net(INPUT_LAYER)


def test_two_deprecated_inputs_keep_their_order_and_shapes():
    layer = parse_net(
        'input: "a" input_dim: 1 input_dim: 2 input_dim: 3 input_dim: 4 '
        'input: "b" input_dim: 5 input_dim: 6 input_dim: 7 input_dim: 8'
    ).layer[0]
    assert list(layer.top) == ["a", "b"]
    assert [list(s.dim) for s in layer.input_param.shape] == [[1, 2, 3, 4], [5, 6, 7, 8]]


def test_batch_norm_statistics_are_never_trained():
    layer = parse_net('layer { type: "BatchNorm" param {} param {} param { lr_mult: 1 } }').layer[0]
    assert [(spec.lr_mult, spec.decay_mult) for spec in layer.param] == [(0, 0)] * 3


REFUSED = {
    "both syntaxes": ('layers { type: RELU } layer { type: "ReLU" }', "mixes «layers»"),
    "no type": ('layers { name: "x" }', "layer «x» has no type"),
    "three input_dim": (
        'input: "a" input_dim: 1 input_dim: 3 input_dim: 9',
        "expected 4 input_dim for each of 1 inputs",
    ),
    "dims without input": ("input_dim: 1", "expected 4 input_dim for each of 0 inputs"),
    "too many shapes": (
        'input: "a" input_shape { dim: 1 } input_shape { dim: 1 }',
        "expected one shape an input, found 2",
    ),
}


@pytest.mark.parametrize(("text", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_upgraded_is_refused(text, message):
    with pytest.raises(ModelError, match=message):
        parse_net(text)


@pytest.mark.parametrize(
    ("old", "modern"),
    [
        ("SGD", "SGD"),
        ("NESTEROV", "Nesterov"),
        ("ADAGRAD", "AdaGrad"),
        ("RMSPROP", "RMSProp"),
        ("ADADELTA", "AdaDelta"),
        ("ADAM", "Adam"),
    ],
)
def test_a_solvers_older_type_becomes_the_modern_one(old, modern):
    assert parse_solver(f"solver_type: {old}") == parse_solver(f'type: "{modern}"')


def test_a_solver_with_both_types_is_refused():
    with pytest.raises(ModelError, match="both «solver_type» and «type»"):
        parse_solver('solver_type: SGD type: "Adam"')


def test_a_network_inside_a_solver_is_upgraded():
    text = "net_param { layers { type: RELU } } test_net_param { layers { type: TANH } }"
    solver = parse_solver(text)
    assert solver.net_param.layer[0].type == "ReLU"
    assert solver.test_net_param[0].layer[0].type == "TanH"
