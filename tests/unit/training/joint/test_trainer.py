"""A joint training: it learns, resumes to the same weights, and gives two networks."""

import numpy as np
import pytest
import torch

from edgeage.caffe import parse_net
from edgeage.errors import ModelError, TrainingError
from edgeage.training.joint.network import JointNetwork


def _same(first, second):
    for one, other in zip(first.network.parameters, second.network.parameters, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)
    for one, other in zip(first.average, second.average, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_a_resumed_training_ends_with_the_weights_of_an_uninterrupted_one(joint_trainer, tmp_path):
    whole = joint_trainer(state=tmp_path / "whole.npz")
    assert whole.train()
    part = joint_trainer()
    assert not part.train(lambda: part.iteration == 5)
    resumed = joint_trainer()
    resumed.resume()
    assert resumed.iteration == 5
    assert resumed.train()
    _same(whole, resumed)


def test_it_learns_and_the_average_is_what_is_scored(joint_trainer, recipe):
    trainer = joint_trainer(
        recipe.changed(["iterations=120", "learning_rate=0.003", "average=0.95"]), every=120
    )
    before = trainer.validate()
    raw = [blob.detach().clone() for blob in trainer.network.parameters]
    trainer.train()
    assert trainer.score.loss < before.loss - 0.5
    assert trainer.score.one_off > before.one_off
    kept = [blob.detach().clone() for blob in trainer.network.parameters]
    assert not torch.equal(raw[0], kept[0])
    with trainer.averaged():
        torch.testing.assert_close(trainer.network.parameters[0].detach(), trainer.average[0])
    torch.testing.assert_close(trainer.network.parameters[0].detach(), kept[0])


def test_the_rate_rises_then_falls_to_zero(joint_trainer, recipe):
    trainer = joint_trainer()
    rates = [trainer.learning_rate(number) for number in range(recipe.iterations + 1)]
    assert rates[0] == pytest.approx(recipe.learning_rate / 2, rel=0.02)
    assert max(rates) == rates[1]
    assert rates[-1] == pytest.approx(0, abs=1e-12)
    assert rates[1:] == sorted(rates[1:], reverse=True)


def test_a_damaged_or_foreign_checkpoint_is_refused(joint_trainer, tmp_path):
    trainer = joint_trainer()
    trainer.train(lambda: trainer.iteration == 1)
    state = tmp_path / "state.npz"
    whole = state.read_bytes()
    for damaged in (whole[:200], b"", b"PK" + whole[2:300]):
        state.write_bytes(damaged)
        with pytest.raises(TrainingError, match="no readable checkpoint"):
            joint_trainer().resume()
    with np.load(_rewritten(tmp_path, whole)) as stored:
        arrays = {name: stored[name] for name in stored.files}
    del arrays["weight_0"]
    np.savez(state, **arrays)
    with pytest.raises(TrainingError, match="another network"):
        joint_trainer().resume()


def _rewritten(folder, content):
    path = folder / "whole.npz"
    path.write_bytes(content)
    return path


def test_another_training_begins_with_the_weights_and_anew(joint_trainer, tmp_path):
    first = joint_trainer(state=tmp_path / "first.npz")
    first.train(lambda: first.iteration == 3)
    second = joint_trainer()
    second.begin_with(tmp_path / "first.npz")
    assert second.iteration == 0
    for one, other, average in zip(
        first.network.parameters, second.network.parameters, second.average, strict=True
    ):
        torch.testing.assert_close(one, other, rtol=0, atol=0)
        torch.testing.assert_close(average, other.detach(), rtol=0, atol=0)
    with pytest.raises(TrainingError, match="no readable checkpoint"):
        second.begin_with(tmp_path / "none.npz")


def test_both_networks_answer_what_the_joint_one_does(joint_net):
    network = JointNetwork(parse_net(joint_net), (3, 16, 16), seed=1)
    pixels = torch.rand(3, 3, 16, 16) * 100
    ages, genders = network("TEST", pixels)
    parts = network.split(network.weights())
    for name, expected, labels in (("agenet", ages, 9), ("gendernet", genders, 2)):
        param = parse_net(joint_net.replace("num_output: 9", f"num_output: {labels}"))
        alone = _alone(param, parts[name], pixels)
        torch.testing.assert_close(alone, expected)


def _alone(param, weights, pixels):
    from edgeage.training.net import TorchNet

    net = TorchNet(param, (3, 16, 16), phases=("TEST",))
    assert net.load(weights)[1] == []
    return net.forward("TEST", pixels, torch.zeros(3, dtype=torch.int64))["fc8"]


def test_weights_of_another_network_are_refused(joint_net):
    network = JointNetwork(parse_net(joint_net), (3, 16, 16), seed=1)
    weights = network.weights()
    with pytest.raises(ModelError):
        network.load({name: blobs for name, blobs in weights.items() if name != "gender"})
