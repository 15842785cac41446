"""Training, testing, snapshots and resuming on a tiny network."""

import numpy as np
import pytest
import torch

from edgeage.caffe import read_solverstate, read_weights
from edgeage.errors import ModelError, TrainingError
from edgeage.training.snapshot import latest_snapshot


class Memory:
    """Keeps what it is told."""

    def __init__(self):
        self.steps, self.tests, self.snapshots = [], [], []

    def step(self, report):
        self.steps.append(report)

    def test(self, report):
        self.tests.append(report)

    def snapshot(self, path):
        self.snapshots.append(path.name)


def _equal(left, right):
    assert left.keys() == right.keys()
    for name, blobs in left.items():
        for ours, theirs in zip(blobs, right[name], strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_training_learns_and_reports(tiny_trainer):
    memory = Memory()
    trainer = tiny_trainer(max_iter=60, reporters=[memory])
    # What torch draws differs between its versions, and so small a network depends on it.
    random = np.random.default_rng(0)
    with torch.no_grad():
        for entry in trainer.net.parameters:
            if entry.blob.dim() > 1:
                drawn = random.normal(0, 0.1, tuple(entry.blob.shape))
                entry.blob.copy_(torch.from_numpy(drawn))
    assert trainer.train()
    assert [report.iteration for report in memory.steps] == list(range(1, 61))
    assert [report.iteration for report in memory.tests] == [10, 20, 30, 40, 50, 60]
    assert memory.snapshots[:2] == ["tiny_iter_5.solverstate", "tiny_iter_10.solverstate"]
    assert memory.tests[-1].images == 10  # batches of 7: the last one is smaller
    assert memory.tests[-1].loss < memory.tests[0].loss
    assert memory.tests[-1].accuracy > 0.8
    assert memory.steps[7].learning_rate == pytest.approx(0.005)


def test_resumed_training_ends_at_the_same_weights(tiny_trainer, tmp_path):
    whole = tiny_trainer(out=tmp_path / "whole")
    whole.train()
    first = tiny_trainer(out=tmp_path / "parts")
    assert not first.train(stop=lambda: first.iteration == 7)
    second = tiny_trainer(out=tmp_path / "parts")
    second.resume(latest_snapshot(tmp_path / "parts", "tiny"))
    assert second.iteration == 7
    assert second.train()
    _equal(second.net.weights(), whole.net.weights())
    for ours, theirs in zip(second.solver.history, whole.solver.history, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


def test_iter_size_sees_the_same_pictures_as_a_larger_batch(tiny_trainer, tiny_net, tmp_path):
    net = tiny_net.replace("dropout_ratio: 0.5", "dropout_ratio: 0")
    large = tiny_trainer(out=tmp_path / "large", net=net, max_iter=3)
    large.train()
    halves = net.replace("batch_size: 8", "batch_size: 4")
    small = tiny_trainer(out=tmp_path / "small", net=halves, max_iter=3, iter_size=2)
    small.train()
    for name, blobs in large.net.weights().items():
        for ours, theirs in zip(blobs, small.net.weights()[name], strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


def test_snapshot_is_caffes(tiny_trainer, tmp_path):
    trainer = tiny_trainer(max_iter=5)
    trainer.train()
    state = read_solverstate(tmp_path / "out" / "tiny_iter_5.solverstate")
    assert (state.iter, state.learned_net) == (5, "tiny_iter_5.caffemodel")
    weights = read_weights(tmp_path / "out" / "tiny_iter_5.caffemodel")
    assert [blob.shape for blob in weights["conv1"]] == [(6, 3, 3, 3), (6,)]
    assert [values.shape for values in state.history] == [
        blob.shape for layer in ("conv1", "fc2", "fc3") for blob in weights[layer]
    ]
    _equal(weights, trainer.net.weights())


def test_weights_without_their_state_are_not_a_snapshot(tiny_trainer, tmp_path):
    tiny_trainer().train()
    (tmp_path / "out" / "tiny_iter_20.solverstate").unlink()
    assert latest_snapshot(tmp_path / "out", "tiny").name == "tiny_iter_15.solverstate"


def test_the_newest_snapshot_is_by_number(tmp_path):
    for iteration in (5, 1000, 900):
        (tmp_path / f"tiny_iter_{iteration}.solverstate").touch()
    (tmp_path / "tiny_age_iter_2000.solverstate").touch()
    assert latest_snapshot(tmp_path, "tiny").name == "tiny_iter_1000.solverstate"


def test_a_state_without_its_weights_is_refused(tiny_trainer, tmp_path):
    tiny_trainer().train()
    (tmp_path / "out" / "tiny_iter_20.caffemodel").unlink()
    with pytest.raises(ModelError, match="tiny_iter_20.caffemodel is missing"):
        tiny_trainer().resume(tmp_path / "out" / "tiny_iter_20.solverstate")


def test_another_networks_snapshot_is_refused(tiny_trainer, tiny_net, tmp_path):
    tiny_trainer(max_iter=5).train()
    other = tiny_trainer(net=tiny_net.replace('name: "fc3"', 'name: "fc4"'))
    with pytest.raises(TrainingError, match="no layer fc4 of"):
        other.resume(tmp_path / "out" / "tiny_iter_5.solverstate")


def test_a_loss_that_explodes_ends_the_training_with_advice(tiny_trainer):
    with pytest.raises(TrainingError, match="lower base_lr"):
        tiny_trainer(base_lr=1e9, max_iter=50).train()


def test_another_networks_weights_start_the_layers_they_fit(tiny_trainer, tiny_net, tmp_path):
    source = tiny_trainer(max_iter=5)
    source.train()
    wider = tiny_net.replace("num_output: 3 ", "num_output: 4 ")
    target = tiny_trainer(out=tmp_path / "wider", net=wider)
    taken, left = target.load_weights(tmp_path / "out" / "tiny_iter_5.caffemodel")
    assert (taken, left) == (["conv1", "fc2"], ["fc3"])
    np.testing.assert_array_equal(
        target.net.weights()["conv1"][0], source.net.weights()["conv1"][0]
    )


def test_bf16_follows_fp32(tiny_trainer, tmp_path):
    losses = {}
    for precision in ("fp32", "bf16"):
        memory = Memory()
        trainer = tiny_trainer(
            out=tmp_path / precision, precision=precision, reporters=[memory], max_iter=10
        )
        trainer.train()
        losses[precision] = [report.loss for report in memory.steps]
    np.testing.assert_allclose(losses["bf16"], losses["fp32"], rtol=0.05)
    assert losses["bf16"] != losses["fp32"]
