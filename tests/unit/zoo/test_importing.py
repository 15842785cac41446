"""Published weights become a model folder that a Predictor runs."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from edgeage import Predictor
from edgeage.cli.main import main
from edgeage.errors import ModelError, ParityError, UsageError
from edgeage.zoo.importing import import_model
from edgeage.zoo.product import write_product
from edgeage.zoo.ssrnet import ssrnet, ssrnet_joint


@pytest.fixture
def weights(tmp_path, write_keras2, stir):
    return write_keras2(stir(ssrnet()).model, tmp_path / "imdb.h5")


def test_import_then_predict_by_name(weights, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("EDGEAGE_MODELS", str(tmp_path / "models"))
    assert main(["models", "import", str(weights), "--as", "ssrnet", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["source"]["imported"] == "imdb.h5"
    assert told["parity"]["max_difference"] <= 1e-3
    network = import_model(weights, "ssrnet")
    face = np.random.default_rng(5).integers(0, 256, (64, 64, 3), np.uint8)
    with Predictor("ssrnet", "CPU", detector=None) as predictor:
        (found,) = predictor.predict(face)
    expected = network.predict(face.transpose(2, 0, 1)[None])["pred_a"][0, 0]
    assert found.age == pytest.approx(float(np.clip(expected, 0, 120)), abs=0.5)
    assert main(["models", "import", str(weights), "--as", "ssrnet"]) == 1
    assert "is not empty" in capsys.readouterr().err


def test_a_whole_keras_model_with_its_description(tmp_path, stir, faces):
    given = stir(ssrnet_joint())
    given.model.save(tmp_path / "mine.keras")
    outputs = [output.to_dict() for output in reversed(given.outputs)]
    described = {
        "manifest": 1, "name": "mine", "input": {"size": 64, "channel_order": "BGR"},
        "outputs": outputs,
    }  # fmt: skip
    (tmp_path / "model.json").write_text(json.dumps(described))
    taken = import_model(tmp_path / "mine.keras", "keras")
    batch = faces(given)
    expected, found = given.predict(batch), taken.predict(batch)
    assert (taken.name, sorted(found)) == ("mine", sorted(expected))
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-5)
    described["outputs"][0]["name"] = "other"
    (tmp_path / "model.json").write_text(json.dumps(described))
    with pytest.raises(ModelError, match=r"model.json: expected outputs .* got other"):
        import_model(tmp_path / "mine.keras", "keras")


def test_code_in_a_keras_file_is_refused(keras, tmp_path):
    picture = keras.Input((8, 8, 3))
    value = keras.layers.Lambda(lambda x: x * 2)(keras.layers.Flatten()(picture))
    keras.Model(picture, keras.layers.Dense(1, name="age")(value)).save(tmp_path / "m.keras")
    with pytest.raises(ModelError, match="is no Keras 3 model edgeage can load"):
        import_model(tmp_path / "m.keras", "keras")


def test_what_differs_is_not_written(tmp_path, stir, faces, monkeypatch):
    network = stir(ssrnet())
    true = type(network).predict
    monkeypatch.setattr(
        type(network), "predict",
        lambda self, batch: {name: rows + 1 for name, rows in true(self, batch).items()},
    )  # fmt: skip
    with pytest.raises(ParityError, match="output «pred_a» of the ONNX file differs from Keras"):
        write_product(network, tmp_path / "m", faces(network), "noise", source={})
    assert list(tmp_path.iterdir()) == []


def test_efficientnetb3_takes_bgr_of_224(tmp_path, write_keras2):
    """Keras 2's Normalization stored a count, which not every Keras 3 keeps."""
    from edgeage.zoo import build_network

    given = build_network("efficientnetb3", {"size": 224, "weights": "none"})
    taken = import_model(
        write_keras2(given.model, tmp_path / "w.hdf5", count=True), "efficientnetb3"
    )
    assert (taken.takes.channel_order, taken.input_hw, taken.margin) == ("BGR", (224, 224), 0.4)
    for left, right in zip(given.model.get_weights(), taken.model.get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize(
    ("form", "error", "reason"),
    [
        ("ssrnt", UsageError, "unknown form «ssrnt»; did you mean «ssrnet»"),
        ("ssrnet-gender", ModelError, "has no layer «pred_stage1» of ssrnet_gender"),
        ("keras", UsageError, r"imdb.h5 is no .keras file"),
    ],
)
def test_what_is_refused(form, error, reason, weights):
    with pytest.raises(error, match=reason):
        import_model(weights, form)


def test_a_name_changes_nothing_else(weights):
    network = import_model(weights, "ssrnet")
    assert dataclasses.replace(network, name="mine").outputs == network.outputs
