"""Blobs and IRs by the real Movidius tools, read by everything that shall read them."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgeage.compiler import compile_model, find_model
from edgeage.compiler.parity import parity_pictures
from edgeage.compiler.references import caffe_reference
from edgeage.errors import ToolchainError
from edgeage.movidius import Toolchain
from edgeage.movidius.blob import read_blob
from edgeage.movidius.blobs import BlobOptions, compile_blob
from edgeage.movidius.networks import run_ir
from edgeage.movidius.toolchain import PYTHON_VARIABLE
from edgeage.runtime.openvino import OpenVINOBackend

TINY = Path(__file__).parent.parent / "unit" / "movidius" / "tiny.blob"
OPENVINO_2022 = "EDGEAGE_OPENVINO_2022_PYTHON"

# In a process of its own: depthai writes to the real stdout and installs signal handlers.
DEPTHAI = """
import json, sys
import depthai
blob = depthai.OpenVINO.Blob(sys.argv[1])
ends = lambda ports: {n: [list(p.dims), p.dataType.name] for n, p in ports.items()}
print()
print(json.dumps({
    "inputs": ends(blob.networkInputs), "outputs": ends(blob.networkOutputs),
    "shaves": blob.numShaves, "slices": blob.numSlices, "stages": blob.stageCount,
}))
"""


def _depthai(path: Path) -> dict:
    """What depthai reads in a blob."""
    if importlib.util.find_spec("depthai") is None:
        pytest.skip("depthai is not installed; «pip install edgeage[oak]» installs it")
    command = [sys.executable, "-c", DEPTHAI, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def test_depthai_reads_a_blob_and_agrees_with_its_header():
    found, info = _depthai(TINY), read_blob(TINY)
    assert found == {
        "inputs": {"data": [[8, 8, 3, 1], "U8F"]},
        "outputs": {"prob": [[2, 1], "FP16"]},
        "shaves": info.shaves,
        "slices": info.cmx_slices,
        "stages": info.stages,
    }


def test_depthai_refuses_a_truncated_blob_as_we_do(tmp_path):
    (tmp_path / "cut.blob").write_bytes(TINY.read_bytes()[:3000])
    with pytest.raises(ValueError, match="Filesize is less"):
        _depthai(tmp_path / "cut.blob")


@pytest.fixture(scope="module")
def stick(toolchain, tmp_path_factory):
    """AgeNet compiled for a stick by the real tools."""
    folder = tmp_path_factory.mktemp("stick")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(PYTHON_VARIABLE, str(toolchain.python))
        patch.setenv("EDGEAGE_CACHE", str(folder / "cache"))
        return compile_model(find_model("agenet"), folder / "out", target="MYRIAD")


@pytest.fixture(scope="module")
def batch(stick):
    return parity_pictures(None, stick.input, "age").batch


def test_agenets_blob_takes_bytes_and_agrees_with_caffe(stick):
    blob = stick.blob
    assert (blob["input_bytes"], blob["output_bytes"]) == (3 * 227 * 227, 4 * 9)
    assert (blob["shaves"], blob["cmx_slices"], blob["stages"]) == (7, 9, 38)
    assert stick.parity["reference"].startswith("caffe ")
    assert stick.parity["engine"].startswith("OpenVINO 2021.4")
    assert stick.parity["max_difference"] < 1e-5


def test_depthai_accepts_agenets_blob(stick):
    found = _depthai(stick.file("blob"))
    assert found["inputs"] == {"data": [[227, 227, 3, 1], "U8F"]}
    assert (found["shaves"], found["stages"]) == (7, 38)


def test_half_precision_decides_nothing_otherwise_but_ties(stick, batch, toolchain):
    answers = caffe_reference(find_model("agenet"), batch, toolchain).answers
    first, second = np.sort(answers, axis=1)[:, :-3:-1].T
    half = stick.parity["half"]
    assert half["max_difference"] < 1e-3
    assert half["changed_decisions"] <= (first - second < 2 * half["max_difference"]).sum()


def test_todays_openvino_answers_as_caffe(stick, batch, toolchain):
    expected = caffe_reference(find_model("agenet"), batch, toolchain).answers
    # Where a CPU would compute in bf16, a near tie among the pictures may be decided otherwise.
    single = {**stick.options, "INFERENCE_PRECISION_HINT": "f32"}
    found = OpenVINOBackend("CPU").load(dataclasses.replace(stick, options=single)).infer(batch)
    assert (found.probabilities.argmax(axis=1) == expected.argmax(axis=1)).all()
    assert np.abs(found.probabilities - expected).max() < 5e-2


def test_openvino_2022_answers_as_2021(stick, batch, toolchain):
    python = os.environ.get(OPENVINO_2022)
    if not python:
        pytest.skip(f"name a Python with OpenVINO 2022.3 in ${OPENVINO_2022}")
    files = stick.file("ir_xml"), stick.file("ir_bin")
    found, version = run_ir(Toolchain(Path(python), managed=False), *files, batch)
    assert version.startswith("2022.3")
    expected, _ = run_ir(toolchain, *files, batch)
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (BlobOptions(shaves=16, cmx_slices=19), (16, 19, True)),
        (BlobOptions(shaves=1), (1, 1, True)),
        (BlobOptions(shaves=6, hw=False), (6, 6, False)),
    ],
    ids=["the whole chip", "the least", "no accelerator"],
)
def test_the_options_reach_the_blob(options, found, stick, toolchain, tmp_path, monkeypatch):
    monkeypatch.setenv("EDGEAGE_CACHE", str(tmp_path / "cache"))
    files = stick.file("ir_xml"), stick.file("ir_bin")
    info = compile_blob(toolchain, *files, options, tmp_path / "x.blob")
    assert (info.shaves, info.cmx_slices, info.has_hw) == found


def test_tools_without_libusb_say_so(stick, toolchain, tmp_path, monkeypatch):
    class Bare(Toolchain):
        def environment(self):
            kept = super().environment()
            kept.pop("LD_LIBRARY_PATH", None)
            return kept

    monkeypatch.setenv("EDGEAGE_CACHE", str(tmp_path / "cache"))
    files = stick.file("ir_xml"), stick.file("ir_bin")
    bare = Bare(toolchain.python, managed=False)
    try:
        compile_blob(bare, *files, BlobOptions(), tmp_path / "x.blob")
    except ToolchainError as error:
        assert error.kind == "libusb"  # noqa: PT017
        assert "edgeage toolchain install" in str(error)  # noqa: PT017
    else:
        pytest.skip("this system has a libusb of its own")
