"""``edgeage train`` of the zoo's networks as a user types it, on made-up faces."""

import csv
import dataclasses
import importlib.util
import json
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest

from edgeage import Predictor
from edgeage.images import equalised
from edgeage.manifest import Manifest
from edgeage.training.zoo.folds import train_folds
from edgeage.training.zoo.run import ZooOptions, train_zoo

SHORT = ("epochs=2", "batch_size=4", "validation=0.2")


@pytest.fixture(scope="module")
def data(tiny_utkface, tmp_path_factory):
    from edgeage.cli.main import main

    folder = tmp_path_factory.mktemp("zoo") / "data"
    words = ["dataset", "build", "utkface", str(tiny_utkface.archive), "-o", str(folder)]
    assert main([*words, "--no-oversample", "--seed", "230"]) == 0
    return folder


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    """SSR-Net with both heads after two epochs."""
    out = tmp_path_factory.mktemp("trained") / "ssrnet-joint"
    assert train_zoo(ZooOptions("ssrnet-joint", data, out, overrides=SHORT)) == out / "model"
    return out


def stopping_after(iterations):
    left = iter([False] * iterations)
    return lambda: next(left, True)


def test_a_training_leaves_what_the_sdk_runs(trained, cli, data, astronaut_face, tmp_path):
    manifest = Manifest.read(trained / "model" / "model.json")
    report = json.loads((data / "report.json").read_text())
    assert manifest.tasks == ("age", "gender")
    assert manifest.input.margin == report["input"]["margin"]
    assert [list(point) for point in manifest.input.landmarks] == report["input"]["landmarks"]
    figures = json.loads((trained / "ssrnet-joint_validation.json").read_text())
    assert manifest.source["validation"] == figures
    assert (figures["epochs"], figures["faces"] > 0) == (2, True)
    assert manifest.source["recipe"]["age_loss"] == "mae"
    with Predictor(trained / "model", device="CPU", detect="never") as predictor:
        (face,) = predictor.predict(astronaut_face)
    assert (0 <= face.age <= 120, face.gender in ("Male", "Female")) == (True, True)
    out = tmp_path / "compiled"
    words = ["compile", trained / "model", "--target", "CPU", "--precision", "FP32", "-o", out]
    assert cli(*words).exit_code == 0
    with (trained / "ssrnet-joint_log.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    tests = [row for row in rows if row["phase"] == "test"]
    assert float(tests[-1]["mae_years"]) > 0 < float(tests[-1]["gender"])
    assert list((trained / "tensorboard").glob("events.out.tfevents.*"))


def test_the_command_trains_refuses_and_resumes(data, tmp_path, cli):
    words = ["train", "mobilenetv2", "--data", data, "-o", tmp_path / "out"]
    done = cli(*words, "weights=none", "size=32", "head=groups", "epochs=1", *SHORT[1:])
    assert (done.exit_code, done.stdout) == (0, f"{tmp_path / 'out' / 'model'}\n"), done.stderr
    assert "age off by" in done.stderr
    again = cli(*words)
    assert (again.exit_code, "go on with --resume" in again.stderr) == (1, True)
    before = (tmp_path / "out" / "model" / "mobilenetv2.onnx").read_bytes()
    assert cli(*words, "--resume").exit_code == 0
    assert (tmp_path / "out" / "model" / "mobilenetv2.onnx").read_bytes() == before
    started = cli(
        "train", "mobilenetv2", "--data", data, "-o", tmp_path / "next", "epochs=1", *SHORT[1:],
        "size=32", "head=groups", "learning_rate=1e-9", "flip=0",
        "--weights", tmp_path / "out" / "mobilenetv2_best.keras",
    )  # fmt: skip
    assert started.exit_code == 0, started.stderr
    sources = [Manifest.read(tmp_path / name / "model" / "model.json").source["started_from"]
               for name in ("out", "next")]  # fmt: skip
    assert (sources[0], sources[1]["name"]) == ("none", "mobilenetv2_best.keras")
    other = cli(
        "train", "ssrnet", "--data", data, "-o", tmp_path / "x",
        "--weights", tmp_path / "out" / "mobilenetv2_best.keras",
    )  # fmt: skip
    assert (other.exit_code, "holds no weights of ssrnet" in other.stderr) == (1, True)


def test_a_network_of_equalised_faces_stays_one(data, tmp_path, cli, astronaut_face):
    words = ["train", "generation", "--data", data, "-o", tmp_path / "out", "size=32", "epochs=1"]
    done = cli(*words, *SHORT[1:], "equalise=1")
    assert done.exit_code == 0, done.stderr
    manifest = Manifest.read(tmp_path / "out" / "model" / "model.json")
    assert manifest.input.equalise
    compile_ = ["compile", manifest.folder, "--target", "CPU", "-o", tmp_path / "ir"]
    assert cli(*compile_, "--precision", "FP32").exit_code == 0
    (compiled,) = (tmp_path / "ir").rglob("model.json")
    assert Manifest.read(compiled).input == manifest.input
    spec = dataclasses.replace(manifest.input, equalise=False)
    plain = equalised(cv2.resize(astronaut_face, (32, 32), interpolation=cv2.INTER_AREA))
    np.testing.assert_array_equal(spec.prepare(plain), manifest.input.prepare(astronaut_face))
    ages = []
    for model in (manifest.folder, tmp_path / "ir"):
        with Predictor(model, device="CPU", detect="never") as predictor:
            ages.append(predictor.predict(astronaut_face)[0].age)
    assert ages[0] == pytest.approx(ages[1], abs=0.1)
    refused = cli(*words[:5], tmp_path / "other", "equalise=2")
    assert (refused.exit_code, "equalise of 0 or 1, got 2" in refused.stderr) == (2, True)


def iterations(out):
    with (out / "ssrnet-gender_log.csv").open(newline="") as stream:
        return [int(row["iteration"]) for row in csv.DictReader(stream) if row["phase"] == "train"]


def test_folds_go_on_where_they_were(data, tmp_path, cli):
    """The first is finished, the second stopped after an iteration, the third not begun."""
    out = tmp_path / "out"
    options = ZooOptions("ssrnet-gender", data, out, overrides=SHORT)
    asked = iter([False, True])

    def after_one_of_the_second():
        begun = (out / "fold_2" / "ssrnet-gender_recipe.json").exists()
        return begun and next(asked)

    assert train_folds(options, 3, stop=after_one_of_the_second) is None
    assert iterations(out / "fold_2") == [1]
    first = (out / "fold_1" / "model" / "ssrnet-gender.onnx").read_bytes()
    assert not (out / "fold_3").exists()
    other = cli("train", "ssrnet-gender", "--data", data, "-o", out, "--resume", "--folds", 4)
    assert (other.exit_code, "was begun with 3 folds, not 4" in other.stderr) == (2, True)
    summary = train_folds(ZooOptions("ssrnet-gender", data, out, resume=True), 3)
    assert (out / "fold_1" / "model" / "ssrnet-gender.onnx").read_bytes() == first
    for fold in (1, 2, 3):
        done = iterations(out / f"fold_{fold}")
        assert done == list(range(1, len(done) + 1)) != []
    values = [fold["gender"] for fold in summary["folds"]]
    assert summary["mean"]["gender"] == pytest.approx(np.mean(values))
    assert summary["sd"]["gender"] == pytest.approx(np.std(values, ddof=1))
    assert "mae_years" not in summary["mean"]
    assert json.loads((out / "ssrnet-gender_folds.json").read_text()) == summary
    words = ("train", "ssrnet-gender", "--engine", "keras", "--data", data, "-o", out)
    shown = cli(*words, "--resume", "--folds", 3)
    assert shown.stdout.splitlines()[0].startswith(f"gender {np.mean(values):.4f} ± ")


@pytest.mark.parametrize(
    ("name", "more", "code", "reason"),
    [
        ("ssrnet", ["--engine", "caffe"], 2, "--engine caffe: ssrnet is trained by keras"),
        ("agenet", ["--engine", "keras"], 2, "--engine keras: agenet is trained by torch or caffe"),
        ("ssrnet", ["--max-iter", "3"], 2, "--max-iter: not for ssrnet"),
        ("ssrnet", ["speed=3"], 1, "unknown setting «speed»"),
        ("ssrnet", ["size=96"], 1, "unknown setting «size»"),
        ("ssrnet", ["--resume"], 1, "no training to resume"),
        ("ssrnet", ["--resume", "epochs=3"], 2, "its own recipe"),
        ("ssrnet", ["--track", "wanb"], 2, "did you mean «wandb»"),
        ("ssrnet", ["--weights", "none.keras"], 1, "none.keras is missing"),
        ("mobilenetv2", ["weights=imagnet"], 2, "expected weights imagenet or none"),
        ("ssrnt", [], 2, "unknown network «ssrnt»; did you mean «ssrnet»"),
        ("agenet", ["--folds", "3"], 2, "--folds: not for agenet; it is for the zoo"),
    ],
)
def test_a_wrong_call_says_so(data, tmp_path, cli, name, more, code, reason):
    result = cli("train", name, "--data", data, "-o", tmp_path / "out", *more)
    assert (result.exit_code, reason in result.stderr) == (code, True), result.stderr
    assert len(result.stderr.splitlines()) == 1


# In a process of its own: Keras computes with one backend a process.
_TENSORFLOW = """
import json, sys
from pathlib import Path
import numpy as np
from edgeage import Predictor
from edgeage.training.zoo.run import ZooOptions, train_zoo
from edgeage.zoo.backend import open_keras
from edgeage.zoo import build_network

data, begun, out, face = map(Path, sys.argv[1:])
short = ("epochs=2", "batch_size=4", "validation=0.2")
train_zoo(ZooOptions("ssrnet-joint", data, begun, resume=True))
model = train_zoo(ZooOptions("mobilenetv2", data, out,
    overrides=(*short, "size=32", "weights=none", "mixup=0.2")))
keras = open_keras()
stored = keras.saving.load_model(out / "mobilenetv2_best.keras")
network = build_network("mobilenetv2", {"size": 32, "weights": "none"})
picture = np.load(face)
pixels = network.prepared(network.spec.prepare(picture)[None])
ages = stored.predict_on_batch(pixels)[1][0]
with Predictor(model, device="CPU", detect="never") as predictor:
    (found,) = predictor.predict(picture)
print(json.dumps([keras.config.backend(), float(ages @ np.arange(101)), found.age]))
"""


@pytest.mark.skipif(
    importlib.util.find_spec("tensorflow") is None, reason="TensorFlow is not installed"
)
def test_tensorflow_trains_saves_exports_and_resumes(data, tmp_path, astronaut_face, trained):
    """A training begun with torch ends with TensorFlow about where torch alone ends it."""
    begun, out = tmp_path / "begun", tmp_path / "out"
    options = ZooOptions("ssrnet-joint", data, begun, overrides=SHORT)
    assert train_zoo(options, stop=stopping_after(8)) is None
    np.save(tmp_path / "face.npy", astronaut_face)
    words = [str(path) for path in (data, begun, out, tmp_path / "face.npy")]
    done = subprocess.run(
        [sys.executable, "-c", _TENSORFLOW, *words],
        capture_output=True, text=True, check=False,
        env={**os.environ, "KERAS_BACKEND": "tensorflow"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    backend, expected, found = json.loads(done.stdout.splitlines()[-1])
    assert (backend, found) == ("tensorflow", pytest.approx(expected, abs=0.2))
    tools = Manifest.read(out / "model" / "model.json").tools
    assert "tensorflow" in tools
    losses = [
        json.loads((folder / "ssrnet-joint_validation.json").read_text())["loss"]
        for folder in (trained, begun)
    ]
    assert losses[1] == pytest.approx(losses[0], rel=0.2)
