"""Networks and solvers as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeage.caffe import format_message, parse_net, parse_solver, read_net, read_solver
from edgeage.errors import ModelError

# Fields as they stand in prototxts found in the wild, beyond what AgeNet needs.
WILD = """
name: "wild"  # a comment
force_backward: true
state { phase: TEST level: 0 stage: "deploy" }
debug_info: false
layer {
  name: "conv" type: "Convolution" bottom: "data" top: "conv"
  param { name: "shared" lr_mult: 1.0 share_mode: PERMISSIVE }
  convolution_param {
    num_output: 8 kernel_h: 3 kernel_w: 5 pad_h: 1 pad_w: 2 stride_h: 1 stride_w: 2 dilation: 2
    group: 2 bias_term: false engine: CAFFE axis: 1
    weight_filler { type: "xavier" variance_norm: AVERAGE }
  }
  propagate_down: false
}
layer {
  name: "pool" type: "Pooling" bottom: "conv" top: "pool"
  pooling_param { pool: AVE global_pooling: true engine: CUDNN round_mode: FLOOR }
}
layer { name: "bn" type: "BatchNorm" batch_norm_param { use_global_stats: true eps: 1e-3 } }
layer { name: "scale" type: "Scale" scale_param { bias_term: true filler { value: 1 } } }
layer { name: "prelu" type: "PReLU" prelu_param { channel_shared: true } }
layer { name: "sum" type: "Eltwise" eltwise_param { operation: SUM coeff: 1 coeff: -1 } }
layer { name: "cat" type: "Concat" concat_param { axis: 1 } }
layer { name: "flat" type: "Flatten" flatten_param { axis: 1 end_axis: -1 } }
layer { name: "resh" type: "Reshape" reshape_param { shape { dim: 0 dim: -1 } } }
layer {
  name: "loss" type: "SoftmaxWithLoss" loss_weight: 0.3 loss_param { ignore_label: 9 }
  softmax_param { engine: CAFFE axis: 1 }
}
"""

SOLVER = """
train_net: "train.prototxt" test_net: "a.prototxt" test_net: "b.prototxt"
test_iter: 14 test_iter: 7 test_interval: 500 test_initialization: false test_compute_loss: true
base_lr: 0.01 lr_policy: "multistep" gamma: 0.5 stepvalue: 100 stepvalue: 200 max_iter: 300
momentum: 0.9 momentum2: 0.99 delta: 1e-6 rms_decay: 0.98 weight_decay: 5e-4
regularization_type: "L1" clip_gradients: 10 iter_size: 2 average_loss: 40 display: 20
snapshot: 100 snapshot_prefix: "x/y" snapshot_diff: false snapshot_after_train: true
snapshot_format: BINARYPROTO solver_mode: GPU device_id: 0 random_seed: 1701 debug_info: false
type: "RMSProp" layer_wise_reduce: false weights: "start.caffemodel"
test_state { stage: "extra" } train_state { level: 1 }
"""

# text, where and what the error says
MISTAKES = {
    "misspelt field": (
        'layer {\n  nme: "x"\n}',
        "f:2:3: unknown field «nme» in LayerParameter; did you mean «name»?",
    ),
    "nested misspelling": (
        "layer { convolution_param {\n    kernel: 3 } }",
        "f:2:5: unknown field «kernel» in ConvolutionParameter",
    ),
    "wrong type": ("layer { name: 3 }", "f:1:15: Expected string but found: '3'"),
    "negative size": ("layer { convolution_param { pad: -1 } }", "f:1:34: Value out of range: -1"),
    "open brace": ('name: "a"\nlayer {', 'f:2:7: Expected "}"'),
    "unknown enum": (
        "layer { include { phase: DEPLOY } }",
        'f:1:26: Enum type "Phase" has no value named DEPLOY',
    ),
    "twice": ('name: "a" name: "b"', 'f:1:17: Message type "NetParameter" should not have multi'),
    "not a number": ("layer { loss_weight: high }", "f:1:22: Couldn't parse float: high"),
    "a backslash": (r'name: "C:\nets"  name: "\d"', "invalid escape sequence '\\d'"),
    "not utf-8": (r'name: "\377"', "f:1:13: Couldn't parse string"),
    "xml": ("<net/>", "f:1:1: Expected identifier or number, got <"),
}


def test_real_world_fields_survive_a_round_trip():
    net = parse_net(WILD)
    assert parse_net(format_message(net)) == net
    conv = net.layer[0].convolution_param
    assert (conv.kernel_h, conv.kernel_w, list(conv.dilation)) == (3, 5, [2])
    assert net.layer[1].pooling_param.global_pooling
    assert list(net.layer[8].reshape_param.shape.dim) == [0, -1]


def test_every_solver_field_survives_a_round_trip():
    solver = parse_solver(SOLVER)
    assert parse_solver(format_message(solver)) == solver
    assert (list(solver.test_iter), list(solver.stepvalue)) == ([14, 7], [100, 200])
    assert (solver.lr_policy, solver.iter_size, solver.random_seed) == ("multistep", 2, 1701)
    assert solver.test_state[0].stage == ["extra"]


def test_floats_are_written_as_short_as_they_read():
    assert format_message(parse_solver("weight_decay: 0.0005")) == "weight_decay: 0.0005\n"


@pytest.mark.parametrize(("text", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_named_with_its_place(text, message):
    with pytest.raises(ModelError) as caught:
        parse_net(text, source="f")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_solvers_mistake_is_named_too():
    with pytest.raises(
        ModelError, match=r"^solver:1:1: unknown field «base_rl» in SolverParameter; did.*base_lr"
    ):
        parse_solver("base_rl: 1")


@pytest.mark.parametrize("read", [read_net, read_solver])
def test_a_file_that_cannot_be_read_is_named(read, tmp_path):
    with pytest.raises(ModelError, match=r"gone\.prototxt is missing; expected a prototxt"):
        read(tmp_path / "gone.prototxt")
    (tmp_path / "x.prototxt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ModelError, match=r"x\.prototxt is not text"):
        read(tmp_path / "x.prototxt")
    with pytest.raises(ModelError, match="cannot be read"):
        read(tmp_path)


def test_a_files_mistake_carries_its_name(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text("\n\n  wrong: 1")
    with pytest.raises(ModelError) as caught:
        read_net(str(path))
    assert str(caught.value).startswith(f"{path}:3:3: unknown field «wrong»")


def test_a_byte_order_mark_and_windows_line_ends_are_read(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_bytes(b'\xef\xbb\xbfname: "x"\r\nlayer { name: "y" }\r\n')
    assert read_net(path).layer[0].name == "y"


@given(st.text())
def test_any_text_is_a_network_or_a_model_error(only, text):
    for parse in (parse_net, parse_solver):
        with only(ModelError):
            assert parse(text).IsInitialized()


@given(st.data())
def test_a_mutated_network_is_a_network_or_a_model_error(only, data):
    at = data.draw(st.integers(0, len(WILD)))
    length = data.draw(st.integers(0, 40))
    extra = data.draw(st.text(alphabet='{}":<>[]\\#;,-.0x1eE aL\n\t\0é', max_size=8))
    with only(ModelError):
        net = parse_net(WILD[:at] + extra + WILD[at + length :])
        assert parse_net(format_message(net)) == net
