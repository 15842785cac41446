"""``edgeage compile`` as a user types it."""

from __future__ import annotations

import json
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
    from edgeage.compiler import compile as compiling

    monkeypatch.setattr(compiling, "available_devices", lambda: ["CPU"])
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
        "«CUP»; expected CPU or GPU or MYRIAD or NPU or OAK; did you",
    ),
    "target of another issue": (
        ["--target", "NPX"],
        2,
        "unknown target «NPX»; expected CPU or",
    ),
    "unknown precision": (["--precision", "FP8"], 2, "no precision «FP8»; expected FP32 or FP16"),
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
