"""Each engine shows the same blobs, and says why it cannot run."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgeage import caffe
from edgeage.compiler.half import HalfNetwork
from edgeage.errors import ToolchainError, UsageError
from edgeage.manifest import Manifest
from edgeage.movidius.toolchain import PYTHON_VARIABLE
from edgeage.verification import ENGINES, find_subject
from edgeage.verification.engines import make_engines
from edgeage.verification.foreign import OPENVINO_2022_VARIABLE


def _engine(subject, key, folder=Path()):
    (engine,) = make_engines(subject, folder, [key])
    return engine


# OpenVINO's half precision is bf16 where the CPU has it: eight bits a number, and four layers.
_RELATIVE = {"fp16": 5e-3, "openvino-fp16": 2e-2}


@pytest.fixture
def by_hand(subject, pictures):
    """conv1 behind its ReLU and pool1, by OpenCV's filter2D: independent of every importer."""
    weights, bias = caffe.read_weights(subject.trained.caffemodel)["conv1"]
    values = subject.normalised(pictures.batch[:1])[0]
    planes = [
        sum(cv2.filter2D(values[c], cv2.CV_32F, kernel[c])[3:-3:4, 3:-3:4] for c in range(3))
        for kernel in weights[:4]
    ]
    return np.maximum(np.stack(planes) + bias[:4, None, None], 0)


HERE = ["cv2", "torch", "openvino-fp32", "openvino-fp16", "fp16"]


@pytest.mark.parametrize("key", HERE)
def test_conv1_is_shown_behind_its_relu(key, subject, pictures, by_hand):
    conv1 = _engine(subject, key).layers(pictures.batch[:1])["conv1"]
    assert conv1.dtype == np.float32
    assert conv1.shape == (1, 96, 16, 16)
    assert (by_hand == 0).any()
    tolerance = 2e-2 if "16" in key else 1e-3
    np.testing.assert_allclose(conv1[0, :4], by_hand, rtol=0, atol=tolerance)


@pytest.mark.parametrize("key", HERE)
def test_every_blob_is_shown_for_every_picture(key, subject, pictures):
    engine = _engine(subject, key)
    assert engine.problem() is None
    expected = _engine(subject, "cv2").layers(pictures.batch)
    found = engine.layers(pictures.batch)
    assert set(found) == {point.blob for point in subject.points}
    for blob, values in found.items():
        assert len(values) == 5, blob
        scale = np.abs(expected[blob]).max()
        tolerance = _RELATIVE.get(key, 2e-5) * scale
        np.testing.assert_allclose(
            values.reshape(-1), expected[blob].reshape(-1), rtol=0, atol=tolerance, err_msg=blob
        )
    assert np.ptp(found["prob"].reshape(5, -1), axis=0).max() > 0.05
    assert any(digit in engine.name for digit in "0123456789") or key == "fp16"


def test_the_older_openvino_runs_an_ir_made_for_it(subject, pictures, tmp_path, monkeypatch):
    """This Python stands in for the toolchain's; the job runs in it for real."""
    monkeypatch.setenv(PYTHON_VARIABLE, sys.executable)
    monkeypatch.setenv(OPENVINO_2022_VARIABLE, sys.executable)
    expected = _engine(subject, "openvino-fp32").layers(pictures.batch[:2])
    for key in ("openvino-2021.4", "openvino-2022.3"):
        engine = _engine(subject, key, tmp_path)
        assert engine.problem() is None
        found = engine.layers(pictures.batch[:2])
        assert set(found) == set(expected)
        for blob, values in found.items():
            # Weights in half precision, arithmetic in single whatever the CPU.
            tolerance = 2e-3 * np.abs(expected[blob]).max()
            np.testing.assert_allclose(values, expected[blob], rtol=0, atol=tolerance, err_msg=blob)
    # The graph for a stick, whose normalisations are scaled and answer under Caffe's names.
    assert "norm1/scaled" in (tmp_path / "v10.xml").read_text()


def test_half_precision_is_that_of_the_graph_for_a_stick(subject, pictures):
    found = _engine(subject, "fp16").layers(pictures.batch[:1])["norm1"]
    plain, scaled = (
        next(HalfNetwork(subject.trained, lrn_scale=scale).chunks(pictures.batch[:1]))["norm1"]
        for scale in (1, 16)
    )
    np.testing.assert_array_equal(found, scaled)
    assert (found != plain).any()


def test_a_python_without_caffe(subject, pictures, monkeypatch):
    monkeypatch.setenv(PYTHON_VARIABLE, sys.executable)
    with pytest.raises(ToolchainError) as caught:
        _engine(subject, "caffe").layers(pictures.batch[:1])
    assert caught.value.kind == "no-caffe"


def test_what_is_not_here_says_why(subject, tmp_path, monkeypatch):
    monkeypatch.setenv("EDGEAGE_CACHE", str(tmp_path))
    monkeypatch.delenv(PYTHON_VARIABLE, raising=False)
    monkeypatch.delenv(OPENVINO_2022_VARIABLE, raising=False)
    for key in ("caffe", "openvino-2021.4"):
        assert "edgeage toolchain install" in _engine(subject, key).problem()
    assert "let it name a Python" in _engine(subject, "openvino-2022.3").problem()
    monkeypatch.setenv(OPENVINO_2022_VARIABLE, str(tmp_path / "none"))
    assert "none ($EDGEAGE_OPENVINO_2022_PYTHON) is no Python" in (
        _engine(subject, "openvino-2022.3").problem()
    )


def test_without_torch(subject, monkeypatch):
    """None in sys.modules makes the import fail as if the package were not installed."""
    monkeypatch.setitem(sys.modules, "torch", None)
    assert "pip install 'edgeage[train]'" in _engine(subject, "torch").problem()


def test_a_compiled_model_alone_and_its_ir(compiled_models, pictures):
    subject = find_subject(compiled_models / "agenet")
    engine = _engine(subject, "compiled")
    found = engine.layers(pictures.batch)
    assert set(found) == {"prob"}
    assert engine.profile.precision == "FP32"
    assert "name it with --trained" in _engine(subject, "cv2").problem()


def test_an_ir_newer_than_a_release_reads(compiled_models, tmp_path, monkeypatch):
    folder = shutil.copytree(compiled_models / "agenet", tmp_path / "agenet")
    xml = folder / "agenet.xml"
    xml.write_text(xml.read_text().replace('version="10"', 'version="11"', 1))
    manifest = Manifest.read(folder / "model.json")
    names = {role: entry["name"] for role, entry in manifest.files.items()}
    manifest.with_files(folder, **names).write(folder / "model.json")
    monkeypatch.setenv(PYTHON_VARIABLE, sys.executable)
    problem = _engine(find_subject(folder), "openvino-2021.4").problem()
    assert "reads IR up to version 10 and this one is of version 11" in problem


def test_engines_are_made_in_one_order(subject):
    made = make_engines(subject, Path(), ["fp16", "cv2", "caffe"])
    assert [engine.key for engine in made] == ["caffe", "cv2", "fp16"]
    everything = [engine.key for engine in make_engines(subject, Path())]
    assert everything == [key for key in ENGINES if key != "compiled"]


def test_unknown_engines(subject):
    with pytest.raises(UsageError, match="unknown engine «tensorflow»; expected caffe, cv2"):
        make_engines(subject, Path(), ["tensorflow"])
    with pytest.raises(UsageError, match="did you mean «caffe»"):
        make_engines(subject, Path(), ["cafe"])
    with pytest.raises(UsageError, match="needs the folder of a compiled model"):
        make_engines(subject, Path(), ["compiled", "cv2"])
