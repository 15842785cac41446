"""Every layer type of the table against OpenCV's own Caffe importer."""

from __future__ import annotations

import numpy as np
import pytest

from edgeage import caffe
from edgeage.compiler.graph import build_graph
from edgeage.errors import UnsupportedLayerError

RNG = np.random.default_rng(3)


def normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def layer(kind: str, body: str = "", *, name: str = "out", bottom: str = "data") -> str:
    bottoms = " ".join(f'bottom: "{one}"' for one in bottom.split())
    return f'layer {{ name: "{name}" type: "{kind}" {bottoms} top: "{name}" {body} }} '


def conv(body: str, name: str = "out") -> str:
    return layer("Convolution", f"convolution_param {{ {body} }}", name=name)


def pool(body: str) -> str:
    return layer("Pooling", f"pooling_param {{ {body} }}")


CONV6 = conv("num_output: 6 kernel_size: 3", "c")
C6 = {"c": [normal(6, 3, 3, 3) / 50, normal(6)]}

CASES = {
    "conv": (conv("num_output: 4 kernel_size: 3"), {"out": [normal(4, 3, 3, 3), normal(4)]}),
    "conv without bias": (
        conv("num_output: 4 kernel_size: 3 bias_term: false"),
        {"out": [normal(4, 3, 3, 3)]},
    ),
    "conv with stride and pad": (
        conv("num_output: 5 kernel_size: 5 stride: 2 pad: 2"),
        {"out": [normal(5, 3, 5, 5), normal(5)]},
    ),
    # Height and width written apart, and not the same.
    "conv with kernel_h": (
        conv("num_output: 2 kernel_h: 3 kernel_w: 5 stride_h: 1 stride_w: 2 pad_h: 1 pad_w: 2"),
        {"out": [normal(2, 3, 3, 5), normal(2)]},
    ),
    "conv dilated": (
        conv("num_output: 4 kernel_size: 3 dilation: 2 pad: 2"),
        {"out": [normal(4, 3, 3, 3), normal(4)]},
    ),
    "conv in groups": (
        CONV6
        + layer(
            "Convolution", "convolution_param { num_output: 4 kernel_size: 3 group: 2 }", bottom="c"
        ),
        {**C6, "out": [normal(4, 3, 3, 3), normal(4)]},
    ),
    # One number an axis as Caffe 1.0 writes it, and four axes as older ones do.
    "conv with legacy bias": (
        conv("num_output: 4 kernel_size: 3"),
        {"out": [normal(4, 3, 3, 3), normal(1, 1, 1, 4)]},
    ),
    "relu": (CONV6 + layer("ReLU", bottom="c"), C6),
    "leaky relu": (CONV6 + layer("ReLU", "relu_param { negative_slope: 0.1 }", bottom="c"), C6),
    "max pool, even fit": (pool("pool: MAX kernel_size: 3 stride: 3"), {}),
    "max pool, rounded up": (pool("pool: MAX kernel_size: 2 stride: 2"), {}),
    "max pool, rounded up 3/2": (pool("pool: MAX kernel_size: 3 stride: 2"), {}),
    # 9 + 2·1 with 2/2: the sixth row of windows would start in the padding and is dropped.
    "max pool, clipped": (pool("pool: MAX kernel_size: 2 stride: 2 pad: 1"), {}),
    "max pool of negatives": (
        CONV6
        + layer(
            "Pooling", "pooling_param { pool: MAX kernel_size: 3 stride: 2 pad: 1 }", bottom="c"
        ),
        C6,
    ),
    "max pool, uneven": (
        pool("pool: MAX kernel_h: 2 kernel_w: 3 stride_h: 2 stride_w: 1 pad_h: 0 pad_w: 1"),
        {},
    ),
    "average pool": (pool("pool: AVE kernel_size: 3 stride: 2"), {}),
    "average pool, padded": (pool("pool: AVE kernel_size: 3 stride: 2 pad: 1"), {}),
    "average pool, rounded up": (pool("pool: AVE kernel_size: 4 stride: 3 pad: 1"), {}),
    "global max": (pool("pool: MAX global_pooling: true"), {}),
    "global average": (pool("pool: AVE global_pooling: true"), {}),
    "lrn across": (
        CONV6 + layer("LRN", "lrn_param { local_size: 5 alpha: 0.5 beta: 0.75 }", bottom="c"),
        C6,
    ),
    "lrn within": (
        CONV6
        + layer(
            "LRN",
            "lrn_param { local_size: 3 alpha: 0.5 beta: 0.75 norm_region: WITHIN_CHANNEL }",
            bottom="c",
        ),
        C6,
    ),
    "inner product": (
        layer("InnerProduct", "inner_product_param { num_output: 7 }"),
        {"out": [normal(7, 324) / 100, normal(7)]},
    ),
    "inner product, legacy arrays": (
        layer("InnerProduct", "inner_product_param { num_output: 7 }"),
        {"out": [normal(1, 1, 7, 324) / 100, normal(1, 1, 1, 7)]},
    ),
    "dropout": (
        layer("Dropout", "dropout_param { dropout_ratio: 0.5 }", name="d")
        + layer("ReLU", bottom="d"),
        {},
    ),
    "softmax over channels": (CONV6 + layer("Softmax", bottom="c"), C6),
    "concat": (
        CONV6 + conv("num_output: 2 kernel_size: 3", "e") + layer("Concat", bottom="c e"),
        {**C6, "e": [normal(2, 3, 3, 3), normal(2)]},
    ),
    "eltwise sum with coeff": (
        CONV6
        + conv("num_output: 6 kernel_size: 3", "e")
        + layer("Eltwise", "eltwise_param { operation: SUM coeff: 1 coeff: -2 }", bottom="c e"),
        {**C6, "e": [normal(6, 3, 3, 3), normal(6)]},
    ),
    "eltwise product": (
        CONV6 + layer("Eltwise", "eltwise_param { operation: PROD }", bottom="c c"),
        C6,
    ),
    "eltwise max": (
        CONV6
        + conv("num_output: 6 kernel_size: 3", "e")
        + layer("Eltwise", "eltwise_param { operation: MAX }", bottom="c e"),
        {**C6, "e": [normal(6, 3, 3, 3), normal(6)]},
    ),
    "flatten": (CONV6 + layer("Flatten", bottom="c"), C6),
    "batch norm": (
        layer("BatchNorm"),
        {"out": [normal(3), np.abs(normal(3)) + 0.5, np.array([2.0], np.float32)]},
    ),
    "scale with bias": (
        layer("Scale", "scale_param { bias_term: true }"),
        {"out": [normal(3), normal(3)]},
    ),
    "sigmoid": (CONV6 + layer("Sigmoid", bottom="c"), C6),
    "tanh": (CONV6 + layer("TanH", bottom="c"), C6),
}


@pytest.mark.parametrize(("layers", "weights"), CASES.values(), ids=CASES)
def test_answers_as_opencv_does(layers, weights, write_net, opencv_answer, graph_answer):
    paths = write_net(layers, weights)
    pixels = RNG.integers(0, 256, (1, 3, 9, 12), dtype=np.uint8)
    expected = opencv_answer(*paths, pixels)
    found = graph_answer(*paths, pixels)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


def test_inner_product_on_a_later_axis_and_transposed(write_net, graph_answer):
    weights = normal(12, 5)
    body = "inner_product_param { num_output: 5 axis: -1 transpose: true bias_term: false }"
    paths = write_net(layer("InnerProduct", body), {"out": [weights]})
    pixels = RNG.integers(0, 256, (1, 3, 9, 12), dtype=np.uint8)
    np.testing.assert_allclose(graph_answer(*paths, pixels), pixels @ weights, rtol=1e-4, atol=1e-2)


def test_lrn_with_another_k(write_net, graph_answer):
    """OpenCV leaves k out, so the formula itself is the reference (lrn_layer.cpp)."""
    paths = write_net(layer("LRN", "lrn_param { local_size: 3 alpha: 0.6 beta: 0.5 k: 2 }"), {})
    pixels = RNG.integers(0, 256, (1, 3, 9, 12), dtype=np.uint8)
    squares = np.pad(pixels.astype(np.float64) ** 2, ((0, 0), (1, 1), (0, 0), (0, 0)))
    sums = squares[:, :-2] + squares[:, 1:-1] + squares[:, 2:]
    expected = pixels / np.sqrt(2 + 0.6 / 3 * sums)
    np.testing.assert_allclose(graph_answer(*paths, pixels), expected, rtol=1e-4)


BOTH_K = ["", "k: 2"]


@pytest.mark.parametrize("k", BOTH_K, ids=["k 1", "k 2"])
@pytest.mark.parametrize("size", [1e-3, 1, 1e3], ids=["small", "as pixels", "large"])
def test_lrn_scaled_by_a_power_of_two_is_the_same(size, k, write_net, graph_answer):
    """To the last bit, from activations of 0.001 to sums of squares of 2e11."""
    body = f"lrn_param {{ local_size: 5 alpha: 0.0001 beta: 0.75 {k} }}"
    paths = write_net(CONV6 + layer("LRN", body, bottom="c"), C6)
    pixels = RNG.integers(0, 256, (1, 3, 9, 12), dtype=np.uint8)
    plain = graph_answer(*paths, pixels, scale=size)
    np.testing.assert_array_equal(graph_answer(*paths, pixels, scale=size, lrn_scale=16), plain)
    assert (plain != 0).all()


def test_lrn_scaled_goes_by_caffes_name(write_net):
    nodes = _nodes(write_net, "lrn_param { local_size: 3 alpha: 0.5 }", lrn_scale=16)
    assert nodes["out"].get_type_name() == nodes["out/scaled"].get_type_name() == "Multiply"
    assert nodes["out/lrn"].get_attributes()["alpha"] == 0.5 * 256
    assert nodes["out/scaled"].input_value(1).get_node().get_vector() == [1 / 16]


@pytest.mark.parametrize(
    ("body", "scale"),
    [
        ("lrn_param { local_size: 3 alpha: 0.5 }", 1),
        # Of no use within a channel, which is left alone.
        ("lrn_param { local_size: 3 alpha: 0.5 norm_region: WITHIN_CHANNEL }", 16),
    ],
    ids=["not scaled", "within a channel"],
)
def test_lrn_that_is_not_scaled_is_one_node(body, scale, write_net):
    nodes = _nodes(write_net, body, lrn_scale=scale)
    assert nodes["out"].get_type_name() == "LRN"
    assert nodes["out"].get_attributes()["alpha"] == 0.5
    assert "Multiply" not in {node.get_type_name() for node in nodes.values()}


def _nodes(write_net, body, **options):
    prototxt, _ = write_net(layer("LRN", body), {})
    graph = build_graph(caffe.read_net(prototxt), {}, output_name="out", **options)
    return {node.get_friendly_name(): node for node in graph.get_ordered_ops()}


def test_flatten_of_inner_axes(write_net, graph_answer):
    paths = write_net(layer("Flatten", "flatten_param { axis: 1 end_axis: 2 }"), {})
    pixels = RNG.integers(0, 256, (1, 3, 9, 12), dtype=np.uint8)
    np.testing.assert_array_equal(graph_answer(*paths, pixels), pixels.reshape(1, 27, 12))


def test_batch_norm_with_a_factor_of_nought_has_no_statistics(write_net, graph_answer):
    arrays = [normal(3), np.ones(3, np.float32), np.zeros(1, np.float32)]
    paths = write_net(layer("BatchNorm", "batch_norm_param { eps: 0.25 }"), {"out": arrays})
    pixels = RNG.integers(0, 256, (1, 3, 9, 12), dtype=np.uint8)
    np.testing.assert_allclose(graph_answer(*paths, pixels), pixels * 2.0, rtol=1e-5)


REFUSED = {
    "unknown type": (layer("Deconvolution"), "«out» is of type Deconvolution"),
    "near miss": (layer("Convolutions"), "did you mean «Convolution»"),
    "stochastic pooling": (pool("pool: STOCHASTIC kernel_size: 2"), "STOCHASTIC"),
    "even lrn": (layer("LRN", "lrn_param { local_size: 4 }"), "even local_size 4"),
    "window without a pixel": (pool("pool: MAX kernel_size: 1 stride: 5"), "without a pixel"),
    "no kernel": (pool("pool: MAX"), "kernel or stride of 0"),
    "groups that do not divide": (conv("num_output: 4 kernel_size: 3 group: 2"), "2 groups of 3"),
    "convolution of another axis": (conv("num_output: 4 kernel_size: 3 axis: 2"), "axis 2"),
    "three axes": (conv("num_output: 4 kernel_size: [3, 3, 3]"), "3 spatial axes"),
    "scale by a second bottom": (layer("Scale", bottom="data data"), "second bottom"),
    "scale of two axes": (layer("Scale", "scale_param { num_axes: 2 }"), "num_axes 2"),
    "coeff of a product": (
        layer("Eltwise", "eltwise_param { operation: PROD coeff: 1 coeff: 1 }", bottom="data data"),
        "these coeff",
    ),
}


@pytest.mark.parametrize(("layers", "reason"), REFUSED.values(), ids=REFUSED)
def test_refuses_by_name_what_it_does_not_know(layers, reason, write_net):
    prototxt, _ = write_net(layers, {})
    with pytest.raises(UnsupportedLayerError, match="layer «out»") as caught:
        build_graph(caffe.read_net(prototxt), {}, output_name="out")
    assert reason in str(caught.value)
