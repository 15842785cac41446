"""What a training keeps for its resumption."""

import pytest

from edgeage.caffe import parse_net, parse_solver, read_net, read_solver
from edgeage.errors import ModelError, TrainingError
from edgeage.training.recipe import Recipe, read_recipe


def _write(recipe, folder, tiny_net):
    solver = parse_solver('net: "elsewhere.prototxt" base_lr: 0.5 lr_policy: "fixed"')
    recipe.write(folder, "tiny", solver, parse_net(tiny_net))


def test_it_comes_back_as_it_was_with_the_prototxts(tmp_path, tiny_net):
    (tmp_path / "start.caffemodel").write_bytes(b"weights")
    recipe = Recipe.of(tmp_path / "start.caffemodel").changed("fp32", ["base_lr=0.5"])
    _write(recipe, tmp_path, tiny_net)
    assert read_recipe(tmp_path, "tiny") == recipe
    assert recipe.started_from["name"] == "start.caffemodel"
    solver = read_solver(tmp_path / "tiny_solver.prototxt")
    assert (solver.base_lr, solver.net) == (0.5, "tiny_train_test.prototxt")
    assert read_net(tmp_path / solver.net) == parse_net(tiny_net)


def test_words_given_later_stand_behind_and_precision_stays_unless_given():
    recipe = Recipe(("a=1", "b=2"), "fp32")
    assert recipe.changed(None, ["a=3", "b=2"]) == Recipe(("a=1", "b=2", "a=3"), "fp32")
    assert recipe.changed("bf16", []).precision == "bf16"


@pytest.mark.parametrize("text", [None, "{", "[]", "{}", '{"overrides": 3}'])
def test_a_missing_or_damaged_one_is_one_clear_line(tmp_path, text):
    if text is not None:
        (tmp_path / "tiny_recipe.json").write_text(text)
    with pytest.raises(TrainingError, match="tiny_recipe.json is not a training's recipe"):
        read_recipe(tmp_path, "tiny")


def test_weights_that_cannot_be_read(tmp_path):
    with pytest.raises(ModelError, match="nowhere.caffemodel cannot be read"):
        Recipe.of(tmp_path / "nowhere.caffemodel")
