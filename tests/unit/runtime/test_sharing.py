"""Networks that begin alike run as one, and answer as they did apart."""

import dataclasses

import numpy as np
import openvino as ov
import pytest

from edgeage import Predictor, caffe
from edgeage.compiler import compile_model, find_model
from edgeage.manifest import Manifest
from edgeage.runtime.core import openvino_core
from edgeage.runtime.openvino import OpenVINOBackend
from edgeage.runtime.sharing import joined_model
from edgeage.testing import write_random_model


@pytest.fixture(scope="module")
def alike(tmp_path_factory):
    """A compiled AgeNet and GenderNet whose weights are the same up to the last layer."""
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
        compile_model(find_model(str(path)), folder / "compiled", precision="FP32")
    return [Manifest.read(folder / f"compiled/{n}/model.json") for n in ("agenet", "gendernet")]


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


def test_it_answers_what_both_answer_apart(alike):
    random = np.random.default_rng(0)
    batch = random.integers(0, 256, (11, 3, 67, 67), dtype=np.uint8)
    batch //= random.integers(1, 6, (11, 3, 1, 1), dtype=np.uint8)
    backend = OpenVINOBackend("CPU")
    joined = backend.load_joined(alike)
    found = joined.infer(batch)
    assert set(found.outputs) == {"agenet/prob", "gendernet/prob"}
    for manifest in alike:
        expected = backend.load(manifest).infer(batch).probabilities
        assert np.ptp(expected, axis=0).max() > 0.01
        np.testing.assert_allclose(
            found.outputs[f"{manifest.name}/prob"], expected, rtol=0, atol=1e-6
        )


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
    second = [node for node in models[1].get_ordered_ops() if node.get_type_name() == "Convolution"]
    weights = second[1].input_value(1).get_node()
    values = np.array(weights.data)
    values.flat[5] += 1e-3
    second[1].input(1).replace_source_output(ov.op.Constant(values).output(0))
    joined = joined_model(*models, "gendernet")
    assert _count(joined, "Convolution") == 5


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
