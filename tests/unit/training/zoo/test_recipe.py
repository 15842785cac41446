"""Recipes of the zoo: files, words and the learning rate."""

import pytest

from edgeage.errors import EdgeageError
from edgeage.paths import data_dir
from edgeage.training.zoo.recipe import ZooRecipe
from edgeage.training.zoo.run import recipe_path
from edgeage.zoo.networks import NETWORKS, build_network, network_options

OPTIONS = ("head", "size", "weights")


def test_words_change_settings_and_the_network_s_options():
    recipe = ZooRecipe(9).changed(
        ["epochs=3", "learning_rate=1e-4", "optimizer=sgd", "augment.erase=0.5",
         "race_weights.asian=2", "size=96", "weights=none"], OPTIONS,
    )  # fmt: skip
    assert (recipe.epochs, recipe.learning_rate, recipe.optimizer) == (3, 1e-4, "sgd")
    assert (recipe.augment.erase, recipe.race_weights) == (0.5, {"asian": 2})
    assert recipe.network == {"size": 96, "weights": "none"}
    assert ZooRecipe.from_dict(recipe.to_dict(), OPTIONS, "itself") == recipe


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("epochs", "expected key=value, got «epochs»"),
        ("epochs=0", "expected epochs above 0, got 0"),
        ("epochs=2.5", "expected epochs as a whole number, got 2.5"),
        ("learning_rate=fast", "expected learning_rate as a number, got 'fast'"),
        ("learning_rate=nan", "expected learning_rate as a number, got nan"),
        ("optimiser=adam", "unknown setting «optimiser»; did you mean «optimizer»"),
        ("optimizer=adamm", "one of adam, sgd, got «adamm»; did you mean «adam»"),
        ("heads=years", "unknown setting «heads»; did you mean «head»"),
        ("augment.erasing=1", "unknown augmentation «erasing»"),
        ("augmnt.erase=1", "unknown setting «augmnt.erase»; did you mean «augment»"),
        ("validation=0", "validation between 0 and 1"),
        ("mixup=-1", "expected mixup of 0 or more"),
        ("age_balance=2", "expected age_balance from 0 to 1"),
    ],
)
def test_a_wrong_word_says_so(word, reason):
    with pytest.raises(EdgeageError, match=reason):
        ZooRecipe(9).changed([word], OPTIONS)


@pytest.mark.parametrize(
    ("words", "rates"),
    [
        (["schedule=constant"], [1.0, 1.0, 1.0, 1.0]),
        (["schedule=cosine"], [1.0, 0.853553, 0.5, 0.146447]),
        (["schedule=step", "step_epochs=1", "step_factor=0.5"], [1.0, 1.0, 0.5, 0.5]),
        (["schedule=constant", "warmup=4"], [0.25, 0.5, 0.75, 1.0]),
    ],
    ids=["constant", "cosine", "step", "warmup"],
)
def test_the_learning_rate(words, rates):
    """Two epochs of two iterations."""
    recipe = ZooRecipe(2, learning_rate=1.0).changed(words, ())
    assert [recipe.rate(place, 2) for place in range(4)] == pytest.approx(rates, abs=1e-6)


def test_every_network_has_a_recipe_that_fits_it():
    folder = data_dir("models") / "recipes"
    named = {path.stem for path in folder.glob("*.toml")} - {"backbone"}
    assert named < set(NETWORKS)
    for name in NETWORKS:
        recipe = ZooRecipe.read(recipe_path(name), network_options(name))
        assert recipe.epochs >= 20
    assert recipe_path("resnet50").name == "backbone.toml"
    assert build_network("ssrnet").name == "ssrnet"
