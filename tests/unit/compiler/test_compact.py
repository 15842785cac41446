"""A compact network, as the training of both tasks writes it, goes everywhere."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from edgeage.compiler.imported import compile_imported, find_imported
from edgeage.errors import ModelError
from edgeage.predictor import Predictor
from edgeage.runtime.myriad import MyriadBackend

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

SIDE = 32
FACE = np.random.default_rng(4).integers(0, 256, (SIDE, SIDE, 3), np.uint8)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A small one with random weights and a manifest as it is written by hand."""
    from edgeage.training.joint.compact import MEAN, write_onnx
    from edgeage.training.joint.mobilenet import MobileNet

    folder = tmp_path_factory.mktemp("compact")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        network = MobileNet(0.25).train()
        network(torch.rand(8, 3, SIDE, SIDE) * 255 - 110)
    with torch.no_grad():
        for head in (network.age, network.gender):
            head.weight.mul_(30)
    write_onnx(network.eval(), SIDE, folder / "edgeage-s.onnx")
    fields = {
        "manifest": 1,
        "name": "edgeage-s",
        "files": {"onnx": "edgeage-s.onnx"},
        "input": {
            "size": SIDE, "channel_order": "BGR", "layout": "NCHW", "mean": list(MEAN),
        },
        "outputs": [
            {"name": "age", "task": "age", "kind": "distribution", "logits": True},
            {"name": "gender", "task": "gender", "labels": ["Male", "Female"], "logits": True},
        ],
    }  # fmt: skip
    (folder / "edgeage-s.json").write_text(json.dumps(fields), encoding="utf-8")
    return folder / "edgeage-s.json"


def answer(place):
    with Predictor(place, "CPU", detector=None) as predictor:
        (face,) = predictor.predict(FACE)
    return face


@pytest.mark.parametrize(("target", "precision"), [("CPU", "FP32"), ("CPU", None), ("ONNX", None)])
def test_it_answers_as_before(target, precision, model, tmp_path):
    made = compile_imported(find_imported(model), tmp_path, target=target, precision=precision)
    before, after = answer(model), answer(made.folder)
    assert 1 < before.age < 99
    halves = target == "CPU" and precision is None
    years, share = (0.5, 0.03) if halves else (0.05, 5e-3)
    assert after.age == pytest.approx(before.age, abs=years)
    assert after.gender_probability == pytest.approx(before.gender_probability, abs=share)


def test_by_the_name_it_comes_with(model, tmp_path, monkeypatch):
    monkeypatch.setattr("edgeage.modelfiles.data_dir", lambda _: tmp_path)
    shutil.copy(model, tmp_path)
    with pytest.raises(ModelError, match="the manifest of edgeage-s comes with edgeage, its wei"):
        Predictor("edgeage-s", "CPU")
    shutil.copy(model.with_suffix(".onnx"), tmp_path)
    assert find_imported("edgeage-s").files == find_imported(model).files
    assert answer("edgeage-s").age == answer(model).age


def test_a_blob_answers_both_tasks_in_one_output(model, tmp_path, toolchain):
    depthai = pytest.importorskip("depthai")
    made = compile_imported(find_imported(model), tmp_path, target="OAK")
    assert made.blob["values"] == {"age": 101, "gender": 2}
    (output,) = depthai.OpenVINO.Blob(made.file("blob")).networkOutputs.values()
    assert max(output.dims) == 103
    assert made.parity["max_difference"] < 1e-2
    before, here = answer(model), answer(made.folder)
    assert here.age == pytest.approx(before.age, abs=0.5)
    stick = MyriadBackend(plugin="CPU", python=toolchain.python)
    with Predictor(made.folder, backend=stick, detector=None) as predictor:
        (there,) = predictor.predict(FACE)
    assert there.age == pytest.approx(before.age, abs=0.5)
    assert there.gender_probability == pytest.approx(before.gender_probability, abs=0.03)
