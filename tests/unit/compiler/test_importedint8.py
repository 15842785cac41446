"""An imported network in INT8: what is measured, and what it is refused for."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from edgeage.compiler.imported import compile_imported
from edgeage.compiler.int8 import Int8Options
from edgeage.datasets import BuildOptions, build_utkface
from edgeage.errors import DatasetError, ParityError, UsageError
from edgeage.inputspec import InputSpec
from edgeage.manifest import Manifest
from edgeage.networkinput import NetworkInput
from edgeage.onnxgraph import OnnxGraph
from edgeage.outputs import Output
from edgeage.runtime.openvino import OpenVINOBackend

if importlib.util.find_spec("nncf") is None:
    pytest.skip("nncf is not installed", allow_module_level=True)

SIDE = 32
OUTPUTS = (
    Output("age", "age", "years", factor=100),
    Output("gender", "gender", labels=("Male", "Female"), logits=True),
)
FEW = Int8Options(calibration=20)


@pytest.fixture(scope="module")
def data(tiny_utkface, tmp_path_factory):
    """Brightness is the age and hue the gender of these faces."""
    folder = tmp_path_factory.mktemp("data") / "tiny"
    build_utkface(tiny_utkface.archive, folder, BuildOptions(size=SIDE))
    return folder


@pytest.fixture
def write_model(tmp_path):
    """Write a network that tells both; ``outlier`` is a number beside its own that it ignores."""

    def write(outlier=1.0, dividing=False):
        graph = OnnxGraph([output.name for output in OUTPUTS])
        first = np.zeros((4, 3), np.float32)
        first[0], first[1], first[2] = 1 / 300, (-0.01, 0, 0.01), (0.01, 0, -0.01)
        value = convolution(graph, "data", first, [0, 0, 0, outlier], "first")
        second = np.zeros((4, 4), np.float32)
        second[0, 0] = second[1, 1] = second[2, 2] = 1
        value = graph.node("Relu", [value], "relu")
        value = convolution(graph, value, second, [0, 0, 0, 1], "second")
        value = graph.node("Flatten", [graph.node("GlobalAveragePool", [value], "mean")], "flat")
        age = [[1.1], [0], [0], [-0.75]]
        gender = [[0, 0], [9, -9], [-9, 9], [0, 0]]
        made = graph.node("MatMul", [value, graph.constant(age, "wa")], "years")
        if dividing:
            # All that decides is in the fifth decimal of the divisor.
            tiny = graph.node("MatMul", [value, graph.constant(np.array(age) * 1e-5, "wd")], "d")
            whole = graph.node("Add", [tiny, graph.constant([[1.0]], "one")], "whole")
            made = graph.node("Div", [made, whole], "divided")
        graph.end(made, "age")
        graph.end(graph.node("MatMul", [value, graph.constant(gender, "wg")], "sides"), "gender")
        folder = tmp_path / f"two_{outlier:g}"
        folder.mkdir()
        shape = ("n", 3, SIDE, SIDE)
        model = graph.model("two", ("data", shape), [("age", 1), ("gender", 2)])
        (folder / "two.onnx").write_bytes(model.SerializeToString())
        spec = InputSpec((SIDE, SIDE), (SIDE, SIDE), mean="none")
        manifest = Manifest("two", spec, OUTPUTS, network_input=NetworkInput("RGB"))
        return manifest.with_files(folder, onnx="two.onnx")

    return write


def convolution(graph, value, kernel, bias, name):
    inputs = [value, graph.constant(kernel[:, :, None, None], f"{name}/w")]
    return graph.node("Conv", [*inputs, graph.constant(bias, f"{name}/b")], name)


def test_both_answers_are_measured_on_the_test_faces(write_model, data, tmp_path, monkeypatch):
    # The bounds below are those of weights of eight bits, whatever processor runs this.
    monkeypatch.setattr("edgeage.compiler.quantise.adds_bytes_in_sixteen_bits", lambda: False)
    steps = []
    options = Int8Options(calibration=20, on_progress=lambda *step: steps.append(step[0]))
    made = compile_imported(
        write_model(), tmp_path / "out", precision="INT8", data=data, int8=options
    )
    figures = made.parity
    assert (made.precision, made.is_own, figures["device"]) == ("INT8", True, "CPU")
    assert {"nncf", "openvino", "edgeage"} <= made.tools.keys()
    accuracy = figures["accuracy"]
    assert accuracy["gender"]["faces"] == accuracy["age"]["faces"] == figures["pictures"] > 8
    assert accuracy["gender"]["fp32"] == accuracy["gender"]["int8"] >= 0.9
    assert accuracy["age"]["mae_int8"] == pytest.approx(accuracy["age"]["mae_fp32"], abs=2)
    assert 0 < figures["mean_difference"] < 0.02
    assert figures["calibration"]["faces"] == 20
    assert {row["layer"] for row in figures["layers"]} >= {"first/WithoutBiases", "years"}
    assert figures["graph"]["reference"].startswith("the imported network in FP32")
    assert {"calibrating", "running FP32", "running INT8"} == set(steps)
    assert '"i8"' in made.file("ir_xml").read_text(encoding="utf-8")
    batch = np.zeros((1, 3, SIDE, SIDE), np.uint8)
    assert set(OpenVINOBackend("CPU").load(made).infer(batch).outputs) == {"age", "gender"}


def test_lost_accuracy_is_refused_with_the_worst_layers(write_model, data, tmp_path):
    with pytest.raises(ParityError) as caught:
        compile_imported(write_model(1e5), tmp_path / "out", precision="INT8", data=data, int8=FEW)
    text = str(caught.value)
    assert text.startswith("two for CPU in INT8 loses ")
    assert "worst layers by their own error: second" in text
    assert "--accuracy-control" not in text
    assert not (tmp_path / "out").exists()


def test_divisors_stay_in_float(write_model, data, tmp_path):
    model = write_model(dividing=True)
    made = compile_imported(model, tmp_path / "out", precision="INT8", data=data, int8=FEW)
    assert made.parity["float_layers"] == ["d"]


def test_what_is_refused_before_any_work(write_model, data, tmp_path):
    model, out = write_model(), tmp_path / "out"
    with pytest.raises(UsageError, match="give a built data set's folder with --data"):
        compile_imported(model, out, precision="INT8")
    control = Int8Options(accuracy_control=True)
    with pytest.raises(UsageError, match="--accuracy-control is of AgeNet and GenderNet"):
        compile_imported(model, out, precision="INT8", data=data, int8=control)
    with pytest.raises(UsageError, match="are of INT8, and this is FP32"):
        compile_imported(model, out, precision="FP32", data=data, int8=FEW)
    with pytest.raises(DatasetError):
        compile_imported(model, out, precision="INT8", data=tmp_path / "none", int8=FEW)
    assert not out.exists()
