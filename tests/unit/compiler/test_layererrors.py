"""A layer's own error, measured apart from what the layers before it did."""

from __future__ import annotations

import numpy as np
import pytest

from edgeage.compiler.layererrors import LayerError, float_layers, layer_errors
from edgeage.runtime.core import openvino_core

RNG = np.random.default_rng(0)
FIRST = RNG.standard_normal((6, 3, 3, 3)).astype(np.float32)
SECOND = RNG.standard_normal((5, 6 * 6 * 6)).astype(np.float32)
BATCH = RNG.integers(0, 256, (4, 3, 8, 8), dtype=np.uint8)


def _rounded(values, low, high, levels):
    """What a FakeQuantize does, written out."""
    values = np.clip(values, low, high)
    step = (high - low) / (levels - 1)
    return np.round((values - low) / step) * step + low


def _graph(levels=()):
    """A convolution, a ReLU and an inner product; ``levels`` of the quantiser before each."""
    import openvino as ov
    from openvino import opset1 as ops

    pixels = ops.parameter([1, 3, 8, 8], np.uint8, name="data")
    value = ops.convert(pixels, "f32", name="pixels")
    for place, (name, ceiling) in enumerate((("conv", 255.0), ("fc", 1500.0))):
        if name == "fc":
            value = ops.reshape(value, ops.constant([1, 216]), False, name="flat")
        if len(levels) > place and levels[place]:
            ends = [ops.constant(np.float32(end)) for end in (0, ceiling)] * 2
            value = ops.fake_quantize(value, *ends, levels[place])
        if name == "conv":
            weights = ops.constant(FIRST)
            value = ops.convolution(value, weights, [1, 1], [0, 0], [0, 0], [1, 1])
            value.set_friendly_name("conv/without_bias")
            value = ops.relu(value, name="relu")
        else:
            value = ops.matmul(value, ops.constant(SECOND), False, True, name="fc")
    return ov.Model([ops.result(value)], [pixels], "two")


def _exact():

    graph = _graph()
    nodes = {node.get_friendly_name(): node for node in graph.get_ordered_ops()}
    graph.add_outputs([nodes["relu"].output(0)])
    compiled = openvino_core().compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    rows = [[np.array(value) for value in compiled([row[None]]).values()] for row in BATCH]
    return [np.concatenate(column) for column in zip(*rows, strict=True)]


def test_is_the_error_of_the_layer_alone():
    """The second layer's comes out the same whether the first is spoilt or not."""
    answers, middle = _exact()
    rounded = _rounded(middle.reshape(4, 216), 0, 1500, 16) @ SECOND.T
    expected = np.linalg.norm(rounded - answers) / np.linalg.norm(answers)
    for first in (256, 3):
        found = {e.layer: e for e in layer_errors(_graph(), _graph((first, 16)), BATCH)}
        assert found["fc"].relative_error == pytest.approx(expected, rel=1e-3)
    assert 0.001 < expected < 0.9


def test_the_worst_layer_is_first():
    assert [e.layer for e in layer_errors(_graph(), _graph((3, 256)), BATCH)] == ["conv", "fc"]
    assert [e.layer for e in layer_errors(_graph(), _graph((256, 3)), BATCH)] == ["fc", "conv"]


def test_bytes_are_exact_in_256_levels():
    errors = {e.layer: e.relative_error for e in layer_errors(_graph(), _graph((256, 16)), BATCH)}
    assert errors["conv"] < 1e-5


def test_a_layer_in_float_has_no_error():
    (only,) = layer_errors(_graph(), _graph((0, 16)), BATCH)
    assert only.layer == "fc"
    assert float_layers(_graph((0, 16))) == ["conv"]
    assert layer_errors(_graph(), _graph(), BATCH) == []
    assert float_layers(_graph()) == ["conv", "fc"]


def test_neither_graph_is_changed():
    compile_model = openvino_core().compile_model
    exact, quantised = _graph(), _graph((256, 3))
    before = [np.array(compile_model(g, "CPU")([BATCH[:1]])[0]) for g in (exact, quantised)]
    layer_errors(exact, quantised, BATCH)
    after = [np.array(compile_model(g, "CPU")([BATCH[:1]])[0]) for g in (exact, quantised)]
    np.testing.assert_array_equal(before, after)
    assert len(exact.outputs) == len(quantised.outputs) == 1


@pytest.mark.parametrize(
    ("relative", "text"), [(0.1, "fc6 10.0% (20 dB)"), (1.0, "fc6 100.0% (0 dB)")]
)
def test_reads_as_percent_and_decibels(relative, text):
    assert str(LayerError("fc6", relative)) == text
    assert LayerError("fc6", 0.0).sqnr_db == float("inf")
