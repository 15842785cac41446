from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from edgeage.errors import ToolchainError
from edgeage.movidius import Toolchain, jobs, run_job

_HERE = Toolchain(Path(sys.executable), managed=False)


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Make the body of ``answer(request, arrays)`` the only program there is."""
    shutil.copy(jobs.script_path("jobio"), tmp_path)

    def make(body: str) -> None:
        (tmp_path / "it.py").write_text(
            "import os, sys, time\nimport jobio\ndef answer(request, arrays):\n"
            f"    {body}\njobio.serve(answer)\n"
        )
        monkeypatch.setattr(jobs, "script_path", lambda name: tmp_path / "it.py")

    return make


def test_values_and_arrays_go_there_and_back(program):
    program('return {"twice": 2 * request["x"]}, {"sum": arrays["a"] + arrays["b"]}')
    ones = np.ones((2, 3), np.float32)
    reply, arrays = run_job(_HERE, "it", {"x": 21}, {"a": ones, "b": ones})
    assert reply == {"twice": 42}
    assert arrays["sum"].dtype == np.float32
    np.testing.assert_array_equal(arrays["sum"], 2 * ones)


def test_an_error_of_the_program_keeps_its_kind(program):
    program('raise jobio.JobError("no such layer", "layer")')
    with pytest.raises(ToolchainError, match="no such layer") as caught:
        run_job(_HERE, "it", {})
    assert caught.value.kind == "layer"


@pytest.mark.parametrize(
    ("body", "said"),
    [('print("glog: bad"); sys.stdout.flush(); os._exit(1)', "glog: bad"),
     ("os._exit(1)", "it said nothing"), ("raise ValueError('why')", "ValueError: why")],
    ids=["says", "silent", "traceback"],
)  # fmt: skip
def test_a_program_that_dies_is_one_line(body, said, program):
    program(body)
    with pytest.raises(ToolchainError, match=f"«it» in the toolchain's Python failed: {said}"):
        run_job(_HERE, "it", {})


def test_a_program_that_hangs_is_ended(program):
    program("time.sleep(60)")
    started = time.monotonic()
    with pytest.raises(ToolchainError, match=r"did not end within 0\.5 s"):
        run_job(_HERE, "it", {}, timeout_s=0.5)
    assert time.monotonic() - started < 20


def test_a_python_that_cannot_start(tmp_path):
    with pytest.raises(ToolchainError, match="cannot be started: No such file"):
        run_job(Toolchain(tmp_path / "none", managed=False), "probe", {})


def test_every_program_is_of_python_3_6():
    import ast

    for path in sorted(jobs.script_path("jobio").parent.glob("*.py")):
        ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 6))
