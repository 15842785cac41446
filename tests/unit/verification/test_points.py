"""Where engines can be compared."""

from __future__ import annotations

import dataclasses

import numpy as np

from edgeage import caffe
from edgeage.paths import data_dir
from edgeage.verification.points import Point, Squares, find_points, inner_largest


def test_a_blob_is_taken_after_the_last_layer_in_place():
    points = {point.blob: point for point in _points("agenet_deploy.prototxt")}
    assert list(points) == [
        "conv1", "pool1", "norm1", "conv2", "pool2", "norm2", "conv3", "pool3",
        "fc6", "fc7", "fc8", "prob",
    ]  # fmt: skip
    assert (points["conv1"].layer, points["conv1"].clipped) == ("relu1", True)
    # The Dropout behind relu6 does nothing.
    assert (points["fc6"].layer, points["fc6"].layer_type) == ("relu6", "ReLU")
    assert (points["fc8"].layer, points["fc8"].clipped) == ("fc8", False)
    assert points["norm1"].squares == ("pool1", 5, 1)
    assert points["conv2"].squares is None


def test_a_leaky_relu_does_not_clip():
    net = caffe.parse_net(
        'layer { name: "c" type: "Convolution" bottom: "data" top: "c" } '
        'layer { name: "r" type: "ReLU" bottom: "c" top: "c" relu_param { negative_slope: 0.1 } }'
    )
    assert find_points(net) == [Point("c", "r", "ReLU")]


def test_sums_of_squares_as_written_out():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(2, 7, 3, 4)).astype(np.float32)
    expected = max(
        float((values[n, max(c - 2, 0) : c + 3, y, x].astype(np.float64) ** 2).sum())
        for n in range(2) for c in range(7) for y in range(3) for x in range(4)
    )  # fmt: skip
    point = Point("norm", "norm", "LRN", Squares("pool", 5, 1))
    found = inner_largest(point, {"pool": values, "norm": values})
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    scaled = dataclasses.replace(point, squares=Squares("pool", 5, 4))
    assert inner_largest(scaled, {"pool": values}) == found / 16
    assert inner_largest(Point("norm", "norm", "LRN"), {"norm": values}) is None


def _points(name):
    return find_points(caffe.read_net(data_dir("prototxt") / name))
