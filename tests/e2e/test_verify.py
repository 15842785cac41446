"""``edgeage verify`` as a user types it, with the engines every installation has."""

from __future__ import annotations

import json
import shutil

import cv2
import numpy as np
import pytest

from edgeage.manifest import Manifest


@pytest.fixture
def faces(tmp_path, astronaut_face):
    """A folder of two pictures."""
    folder = tmp_path / "faces"
    folder.mkdir()
    cv2.imwrite(str(folder / "a.png"), astronaut_face)
    cv2.imwrite(str(folder / "b.png"), astronaut_face[::-1])
    return folder


@pytest.fixture
def no_tools(monkeypatch, tmp_path):
    """A machine without the Movidius tools and without OpenVINO 2022."""
    monkeypatch.setenv("EDGEAGE_CACHE", str(tmp_path / "cache"))
    for name in ("EDGEAGE_MOVIDIUS_PYTHON", "EDGEAGE_OPENVINO_2022_PYTHON"):
        monkeypatch.delenv(name, raising=False)


def test_compares_whatever_is_here(cli, trained_models, faces, no_tools):
    done = cli("verify", trained_models / "agenet.caffemodel", "--data", faces)
    assert done.exit_code == 0, done.stderr
    text = done.stdout
    assert text.startswith("agenet on 2 pictures of faces, compared with cv2\n")
    for engine in ("cv2", "torch", "openvino-fp32", "openvino-fp16", "fp16"):
        assert f"\n{engine} " in text
    for engine in ("caffe", "openvino-2021.4", "openvino-2022.3"):
        assert f"\n  {engine}: " in text
    assert "install them with: edgeage toolchain install" in text
    assert "changed decisions of 2" in text
    assert "\nconv1  relu1 " in text


def test_json_and_plot(cli, trained_models, faces, tmp_path, no_tools):
    done = cli(
        "verify", trained_models / "gendernet.caffemodel", "--data", faces, "--json",
        "--engines", "cv2, fp16", "--pictures", 1, "--plot", tmp_path / "room.png",
    )  # fmt: skip
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["pictures"], found["labelled"], found["within"]) == (1, False, True)
    assert [engine["key"] for engine in found["engines"]] == ["cv2", "fp16"]
    assert [layer["blob"] for layer in found["layers"]][0::11] == ["conv1", "prob"]
    assert found["layers"][0]["headroom"] > 1
    picture = cv2.imread(str(tmp_path / "room.png"))
    assert picture.shape[1] > 800
    assert np.ptp(picture) == 255


def test_a_compiled_model_that_was_damaged_is_beyond(
    cli, trained_models, compiled_models, faces, tmp_path, no_tools
):
    """Its weights were changed and its manifest's hashes with them: only running it shows."""
    folder = shutil.copytree(compiled_models / "agenet", tmp_path / "agenet")
    weights = np.fromfile(folder / "agenet.bin", np.float32)
    weights[-5000:-100] *= -1
    weights.tofile(folder / "agenet.bin")
    manifest = Manifest.read(folder / "model.json")
    names = {role: entry["name"] for role, entry in manifest.files.items()}
    manifest.with_files(folder, **names).write(folder / "model.json")
    call = ["--data", faces, "--trained", trained_models / "agenet.caffemodel"]
    sound = cli("verify", compiled_models / "agenet", *call, "--engines", "cv2,compiled")
    assert sound.exit_code == 0, sound.stderr
    damaged = cli("verify", folder, *call, "--engines", "cv2,compiled")
    assert damaged.exit_code == 1
    assert "BEYOND" in damaged.stdout
    assert "agenet: beyond what its profile allows against cv2: compiled (" in damaged.stderr


WRONG = {
    "unknown engine": (["--engines", "cv2,torhc"], 2, "unknown engine «torhc»"),
    "one engine": (["--engines", "cv2"], 2, "at least two engines to compare, got 1"),
    "no engine": (["--engines", ","], 2, "names no engine"),
    "one engine here": (["--engines", "cv2,caffe"], 1, "only 1 of the engines run here"),
    "plot": (["--plot", "x.gif"], 2, "expected a plot's name to end in"),
    "no pictures": (["--pictures", "0"], 2, "--pictures"),
}


@pytest.mark.parametrize(("options", "status", "reason"), WRONG.values(), ids=WRONG)
def test_a_wrong_call(options, status, reason, cli, trained_models, faces, no_tools):
    done = cli("verify", trained_models / "agenet.caffemodel", "--data", faces, *options)
    assert done.exit_code == status
    assert done.stdout == ""
    assert reason in done.stderr


def test_without_data(cli, trained_models, tmp_path):
    done = cli("verify", trained_models / "agenet.caffemodel", "--data", tmp_path / "nowhere")
    assert done.exit_code == 1
    assert "nowhere does not exist" in done.stderr
