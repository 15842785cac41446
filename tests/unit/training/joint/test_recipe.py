"""The recipe of a joint training."""

import pytest

from edgeage.errors import EdgeageError, TrainingError, UsageError
from edgeage.paths import data_dir
from edgeage.training.joint.recipe import JointRecipe


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("caffe_models", "joint"),
        ("models", "edgeage-s"),
        ("models", "edgeage-xs"),
        ("models", "edgeage-xs_settled"),
    ],
)
def test_the_recipes_that_come_along_are_read(folder, name):
    recipe = JointRecipe.read(data_dir(folder) / f"{name}.toml")
    assert recipe.race_weights["asian"] > 1
    assert recipe.augment.shift > 0
    assert 0 < recipe.validation < 0.5


def test_it_comes_back_from_its_settings():
    recipe = JointRecipe(10, race_weights={"asian": 2.0}).changed(["augment.blur=1.5"])
    assert JointRecipe.from_dict(recipe.to_dict(), "test") == recipe


def test_words_change_settings_and_keep_their_kind():
    recipe = JointRecipe(10).changed(["iterations=7", "learning_rate=1", "race_weights.white=3"])
    assert (recipe.iterations, type(recipe.iterations)) == (7, int)
    assert recipe.learning_rate == 1.0
    assert recipe.race_weights == {"white": 3.0}


@pytest.mark.parametrize(
    ("text", "error", "reason"),
    [
        ("iteration = 3", TrainingError, "did you mean «iterations»"),
        ("batch_size = 3", TrainingError, "iterations"),
        ("iterations = 0", TrainingError, "above 0"),
        ("iterations = 'many'", TrainingError, "whole number, got 'many'"),
        ("iterations = 3\nvalidation = 0", TrainingError, "both sides"),
        ("iterations = 3\nweight_decay = nan", TrainingError, "a number, got nan"),
        ("iterations = 3\ngender_weight = -1", TrainingError, "0 or more"),
        ("iterations = 3\nrace_weights = {asian = -1}", TrainingError, "race_weights.asian"),
        ("iterations = 3\nvalidation = 2", TrainingError, "from 0 to 1"),
        ("iterations = 3\n[augment]\nblurr = 1", UsageError, "did you mean «blur»"),
        ("iterations = 3\naugment = 4", TrainingError, "no recipe"),
        ("iterations =", EdgeageError, "TOML"),
    ],
)
def test_a_bad_recipe_is_refused_with_its_reason(tmp_path, text, error, reason):
    path = tmp_path / "joint.toml"
    path.write_text(text)
    with pytest.raises(error, match=reason):
        JointRecipe.read(path)


@pytest.mark.parametrize(
    ("word", "error"),
    [
        ("iterations=x", TrainingError),
        ("iterations=inf", TrainingError),
        ("batch_size=50.7", TrainingError),
        ("iterations", UsageError),
        ("iterations.x=1", UsageError),
        ("speed=3", TrainingError),
    ],
)
def test_a_bad_word_is_refused(word, error):
    with pytest.raises(error):
        JointRecipe(10).changed([word])
