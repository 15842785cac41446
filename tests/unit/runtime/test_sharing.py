"""Networks that begin alike run as one, and answer as they did apart."""

import dataclasses
import importlib.util
import itertools

import numpy as np
import openvino as ov
import pytest

from edgeage import Predictor, caffe
from edgeage.compiler import Int8Options, compile_model, find_model
from edgeage.datasets import DatumWriter
from edgeage.manifest import Manifest
from edgeage.runtime.core import openvino_core
from edgeage.runtime.openvino import OpenVINOBackend
from edgeage.runtime.sharing import joined_model
from edgeage.testing import write_random_model


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """AgeNet's and GenderNet's caffemodels, whose weights are the same up to the last layer."""
    folder = tmp_path_factory.mktemp("alike")
    age, gender = (write_random_model(folder, task, side=67) for task in ("age", "gender"))
    trunk = caffe.read_weights(age)
    for path in (age, gender):
        net = caffe.read_net(folder / f"{path.stem}_deploy.prototxt")
        # A small last layer, so that no probability is next to 0 or 1 whatever the picture.
        last = [blob * 0.05 for blob in caffe.read_weights(path)["fc8"]]
        caffe.write_weights(path, net, {**trunk, "fc8": last})
        manifest = Manifest.read(path.with_suffix(".json"))
        names = {role: entry["name"] for role, entry in manifest.files.items()}
        manifest.with_files(folder, **names).write(path.with_suffix(".json"))
    return age, gender


@pytest.fixture(scope="module")
def alike(trained, tmp_path_factory):
    """Both compiled in single precision."""
    folder = tmp_path_factory.mktemp("fp32")
    return [compile_model(find_model(path), folder, precision="FP32") for path in trained]


@pytest.fixture(scope="module")
def in_bytes(trained, tmp_path_factory):
    """Both compiled in INT8, with a data set whose faces have an age and a gender."""
    pytest.importorskip("lmdb")
    if importlib.util.find_spec("nncf") is None:
        pytest.skip("nncf is not installed")
    folder = tmp_path_factory.mktemp("int8")
    faces = np.random.default_rng(2).integers(0, 256, (18, 3, 67, 67), dtype=np.uint8)
    for task, side in itertools.product(("age", "gender"), ("train", "test")):
        with DatumWriter(folder / f"{task}_{side}_lmdb") as writer:
            for number, pixels in enumerate(faces):
                writer.put(f"{number}.png", pixels, number % (9 if task == "age" else 2))
    # Random weights decide by a hair.
    how = {"precision": "INT8", "data": folder, "int8": Int8Options(calibration=9, max_drop=100)}
    return [compile_model(find_model(path), folder / "compiled", **how) for path in trained]


def _read(manifest):
    return openvino_core().read_model(manifest.file("ir_xml"))


def _count(model, kind):
    return sum(node.get_type_name() == kind for node in model.get_ops())


def test_what_is_common_is_there_once(alike):
    apart = [_read(manifest) for manifest in alike]
    joined = joined_model(*[_read(manifest) for manifest in alike], "gendernet")
    assert [_count(model, "Convolution") for model in (*apart, joined)] == [3, 3, 3]
    assert [_count(model, "MatMul") for model in (*apart, joined)] == [3, 3, 4]
    assert [list(port.shape) for port in joined.outputs] == [[1, 9], [1, 2]]


def _check_answers(manifests):
    """Hold the answers of the joined network against those of its parts."""
    random = np.random.default_rng(0)
    batch = random.integers(0, 256, (11, 3, 67, 67), dtype=np.uint8)
    batch //= random.integers(1, 6, (11, 3, 1, 1), dtype=np.uint8)
    backend = OpenVINOBackend("CPU")
    joined = backend.load_joined(manifests)
    found = joined.infer(batch)
    assert set(found.outputs) == {"agenet/prob", "gendernet/prob"}
    for manifest in manifests:
        expected = backend.load(manifest).infer(batch).probabilities
        assert np.ptp(expected, axis=0).max() > 0.01
        np.testing.assert_allclose(
            found.outputs[f"{manifest.name}/prob"], expected, rtol=0, atol=1e-6
        )


def test_it_answers_what_both_answer_apart(alike):
    _check_answers(alike)


def test_in_int8_it_is_the_same(in_bytes):
    joined = joined_model(*[_read(manifest) for manifest in in_bytes], "gendernet")
    assert [_count(joined, kind) for kind in ("Convolution", "MatMul")] == [3, 4]
    # One for each layer's input; both last layers take the same.
    assert _count(joined, "FakeQuantize") == _count(_read(in_bytes[0]), "FakeQuantize")
    _check_answers(in_bytes)


def test_networks_of_other_weights_stay_apart_and_whole(alike, tmp_path):
    trained = find_model(str(write_random_model(tmp_path, "gender", side=67, seed=5)))
    other = compile_model(trained, tmp_path / "compiled", precision="FP32")
    models = [_read(alike[0]), _read(other)]
    before = [len(model.get_ops()) for model in models]
    assert joined_model(*models, "gendernet") is None
    assert [len(model.get_ops()) for model in models] == before
    assert OpenVINOBackend("CPU").load_joined([alike[0], other]) is None


def test_one_weight_that_differs_ends_what_is_common(alike):
    models = [_read(manifest) for manifest in alike]
    _change(_convolutions(models[1])[1], 1)
    assert _count(joined_model(*models, "gendernet"), "Convolution") == 5


def _convolutions(model):
    return [node for node in model.get_ordered_ops() if node.get_type_name() == "Convolution"]


def _change(node, place):
    """Make one number another among those that a node takes at a place: a weight, or a range."""
    target = node.input(place)
    while (source := target.get_source_output().get_node()).get_type_name() != "Constant":
        target = source.input(0)
    values = np.array(source.data)
    values.flat[0] += 1e-3 if values.dtype.kind == "f" else -np.sign(values.flat[0]) or 1
    target.replace_source_output(ov.op.Constant(values).output(0))


@pytest.mark.parametrize("what", ["weight", "range"])
def test_int8_networks_with_another_first_layer_stay_apart(in_bytes, what):
    """Another range is what calibration on other faces makes."""
    models = [_read(manifest) for manifest in in_bytes]
    first = _convolutions(models[1])[0]
    quantiser = first.input_value(0).get_node()
    assert quantiser.get_type_name() == "FakeQuantize"
    _change(*{"weight": (first, 1), "range": (quantiser, 2)}[what])
    assert joined_model(*models, "gendernet") is None


@pytest.mark.parametrize("change", ["options", "input"])
def test_networks_to_be_run_differently_stay_apart(alike, change):
    changed = {
        "options": {"options": {"INFERENCE_PRECISION_HINT": "bf16"}},
        "input": {"input": dataclasses.replace(alike[1].input, margin=0.4)},
    }[change]
    other = dataclasses.replace(alike[1], **changed)
    assert OpenVINOBackend("CPU").load_joined([alike[0], other]) is None


def test_a_predictor_runs_the_common_layers_once_and_answers_the_same(alike):
    picture = np.random.default_rng(1).integers(0, 256, (90, 80, 3), dtype=np.uint8)
    with Predictor(alike, detector=None) as together:
        found = together.predict(picture)[0]
        assert set(together.timing.stages_ms) >= {"age+gender"}
    alone = {}
    for manifest in alike:
        with Predictor([manifest], detector=None) as predictor:
            alone[manifest.task] = predictor.predict(picture)[0]
    assert found.age == pytest.approx(alone["age"].age, abs=1e-3)
    assert found.age_group == alone["age"].age_group
    assert found.gender == alone["gender"].gender
    assert found.gender_probability == pytest.approx(alone["gender"].gender_probability, abs=1e-5)
