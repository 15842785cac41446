"""A compilation to INT8: what is written, when it is refused, and that it computes in bytes."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
from xml.etree import ElementTree

import numpy as np
import pytest
from pictures import coloured_blocks

from edgeage.compiler import Int8Options, compile_model, find_model
from edgeage.errors import ParityError, UsageError
from edgeage.manifest import Manifest
from edgeage.runtime.core import openvino_core
from edgeage.runtime.openvino import OpenVINOBackend, available_devices
from edgeage.testing import write_random_model

if importlib.util.find_spec("nncf") is None:
    pytest.skip("nncf is not installed", allow_module_level=True)

# Beside it a hundred grey levels are a thousandth of a step of eight bits.
OUTLIER = 1e6
# Beside this one only the fainter differences are lost.
MILD = 1e4


@pytest.fixture
def compiled(sided_model, sided_data, tmp_path):
    """``compiled(outlier, **options)`` compiles the sided network to INT8."""

    def run(outlier=0.0, folder="out", **options):
        trained = find_model(sided_model(outlier))
        int8 = Int8Options(**{"calibration": 20, **options})
        return compile_model(
            trained, tmp_path / folder, precision="int8", data=sided_data, int8=int8
        )

    return run


def test_writes_a_model_that_describes_itself(compiled, tmp_path):
    steps = []
    model = compiled(on_progress=lambda *step: steps.append(step))
    assert Manifest.read(tmp_path / "out" / "sided" / "model.json") == model
    assert (model.target, model.precision) == ("CPU", "INT8")
    assert {"nncf", "openvino", "edgeage"} <= model.tools.keys()
    figures = model.parity
    assert figures["origin"] == "50 faces of gender_test_lmdb"
    assert figures["device"] == "CPU"
    assert figures["accuracy"] == {
        "fp32": 1.0, "int8": 1.0, "fp32_correct": 50, "int8_correct": 50,
        "drop": 0.0, "max_drop": 0.5,
    }  # fmt: skip
    assert figures["changed_decisions"] == 0
    assert 0 < figures["mean_difference"] <= figures["max_difference"] < 0.1
    assert figures["calibration"] == {
        "origin": "gender_train_lmdb", "faces": 20, "control_faces": 0,
    }  # fmt: skip
    assert sorted(row["layer"] for row in figures["layers"]) == ["conv1", "conv2", "fc3"]
    assert all(0 < row["relative_error"] < 0.1 < row["sqnr_db"] for row in figures["layers"])
    assert figures["float_layers"] == []
    assert figures["graph"]["reference"].startswith("cv2.dnn")
    assert {stage for stage, _, _ in steps} == {"calibrating", "running FP32", "running INT8"}
    assert ("running INT8", 50, 50) in steps


def test_is_of_the_first_operation_set_with_weights_of_one_byte(compiled):
    model = compiled()
    net = ElementTree.fromstring(model.file("ir_xml").read_text())
    assert net.get("version") == "10"
    assert {layer.get("version") for layer in net.findall("layers/layer")} == {"opset1"}
    kinds = {layer.find("data").get("element_type") for layer in net.iter("layer")
             if layer.get("type") == "Const"}  # fmt: skip
    assert "i8" in kinds
    info = {child.tag: child.get("value") for child in net.find("rt_info/edgeage")}
    assert info["precision"] == "INT8"


def test_the_same_faces_make_the_same_file(compiled):
    first, again = compiled(folder="a"), compiled(folder="b")
    assert first.files == again.files
    assert first.parity == again.parity


def test_a_loss_beyond_the_profile_is_refused_and_names_the_worst_layers(compiled, tmp_path):
    with pytest.raises(ParityError) as caught:
        compiled(OUTLIER)
    text = str(caught.value)
    assert text.startswith("sided for CPU in INT8 loses ")
    assert "(50 of 50 faces of gender_test_lmdb right in FP32, " in text
    assert "0.5 are allowed; worst layers by their own error: fc3 100.0% (0 dB), " in text
    assert "nothing was written" in text
    assert not (tmp_path / "out").exists()


def test_who_asks_for_it_may_lose_more(compiled, monkeypatch):
    """The mean difference is no matter of points, and stays within the profile's."""
    # What MILD costs is that of weights of eight bits, whatever processor runs this.
    monkeypatch.setattr("edgeage.compiler.quantise.adds_bytes_in_sixteen_bits", lambda: False)
    with pytest.raises(ParityError, match=r"differs from FP32 by 0\.\d+ on average"):
        compiled(OUTLIER, max_drop=100)
    with pytest.raises(ParityError, match="points of accuracy"):
        compiled(MILD, folder="strict")
    allowed = compiled(MILD, folder="allowed", max_drop=50)
    assert 0.5 < allowed.parity["accuracy"]["drop"] <= 50
    assert allowed.parity["accuracy"]["max_drop"] == 50


def test_accuracy_control_saves_what_would_be_refused(compiled):
    model = compiled(OUTLIER, accuracy_control=True)
    assert model.parity["float_layers"] == ["fc3"]
    assert sorted(row["layer"] for row in model.parity["layers"]) == ["conv1", "conv2"]
    assert model.parity["accuracy"]["drop"] <= 0.5
    assert model.parity["calibration"]["control_faces"] == 40


def test_a_network_all_in_float_is_not_called_int8(compiled, monkeypatch, tmp_path):
    monkeypatch.setattr("edgeage.compiler.int8.quantise", lambda graph, *_, **__: graph.clone())
    with pytest.raises(ParityError, match=r"every layer .* no more than 0\.5 points .* FP16"):
        compiled()
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("target", ["GPU", "NPU"])
def test_without_the_device_it_is_measured_on_the_cpu(target, sided_model, sided_data, tmp_path):
    if target in available_devices():
        pytest.skip(f"there is a {target}")
    model = compile_model(
        find_model(sided_model()), tmp_path, target=target, precision="INT8", data=sided_data,
        int8=Int8Options(calibration=20),
    )  # fmt: skip
    assert (model.target, model.parity["device"]) == (target, "CPU")
    assert model.parity["accuracy"]["int8"] == 1.0


def test_nothing_of_it_stays_in_the_cache(compiled, tmp_path, monkeypatch):
    monkeypatch.setenv("EDGEAGE_CACHE", str(tmp_path / "cache"))
    compiled()
    assert not (tmp_path / "cache").exists()


def test_real_faces_are_asked_for(sided_model, tmp_path):
    with pytest.raises(UsageError, match="real faces; give .* --data .edgeage dataset build"):
        compile_model(find_model(sided_model()), tmp_path / "out", precision="INT8")
    assert not (tmp_path / "out").exists()


def test_its_options_are_of_no_other_precision(sided_model, sided_data, tmp_path):
    with pytest.raises(UsageError, match="are of INT8, and this is FP16"):
        compile_model(
            find_model(sided_model()), tmp_path, data=sided_data, int8=Int8Options(max_drop=1)
        )


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"calibration": 0}, "at least 1 face to calibrate with, got 0"),
        ({"max_drop": -0.1}, "max_drop of 0 to 100 points, got -0.1"),
        ({"max_drop": float("nan")}, "max_drop of 0 to 100 points, got nan"),
    ],
)
def test_options_out_of_range(options, reason):
    with pytest.raises(UsageError, match=reason):
        Int8Options(**options)


@pytest.fixture(scope="module")
def agenet(tmp_path_factory):
    """AgeNet with random weights and 67×67 input in INT8."""
    from edgeage.datasets import DatumWriter

    folder, rng = tmp_path_factory.mktemp("agenet"), np.random.default_rng(0)
    for side in ("train", "test"):
        with DatumWriter(folder / f"age_{side}_lmdb") as writer:
            for number in range(9):
                pixels = rng.integers(0, 256, (3, 67, 67), dtype=np.uint8)
                writer.put(f"{side}{number}", pixels, number)
    trained = find_model(write_random_model(folder / "trained", "age", side=67))
    # Random weights decide by a hair, and nine faces are eleven points each.
    int8 = Int8Options(max_drop=100)
    return compile_model(trained, folder / "out", precision="INT8", data=folder, int8=int8)


def test_the_cpu_computes_every_weighted_layer_in_bytes(agenet):
    core = openvino_core()
    if "INT8" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        pytest.skip("this CPU has no INT8")
    network = core.compile_model(agenet.file("ir_xml"), "CPU", dict(agenet.options))
    ran = {}
    for node in network.get_runtime_model().get_ordered_ops():
        info = node.get_rt_info()
        kind = info["layerType"].astype(str)
        ran.setdefault(kind, []).append(info["runtimePrecision"].astype(str))
    # Bytes less a mean are signed or not as the CPU likes them.
    assert [kind in ("u8", "i8") for kind in ran["Convolution"]] == [True] * 3
    assert [kind in ("u8", "i8") for kind in ran["FullyConnected"]] == [True] * 3
    assert len(ran["Pooling"]) == 3
    # Behind the normalisations a pooling is in float; the last goes into fc6 as it is.
    assert ran["Pooling"][-1] == "u8"
    assert not {"i8", "u8"} & set(ran["Lrn"])


def test_normalisations_are_scaled_and_their_input_is_not_rounded(agenet):
    """Half precision, which an ARM CPU, a GPU and an NPU compute in, ends at 65,504."""
    network = openvino_core().read_model(agenet.file("ir_xml"))
    nodes = {node.get_friendly_name(): node for node in network.get_ordered_ops()}
    for name, pool in (("norm1", "pool1"), ("norm2", "pool2")):
        scaled = nodes[f"{name}/scaled"]
        assert scaled.input(0).get_source_output().get_node().get_friendly_name() == pool
        before = nodes[pool].input(0).get_source_output().get_node()
        assert before.get_type_name() == "Relu"
        assert nodes[name].input(0).get_source_output().get_node().get_type_name() == "LRN"


def test_every_layer_of_agenet_is_quantised(agenet):
    assert agenet.parity["float_layers"] == []
    names = {"conv1", "conv2", "conv3", "fc6", "fc7", "fc8"}
    assert {row["layer"] for row in agenet.parity["layers"]} == names
    assert agenet.file("ir_bin").stat().st_size < 2.8e6


def test_the_mean_can_still_be_replaced(agenet):
    batch = np.full((1, 3, 67, 67), 90, np.uint8)
    answers = []
    for mean in (None, np.full((3, 67, 67), 30, np.float32)):
        with contextlib.closing(OpenVINOBackend("CPU").load(agenet, mean=mean)) as session:
            answers.append(session.infer(batch).probabilities)
    assert np.abs(answers[0] - answers[1]).max() > 1e-4


def test_answers_alike_alone_and_in_a_batch(agenet):
    """OpenVINO may compile a batch to other kernels, with faults of their own."""
    batch = coloured_blocks(8, (67, 67))
    with contextlib.closing(OpenVINOBackend("CPU").load(agenet)) as session:
        together = session.infer(batch).probabilities
        alone = [session.infer(batch[place : place + 1]).probabilities for place in range(8)]
    assert np.ptp(together, axis=0).max() > 0.2
    np.testing.assert_allclose(together, np.concatenate(alone), atol=0.02)


def test_says_nothing_on_stdout(compiled, capfd, caplog):
    caplog.set_level(logging.INFO)
    compiled(accuracy_control=True)
    assert capfd.readouterr() == ("", "")
    assert not [record for record in caplog.records if record.name.startswith("nncf")]
