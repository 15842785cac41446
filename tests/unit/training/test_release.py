"""The released form of a trained model."""

import json

import numpy as np
import pytest

from edgeage.caffe import read_net, read_weights
from edgeage.errors import ModelError
from edgeage.inputspec import InputSpec
from edgeage.labels import GENDERS
from edgeage.manifest import Manifest
from edgeage.paths import data_dir
from edgeage.training.release import release, rounded_to_half


def test_weights_become_half_precision_values():
    found = rounded_to_half({"fc": [np.float32([1.0001, 3.14159265, 1e-9])]})["fc"][0]
    assert found.dtype == np.float32
    assert found.tolist() == [1.0, 3.140625, 0.0]


def test_weights_beyond_half_precision_are_refused():
    with pytest.raises(ModelError, match="layer «fc».*65,504"):
        rounded_to_half({"fc": [np.float32([70000.0])]})


@pytest.fixture
def trained(tmp_path):
    """A trained GenderNet of the shipped prototxt, as a training leaves it."""
    from edgeage.caffe import mean_sha256, write_mean, write_weights
    from edgeage.training.net import TorchNet

    folder, name = tmp_path / "run", "gendernet_deploy.prototxt"
    folder.mkdir()
    train = read_net(data_dir("prototxt") / "gendernet_train_test.prototxt")
    weights = TorchNet(train, (3, 227, 227), phases=("TEST",)).weights()
    net = read_net(data_dir("prototxt") / name)
    write_weights(folder / "gendernet.caffemodel", net, weights)
    (folder / name).write_text((data_dir("prototxt") / name).read_text())
    mean = np.full((3, 227, 227), 100.0, np.float32)
    write_mean(folder / "mean.npy", mean)
    spec = InputSpec(mean_sha256=mean_sha256(mean))
    manifest = Manifest.classifier("gendernet", "gender", GENDERS, spec, source={"iterations": 1})
    manifest = manifest.with_files(
        folder, caffemodel="gendernet.caffemodel", prototxt=name, mean="mean.npy"
    )
    manifest.write(folder / "gendernet.json")
    return folder / "gendernet.json"


def test_a_released_model_can_be_found_and_is_rounded(trained, tmp_path):
    path = release(trained, tmp_path / "released")
    manifest = Manifest.read(path)
    assert manifest.source == {"iterations": 1}
    assert manifest.file("prototxt") == data_dir("prototxt") / "gendernet_deploy.prototxt"
    before = read_weights(trained.with_suffix(".caffemodel"))
    for name, blobs in read_weights(manifest.file("caffemodel")).items():
        for blob, original in zip(blobs, before[name], strict=True):
            np.testing.assert_array_equal(blob, original.astype(np.float16).astype(np.float32))


def test_a_network_in_onnx_is_rounded_and_answers_alike(tmp_path):
    onnx = pytest.importorskip("onnx")
    import torch

    from edgeage.training.joint.compact import write_onnx
    from edgeage.training.joint.mobilenet import MobileNet

    torch.manual_seed(0)
    write_onnx(MobileNet(0.25).eval(), 32, tmp_path / "small.onnx")
    fields = {
        "manifest": 1,
        "name": "small",
        "files": {"onnx": {"name": "small.onnx"}},
        "input": {"size": 32, "channel_order": "BGR", "layout": "NCHW"},
        "outputs": [{"name": "age", "task": "age", "kind": "distribution", "logits": True}],
    }
    (tmp_path / "small.json").write_text(json.dumps(fields))
    path = release(tmp_path / "small.json", tmp_path / "released")
    manifest = Manifest.read(path)
    assert (manifest.name, manifest.files["onnx"]["name"]) == ("small", "small.onnx")
    arrays = [
        {t.name: onnx.numpy_helper.to_array(t) for t in onnx.load(file).graph.initializer}
        for file in (tmp_path / "small.onnx", manifest.file("onnx"))
    ]
    assert len(arrays[0]) == len(arrays[1]) > 30
    for name, before in arrays[0].items():
        expected = before.astype(np.float16).astype(np.float32) if before.dtype == "f4" else before
        np.testing.assert_array_equal(arrays[1][name], expected)


def test_another_networks_prototxt_is_refused(trained, tmp_path):
    manifest = Manifest.read(trained)
    prototxt = trained.parent / "gendernet_deploy.prototxt"
    prototxt.write_text(prototxt.read_text().replace("local_size: 5", "local_size: 3"))
    files = {role: entry["name"] for role, entry in manifest.files.items()}
    manifest.with_files(trained.parent, **files).write(trained)
    with pytest.raises(ModelError, match="is not the network"):
        release(trained, tmp_path / "released")
