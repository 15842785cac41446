"""The programs for the toolchain's Python, in this one: today's OpenVINO, and played tools."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from pictures import coloured_blocks

from edgeage.compiler import compile_model, find_model
from edgeage.errors import ToolchainError
from edgeage.movidius import Toolchain, run_job
from edgeage.movidius.jobs import script_path
from edgeage.movidius.networks import run_caffe, run_ir
from edgeage.runtime.openvino import OpenVINOBackend

TINY = Path(__file__).with_name("tiny.blob")
HERE = Toolchain(Path(sys.executable), managed=False)


def _load(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    path = script_path(name)
    monkeypatch.syspath_prepend(str(path.parent))
    spec = importlib.util.spec_from_file_location(f"script_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class TestRunIR:
    @pytest.fixture
    def compiled(self, trained_models, tmp_path):
        return compile_model(find_model(trained_models / "agenet.caffemodel"), tmp_path)

    def test_answers_as_the_runtime_does(self, compiled):
        pixels = coloured_blocks(3, (67, 67))
        answers, version = run_ir(HERE, compiled.file("ir_xml"), compiled.file("ir_bin"), pixels)
        assert version.startswith("20")
        expected = OpenVINOBackend("CPU").load(compiled).infer(pixels).probabilities
        assert np.ptp(expected, axis=0).max() > 0.2
        np.testing.assert_allclose(answers, expected, atol=0.02)

    def test_gives_any_layer(self, compiled):
        request = {
            "xml": str(compiled.file("ir_xml")),
            "bin": str(compiled.file("ir_bin")),
            "device": "CPU",
            "outputs": ["pool1", "prob"],
        }
        batch = np.zeros((2, 3, 67, 67), np.uint8)
        reply, arrays = run_job(HERE, "run_ir", request, {"batch": batch})
        assert reply["outputs"] == ["pool1", "prob"]
        assert (arrays["blob_0"].shape[:2], arrays["blob_1"].shape) == ((2, 96), (2, 9))
        with pytest.raises(ToolchainError, match="no layer or tensor pool9") as caught:
            run_job(HERE, "run_ir", {**request, "outputs": ["pool9"]}, {"batch": batch})
        assert caught.value.kind == "no-output"

    def test_what_is_no_network_is_one_line(self, tmp_path):
        (tmp_path / "a.xml").write_text("<net/>")
        (tmp_path / "a.bin").write_bytes(b"")
        with pytest.raises(ToolchainError, match=r"OpenVINO cannot run .*a\.xml") as caught:
            run_ir(HERE, tmp_path / "a.xml", tmp_path / "a.bin", np.zeros((1, 3, 4, 4), np.uint8))
        assert "\n" not in str(caught.value)


def test_a_python_without_caffe_says_so(tmp_path):
    batch = np.zeros((1, 3, 4, 4), np.float32)
    with pytest.raises(ToolchainError, match="cannot import caffe") as caught:
        run_caffe(HERE, tmp_path / "a.prototxt", tmp_path / "a.caffemodel", batch, "prob")
    assert caught.value.kind == "no-caffe"


class PlayedPlugin:
    """OpenVINO 2021.4's API, whose MYRIAD plugin caches some bytes and then says something."""

    def __init__(self, cached: bytes | None, said: str) -> None:
        self.cached, self.said, self.told = cached, said, {}
        self.ports = {"data": SimpleNamespace(precision="FP32")}
        self.answers = {"prob": SimpleNamespace(precision="FP32")}

    def IECore(self):
        return self

    def set_config(self, config, _device):
        self.folder = Path(config["CACHE_DIR"])

    def read_network(self, model, weights):
        return SimpleNamespace(input_info=self.ports, outputs=self.answers)

    def load_network(self, _net, device, config):
        assert device == "MYRIAD"
        self.told = config
        if self.cached is not None:
            (self.folder / "123.blob").write_bytes(self.cached)
        raise RuntimeError(self.said)


HEADER = b'<?xml version="1.0"?><compiled_blob ie_version="2021.4.2" file_info="1"/>\n'
NO_STICK = "Can not create infer request: there is no available devices with platform 2480"


class TestCompileBlob:
    @pytest.fixture
    def script(self, monkeypatch):
        return _load("compile_blob", monkeypatch)

    @pytest.fixture
    def compile_with(self, script, tmp_path):
        def run(plugin):
            (tmp_path / "cache").mkdir()
            request = {
                "xml": "a.xml",
                "bin": "a.bin",
                "output": str(tmp_path / "out.blob"),
                "config": {"MYRIAD_NUMBER_OF_SHAVES": "6"},
                "output_precision": "FP16",
            }
            script.compile_network(plugin, request, str(tmp_path / "cache"))
            return (tmp_path / "out.blob").read_bytes()

        return run

    @pytest.mark.parametrize("header", [HEADER, b""], ids=["behind a line of XML", "alone"])
    def test_takes_the_blob_out_of_the_cache_though_there_is_no_stick(self, header, compile_with):
        plugin = PlayedPlugin(header + TINY.read_bytes(), NO_STICK)
        assert compile_with(plugin) == TINY.read_bytes()
        assert plugin.told == {"MYRIAD_NUMBER_OF_SHAVES": "6"}
        assert plugin.ports["data"].precision == "U8"
        assert plugin.answers["prob"].precision == "FP16"

    # What the plugin said (2021.4.2, word for word), the kind it is, and a part of the line.
    SAID = (
        (
            (
                "Cannot load library 'libmyriadPlugin.so': libusb-1.0.so.0: cannot open shared "
                "object file: No such file or directory"
            ),
            "libusb",
            "cannot load libusb-1.0.so.0",
        ),
        (
            'Device with "MYRIAD" name is not registered in the OpenVINO Runtime',
            "no-plugin",
            "has no MYRIAD plugin",
        ),
        (
            (
                '[ GENERAL_ERROR ] \n/home/x/graph.cpp:113 Cannot allocate "32" shaves: '
                "only 16 is available"
            ),
            "memory",
            'does not fit into the chip: Cannot allocate "32" shaves: only 16 is available',
        ),
        (
            (
                '[ GENERAL_ERROR ] \n/home/x/frontend.cpp:592 Failed to compile layer "norm": '
                'unsupported layer type "Foo"'
            ),
            "unsupported",
            'cannot run this network: Failed to compile layer "norm": unsupported layer type',
        ),
        ("[ GENERAL_ERROR ] something", "failed", "the MYRIAD compiler failed: something"),
        ("", "failed", "the plugin wrote no blob and gave no reason"),
        (NO_STICK, "cache", "kept nothing of what it compiled"),
    )

    @pytest.mark.parametrize(("said", "kind", "line"), SAID, ids=[row[1] for row in SAID])
    def test_says_in_one_line_why_there_is_no_blob(self, said, kind, line, script, compile_with):
        with pytest.raises(script.jobio.JobError) as caught:
            compile_with(PlayedPlugin(None, said))
        assert caught.value.kind == kind
        assert line in str(caught.value)
        assert "\n" not in str(caught.value)
        assert "/home" not in str(caught.value)

    def test_a_cache_without_a_blob_is_refused(self, script, compile_with):
        with pytest.raises(script.jobio.JobError, match="does not hold a blob"):
            compile_with(PlayedPlugin(HEADER + b"something else", NO_STICK))

    def test_a_python_without_the_old_openvino_says_so(self, tmp_path):
        with pytest.raises(ToolchainError, match="cannot import openvino") as caught:
            run_job(HERE, "compile_blob", {"version": True})
        assert caught.value.kind == "missing"


def test_scripts_are_for_python_3_6():
    """What a newer Python alone can read would fail on the users' machines."""
    import ast

    for path in sorted(script_path("jobio").parent.glob("*.py")):
        ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 6))
