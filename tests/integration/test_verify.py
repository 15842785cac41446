"""Real Caffe and OpenVINO 2021.4 against the engines here, blob by blob."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from edgeage.inspection import inspect_file
from edgeage.movidius import find_toolchain
from edgeage.movidius.toolchain import PYTHON_VARIABLE
from edgeage.verification import find_subject, verify
from edgeage.verification.pictures import read_pictures


@pytest.fixture
def tools(toolchain, monkeypatch):
    """The real toolchain, wherever the test has moved the cache to."""
    monkeypatch.setenv(PYTHON_VARIABLE, str(toolchain.python))
    assert find_toolchain().python == toolchain.python


@pytest.fixture
def faces(tmp_path, astronaut_face):
    """Four pictures of one face."""
    folder = tmp_path / "faces"
    folder.mkdir()
    for number in range(4):
        cv2.imwrite(str(folder / f"{number}.png"), np.roll(astronaut_face, 9 * number, axis=1))
    return folder


def test_every_engine_shows_caffes_blobs(tools, trained_models, faces):
    subject = find_subject(trained_models / "agenet.caffemodel")
    pictures = read_pictures(faces, subject.manifest, 4)
    keys = ["caffe", "cv2", "torch", "openvino-fp32", "openvino-2021.4", "fp16"]
    found = verify(subject, pictures, engines=keys)
    assert [engine.key for engine in found.ran] == keys
    assert found.reference == "caffe"
    assert found.beyond == ()
    assert found.engines[0].name.startswith("Caffe 1.0")
    assert found.engines[4].name.startswith("OpenVINO 2021.4")
    for layer in found.layers:
        assert set(layer.relative_error) == set(keys[1:])
        # Single precision; weights in half; everything in half.
        for key, most in (
            ("cv2", 2e-5), ("torch", 2e-5), ("openvino-fp32", 2e-5), ("openvino-2021.4", 3e-3),
            ("fp16", 3e-3),
        ):  # fmt: skip
            assert layer.relative_error[key] < most, (layer.blob, key)
    # The half-precision ones do differ, or they would be the same thing under another name.
    assert found.layers[0].relative_error["fp16"] > 1e-4


def test_a_model_compiled_for_the_stick(tools, trained_models, faces, tmp_path, cli):
    origin = trained_models / "gendernet.caffemodel"
    made = cli("compile", origin, "--target", "MYRIAD", "-o", tmp_path / "out")
    assert made.exit_code == 0, made.stderr
    folder = tmp_path / "out" / "gendernet"
    done = cli(
        "verify", folder, "--trained", origin, "--data", faces, "--json",
        "--engines", "caffe,compiled,openvino-2021.4",
    )  # fmt: skip
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    assert [engine["changed"] for engine in found["engines"]] == [0, 0, 0]
    blob = inspect_file(folder / "gendernet.blob")
    assert blob.facts["input_bytes"] == 3 * 67 * 67
    assert blob.facts["output_names"] == ["prob"]
