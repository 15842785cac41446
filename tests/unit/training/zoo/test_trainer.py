"""The loop: what is learned, kept, resumed and refused."""

import dataclasses
import itertools
import json
import zipfile

import numpy as np
import pytest

from edgeage.errors import TrainingError
from edgeage.training.zoo.score import ZooScore
from edgeage.zoo.backend import open_keras


def weights(trainer):
    return [np.asarray(weight) for weight in trainer.network.model.get_weights()]


class Told:
    def __init__(self):
        self.steps, self.tests = [], []

    def step(self, report):
        self.steps.append(report)

    def test(self, report):
        self.tests.append(report)

    def snapshot(self, path):
        assert path.is_file()


def test_the_loss_falls(zoo_trainer, zoo_recipe):
    trainer = zoo_trainer(dataclasses.replace(zoo_recipe, epochs=25, schedule="constant"))
    trainer.reporters = [told := Told()]
    assert trainer.train()
    assert told.steps[-1].iteration == trainer.last == len(told.steps) == 25 * trainer.an_epoch
    assert told.steps[-1].loss < 0.8 * told.steps[0].loss
    assert [report.iteration for report in told.tests] == [
        epoch * trainer.an_epoch for epoch in range(1, 26)
    ]
    assert min(report.loss for report in told.tests) == trainer.best_loss


def test_a_step_tells_the_loss_of_its_own_batches(zoo_trainer, tmp_path, monkeypatch):
    """With a Keras that adds up all batches until it is told to begin anew, as older ones do."""
    plain = zoo_trainer(out=tmp_path / "plain")
    plain.reporters = [expected := Told()]
    plain.train()

    kind = open_keras().Model
    train, reset, inside = kind.train_on_batch, kind.reset_metrics, []

    def train_without_reset(*arguments, **options):
        inside.append(True)
        try:
            return train(*arguments, **options)
        finally:
            inside.clear()

    monkeypatch.setattr(kind, "train_on_batch", train_without_reset)
    monkeypatch.setattr(kind, "reset_metrics", lambda model: inside or reset(model))
    older = zoo_trainer(out=tmp_path / "older")
    older.reporters = [told := Told()]
    older.train()
    assert [step.loss for step in told.steps] == [step.loss for step in expected.steps]
    assert len(told.steps) > 2


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_a_resumed_training_is_the_uninterrupted_one(zoo_trainer, zoo_recipe, tmp_path, optimizer):
    """Stopped in the middle of the second epoch; dropout, mixup and momentum go on."""
    recipe = dataclasses.replace(
        zoo_recipe, optimizer=optimizer, mixup=0.3, weight_decay=0.01, clip=1.0, warmup=4
    ).changed(["augment.shift=0.1", "augment.erase=0.5"], [])
    whole = zoo_trainer(recipe, out=tmp_path / "whole")
    assert whole.train()
    first = zoo_trainer(recipe, out=tmp_path / "parts")
    count = itertools.count()
    assert not first.train(lambda: next(count) == 4)
    second = zoo_trainer(recipe, out=tmp_path / "parts")
    second.resume()
    assert (second.iteration, second.best_epoch) == (4, first.best_epoch)
    assert second.train()
    assert (second.best_loss, second.best_epoch) == (
        pytest.approx(whole.best_loss, rel=1e-6), whole.best_epoch,
    )  # fmt: skip
    for left, right in zip(weights(whole), weights(second), strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-6, atol=1e-7)


def test_the_best_epoch_is_kept_and_patience_ends(zoo_trainer, zoo_recipe, monkeypatch):
    trainer = zoo_trainer(dataclasses.replace(zoo_recipe, epochs=9, patience=2))
    losses, seen = iter([3.0, 2.0, 2.5, 2.0, 1.0]), []

    def validate():
        seen.append(weights(trainer))
        return ZooScore(1, next(losses))

    monkeypatch.setattr(trainer, "validate", validate)
    assert trainer.train()
    assert (trainer.epoch, trainer.best_epoch, trainer.best_loss) == (4, 2, 2.0)
    monkeypatch.undo()
    trainer.take_best()
    for kept, best in zip(weights(trainer), seen[1], strict=True):
        np.testing.assert_array_equal(kept, best)
    assert any((a != b).any() for a, b in zip(seen[1], seen[3], strict=True))


def test_the_best_is_a_whole_model_without_optimizer(zoo_trainer, tmp_path):
    trainer = zoo_trainer()
    trainer.train()
    score = trainer.take_best()
    assert score.loss == pytest.approx(trainer.best_loss)
    with zipfile.ZipFile(tmp_path / "best.keras") as stored:
        assert not json.loads(stored.read("config.json")).get("compile_config")
    model = open_keras().saving.load_model(tmp_path / "best.keras", safe_mode=True)
    pixels = next(iter(trainer._validation.whole(5))).pixels
    for expected, found in zip(
        trainer.network.answers(pixels), model.predict_on_batch(pixels), strict=True
    ):
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_the_generation_s_loss_is_a_quarter_and_ten_times(zoo_trainer, zoo_recipe):
    """Computed here from the answers, without Keras's losses."""
    recipe = dataclasses.replace(zoo_recipe, age_loss="mse", age_weight=0.25, gender_weight=10.0)
    trainer = zoo_trainer(recipe, head="generation")
    batch = next(iter(trainer._validation.whole(100)))
    gender, age = (rows[:, 0].astype(np.float64) for rows in trainer.network.answers(batch.pixels))
    male = batch.genders == 0
    crossentropy = -np.log(np.where(male, gender, 1 - gender))
    expected = 0.25 * (age - batch.ages_years) ** 2 + 10 * crossentropy
    score = trainer.validate()
    assert score.loss == pytest.approx(expected.mean(), rel=1e-4)
    assert score.mae_years == pytest.approx(np.abs(age - batch.ages_years).mean(), rel=1e-4)
    assert score.gender == pytest.approx((male == (gender >= 0.5)).mean())


def test_mixup_mixes_pixels_and_answers_alike(zoo_trainer, zoo_recipe):
    plain, answers = zoo_trainer(zoo_recipe)._batch(2)
    mixed, taught = zoo_trainer(dataclasses.replace(zoo_recipe, mixup=0.7))._batch(2)
    random = np.random.default_rng((zoo_recipe.seed, 2, 1))
    share, other = random.beta(0.7, 0.7), random.permutation(len(plain))
    for before, after in zip([plain, *answers], [mixed, *taught], strict=True):
        np.testing.assert_allclose(after, share * before + (1 - share) * before[other], atol=1e-5)
    assert 0.01 < share < 0.99
    assert any((rows > 0).sum() > len(rows) for rows in taught)


def test_each_face_is_held_back_in_one_fold_near_duplicates_together(zoo_trainer, tmp_path):
    folds = [zoo_trainer(out=tmp_path, fold=(number, 3))._validation.records for number in range(3)]
    names = [item.record.name for records in folds for item in records]
    assert len(names) == len(set(names)) == 40
    for records in folds:
        groups = [item.duplicate_group for item in records if item.duplicate_group is not None]
        assert all(groups.count(group) == 2 for group in groups)


def test_one_number_alone_is_scored(zoo_trainer):
    trainer = zoo_trainer(head="one number")
    assert trainer.train()
    score = trainer.score
    assert (score.gender, score.adult_gender) == (None, None)
    batch = next(iter(trainer._validation.whole(100)))
    (ages,) = trainer.network.answers(batch.pixels)
    error = np.abs(ages[:, 0].astype(np.float64) - batch.ages_years).mean()
    assert score.loss == pytest.approx(error, rel=1e-4)


def test_a_loss_that_is_no_number_ends_the_training(zoo_trainer, zoo_recipe):
    recipe = dataclasses.replace(
        zoo_recipe, optimizer="sgd", learning_rate=1e30, age_loss="mse", epochs=9
    )
    with pytest.raises(TrainingError, match=r"loss became .* lower learning_rate"):
        zoo_trainer(recipe, head="one number").train()


@pytest.mark.parametrize(
    ("changes", "head", "reason"),
    [
        ({"batch_size": 64}, "years", "at least 64 faces to train on"),
        ({"age_loss": "mse"}, "years", "age_loss=mse does not fit output «pred_age» of distrib"),
        ({"age_loss": "crossentropy"}, "one number", "expected mae or mse"),
    ],
)
def test_what_does_not_fit_is_refused(zoo_trainer, zoo_recipe, changes, head, reason):
    with pytest.raises(TrainingError, match=reason):
        zoo_trainer(dataclasses.replace(zoo_recipe, **changes), head=head)


def test_another_network_s_checkpoint_is_refused(zoo_trainer, tmp_path):
    zoo_trainer().save()
    with pytest.raises(TrainingError, match=r"state.npz is of another network: weight_\d"):
        zoo_trainer(head="groups").resume()


def test_answers_that_are_no_numbers_are_never_the_best(zoo_trainer, zoo_recipe, monkeypatch):
    trainer = zoo_trainer(dataclasses.replace(zoo_recipe, epochs=2))
    true = type(trainer.network).answers

    def spoilt(network, pixels):
        rows = true(network, pixels)
        rows[0][0] = np.nan
        return rows

    monkeypatch.setattr(type(trainer.network), "answers", spoilt)
    assert trainer.train()
    assert (trainer.best_epoch, trainer.score.loss) == (0, np.inf)
    with pytest.raises(TrainingError, match="in none of 2 epochs"):
        trainer.take_best()
