"""``edgeage train`` and ``edgeage test`` as a user types them, on made-up faces."""

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from edgeage.caffe import read_solverstate, read_weights
from edgeage.manifest import Manifest
from edgeage.paths import data_dir

# AgeNet's layers at a size a test can train.
_SMALLER = {"num_output: 96": "num_output: 8", "num_output: 256": "num_output: 8"}
_SMALLER |= {"num_output: 384": "num_output: 8", "num_output: 512": "num_output: 16"}


@pytest.fixture(scope="module")
def data(tiny_utkface, tmp_path_factory):
    from edgeage.cli.main import main

    folder = tmp_path_factory.mktemp("built") / "data"
    words = ["dataset", "build", "utkface", str(tiny_utkface.archive), "-o", str(folder)]
    assert main([*words, "--no-oversample", "--seed", "230"]) == 0
    return folder


@pytest.fixture(scope="module")
def solver(tmp_path_factory):
    """AgeNet's own solver and network with fewer channels; the deploy form stays the same."""
    folder = tmp_path_factory.mktemp("solver")
    for kind in ("train_test", "solver"):
        text = (data_dir("prototxt") / f"agenet_{kind}.prototxt").read_text()
        for before, after in _SMALLER.items():
            text = text.replace(before, after)
        (folder / f"agenet_{kind}.prototxt").write_text(text)
    return folder / "agenet_solver.prototxt"


def _words(data, solver, out, *more):
    words = ["train", "agenet", "--data", data, "--solver", solver, "--out", out, "--precision"]
    return [str(word) for word in (*words, "fp32", "batch_size=4", "test_interval=0", *more)]


def _start(words):
    command = [sys.executable, "-m", "edgeage", *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _wait_for(path, process):
    deadline = time.monotonic() + 120
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_training_killed_at_any_moment_resumes_to_the_same_weights(data, solver, tmp_path, cli):
    words = ("snapshot=2", "mirror=true", "augment.shift=0.1", "--max-iter", "40")
    assert cli(*_words(data, solver, tmp_path / "whole", *words)).exit_code == 0
    parts = tmp_path / "parts"
    process = _start(_words(data, solver, parts, *words))
    _wait_for(parts / "agenet_iter_4.solverstate", process)
    process.kill()
    process.communicate()
    assert not (parts / "agenet.json").exists()
    # Nothing but the folders is said again: solver, overrides and precision are in --out.
    resumed = cli("train", "agenet", "--data", data, "--out", parts, "--resume")
    assert resumed.exit_code == 0, resumed.stderr
    whole = read_weights(tmp_path / "whole" / "agenet.caffemodel")
    parted = read_weights(parts / "agenet.caffemodel")
    for name, blobs in whole.items():
        for ours, theirs in zip(blobs, parted[name], strict=True):
            np.testing.assert_array_equal(ours, theirs)
    assert not list(parts.glob(".*.part"))


def test_ctrl_c_takes_a_snapshot_and_says_how_to_go_on(data, solver, tmp_path):
    out = tmp_path / "out"
    process = _start(_words(data, solver, out, "snapshot=1", "--max-iter", "100000"))
    _wait_for(out / "agenet_iter_2.solverstate", process)
    process.send_signal(signal.SIGINT)
    _, talk = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "--resume" in talk
    assert "Traceback" not in talk
    newest = max(int(path.stem.split("_")[-1]) for path in out.glob("*.solverstate"))
    assert read_solverstate(out / f"agenet_iter_{newest}.solverstate").iter == newest


def test_a_trained_model_describes_itself(data, solver, tmp_path, cli):
    result = cli(*_words(data, solver, tmp_path / "out", "--max-iter", "3", "mirror=true"))
    assert result.exit_code == 0
    assert result.stdout == f"{tmp_path / 'out' / 'agenet.caffemodel'}\n"
    manifest = Manifest.read(tmp_path / "out" / "agenet.json")
    assert (manifest.name, manifest.task, len(manifest.labels)) == ("agenet", "age", 9)
    assert manifest.input.input_hw == (227, 227)
    for role in ("caffemodel", "prototxt", "mean"):
        assert manifest.file(role).is_file()
    assert manifest.source["iterations"] == 3
    assert "mirror=true" in manifest.source["overrides"]
    report = json.loads((data / "report.json").read_text())
    assert manifest.input.mean_sha256 == report["input"]["mean_sha256"]
    assert manifest.input.to_dict()["landmarks"] == report["input"]["landmarks"]
    assert len(report["input"]["landmarks"]) == 5
    assert list(manifest.group_ages) == pytest.approx(report["group_ages"])


def test_the_deploy_network_is_the_trained_one(data, solver, tmp_path, cli):
    """The model of a changed network runs: its deploy form is made from what was trained."""
    out = tmp_path / "out"
    assert cli(*_words(data, solver, out, "--max-iter", "2")).exit_code == 0
    result = cli("test", "agenet", "--data", data, "--model", out / "agenet.caffemodel", "--json")
    assert result.exit_code == 0, result.stderr
    score = json.loads(result.stdout)
    counts = json.loads((data / "report.json").read_text())["counts"]["age"]["test"]
    assert [group["images"] for group in score["groups"]] == counts
    assert score["images"] == sum(counts)
    assert sum(map(sum, score["confusion"])) == sum(counts)
    words = ("--data", data, "--model", out / "agenet.caffemodel", "--crops")
    for crops in (2, 10):
        score = json.loads(cli("test", "agenet", *words, str(crops), "--json").stdout)
        assert (score["crops"], score["images"]) == (crops, sum(counts))


def test_test_prints_the_summary_and_draws(data, solver, tmp_path, cli):
    out = tmp_path / "out"
    assert cli(*_words(data, solver, out, "--max-iter", "2")).exit_code == 0
    model, plot = out / "agenet.caffemodel", tmp_path / "confusion.png"
    result = cli("test", "agenet", "--data", data, "--model", model, "--plot", plot)
    assert result.exit_code == 0, result.stderr
    first = result.stdout.splitlines()[0]
    assert first.startswith("Accuracy: ")
    assert first.endswith("corrects")
    assert plot.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("change", "status", "reason"),
    [
        pytest.param({"name": "agnet"}, 2, "did you mean «agenet»", id="network"),
        pytest.param({"data": "nowhere"}, 1, "nowhere", id="no-data"),
        pytest.param({"solver": "nowhere.prototxt"}, 1, "nowhere.prototxt", id="no-solver"),
        pytest.param({"more": ("bse_lr=1",)}, 2, "did you mean «base_lr»", id="override"),
        pytest.param({"more": ("--resume",)}, 1, "no snapshot of agenet to resume", id="resume"),
        pytest.param({"more": ("--weights", "nowhere.caffemodel")}, 1, "nowhere", id="weights"),
    ],
)
def test_bad_calls_get_one_line(data, solver, tmp_path, cli, change, status, reason):
    words = _words(
        change.get("data", data), change.get("solver", solver), tmp_path / "o",
        "--max-iter", "2", *change.get("more", ()),
    )  # fmt: skip
    words[1] = change.get("name", "agenet")
    result = cli(*words)
    assert result.exit_code == status
    lines = [line for line in result.stderr.splitlines() if line.startswith("Error")]
    assert len(lines) == 1
    assert reason in lines[0]


def test_a_folder_with_a_training_is_not_overwritten(data, solver, tmp_path, cli):
    words = _words(data, solver, tmp_path / "out", "--max-iter", "2")
    assert cli(*words).exit_code == 0
    again = cli(*words)
    assert again.exit_code == 1
    assert "--resume or choose another --out" in again.stderr
