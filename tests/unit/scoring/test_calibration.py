"""Temperature and interval, on answers whose right ones are known."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from edgeage.answers import decode, probabilities
from edgeage.errors import DatasetError
from edgeage.evaluation.faces import Truth
from edgeage.inputspec import InputSpec
from edgeage.labels import AGE_GROUPS, DEFAULT_GROUP_AGES, GENDERS
from edgeage.manifest import Manifest
from edgeage.outputs import Output
from edgeage.paths import data_dir
from edgeage.scoring.calibration import calibrate, fit_output

RNG = np.random.default_rng(0)
COUNT = 4000
EVERYONE = np.ones(COUNT, bool)


class MadeFaces:
    """Labels without pictures."""

    name, part, sha256 = "made", "up", "0" * 64

    def __init__(self, told: Truth) -> None:
        self.truth = told

    def __len__(self) -> int:
        return len(self.truth.ages)


def truth(ages, genders) -> Truth:
    blank = ("",) * len(ages)
    return Truth(
        np.asarray(ages, float), np.asarray(genders), blank, np.arange(len(ages)), blank, blank,
        np.full(len(ages), np.nan),
    )  # fmt: skip


def drawn(rows: np.ndarray) -> np.ndarray:
    """Draw a class for every row of probabilities."""
    return (rows.cumsum(axis=1) < RNG.random((len(rows), 1))).sum(axis=1).clip(0, rows.shape[1] - 1)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_that_was_put_in_comes_out(temperature) -> None:
    logits = RNG.normal(0, 2, (COUNT, 2))
    output = Output("g", "gender", "classes", ("Female", "Male"), logits=True)
    warm = dataclasses.replace(output, temperature=temperature)
    order = [output.labels.index(name) for name in GENDERS]
    genders = np.array([order.index(c) for c in drawn(probabilities(warm, logits))])
    fitted = fit_output(output, logits, truth(np.zeros(COUNT), genders), EVERYONE)
    assert fitted.temperature == pytest.approx(temperature, rel=0.1)
    one = Output("g", "gender", labels=("Male",), logits=True)
    difference = logits[:, 1:] - logits[:, :1]
    alone = fit_output(one, difference, truth(np.zeros(COUNT), genders), EVERYONE)
    assert alone.temperature == pytest.approx(fitted.temperature, rel=1e-3)


def test_the_interval_holds_four_of_five() -> None:
    ages = RNG.uniform(20, 60, COUNT)
    rows = (ages + RNG.laplace(0, 4, COUNT))[:, None] / 100
    output = Output("y", "age", "years", factor=100)
    fitted = fit_output(output, rows, truth(ages, np.zeros(COUNT)), EVERYONE)
    assert fitted.interval == pytest.approx(-4 * np.log(0.2), rel=0.06)
    low, high = np.array([decode(fitted, row)["age_interval"] for row in rows]).T
    assert ((low <= ages) & (ages <= high)).mean() == pytest.approx(0.8, abs=0.001)


def test_calibrating_mends_confidence_and_scores_faces_left_out() -> None:
    sharp = RNG.dirichlet(np.full(9, 0.3), COUNT)
    groups = drawn(sharp)
    flat = sharp**0.5
    flat /= flat.sum(axis=1, keepdims=True)
    ages = np.array(DEFAULT_GROUP_AGES)[groups].round()
    manifest = Manifest.classifier("net", "age", AGE_GROUPS, InputSpec())
    told = truth(ages, np.zeros(COUNT))
    found = calibrate(manifest, {"age": flat}, MadeFaces(told))
    assert found.outputs[0].temperature == pytest.approx(0.5, rel=0.1)
    before, after = found.figures["before"], found.figures["after"]
    assert before["age_ece"]["value"] > 0.1 > 0.04 > after["age_ece"]["value"]
    assert after["interval_coverage"]["value"] == pytest.approx(0.8, abs=0.02)
    assert after["interval_coverage"]["faces"] == COUNT


def test_too_few_faces_are_refused() -> None:
    output = Output("y", "age", "years")
    few = truth([20.0] * 20 + [float("nan")] * 60, [0] * 80)
    with pytest.raises(DatasetError, match="at least 30 faces with a label of age.* got 20"):
        fit_output(output, np.zeros((80, 1)), few, np.ones(80, bool))


def test_the_command_writes_the_manifest_and_predictors_tell_the_interval(
    cli, small_data, trained_models, tmp_path
) -> None:
    import shutil

    from edgeage import Predictor
    from edgeage.compiler import compile_model, find_model
    from edgeage.datasets.records import read_records

    model = tmp_path / "models" / "agenet.caffemodel"
    shutil.copytree(trained_models, model.parent)
    records = [item.record for item in read_records(small_data / "records.csv")]
    listed = tmp_path / "all.sha256"
    listed.write_text("".join(f"{face.sha256}  {face.name}\n" for face in records))
    words = ("models", "calibrate", model, "--data", small_data, "--faces", listed, "--json")
    before = model.with_suffix(".json").read_bytes()
    tried = json.loads(cli(*words, "--dry-run").stdout)
    assert model.with_suffix(".json").read_bytes() == before
    told = json.loads(cli(*words).stdout)
    assert (told["written"], told["outputs"]) == (True, tried["outputs"])
    manifest = Manifest.read(model.with_suffix(".json"))
    assert manifest.outputs[0].interval == told["outputs"][0]["interval"] > 0
    assert manifest.source["calibration"]["faces"] == len(records)
    compile_model(find_model(model), tmp_path / "compiled", precision="FP32")
    with Predictor(tmp_path / "compiled", "CPU", detector=None) as predictor:
        face = predictor.predict(np.full((67, 67, 3), 90, np.uint8))[0]
    low, high = face.age_interval
    assert 0 <= low < face.age < high <= 120
    assert face.to_dict()["age_interval"] == [low, high]


def test_imported_models_are_listed_and_shown_too(cli, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("EDGEAGE_MODELS", str(tmp_path))
    fields = json.loads((data_dir("models") / "edgeage-xs.json").read_text(encoding="utf-8"))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "model.json").write_text(json.dumps({**fields, "name": "mine"}))
    listed = json.loads(cli("models", "list", "--json").stdout)
    assert (listed[-1]["name"], listed[-1]["weights"]) == ("mine", False)
    shown = json.loads(cli("models", "show", "mine", "--json").stdout)
    assert shown["folder"] == str(tmp_path / "mine")
    assert "mine" in cli("models", "show", "mine").stdout


def test_models_are_listed_and_shown(cli, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("EDGEAGE_MODELS", str(tmp_path))
    listed = json.loads(cli("models", "list", "--json").stdout)
    assert [fields["name"] for fields in listed][:2] == ["agenet", "gendernet"]
    assert {"age_mae", "age_group"} <= listed[0]["scores"][0]["figures"].keys()
    assert "gender" not in listed[0]["scores"][0]["figures"]
    weights = {fields["name"]: fields["weights"] for fields in listed}
    assert weights.pop("age-gender-recognition-retail-0013") is False
    assert weights == {"agenet": True, "gendernet": True, "edgeage-s": True, "edgeage-xs": True}
    assert "non-commercial" in cli("models", "list").stdout
    card = cli("models", "show", "agenet").stdout
    assert "## Not for" in card
    assert "## Recipe" in card
    assert json.loads(cli("models", "show", "gendernet", "--json").stdout)["name"] == "gendernet"
    wrong = cli("models", "show", "agnet")
    assert wrong.exit_code == 2
    assert "did you mean «agenet»" in wrong.stderr


def test_evaluate_writes_what_is_asked_for(cli, small_data, words, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("EDGEAGE_CACHE", str(tmp_path / "cache"))
    files = {name: tmp_path / f"report.{name}" for name in ("html", "markdown")}
    call = ["evaluate", "--models", words, "--data", small_data, "--seconds", 0, "--json"]
    call += ["--resamples", 100, "--plot", tmp_path / "plots"]
    call += [part for name, path in files.items() for part in (f"--{name}", path)]
    done = cli(*call)
    assert done.exit_code == 0, done.stderr
    document = json.loads(done.stdout)
    told = f"{document['results'][0]['figures']['age_mae']['value']:.2f}"
    assert all(told in path.read_text(encoding="utf-8") for path in files.values())
    assert (tmp_path / "plots" / "cs.svg").is_file()
    again = cli(*call)
    assert again.exit_code == 2
    assert "--overwrite" in again.stderr
