"""``edgeage compile`` as a user types it."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil

import cv2
import numpy as np
import pytest


@pytest.fixture
def folder(trained_models, tmp_path):
    """The trained models in a folder that may be changed."""
    return shutil.copytree(trained_models, tmp_path / "trained")


def test_compiles_two_models_and_says_how_close_they_are(cli, folder, tmp_path):
    models = [folder / "agenet.caffemodel", folder / "gendernet.caffemodel"]
    done = cli("compile", *models, "--precision", "FP32", "-o", tmp_path / "out")
    assert done.exit_code == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 2
    for line, name in zip(lines, ("agenet", "gendernet"), strict=True):
        assert line.startswith(f"{tmp_path / 'out' / name}  CPU FP32  largest difference ")
        assert line.endswith(
            "(allowed 0.001), 0 of 24 decisions changed (24 variants of test_0.png)"
        )
        assert (tmp_path / "out" / name / "model.json").is_file()


def test_a_gpu_that_is_not_here_is_compiled_for_and_proved_on_the_cpu(
    cli, folder, tmp_path, monkeypatch
):
    from edgeage.compiler import parity

    monkeypatch.setattr(parity, "available_devices", lambda: ["CPU"])
    done = cli("compile", folder / "agenet.caffemodel", "--target", "gpu", "-o", tmp_path / "out")
    assert (done.exit_code, done.stderr) == (0, "")
    first, measured, half = done.stdout.splitlines()
    assert "agenet  GPU FP16  largest difference" in first
    assert measured == "  measured on CPU: no GPU is here"
    assert half.startswith("  in half precision (simulated): of 24 pictures 0 changed group")


def test_json_is_one_document_and_half_precision_the_default(cli, folder, tmp_path):
    done = cli("compile", folder / "agenet.caffemodel", "-o", tmp_path / "out", "--json")
    assert done.exit_code == 0, done.stderr
    (model,) = json.loads(done.stdout)["models"]
    assert model["folder"] == str(tmp_path / "out" / "agenet")
    assert (model["target"], model["precision"]) == ("CPU", "FP16")
    assert model["parity"]["max_difference"] <= model["parity"]["max_allowed"]


def test_checks_on_the_users_own_pictures(cli, folder, tmp_path, astronaut_face):
    (tmp_path / "faces").mkdir()
    cv2.imwrite(str(tmp_path / "faces" / "a.png"), astronaut_face)
    cv2.imwrite(str(tmp_path / "faces" / "b.jpg"), astronaut_face[:, ::-1])
    done = cli(
        "compile", folder / "agenet.caffemodel", "-o", tmp_path / "out",
        "--data", tmp_path / "faces",
    )  # fmt: skip
    assert "of 2 decisions changed (2 pictures of faces)" in done.stdout


def test_a_caffemodel_of_elsewhere_with_all_that_is_needed(cli, folder, tmp_path):
    (folder / "agenet.json").unlink()
    call = ["compile", folder / "agenet.caffemodel", "-o", tmp_path / "out"]
    refused = cli(*call)
    assert refused.exit_code == 2
    assert "give --prototxt and --mean and --task too" in refused.stderr
    given = ["--prototxt", folder / "agenet_deploy.prototxt", "--mean", folder / "mean.npy"]
    done = cli(*call, *given, "--task", "age")
    assert done.exit_code == 0, done.stderr


BROKEN = {
    "unknown target": (
        ["--target", "CUP"],
        2,
        "«CUP»; expected CPU or GPU or MYRIAD or NPU or OAK or ONNX",
    ),
    "target of another issue": (
        ["--target", "NPX"],
        2,
        "unknown target «NPX»; expected CPU or",
    ),
    "unknown precision": (["--precision", "FP8"], 2, "«FP8»; expected FP32 or FP16 or INT8"),
    "INT8 without faces": (
        ["--precision", "INT8"],
        2,
        "real faces; give a built data set's folder",
    ),
    "INT8's option in FP16": (["--max-drop", "1"], 2, "--max-drop is of INT8, and this is FP16"),
    "calibration in FP16": (["--calibration", "9"], 2, "--calibration is of INT8"),
    "accuracy control in FP16": (["--accuracy-control"], 2, "--accuracy-control is of INT8"),
    "no face to calibrate with": (
        ["--precision", "INT8", "--data", ".", "--calibration", "0"],
        2,
        "expected at least 1 face to calibrate with, got 0",
    ),
    "pictures instead of LMDBs": (
        ["--precision", "INT8", "--data", "nowhere"],
        1,
        "age_test_lmdb is not an LMDB: it has no data.mdb; make one with: edgeage dataset build",
    ),
    "INT8 on a stick": (["--target", "MYRIAD", "--precision", "INT8"], 2, "has no INT8; use FP16"),
    "too many SHAVEs": (["--target", "OAK", "--shaves", "17"], 2, "from 1 to 16, got 17"),
    "slices alone": (["--target", "MYRIAD", "--cmx-slices", "9"], 2, "go together with shaves"),
    "SHAVEs of a CPU": (["--shaves", "4"], 2, "are of a Myriad X; target CPU has none"),
    "no toolchain": (["--target", "MYRIAD"], 1, "install them with: edgeage toolchain install"),
    "no such data": (["--data", "nowhere"], 1, "nowhere does not exist"),
    "no such mean": (["--mean", "none.npy"], 1, "none.npy is missing"),
}


@pytest.mark.parametrize(("options", "status", "reason"), BROKEN.values(), ids=BROKEN)
def test_a_wrong_call_is_one_line_and_writes_nothing(
    options, status, reason, cli, folder, tmp_path, monkeypatch
):
    monkeypatch.delenv("EDGEAGE_MOVIDIUS_PYTHON", raising=False)
    monkeypatch.setenv("EDGEAGE_CACHE", str(tmp_path / "cache"))
    done = cli("compile", folder / "agenet.caffemodel", "-o", tmp_path / "out", *options)
    assert done.exit_code == status
    assert done.stdout == ""
    assert reason in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("agenet.caffemodel", b"cut off", "does not match its manifest"),
        ("agenet.caffemodel", None, "agenet.caffemodel is missing"),
        ("agenet.json", b"[]", "is not a manifest of version 1"),
        ("mean.npy", b"", "does not match its manifest"),
    ],
    ids=["weights damaged", "weights missing", "manifest wrong", "mean empty"],
)
def test_damaged_files_are_refused(name, content, reason, cli, folder, tmp_path):
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_bytes(content)
    done = cli("compile", folder / "agenet.caffemodel", "-o", tmp_path / "out")
    assert (done.exit_code, done.stdout) == (1, "")
    assert reason in done.stderr


def test_nothing_is_replaced_unless_asked(cli, folder, tmp_path):
    call = ["compile", folder / "agenet.caffemodel", "-o", tmp_path / "out"]
    assert cli(*call).exit_code == 0
    again = cli(*call)
    assert again.exit_code == 1
    assert "--overwrite" in again.stderr
    assert cli(*call, "--overwrite").exit_code == 0


def test_two_models_of_one_name_are_refused(cli, folder):
    done = cli("compile", folder / "agenet.caffemodel", folder / "agenet.caffemodel")
    assert done.exit_code == 2
    assert "two models have the same name" in done.stderr


def test_another_mean_is_built_in(cli, folder, tmp_path):
    np.save(tmp_path / "dark.npy", np.full((3, 67, 67), 20, np.float32))
    done = cli(
        "compile", folder / "agenet.caffemodel", "-o", tmp_path / "out",
        "--mean", tmp_path / "dark.npy",
    )  # fmt: skip
    assert done.exit_code == 0, done.stderr
    assert (np.load(tmp_path / "out" / "agenet" / "mean.npy") == 20).all()


class TestInt8:
    """Eight bits, calibrated on one LMDB and measured on the other."""

    @pytest.fixture(autouse=True)
    def _nncf(self):
        if importlib.util.find_spec("nncf") is None:
            pytest.skip("nncf is not installed")

    @pytest.fixture
    def call(self, sided_model, sided_data, tmp_path):
        def call(outlier=0.0):
            given = ["--precision", "INT8", "--data", sided_data, "--calibration", "20"]
            return ["compile", sided_model(outlier), "-o", tmp_path / "out", *given]

        return call

    def test_prints_what_it_costs(self, cli, call, tmp_path):
        done = cli(*call())
        assert done.exit_code == 0, done.stderr
        first, accuracy, calibration, *layers = done.stdout.splitlines()
        assert first.startswith(f"{tmp_path / 'out' / 'sided'}  CPU INT8  largest difference ")
        assert first.endswith("0 of 50 decisions changed (50 faces of gender_test_lmdb)")
        assert accuracy.startswith(
            "  accuracy: FP32 100.00% (50), INT8 100.00% (50); 0.00 points lost, 0.5 allowed"
        )
        assert calibration == "  calibrated on 20 faces of gender_train_lmdb"
        assert sorted(line.split()[0] for line in layers) == ["conv1", "conv2", "fc3"]
        assert all(re.search(r"error +\d+\.\d\d% +\d\d\.\d dB$", line) for line in layers)
        # What an older PyTorch for CUDA says on a machine without.
        others = "No CUDA runtime is found"
        lines = [line for line in done.stderr.splitlines() if not line.startswith(others)]
        stages = [line.partition(":")[0] for line in lines]
        assert stages == ["calibrating", "running FP32", "running INT8"]

    def test_json_is_one_document(self, cli, call):
        done = cli(*call(), "--json", "--max-drop", "1.5")
        (model,) = json.loads(done.stdout)["models"]
        assert model["precision"] == "INT8"
        assert model["parity"]["accuracy"]["max_drop"] == 1.5

    def test_a_loss_is_refused_in_one_line(self, cli, call, tmp_path):
        done = cli(*call(1e6))
        assert (done.exit_code, done.stdout) == (1, "")
        assert "points of accuracy" in done.stderr.splitlines()[-1]
        assert "worst layers by their own error: fc3 " in done.stderr.splitlines()[-1]
        assert not (tmp_path / "out").exists()

    def test_accuracy_control_says_what_it_left_in_float(self, cli, call):
        done = cli(*call(1e6), "--accuracy-control")
        assert done.exit_code == 0, done.stderr
        assert "  left in float: fc3" in done.stdout.splitlines()
        assert "faces of gender_train_lmdb, layers chosen on 40 others" in done.stdout

    def test_the_compiled_model_predicts(self, cli, call, tmp_path):
        assert cli(*call()).exit_code == 0
        done = cli("test", "gendernet", "--model", tmp_path / "out" / "sided", "--data", call()[7])
        assert "Accuracy: 100.0%, 50/50 corrects" in done.stdout
