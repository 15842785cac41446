"""A whole compilation for a Myriad X without the Movidius tools.

This Python, whose OpenVINO is of today, stands in for the toolchain's: it runs the IR as the
toolchain would. It has no Caffe, so OpenCV is the reference, and it cannot compile a blob, so
``tiny.blob`` is handed out.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from edgeage.compiler import compile_model, find_model
from edgeage.compiler import movidius as movidius_module
from edgeage.compiler.parity import parity_pictures
from edgeage.compiler.references import opencv_reference
from edgeage.errors import ParityError, ToolchainError, UsageError
from edgeage.manifest import Manifest
from edgeage.movidius import blobs
from edgeage.runtime.openvino import OpenVINOBackend

TINY = Path(__file__).parent.parent / "movidius" / "tiny.blob"


def _stand_in(patch, cache):
    """Play the toolchain; return the requests the blob compiler gets."""
    kept = []

    def play(_toolchain, _script, request):
        if not request.get("version"):
            kept.append(request)
            shutil.copyfile(TINY, request["output"])
        return {"version": "2021.4"}, {}

    patch.setenv("EDGEAGE_MOVIDIUS_PYTHON", sys.executable)
    patch.setenv("EDGEAGE_CACHE", str(cache))
    patch.setattr(blobs, "run_job", play)
    return kept


@pytest.fixture
def requests(monkeypatch, tmp_path):
    """The requests the blob compiler got."""
    return _stand_in(monkeypatch, tmp_path / "cache")


@pytest.fixture(scope="module")
def stick(trained_models, tmp_path_factory):
    """AgeNet compiled for a stick with four SHAVEs, and the requests the blob compiler got."""
    folder = tmp_path_factory.mktemp("stick")
    with pytest.MonkeyPatch.context() as patch:
        kept = _stand_in(patch, folder / "cache")
        model = find_model(trained_models / "agenet.caffemodel")
        return compile_model(model, folder / "out", target="MYRIAD", shaves=4), kept


@pytest.fixture
def trained(trained_models):
    return find_model(trained_models / "agenet.caffemodel")


def test_a_model_for_a_stick_has_a_blob_and_says_all_about_it(stick):
    compiled, requests = stick
    folder = compiled.folder
    assert (folder.parent.name, folder.name) == ("out", "agenet")
    assert Manifest.read(folder / "model.json") == compiled
    assert sorted(path.name for path in folder.iterdir()) == [
        "agenet.bin", "agenet.blob", "agenet.xml", "mean.npy", "model.json",
    ]  # fmt: skip
    assert set(compiled.files) == {"ir_xml", "ir_bin", "blob", "mean"}
    assert compiled.file("blob").read_bytes() == TINY.read_bytes()
    assert (compiled.target, compiled.precision) == ("MYRIAD", "FP16")
    assert compiled.blob["stages"] == 8
    assert compiled.blob["options"] == {
        "shaves": 4, "cmx_slices": 4, "hw": True, "output": "FP32",
    }  # fmt: skip
    assert requests[0]["config"]["MYRIAD_NUMBER_OF_SHAVES"] == "4"


def test_parity_says_what_ran_and_what_half_precision_would_do(stick):
    compiled, _ = stick
    parity = compiled.parity
    assert parity["reference"].startswith("cv2.dnn ")
    assert parity["engine"].startswith("OpenVINO 20")
    assert parity["max_difference"] <= parity["max_allowed"] == 1e-2
    assert parity["half"]["pictures"] == parity["pictures"] == 24
    assert parity["half"]["overflows"] == []
    assert {"edgeage", "openvino", "movidius_openvino", "reference"} <= compiled.tools.keys()


def test_half_precision_is_simulated_with_the_profiles_scale(stick, trained):
    compiled, _ = stick
    pictures = parity_pictures(None, trained.manifest.input, "age")
    reference = opencv_reference(trained, pictures.batch)
    plain, scaled = (
        movidius_module.half_figures(trained, pictures, reference, lrn_scale=scale)
        for scale in (1, 16)
    )
    assert compiled.parity["half"] == scaled != plain


def test_the_ir_of_a_stick_runs_on_the_cpu_too(stick, trained, tmp_path):
    """It is what a fallback runs."""
    compiled, _ = stick
    other = compile_model(trained, tmp_path)
    pixels = np.full((1, 3, 67, 67), 90, np.uint8)
    answers = [
        OpenVINOBackend("CPU").load(model).infer(pixels).probabilities
        for model in (compiled, other)
    ]
    np.testing.assert_allclose(*answers, rtol=0, atol=1e-6)
    scaled = ["norm1/scaled" in model.file("ir_xml").read_text() for model in (compiled, other)]
    assert scaled == [True, True]


def test_an_oak_gets_six_shaves_and_answers_in_half_precision(requests, trained, tmp_path):
    compile_model(trained, tmp_path, target="OAK")
    assert requests[0]["config"]["MYRIAD_NUMBER_OF_SHAVES"] == "6"
    assert requests[0]["config"]["MYRIAD_NUMBER_OF_CMX_SLICES"] == "6"
    assert requests[0]["output_precision"] == "FP16"


def test_beyond_the_tolerance_nothing_is_written_nor_compiled(
    requests, trained, tmp_path, monkeypatch
):
    def wrong(_toolchain, _xml, _weights, batch):
        answers = np.zeros((len(batch), 9), np.float32)
        answers[:, 0] = 1
        return answers, "2021.4"

    monkeypatch.setattr(movidius_module, "run_ir", wrong)
    with pytest.raises(ParityError, match=r"agenet for MYRIAD in FP16 differs"):
        compile_model(trained, tmp_path / "out", target="MYRIAD")
    assert not (tmp_path / "out").exists()
    assert requests == []


def test_a_failing_compiler_leaves_nothing(requests, trained, tmp_path, monkeypatch):
    def fail(*_arguments):
        raise ToolchainError("the Myriad X cannot run this network", kind="unsupported")

    monkeypatch.setattr(blobs, "run_job", fail)
    with pytest.raises(ToolchainError, match="cannot run this network"):
        compile_model(trained, tmp_path / "out", target="MYRIAD")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("precision", ["FP32", "INT8"])
def test_other_precisions_are_refused(precision, requests, trained, tmp_path):
    with pytest.raises(UsageError, match="the Myriad X computes in half precision"):
        compile_model(trained, tmp_path, target="MYRIAD", precision=precision)


def test_the_command_says_what_the_blob_is_and_what_rounding_changes(
    requests, trained, cli, tmp_path
):
    call = ("compile", trained.caffemodel, "--target", "MYRIAD", "-o", tmp_path / "out")
    done = cli(*call)
    assert done.exit_code == 0, done.stderr
    first, blob, half = done.stdout.splitlines()
    assert first.startswith(f"{tmp_path / 'out' / 'agenet'}  MYRIAD FP16  largest difference ")
    assert blob == (
        "  blob: 5.6 kB, 8 stages, 6 SHAVEs, 6 CMX slices, with hardware stages, "
        "192 bytes in, 4 bytes out"
    )
    assert half.startswith("  in half precision (simulated): of 24 pictures ")
    assert " changed group, largest difference " in half
    assert "Comparing agenet with Caffe on 24 variants of test_0.png" in done.stderr
    assert "Compiling agenet.xml for the Myriad X" in done.stderr
    document = cli(*call, "--overwrite", "--json")
    (model,) = json.loads(document.stdout)["models"]
    assert model["blob"]["stages"] == 8
    assert model["parity"]["half"]["pictures"] == 24
