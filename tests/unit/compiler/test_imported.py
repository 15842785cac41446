"""An imported network compiled for a CPU answers as before."""

from __future__ import annotations

import dataclasses

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgeage.compiler import imported
from edgeage.compiler.imported import compile_imported, find_imported
from edgeage.compiler.importedblob import taking_bytes
from edgeage.errors import ParityError, UsageError
from edgeage.inputspec import InputSpec
from edgeage.manifest import Manifest
from edgeage.networkinput import NetworkInput
from edgeage.outputs import Output
from edgeage.predictor import Predictor

SIDE = 16
OUTPUTS = (
    Output("gender", "gender", "classes", ("Female", "Male")),
    Output("age", "age", "years", factor=100),
)
TAKES = NetworkInput("RGB", pixel_range=(0, 1), mean=(0.4, 0.5, 0.6), std=(0.2, 0.25, 0.3))


@pytest.fixture
def model(tmp_path):
    """Two small heads on the means of the channels; gender is the first output."""
    random = np.random.default_rng(2)
    arrays = {
        "wg": random.normal(0, 1, (3, 2)), "wa": random.normal(0, 0.2, (3, 1)),
        "bg": [0.1, -0.1], "ba": [0.4],
    }  # fmt: skip
    nodes = [
        helper.make_node("GlobalAveragePool", ["data"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("Gemm", ["flat", "wg", "bg"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["gender"], axis=1),
        helper.make_node("Gemm", ["flat", "wa", "ba"], ["age"]),
    ]
    graph = helper.make_graph(
        nodes, "two",
        [helper.make_tensor_value_info("data", TensorProto.FLOAT, ["n", 3, SIDE, SIDE])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", size])
            for name, size in (("gender", 2), ("age", 1))
        ],
        [numpy_helper.from_array(np.asarray(a, np.float32), name) for name, a in arrays.items()],
    )  # fmt: skip
    opset = [helper.make_opsetid("", 11)]
    folder = tmp_path / "two"
    folder.mkdir()
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=6), folder / "two.onnx")
    spec = InputSpec((SIDE, SIDE), (SIDE, SIDE), mean="none")
    manifest = Manifest("two", spec, OUTPUTS, network_input=TAKES, input_name="data")
    manifest.with_files(folder, onnx="two.onnx").write(folder / "model.json")
    return folder


FACE = np.random.default_rng(4).integers(0, 256, (SIDE, SIDE, 3), np.uint8)


def answer(folder):
    with Predictor(folder, "CPU", detector=None) as predictor:
        (face,) = predictor.predict(FACE)
    return face


def test_a_variance_that_half_precision_cannot_hold_does_no_harm(model, tmp_path):
    network = onnx.load(model / "two.onnx")
    arrays = {"scale": 500, "shift": 0, "middle": 0, "variance": 250_000}
    network.graph.initializer.extend(
        numpy_helper.from_array(np.full(3, value, np.float32), name)
        for name, value in arrays.items()
    )
    normal = helper.make_node("BatchNormalization", ["data", *arrays], ["normal"])
    network.graph.node[0].input[0] = "normal"
    network.graph.node.insert(0, normal)
    onnx.save(network, model / "two.onnx")
    manifest = Manifest.read(model / "model.json")
    manifest.with_files(model, onnx="two.onnx").write(model / "model.json")
    made = compile_imported(find_imported(model), tmp_path / "out", precision="FP16")
    assert made.parity["max_difference"] < 1e-3
    xml = made.file("ir_xml").read_text()
    assert "BatchNorm" not in xml
    assert 'element_type="f16"' in xml


@pytest.mark.parametrize("precision", ["FP32", "FP16"])
def test_a_compiled_network_answers_as_the_imported_one(precision, model, tmp_path):
    made = compile_imported(find_imported(model), tmp_path / "out", precision=precision)
    assert (made.is_own, made.target, made.precision) == (True, "CPU", precision)
    assert made.parity["max_difference"] <= made.parity["max_allowed"]
    before, after = answer(model), answer(made.folder)
    assert after.age == pytest.approx(before.age, abs=0.5)
    assert after.gender_probability == pytest.approx(before.gender_probability, abs=5e-3)


def test_bytes_are_prepared_in_front_of_the_network(model):
    """The blob's ONNX takes BGR bytes: its first convolution is the manifest's preparation."""
    import onnxruntime

    manifest = find_imported(model)
    session = onnxruntime.InferenceSession(taking_bytes(manifest))
    plain = onnxruntime.InferenceSession(manifest.file("onnx").read_bytes())
    picture = FACE.transpose(2, 0, 1)[None].astype(np.float32)
    rgb = picture[:, ::-1] / 255
    mean, std = (np.float32(part).reshape(1, 3, 1, 1) for part in (TAKES.mean, TAKES.std))
    expected = plain.run(None, {"data": np.ascontiguousarray((rgb - mean) / std)})
    for left, right in zip(session.run(None, {"data": picture}), expected, strict=True):
        np.testing.assert_allclose(left, right, atol=1e-5)


def test_what_differs_is_not_written(model, tmp_path, monkeypatch):
    true = imported._answers
    monkeypatch.setattr(
        imported, "_answers",
        lambda manifest, *rest: {
            name: rows + 0.2 * manifest.is_own for name, rows in true(manifest, *rest).items()
        },
    )  # fmt: skip
    with pytest.raises(ParityError, match="two for CPU in FP16 differs from the imported network"):
        compile_imported(find_imported(model), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_file_is_judged_in_single_precision_and_run_so_where_that_is_needed(
    model, tmp_path, monkeypatch
):
    """This machine's CPU, when told nothing, is made one that computes badly."""
    true = imported._answers

    def answers(manifest, *rest):
        exact = manifest.options.get("INFERENCE_PRECISION_HINT") == "f32"
        return {name: rows + 0.2 * (not exact) for name, rows in true(manifest, *rest).items()}

    monkeypatch.setattr(imported, "_answers", answers)
    made = compile_imported(find_imported(model), tmp_path / "out")
    assert made.options == {"INFERENCE_PRECISION_HINT": "f32"}
    assert made.parity["max_difference"] < 1e-2
    monkeypatch.undo()
    assert compile_imported(find_imported(model), tmp_path / "other").options == {}


def test_an_onnx_file_takes_bytes_in_bgr(model, tmp_path):
    made = compile_imported(find_imported(model), tmp_path / "out", target="onnx")
    assert (made.target, made.precision, list(made.files)) == ("ONNX", "FP32", ["onnx"])
    assert [entry.version for entry in onnx.load(made.file("onnx")).opset_import] == [11]
    assert Manifest.read(made.folder / "model.json").network_input == NetworkInput("BGR", "NCHW")
    before, after = answer(model), answer(made.folder)
    assert after.age == pytest.approx(before.age, abs=0.05)
    assert after.gender_probability == pytest.approx(before.gender_probability, abs=1e-3)
    with pytest.raises(UsageError, match="an ONNX file holds single precision"):
        compile_imported(find_imported(model), tmp_path / "out", target="ONNX", precision="FP16")


def test_a_network_that_takes_such_bytes_stays_as_it_is(model):
    plain = dataclasses.replace(find_imported(model), network_input=NetworkInput("BGR"))
    assert taking_bytes(plain) == plain.file("onnx").read_bytes()


def test_it_goes_by_the_name_of_its_file_too(model):
    assert find_imported(model / "two.onnx") == find_imported(model)
    assert find_imported(model / "model.json") == find_imported(str(model))


def test_edgeage_s_own_models_are_not_imported_ones(compiled_models):
    assert find_imported("agenet") is None
    assert find_imported(compiled_models / "agenet") is None


def test_a_blob_that_depthai_reads(model, tmp_path, toolchain):
    depthai = pytest.importorskip("depthai")
    made = compile_imported(find_imported(model), tmp_path / "out", target="MYRIAD")
    blob = depthai.OpenVINO.Blob(made.file("blob"))
    assert set(made.blob["values"]) == {"gender", "age"}
    (answers,) = blob.networkOutputs.values()
    assert max(answers.dims) == sum(made.blob["values"].values())
    assert made.blob["input_bytes"] >= 3 * SIDE * SIDE
    before, after = answer(model), answer(made.folder)
    assert after.age == pytest.approx(before.age, abs=0.5)
    assert after.gender_probability == pytest.approx(before.gender_probability, abs=5e-3)
