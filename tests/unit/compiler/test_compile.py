"""A whole compilation: what is written, that it agrees, and that nothing is written otherwise."""

from __future__ import annotations

import dataclasses
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest

from edgeage import caffe
from edgeage.compiler import compile as compile_module
from edgeage.compiler import compile_model, find_model
from edgeage.compiler import parity as parity_module
from edgeage.compiler.parity import parity_pictures
from edgeage.compiler.profiles import read_profile
from edgeage.compiler.references import reference_answers
from edgeage.errors import EdgeageError, ImageError, ModelError, ParityError
from edgeage.manifest import Manifest
from edgeage.outputs import Output
from edgeage.runtime.openvino import OpenVINOBackend
from edgeage.testing import write_random_model


@pytest.fixture
def trained(trained_models):
    return find_model(trained_models / "agenet.caffemodel")


@pytest.mark.parametrize("precision", ["FP32", "FP16"])
def test_writes_a_model_that_describes_itself(precision, trained, tmp_path):
    compiled = compile_model(trained, tmp_path, precision=precision)
    folder = tmp_path / "agenet"
    assert Manifest.read(folder / "model.json") == compiled
    assert sorted(path.name for path in folder.iterdir()) == [
        "agenet.bin", "agenet.xml", "mean.npy", "model.json",
    ]  # fmt: skip
    assert (compiled.target, compiled.precision) == ("CPU", precision)
    assert (
        compiled.source["compiled_from"]["caffemodel_sha256"]
        == (trained.manifest.files["caffemodel"]["sha256"])
    )
    assert {"edgeage", "openvino"} <= compiled.tools.keys()
    assert (compiled.parity["device"], compiled.parity["pictures"]) == ("CPU", 24)
    assert compiled.parity["origin"] == "24 variants of test_0.png"
    assert compiled.parity["max_difference"] <= read_profile("CPU", precision).max_difference


@pytest.mark.parametrize(
    ("here", "device"),
    [(["CPU"], "CPU"), (["CPU", "GPU.0", "GPU.1"], "GPU"), (["CPU", "NPU"], "CPU")],
)
def test_proved_on_its_own_device_where_that_is_here(here, device, monkeypatch):
    monkeypatch.setattr(parity_module, "available_devices", lambda: here)
    assert parity_module.parity_device("GPU") == device


@pytest.mark.parametrize("target", ["GPU", "NPU"])
def test_without_the_device_the_manifest_says_where_it_was_proved(
    target, trained, tmp_path, monkeypatch
):
    monkeypatch.setattr(parity_module, "available_devices", lambda: ["CPU"])
    compiled = compile_model(trained, tmp_path, target=target)
    assert (compiled.target, compiled.parity["device"]) == (target, "CPU")
    assert compiled.parity["half"]["overflows"] == []
    assert OpenVINOBackend("CPU").load(compiled).device == "CPU"


def test_full_precision_agrees_with_opencv_on_a_full_size_network(tmp_path):
    trained = find_model(write_random_model(tmp_path, "age"))
    compiled = compile_model(trained, tmp_path / "out", precision="FP32")
    pictures = parity_pictures(None, compiled.input, "age")
    found = OpenVINOBackend("CPU").load(compiled).infer(pictures.batch).probabilities
    assert np.abs(found - reference_answers(trained, pictures.batch)).max() <= 1e-3
    assert compiled.parity["max_difference"] <= 1e-3


def test_half_precision_halves_the_weights(trained, tmp_path):
    sizes = {}
    for precision in ("FP32", "FP16"):
        compile_model(trained, tmp_path / precision, precision=precision)
        sizes[precision] = (tmp_path / precision / "agenet" / "agenet.bin").stat().st_size
    assert sizes["FP16"] < 0.52 * sizes["FP32"]


def test_the_mean_is_in_the_graph(trained, tmp_path):
    """Parity against OpenCV would hold with no mean on both sides; this would not."""
    compiled = compile_model(trained, tmp_path, precision="FP32")
    mean = trained.mean.round().astype(np.uint8)[None]
    flat = OpenVINOBackend("CPU").load(compiled)
    black = flat.infer(np.zeros_like(mean)).probabilities
    assert np.abs(flat.infer(mean).probabilities - black).max() > 0.2
    without = dataclasses.replace(trained, mean=None)
    near_nought = reference_answers(without, np.zeros_like(mean))
    # mean − mean is what a network without a mean sees of black.
    assert np.abs(flat.infer(mean).probabilities - near_nought).max() < 0.02


def test_beyond_the_tolerance_nothing_is_written(trained, tmp_path, monkeypatch):
    strict = dataclasses.replace(
        read_profile("CPU", "FP16"), max_difference=1e-9, mean_difference=1e-9
    )
    monkeypatch.setattr(compile_module, "read_profile", lambda *_: strict)
    with pytest.raises(ParityError, match=r"agenet for CPU in FP16 differs .* nothing was written"):
        compile_model(trained, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_other_weights_are_noticed(trained, tmp_path, monkeypatch):
    """A graph built from other weights than the reference runs must fail, not only a tolerance."""
    other = write_random_model(tmp_path / "other", "age", side=67, seed=5)
    monkeypatch.setattr(caffe, "read_weights", lambda _: _read(other))
    with pytest.raises(ParityError):
        compile_model(trained, tmp_path / "out", precision="FP32")


def _read(path):
    from edgeage.caffe.weights import read_weights

    return read_weights(path)


def test_an_answer_that_is_no_number_fails(trained):
    from edgeage.compiler.parity import check_parity

    pictures = parity_pictures(None, trained.manifest.input, "age")
    lost = np.full((24, 9), np.nan, np.float32)
    with pytest.raises(ParityError):
        check_parity(trained, lambda _: lost, pictures, read_profile("CPU", "FP16"))


def test_keeps_what_is_there_unless_told(trained, tmp_path):
    (tmp_path / "agenet").mkdir()
    (tmp_path / "agenet" / "mine.txt").write_text("mine")
    with pytest.raises(EdgeageError, match="--overwrite"):
        compile_model(trained, tmp_path)
    assert (tmp_path / "agenet" / "mine.txt").read_text() == "mine"
    compile_model(trained, tmp_path, overwrite=True)
    assert (tmp_path / "agenet" / "model.json").is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["agenet"]


def test_the_number_of_labels_must_be_the_networks(trained, tmp_path):
    gender = Output("prob", "gender", labels=("Male", "Female"))
    manifest = dataclasses.replace(trained.manifest, outputs=(gender,))
    with pytest.raises(ModelError, match="answers 9 values, task «gender» has 2 labels"):
        compile_model(dataclasses.replace(trained, manifest=manifest), tmp_path)


def test_the_size_of_the_input_must_be_the_manifests(trained, tmp_path):
    spec = dataclasses.replace(trained.manifest.input, resize_hw=(80, 80), input_hw=(80, 80))
    manifest = dataclasses.replace(trained.manifest, input=spec)
    mean = np.full((3, 80, 80), 100, np.float32)
    with pytest.raises(ModelError, match=r"pictures of \(67, 67\), the manifest says \(80, 80\)"):
        compile_model(dataclasses.replace(trained, manifest=manifest, mean=mean), tmp_path)


def test_an_output_that_is_no_softmax_is_refused(trained, tmp_path):
    output = dataclasses.replace(trained.manifest.outputs[0], name="fc8")
    manifest = dataclasses.replace(trained.manifest, outputs=(output,))
    with pytest.raises(ModelError, match="is not 9 probabilities; expected a Softmax"):
        compile_model(dataclasses.replace(trained, manifest=manifest), tmp_path)


class TestParityPictures:
    def test_of_a_folder(self, trained, tmp_path, astronaut_face):
        for number in range(3):
            cv2.imwrite(str(tmp_path / f"{number}.png"), np.roll(astronaut_face, number, axis=0))
        pictures = parity_pictures(tmp_path, trained.manifest.input, "age")
        assert pictures.batch.shape == (3, 3, 67, 67)
        assert pictures.origin == f"3 pictures of {tmp_path.name}"
        assert (pictures.batch[0] != pictures.batch[1]).any()

    def test_of_a_data_sets_test_lmdb_evenly_spread(self, trained, tmp_path):
        store = pytest.importorskip("edgeage.datasets.store")
        lmdb = tmp_path / "age_test_lmdb"
        with store.DatumWriter(lmdb) as writer:
            for number in range(120):
                pixels = np.full((3, 67, 67), number, np.uint8)
                writer.put("x", pixels, number % 9)
        for data in (tmp_path, lmdb):
            pictures = parity_pictures(data, trained.manifest.input, "age")
            assert pictures.origin == "100 pictures of age_test_lmdb"
            assert pictures.batch[0, 0, 0, 0] == 0
            assert pictures.batch[-1, 0, 0, 0] == 118

    def test_the_sample_is_varied(self, trained):
        batch = parity_pictures(None, trained.manifest.input, "age").batch
        assert len(np.unique(batch.reshape(24, -1), axis=0)) == 24

    def test_a_folder_without_pictures_is_refused(self, trained, tmp_path):
        with pytest.raises(ImageError, match="holds no picture"):
            parity_pictures(tmp_path, trained.manifest.input, "age")


class TestFormat:
    """What makes OpenVINO 2021.4, 2022.3 and today's all read the IR."""

    @pytest.fixture
    def xml(self, trained, tmp_path):
        return compile_model(trained, tmp_path).file("ir_xml").read_text()

    def test_is_version_10_of_the_first_operation_set(self, xml):
        net = ElementTree.fromstring(xml)
        assert net.get("version") == "10"
        layers = net.findall("layers/layer")
        assert len(layers) > 20
        assert {layer.get("version") for layer in layers} == {"opset1"}

    def test_takes_bytes_with_the_mean_inside_in_single_precision(self, xml):
        net = ElementTree.fromstring(xml)
        assert net.find("layers/layer[@type='Parameter']/data").get("element_type") == "u8"
        assert net.find("layers/layer[@name='mean']/data").get("element_type") == "f32"
        stored = {
            layer.get("name"): layer.find("data").get("element_type")
            for layer in net.findall("layers/layer[@type='Const']")
        }
        weights = {kind for name, kind in stored.items() if name.endswith(("/weights", "/bias"))}
        assert weights == {"f16"}

    def test_the_same_network_is_the_same_file(self, xml, trained, tmp_path):
        """OpenVINO numbers nodes without a name over the whole process."""
        again = compile_model(trained, tmp_path / "again")
        assert again.file("ir_xml").read_text() == xml
