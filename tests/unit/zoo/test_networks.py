"""Every family of the zoo: what it takes and answers, and the same as ONNX."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from edgeage.errors import ModelError, UnsupportedLayerError, UsageError
from edgeage.networkinput import NetworkInput
from edgeage.outputs import Output
from edgeage.runtime.core import openvino_core
from edgeage.zoo import NETWORKS, ZooNetwork, build_network, write_onnx
from edgeage.zoo.applications import application_names
from edgeage.zoo.wideresnet import wide_resnet


def onnx_answers(path, network, batch):
    model = openvino_core().read_model(path)
    compiled = openvino_core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = compiled([network.prepared(batch).transpose(0, 3, 1, 2)])
    return {output.name: found[output.name] for output in network.outputs}


SMALL = {"size": 64, "weights": "none"}
FAMILIES = [
    ("ssrnet-joint", {}),
    ("mobilenetv2", {**SMALL, "head": "years"}),
    ("inceptionv3", {"size": 75, "weights": "none", "head": "groups"}),
    ("efficientnetb0", {**SMALL, "head": "groups"}),
    ("generation", {"size": 64}),
    ("mobilenetv3small", SMALL),
    ("resnet50", SMALL),
]


def same(found, expected, atol):
    """Hold that answers differ by much less than those of two pictures do."""
    apart = np.abs(np.diff(expected, axis=0)).max()
    assert apart > 1e-6
    np.testing.assert_allclose(found, expected, atol=min(atol, apart / 50), rtol=0)


@pytest.mark.parametrize(("name", "options"), FAMILIES, ids=[name for name, _ in FAMILIES])
def test_onnx_answers_as_keras(name, options, tmp_path, stir, faces):
    network = build_network(name, options)
    stir(network)
    write_onnx(network, tmp_path / "n.onnx")
    batch = faces(network)
    expected, found = network.predict(batch), onnx_answers(tmp_path / "n.onnx", network, batch)
    assert sorted(output.task for output in network.outputs) == ["age", "gender"]
    for output in network.outputs:
        same(found[output.name], expected[output.name], 1e-4)


@pytest.mark.parametrize("name", ["mobilenetv2", "mobilenetv3small", "efficientnetb0"])
def test_statistics_follow_within_an_epoch(name, keras):
    """A data set of 20,000 faces has some 600 iterations an epoch."""
    layers = build_network(name, SMALL).model.layers
    norms = [layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert len(norms) > 20
    assert max(layer.momentum for layer in norms) ** 600 < 0.01


def test_a_wide_residual_network(tmp_path, stir, faces):
    network = wide_resnet(16, 1)
    stir(network)
    write_onnx(network, tmp_path / "n.onnx")
    batch = faces(network)
    found = onnx_answers(tmp_path / "n.onnx", network, batch)
    for name, expected in network.predict(batch).items():
        same(found[name], expected, 1e-5)


def test_the_published_wide_network_s_layers():
    """16 layers with weights beside three shortcuts, numbered as Keras 2 did."""
    model = build_network("wrn-16-8").model
    weighted = {layer.name for layer in model.layers if layer.weights}
    assert weighted == {
        *(f"conv2d_{n}" for n in range(1, 17)), *(f"batch_normalization_{n}" for n in range(1, 14)),
        "pred_gender", "pred_age",
    }  # fmt: skip
    assert [tuple(t.shape[1:]) for t in model.outputs] == [(2,), (101,)]


def test_the_opset_is_one_the_legacy_tools_read(tmp_path):
    write_onnx(build_network("ssrnet"), tmp_path / "n.onnx")
    model = onnx.load(tmp_path / "n.onnx")
    assert [entry.version for entry in model.opset_import] == [11]
    assert model.ir_version == 6


def test_operators_a_myriad_has(tmp_path):
    """Swish, means and paddings are written in operators that chip runs."""
    network = build_network("efficientnetb0", SMALL)
    write_onnx(network, tmp_path / "n.onnx")
    kinds = {node.op_type for node in onnx.load(tmp_path / "n.onnx").graph.node}
    assert kinds == {
        "Add", "BatchNormalization", "Conv", "Flatten", "Gemm", "GlobalAveragePool", "Identity",
        "Mul", "Reshape", "Sigmoid", "Softmax", "Sub",
    }  # fmt: skip


@pytest.mark.parametrize(("name", "side"), [("efficientnetb0", 224), ("inceptionv3", 140)])
def test_sizes_unless_given(name, side):
    assert build_network(name, {"weights": "none"}).input_hw == (side, side)


def test_the_generation_s_age_is_twenty_years_a_generation(faces):
    network = build_network("generation", {"size": 64})
    model = network.model
    answer = np.asarray(network.predict(faces(network))["pred_age"])
    assert answer == pytest.approx(20 * 2.5 + 10, abs=8)
    assert model.get_layer("generation_start").values == [0, 20, 40, 60, 80, 100]
    assert model.get_layer("identity_age").values == list(range(21))
    assert network.takes.mean_scale[1] == pytest.approx((130.51 / 128,) * 3)


def test_channel_order_and_range_reach_the_model():
    network = build_network("mobilenetv2", SMALL)
    blue = np.zeros((1, 3, 64, 64), np.uint8)
    blue[:, 0] = 255
    prepared = network.prepared(blue)
    assert prepared.shape == (1, 64, 64, 3)
    assert prepared[0, 0, 0].tolist() == [-1, -1, 1]


@pytest.mark.parametrize(
    ("name", "options", "reason"),
    [
        ("mobilnetv2", {}, "unknown network «mobilnetv2»; did you mean «mobilenetv2»"),
        ("ssrnet", {"head": "years"}, "ssrnet has no option «head»; it has none"),
        ("mobilenetv2", {"haed": "years"}, "no option «haed»; did you mean «head»"),
        ("mobilenetv2", {"head": "yeers", **SMALL}, "unknown head «yeers»; did you mean «years»"),
        ("mobilenetv2", {"weights": "imagnet"}, "expected weights imagenet or none"),
        ("inceptionv3", {"size": 32, "weights": "none"}, "inceptionv3 of 32×32"),
        ("inceptionv3", {"size": 32}, "inceptionv3 of 32×32"),
    ],
)
def test_what_is_refused(name, options, reason):
    with pytest.raises(UsageError, match=reason):
        build_network(name, options)


def test_no_network_no_imagenet_weights(monkeypatch, tmp_path, keras):
    """Keras's cache is empty and its download fails as without a network."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(
        "keras.src.utils.file_utils.urlretrieve",
        lambda *_, **__: (_ for _ in ()).throw(OSError("no route to host")),
    )
    with pytest.raises(ModelError, match=r"cannot be had .*weights=none") as caught:
        build_network("mobilenetv2", {"size": 128})
    assert "\n" not in str(caught.value)


def test_every_name_is_a_builder():
    assert {name for name in NETWORKS if not name.startswith(("ssrnet", "wrn", "gener"))} <= set(
        application_names()
    )


def test_a_layer_without_a_form_in_onnx_is_named(keras, tmp_path):
    picture = keras.Input((8, 8, 3))
    value = keras.layers.UnitNormalization(name="odd")(keras.layers.Flatten()(picture))
    model = keras.Model(picture, keras.layers.Dense(1, name="age")(value))
    network = ZooNetwork("odd", model, NetworkInput("BGR"), (Output("age", "age", "years"),))
    with pytest.raises(UnsupportedLayerError, match="layer «odd» is of type UnitNormalization"):
        write_onnx(network, tmp_path / "n.onnx")
    assert list(tmp_path.iterdir()) == []


def odd_network(keras, change):
    picture = keras.Input((8, 8, 3))
    value = change(keras.layers.Flatten()(picture))
    model = keras.Model(picture, keras.layers.Dense(1, name="age")(value))
    return ZooNetwork("odd", model, NetworkInput("BGR"), (Output("age", "age", "years"),))


def test_numbers_are_operands(keras, tmp_path, faces):
    network = odd_network(keras, lambda x: (200 - x) * 0.5 + 3 - (2 * x) / 7.0 - 1)
    write_onnx(network, tmp_path / "n.onnx")
    batch = faces(network)
    found = onnx_answers(tmp_path / "n.onnx", network, batch)
    np.testing.assert_allclose(found["age"], network.predict(batch)["age"], rtol=1e-4)


def test_an_array_as_an_operand_is_refused(keras, tmp_path):
    network = odd_network(keras, lambda x: x + np.ones(192, np.float32))
    with pytest.raises(UnsupportedLayerError, match="neither a layer's answer nor a number"):
        write_onnx(network, tmp_path / "n.onnx")


def test_a_description_that_is_of_another_model(keras):
    picture = keras.Input((8, 8, 3))
    model = keras.Model(picture, keras.layers.Dense(3, name="g")(keras.layers.Flatten()(picture)))
    with pytest.raises(
        ModelError, match=r"output «g» of x has shape \(None, 3\), expected \(n, 2\)"
    ):
        ZooNetwork(
            "x", model, NetworkInput("BGR"), (Output("g", "gender", labels=("Male", "Female")),)
        )


def test_large_faces_are_answered_a_few_at_a_time(monkeypatch):
    network = build_network("ssrnet-joint")
    batch = np.random.default_rng(5).integers(0, 256, (5, 3, *network.input_hw), np.uint8)
    whole, sizes = network.predict(batch), []
    answers = type(network).answers

    def watched(self, pixels):
        sizes.append(len(pixels))
        return answers(self, pixels)

    monkeypatch.setattr(type(network), "answers", watched)
    for most, expected in ((2, [2, 2, 1]), (0, [1] * 5)):
        monkeypatch.setattr("edgeage.zoo.network._PIXELS_AT_ONCE", most * 64 * 64)
        sizes.clear()
        found = network.predict(batch)
        assert sizes == expected
        for name, values in whole.items():
            np.testing.assert_allclose(found[name], values, rtol=1e-4, atol=1e-5)
