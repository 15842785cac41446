"""The messages against bytes put together by hand from the public field numbers."""

import struct
import subprocess
import sys

import pytest

from edgeage.caffe import schema
from edgeage.caffe.layerfields import LAYER_MESSAGES
from edgeage.caffe.netfields import NET_MESSAGES


def key(number: int, wire_type: int) -> bytes:
    """Return a field's key; two bytes from field 16 on."""
    value = number << 3 | wire_type
    return bytes([value]) if value < 128 else bytes([value & 127 | 128, value >> 7])


def chunk(number: int, payload: bytes) -> bytes:
    """Return a length-delimited field of fewer than 128 bytes."""
    return key(number, 2) + bytes([len(payload)]) + payload


def varint(number: int, value: int) -> bytes:
    return key(number, 0) + bytes([value])


CONVOLUTION = varint(1, 96) + varint(4, 7) + varint(6, 4) + varint(9, 2) + varint(15, 1)
LAYERS = {
    "convolution": (chunk(106, CONVOLUTION), "convolution_param", "num_output", 96),
    "pooling": (chunk(121, varint(1, 1)), "pooling_param", "pool", schema.PoolingParameter.AVE),
    "lrn": (chunk(118, varint(1, 5)), "lrn_param", "local_size", 5),
    "dropout": (
        chunk(108, key(1, 5) + struct.pack("<f", 0.25)),
        "dropout_param",
        "dropout_ratio",
        0.25,
    ),
    "inner product": (chunk(117, varint(1, 9)), "inner_product_param", "num_output", 9),
    "softmax": (chunk(125, varint(2, 1)), "softmax_param", "axis", 1),
    "data": (chunk(107, varint(8, 1)), "data_param", "backend", 1),
    "transform": (chunk(100, varint(3, 99)), "transform_param", "crop_size", 99),
    "loss": (
        chunk(101, varint(3, 2)),
        "loss_param",
        "normalization",
        schema.LossParameter.BATCH_SIZE,
    ),
}


@pytest.mark.parametrize(("wire", "param", "field", "value"), LAYERS.values(), ids=LAYERS)
def test_a_layers_parameters_are_at_their_public_numbers(wire, param, field, value):
    layer = chunk(1, b"x") + chunk(2, b"T") + chunk(3, b"in") + chunk(4, b"out") + wire
    net = schema.NetParameter.FromString(key(100, 2) + bytes([len(layer)]) + layer)
    assert [(one.name, one.type) for one in net.layer] == [("x", "T")]
    assert (list(net.layer[0].bottom), list(net.layer[0].top)) == (["in"], ["out"])
    assert getattr(getattr(net.layer[0], param), field) == value


def test_multipliers_are_at_their_public_numbers():
    spec = key(3, 5) + struct.pack("<f", 10) + key(4, 5) + struct.pack("<f", 0)
    layer = schema.LayerParameter.FromString(chunk(6, spec))
    assert (layer.param[0].lr_mult, layer.param[0].decay_mult) == (10, 0)


def numbered(text: str) -> dict[int, str]:
    return {int(pair.split("=")[1]): pair.split("=")[0] for pair in text.split()}


SOLVER_INTEGERS = numbered(
    "test_iter=3 test_interval=4 display=6 max_iter=7 stepsize=13 snapshot=14 device_id=18 "
    "random_seed=20 average_loss=33 stepvalue=34 iter_size=36"
)
SOLVER_FLOATS = numbered(
    "base_lr=5 gamma=9 power=10 momentum=11 weight_decay=12 delta=31 clip_gradients=35 "
    "rms_decay=38 momentum2=39"
)
SOLVER_TEXTS = numbered(
    "train_net=1 test_net=2 lr_policy=8 snapshot_prefix=15 net=24 regularization_type=29 type=40"
)
CONVOLUTION_INTEGERS = numbered(
    "num_output=1 pad=3 kernel_size=4 group=5 stride=6 pad_h=9 pad_w=10 kernel_h=11 kernel_w=12 "
    "stride_h=13 stride_w=14 axis=16 dilation=18"
)
POOLING_INTEGERS = numbered(
    "kernel_size=2 stride=3 pad=4 kernel_h=5 kernel_w=6 stride_h=7 stride_w=8 pad_h=9 pad_w=10"
)


def value_of(message, name):
    value = getattr(message, name)
    return value if isinstance(value, (int, float, str)) else value[0]


@pytest.mark.parametrize(
    ("message", "numbers"),
    [
        (schema.SolverParameter, SOLVER_INTEGERS),
        (schema.LayerParameter().convolution_param.__class__, CONVOLUTION_INTEGERS),
        (schema.PoolingParameter, POOLING_INTEGERS),
    ],
    ids=["solver", "convolution", "pooling"],
)
def test_integers_are_at_their_public_numbers(message, numbers):
    found = message.FromString(b"".join(varint(number, number) for number in numbers))
    assert {number: value_of(found, name) for number, name in numbers.items()} == {
        number: number for number in numbers
    }


def test_a_solvers_floats_and_texts_are_at_their_public_numbers():
    wire = b"".join(key(number, 5) + struct.pack("<f", number) for number in SOLVER_FLOATS)
    wire += b"".join(chunk(number, str(number).encode()) for number in SOLVER_TEXTS)
    found = schema.SolverParameter.FromString(wire)
    for number, name in SOLVER_FLOATS.items():
        assert getattr(found, name) == number
    for number, name in SOLVER_TEXTS.items():
        assert value_of(found, name) == str(number)


# message, enum, values in the order of their public numbers from 0
ENUMS = [
    ("PoolingParameter", "PoolMethod", "MAX AVE STOCHASTIC"),
    ("EltwiseParameter", "EltwiseOp", "PROD SUM MAX"),
    ("LossParameter", "NormalizationMode", "FULL VALID BATCH_SIZE NONE"),
    ("FillerParameter", "VarianceNorm", "FAN_IN FAN_OUT AVERAGE"),
    ("LRNParameter", "NormRegion", "ACROSS_CHANNELS WITHIN_CHANNEL"),
    ("DataParameter", "DB", "LEVELDB LMDB"),
    ("SolverParameter", "SolverMode", "CPU GPU"),
    ("SolverParameter", "SnapshotFormat", "HDF5 BINARYPROTO"),
]


@pytest.mark.parametrize(("message", "enum", "values"), ENUMS, ids=[row[1] for row in ENUMS])
def test_enums_count_as_in_the_format(message, enum, values):
    descriptor = schema.NetParameter.DESCRIPTOR.file.message_types_by_name[message]
    found = {value.number: value.name for value in descriptor.enum_types_by_name[enum].values}
    assert found == dict(enumerate(values.split()))


def test_defaults_are_caffes():
    layer, solver = schema.LayerParameter(), schema.SolverParameter()
    assert (layer.lrn_param.local_size, layer.lrn_param.alpha, layer.lrn_param.beta) == (5, 1, 0.75)
    assert layer.dropout_param.dropout_ratio == 0.5
    assert layer.eltwise_param.operation == layer.eltwise_param.SUM
    assert layer.loss_param.normalization == schema.LossParameter.VALID
    spec = layer.param.add()
    assert (spec.lr_mult, spec.decay_mult) == (1, 1)
    assert (solver.type, solver.clip_gradients, solver.iter_size) == ("SGD", -1, 1)
    assert (solver.random_seed, solver.test_initialization) == (-1, True)


def test_every_message_is_a_class_and_every_public_class_a_message():
    for name in {**LAYER_MESSAGES, **NET_MESSAGES}:
        assert schema.NetParameter.DESCRIPTOR.file.message_types_by_name[name].full_name
    for name in set(schema.__all__) - {"TRAIN", "TEST"}:
        assert getattr(schema, name).DESCRIPTOR.name == name


def test_phases_count_as_in_the_format():
    values = schema.NetParameter.DESCRIPTOR.file.enum_types_by_name["Phase"].values_by_name
    assert (values["TRAIN"].number, values["TEST"].number) == (schema.TRAIN, schema.TEST)


def test_a_real_caffe_in_the_same_process_does_not_clash():
    # A generated caffe_pb2 registers «caffe.NetParameter» in protobuf's common pool.
    program = """
import edgeage.caffe.schema
from google.protobuf import descriptor_pb2, descriptor_pool
file = descriptor_pb2.FileDescriptorProto(name="caffe.proto", package="caffe")
file.message_type.add(name="NetParameter").field.add(name="other", number=1, type=9, label=1)
descriptor_pool.Default().Add(file)
found = descriptor_pool.Default().FindMessageTypeByName("caffe.NetParameter")
assert "other" in found.fields_by_name
assert "other" not in edgeage.caffe.schema.NetParameter.DESCRIPTOR.fields_by_name
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_reading_a_npy_mean_loads_no_protobuf():
    program = """
import sys
from edgeage.caffe import check_mean, read_mean
assert "google.protobuf" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_everything_public_is_importable():
    import edgeage.caffe

    assert edgeage.caffe.__all__ == sorted(edgeage.caffe.__all__)
    for name in edgeage.caffe.__all__:
        assert getattr(edgeage.caffe, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'read_nets'"):
        _ = edgeage.caffe.read_nets
