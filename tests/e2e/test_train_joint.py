"""``edgeage train joint`` as a user types it: two models out of one training."""

import json

import numpy as np
import pytest

from edgeage.caffe import read_net, read_weights, write_weights
from edgeage.compiler.sources import RELEASED, released_path
from edgeage.manifest import Manifest
from edgeage.paths import data_dir


@pytest.fixture(scope="module")
def data(tiny_utkface, tmp_path_factory):
    from edgeage.cli.main import main

    folder = tmp_path_factory.mktemp("joint") / "data"
    words = ["dataset", "build", "utkface", str(tiny_utkface.archive), "-o", str(folder)]
    assert main([*words, "--no-oversample", "--seed", "230"]) == 0
    return folder


def test_it_writes_both_models_and_resumes(data, tmp_path, cli):
    from edgeage.training.precision import has_fast_bf16

    out = tmp_path / "out"
    words = ["train", "joint", "--data", data, "-o", out]
    other = "fp32" if has_fast_bf16() else "bf16"
    asked = ["--precision", other, "iterations=2", "batch_size=2", "validation=0.2"]
    result = cli(*words, *asked)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.split() == [str(out / f"{n}.caffemodel") for n in ("agenet", "gendernet")]
    age, gender = (Manifest.read(out / f"{name}.json") for name in ("agenet", "gendernet"))
    assert (age.task, gender.task) == ("age", "gender")
    assert age.input == gender.input
    ages, genders = (read_weights(manifest.file("caffemodel")) for manifest in (age, gender))
    np.testing.assert_array_equal(ages["conv1"][0], genders["conv1"][0])
    assert (ages["fc8"][1].size, genders["fc8"][1].size) == (9, 2)
    score = json.loads((out / "joint_validation.json").read_text())
    kept = json.loads((out / "joint_recipe.json").read_text())
    assert score["faces"] == len(kept["validation_faces"]) > 0
    assert kept["recipe"]["batch_size"] == 2
    again = cli(*words)
    assert (again.exit_code, "--resume" in again.stderr) == (1, True)
    before = (out / "agenet.caffemodel").read_bytes()
    assert cli(*words, "--resume", "--engine", "torch").exit_code == 0
    assert (out / "agenet.caffemodel").read_bytes() == before
    assert json.loads((out / "joint_recipe.json").read_text())["precision"] == other
    assert Manifest.read(out / "agenet.json").source["precision"] == other
    tested = cli("test", "agenet", "--data", data, "--model", out / "agenet.caffemodel")
    assert tested.exit_code == 0, tested.stderr


def test_it_begins_with_a_trained_pair(data, tmp_path, cli):
    words = ["train", "joint", "--data", data]
    more = ["iterations=1", "batch_size=2", "validation=0.2", "learning_rate=1e-12"]
    pair = {name: read_weights(released_path(name)) for name in RELEASED}
    start = ["--weights", released_path("agenet")]
    result = cli(*words, *start, "-o", tmp_path / "out", *more)
    assert result.exit_code == 0, result.stderr
    for name in RELEASED:
        manifest = Manifest.read(tmp_path / "out" / f"{name}.json")
        assert manifest.source["started_from"]["name"] == "agenet.caffemodel"
        trained = read_weights(manifest.file("caffemodel"))
        for layer, blobs in pair[name].items():
            np.testing.assert_allclose(trained[layer][0], blobs[0], rtol=0, atol=1e-9)
    pair["gendernet"]["conv3"][0] = pair["gendernet"]["conv3"][0] + 1
    for name, weights in pair.items():
        net = read_net(data_dir("prototxt") / f"{name}_train_test.prototxt")
        write_weights(tmp_path / f"{name}.caffemodel", net, weights)
    start = ["--weights", tmp_path / "agenet.caffemodel"]
    result = cli(*words, *start, "-o", tmp_path / "other", *more)
    assert (result.exit_code, "differ in layer «conv3»" in result.stderr) == (1, True)


@pytest.mark.parametrize(
    ("more", "code", "reason"),
    [
        (["--engine", "caffe"], 2, "--engine caffe: joint is trained by torch"),
        (["--solver", "s.prototxt"], 2, "--solver: not for joint"),
        (["speed=3"], 1, "unknown setting «speed»"),
        (["--resume"], 1, "no training to resume"),
        (["--resume", "iterations=3"], 2, "its own recipe"),
        (["--recipe", "none.toml"], 1, "none.toml is missing"),
        (["--teacher", "edgeage-s.onnx"], 2, "teacher_weight is 0"),
        (["teacher_weight=0.5"], 2, "name a --teacher"),
        (["--weights", "faceres-deep.bin"], 1, "as a joint_state.npz"),
    ],
)
def test_a_wrong_call_says_so(data, tmp_path, cli, more, code, reason):
    result = cli("train", "joint", "--data", data, "-o", tmp_path / "out", *more)
    assert (result.exit_code, reason in result.stderr) == (code, True), result.stderr


def test_a_recipe_is_for_joint_alone(data, tmp_path, cli):
    result = cli("train", "agenet", "--data", data, "-o", tmp_path / "o", "--recipe", "x.toml")
    assert (result.exit_code, "--recipe: not for agenet" in result.stderr) == (2, True)


def test_the_compact_network_trains_and_predicts(data, tmp_path, cli, astronaut_face):
    from edgeage import Predictor

    out = tmp_path / "out"
    words = ["network.size=32", "network.width=0.25", "network.fixed_statistics=0"]
    more = ["iterations=2", "batch_size=2", "validation=0.2", "warmup=1", *words]
    result = cli("train", "edgeage-s", "--data", data, "-o", out, *more)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.split() == [str(out / "edgeage-s.onnx")]
    manifest = Manifest.read(out / "edgeage-s.json")
    assert manifest.tasks == ("age", "gender")
    assert manifest.input.landmarks is not None
    with Predictor(out / "edgeage-s.onnx", device="CPU", detect="never") as predictor:
        (face,) = predictor.predict(astronaut_face)
    assert len(face.age_probabilities) == 9
    assert 0 <= face.age <= 100
    teach = ["--teacher", out / "edgeage-s.onnx"]
    more = ["iterations=2", "batch_size=2", "validation=0.2", *words]
    taught = cli("train", "edgeage-xs", "--data", data, "-o", tmp_path / "xs", *teach, *more)
    assert taught.exit_code == 0, taught.stderr
    assert (
        Manifest.read(tmp_path / "xs" / "edgeage-xs.json").source["taught_by"] == "edgeage-s.onnx"
    )
