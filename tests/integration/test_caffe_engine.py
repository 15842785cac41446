"""``edgeage train --engine caffe`` with real Caffe: as a user types it, and across engines."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from edgeage.caffe import read_solverstate, read_weights
from edgeage.cli.main import main
from edgeage.manifest import Manifest
from edgeage.movidius.toolchain import PYTHON_VARIABLE
from edgeage.paths import data_dir

_SMALLER = {"num_output: 96": "num_output: 8", "num_output: 256": "num_output: 8"}
_SMALLER |= {"num_output: 384": "num_output: 8", "num_output: 512": "num_output: 16"}
_SMALLER |= {"dropout_ratio: 0.5": "dropout_ratio: 0", "mirror: true": "mirror: false"}


@pytest.fixture(scope="module")
def data(tiny_utkface, tmp_path_factory):
    folder = tmp_path_factory.mktemp("built") / "data"
    words = ["dataset", "build", "utkface", str(tiny_utkface.archive), "-o", str(folder)]
    assert main([*words, "--no-oversample", "--seed", "230"]) == 0
    return folder


@pytest.fixture(scope="module")
def solver(tmp_path_factory):
    """AgeNet with fewer channels and without dropout and mirror."""
    folder = tmp_path_factory.mktemp("solver")
    for kind in ("train_test", "solver"):
        text = (data_dir("prototxt") / f"agenet_{kind}.prototxt").read_text()
        for before, after in _SMALLER.items():
            text = text.replace(before, after)
        (folder / f"agenet_{kind}.prototxt").write_text(text)
    return folder / "agenet_solver.prototxt"


@pytest.fixture(autouse=True)
def _named(toolchain, monkeypatch):
    monkeypatch.setenv(PYTHON_VARIABLE, str(toolchain.python))


def _words(data, solver, out, engine, *more):
    words = ["train", "agenet", "--data", data, "--solver", solver, "--out", out]
    words += ["--engine", engine, "batch_size=4", "test_interval=0", *more]
    return [str(word) for word in words]


def _rows(out, phase="train"):
    with (out / "agenet_log.csv").open(newline="") as stream:
        return [row for row in csv.DictReader(stream) if row["phase"] == phase]


def test_it_writes_what_the_torch_engine_writes(data, solver, tmp_path, cli):
    out = tmp_path / "out"
    more = ("test_interval=2", "snapshot=2", "--max-iter", "4")
    result = cli(*_words(data, solver, out, "caffe", *more))
    assert result.exit_code == 0, result.stderr
    manifest = Manifest.read(out / "agenet.json")
    assert manifest.source["engine"] == "caffe"
    assert manifest.source["precision"] == "fp32"
    assert manifest.tools["caffe"].startswith("1.")
    assert [int(row["iteration"]) for row in _rows(out)] == [1, 2, 3, 4]
    assert [int(row["iteration"]) for row in _rows(out, "test")] == [0, 2, 4]
    assert sorted(path.name for path in out.glob("agenet_iter_*")) == [
        f"agenet_iter_{number}.{kind}"
        for number in (2, 4)
        for kind in ("caffemodel", "solverstate")
    ]
    assert list((out / "tensorboard").glob("events.*"))
    assert not list(out.glob(".*"))
    scored = cli("test", "agenet", "--data", data, "--model", out / "agenet.caffemodel")
    assert scored.exit_code == 0, scored.stderr


@pytest.mark.parametrize(("first", "second"), [("torch", "caffe"), ("caffe", "torch")])
def test_a_snapshot_goes_on_in_the_other_engine(data, solver, tmp_path, cli, first, second):
    """Ten pictures at a time of which none repeats: weights follow an uninterrupted training's."""
    fast = ("base_lr=0.003", "--precision", "fp32")
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert cli(*_words(data, solver, whole, "torch", *fast, "--max-iter", "1")).exit_code == 0
    start = ("--weights", whole / "agenet_iter_1.caffemodel")
    for out, last in ((whole.with_name("all"), 12), (parts, 6)):
        result = cli(
            *_words(data, solver, out, first, "base_lr=0.003", "--max-iter", last, *start),
            *(("--precision", "fp32") if first == "torch" else ()),
        )
        assert result.exit_code == 0, result.stderr
    words = ["train", "agenet", "--data", data, "--out", parts, "--resume", "--engine", second]
    precise = ("--precision", "fp32") if second == "torch" else ()
    resumed = cli(*words, "--max-iter", 12, *precise)
    assert resumed.exit_code == 0, resumed.stderr
    state = read_solverstate(parts / "agenet_iter_12.solverstate")
    assert state.iter == 12
    assert Manifest.read(parts / "agenet.json").source["engine"] == second
    whole_rows, rows = _rows(whole.with_name("all")), _rows(parts)
    np.testing.assert_allclose(
        [float(row["loss"]) for row in rows], [float(row["loss"]) for row in whole_rows], rtol=2e-3
    )
    ours = read_weights(parts / "agenet.caffemodel")
    for name, blobs in read_weights(whole.with_name("all") / "agenet.caffemodel").items():
        for left, right in zip(ours[name], blobs, strict=True):
            assert np.linalg.norm(left - right) < 2e-3 * np.linalg.norm(right), name


def _start(words):
    command = [sys.executable, "-m", "edgeage", *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _wait_for(path, process):
    deadline = time.monotonic() + 120
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_training_that_is_ended_goes_on(data, solver, tmp_path, cli, number):
    out = tmp_path / "out"
    words = _words(data, solver, out, "caffe", "snapshot=2", "--max-iter", "100000")
    process = _start(words)
    _wait_for(out / "agenet_iter_4.solverstate", process)
    process.send_signal(number)
    _, talk = process.communicate(timeout=60)
    assert process.returncode == (-9 if number == signal.SIGKILL else 130)
    assert "Traceback" not in talk
    newest = max(int(path.stem.split("_")[-1]) for path in out.glob("*.solverstate"))
    assert read_solverstate(out / f"agenet_iter_{newest}.solverstate").iter == newest
    resumed = cli(
        "train", "agenet", "--data", data, "--out", out, "--resume", "--max-iter", newest + 2
    )
    assert resumed.exit_code == 0, resumed.stderr
    assert Manifest.read(out / "agenet.json").source["engine"] == "caffe"
    assert not list(out.glob(".*"))


@pytest.mark.parametrize(
    ("change", "status", "reason"),
    [
        pytest.param({"more": ("augment.shift=0.1",)}, 2, "augment.shift=0", id="augment"),
        pytest.param({"more": ("--precision", "bf16")}, 2, "fp32", id="precision"),
        pytest.param({"data": "nowhere"}, 1, "nowhere", id="no-data"),
        pytest.param({"more": ("type=Foo",)}, 1, "no solver type «Foo»", id="solver-type"),
        pytest.param({"layer": ("type: \"LRN\"", "type: \"Lrn\"")}, 1, "mean «LRN»", id="layer"),
        pytest.param({"python": "/nowhere/python"}, 1, "is no Python", id="python"),
        pytest.param({"python": sys.executable}, 1, "cannot import caffe", id="bare-python"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_one_line(data, solver, tmp_path, cli, change, status, reason):
    before, after = change.get("layer", ("", ""))
    for kind in ("train_test", "solver"):
        text = (solver.parent / f"agenet_{kind}.prototxt").read_text()
        text = text.replace(before, after) if before else text
        (tmp_path / f"agenet_{kind}.prototxt").write_text(text)
    words = _words(
        change.get("data", data), tmp_path / "agenet_solver.prototxt", tmp_path / "o", "caffe",
        "--max-iter", "2", *change.get("more", ()),
    )  # fmt: skip
    if "python" in change:
        words += ["--caffe-python", change["python"]]
    result = cli(*words)
    assert result.exit_code == status
    lines = [line for line in result.stderr.splitlines() if line.startswith("Error")]
    assert len(lines) == 1
    assert reason in lines[0]
    assert not os.path.lexists(tmp_path / "o")
