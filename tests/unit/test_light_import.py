"""``import edgeage`` and what it must not load."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = {
    "PIL", "cv2", "google.protobuf", "keras", "lmdb", "matplotlib", "nncf", "openvino", "pandas",
    "scipy", "skimage", "tensorflow", "torch",
}  # fmt: skip


def modules_after(program: str) -> set[str]:
    shown = f"import sys, json; {program}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", shown], capture_output=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    "program",
    [
        "import edgeage",
        "import edgeage; edgeage.Predictor; edgeage.Manifest; edgeage.AGE_GROUPS",
        "import edgeage.testing",
        "import edgeage.cli.main, edgeage.cli.infer, edgeage.cli.compile",
        "import edgeage.cli.inspect, edgeage.cli.verify",
        "import edgeage.cli.stream, edgeage.streaming; edgeage.streaming.FaceStream",
        "import edgeage.cli.bench, edgeage.speed; edgeage.speed.take_turns",
    ],
    ids=[
        "package",
        "its names",
        "testing",
        "command line",
        "inspect and verify",
        "stream",
        "bench",
    ],
)
def test_loads_nothing_heavy(program):
    loaded = modules_after(program)
    assert "edgeage" in loaded
    assert loaded & HEAVY == set()


def test_predicting_loads_neither_torch_nor_caffes_formats(compiled_models):
    program = (
        "import numpy as np; from edgeage import Predictor;"
        f"Predictor({str(compiled_models)!r}, 'CPU').predict(np.zeros((50, 50, 3), np.uint8))"
    )
    assert modules_after(program) & {"torch", "google.protobuf", "scipy", "skimage"} == set()
