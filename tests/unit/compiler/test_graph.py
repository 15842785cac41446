"""The graph around the layers: input, mean, scale, names, and what does not fit together."""

from __future__ import annotations

import numpy as np
import pytest

from edgeage import caffe
from edgeage.compiler.graph import build_graph
from edgeage.errors import ModelError

IDENTITY = 'layer { name: "out" type: "ReLU" bottom: "data" top: "out" } '
CONV = (
    'layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" '
    "convolution_param { num_output: 2 kernel_size: 3 } } "
    'layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" } '
    'layer { name: "out" type: "Softmax" bottom: "conv" top: "out" } '
)
WEIGHTS = {"conv": [np.full((2, 3, 3, 3), 0.01, np.float32), np.zeros(2, np.float32)]}


def pixels(hw: tuple[int, int] = (9, 12)) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (1, 3, *hw), dtype=np.uint8)


def test_subtracts_the_centre_of_a_larger_mean_then_scales(write_net, graph_answer):
    mean = np.random.default_rng(1).uniform(0, 255, (3, 12, 13)).astype(np.float32)
    found = graph_answer(*write_net(IDENTITY, {}), pixels(), mean=mean, scale=0.5)
    # Caffe's offset is (side − crop) // 2: 1 of 3 rows, 0 of 1 column.
    expected = np.maximum((pixels() - mean[None, :, 1:10, 0:12]) * 0.5, 0)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_subtracts_one_value_a_channel_in_bgr_order(write_net, graph_answer):
    mean = np.array([10, 100, 200], np.float32)
    found = graph_answer(*write_net(IDENTITY, {}), pixels(), mean=mean)
    np.testing.assert_array_equal(found, np.maximum(pixels() - mean[None, :, None, None], 0))


def test_takes_bytes_and_carries_caffes_names(write_net):
    graph = _build(write_net(CONV, WEIGHTS), mean=np.zeros(3, np.float32))
    assert graph.input("data").get_element_type().to_string() == "u8"
    assert list(graph.input("data").get_shape()) == [1, 3, 9, 12]
    assert list(graph.output("out").get_shape()) == [1, 2, 7, 10]
    names = {node.get_friendly_name() for node in graph.get_ordered_ops()}
    assert {"data", "mean", "conv", "relu", "out", "conv/weights", "conv/bias"} <= names


@pytest.mark.parametrize(("half", "kind"), [(False, "f32"), (True, "f16")])
def test_half_stores_weights_in_half_and_the_mean_never(half, kind, write_net):
    graph = _build(write_net(CONV, WEIGHTS), mean=np.zeros(3, np.float32), half=half)
    kinds = {
        node.get_friendly_name(): node.get_element_type().to_string()
        for node in graph.get_ordered_ops()
    }
    assert (kinds["conv/weights"], kinds["conv/bias"], kinds["mean"]) == (kind, kind, "f32")


def test_can_be_reshaped_to_another_batch(write_net):
    graph = _build(write_net(CONV, WEIGHTS))
    graph.reshape([5, 3, 9, 12])
    assert list(graph.output(0).get_shape()) == [5, 2, 7, 10]


@pytest.mark.parametrize(
    ("weights", "reason"),
    [
        ({}, "holds 0 arrays, expected at least 1"),
        ({"conv": WEIGHTS["conv"][:1]}, "holds 1 arrays, expected at least 2"),
        (
            {"conv": [np.zeros((2, 3, 5, 5), np.float32), np.zeros(2, np.float32)]},
            "array 0 has shape (2, 3, 5, 5), expected (2, 3, 3, 3)",
        ),
        (
            {"conv": [np.full((2, 3, 3, 3), np.nan, np.float32), np.zeros(2, np.float32)]},
            "not a finite number",
        ),
    ],
    ids=["no weights", "no bias", "another kernel", "NaN"],
)
def test_refuses_weights_that_do_not_fit(weights, reason, write_net):
    net = caffe.read_net(write_net(CONV, {})[0])
    with pytest.raises(ModelError) as caught:
        build_graph(net, weights, output_name="out")
    assert "layer «conv»" in str(caught.value)
    assert reason in str(caught.value)


def test_a_weight_beyond_half_precision_is_refused_in_half_only(write_net):
    weights = {"conv": [np.full((2, 3, 3, 3), 7e4, np.float32), np.zeros(2, np.float32)]}
    paths = write_net(CONV, weights)
    with pytest.raises(ModelError, match=r"70000, beyond half precision's 65504.*FP32"):
        _build(paths, half=True)
    _build(paths, half=False)


DATA = 'layer { name: "d2" type: "Input" top: "d2" input_param { shape { dim: 1 } } } '
BROKEN = {
    "two inputs": (IDENTITY + DATA, "has 2 Input layers, expected one"),
    "unknown bottom": (IDENTITY.replace('"data"', '"dat"'), "bottoms ['dat']"),
    "no such output": (IDENTITY.replace('"out"', '"prob"'), "no blob «out»"),
    "no bottom": (IDENTITY.replace('bottom: "data"', ""), "bottoms []"),
}


@pytest.mark.parametrize(("layers", "reason"), BROKEN.values(), ids=BROKEN)
def test_refuses_a_network_that_does_not_hang_together(layers, reason, write_net):
    net = caffe.read_net(write_net(layers, {})[0])
    with pytest.raises(ModelError) as caught:
        build_graph(net, {}, output_name="out")
    assert reason in str(caught.value)


def test_what_openvino_finds_wrong_names_the_layer(write_net):
    layers = CONV + 'layer { name: "join" type: "Concat" bottom: "data" bottom: "conv" top: "j" } '
    with pytest.raises(ModelError, match="cannot build layer «join»"):
        _build(write_net(layers, WEIGHTS))


def test_a_grey_input_is_refused(write_net, tmp_path):
    text = write_net(IDENTITY, {})[0].read_text().replace("dim: 3", "dim: 1")
    with pytest.raises(ModelError, match=r"shape \(1, 1, 9, 12\), expected \(batch, 3, height"):
        build_graph(caffe.parse_net(text), {}, output_name="out")


def _build(paths, **options):
    weights = caffe.read_weights(paths[1])
    return build_graph(caffe.read_net(paths[0]), weights, output_name="out", **options)
