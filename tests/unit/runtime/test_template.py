"""The manifest a user is told to write."""

from __future__ import annotations

import json

import pytest

from edgeage.errors import ModelError
from edgeage.modelfiles import read_models
from edgeage.runtime.openvino import OpenVINOBackend
from edgeage.runtime.template import manifest_template


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_what_the_network_tells_is_filled_in(layout, channel_network) -> None:
    fields = json.loads(manifest_template(channel_network(layout)))
    assert fields["input"] == {"size": [12, 12], "channel_order": "BGR or RGB"}
    assert fields["outputs"][0] == {"name": "years", "task": "age", "kind": "years", "factor": 1}
    assert fields["outputs"][1]["task"] == "gender"


def test_it_is_refused_until_the_choices_are_made_and_then_runs(channel_network, tmp_path) -> None:
    network = channel_network()
    fields = json.loads(manifest_template(network))
    with pytest.raises(ModelError, match="got «BGR or RGB»"):
        _load(tmp_path, fields)
    fields["input"]["channel_order"] = "RGB"
    with pytest.raises(ModelError, match="«Male» and «Female» in the network's order"):
        _load(tmp_path, fields)
    years, genders, _ = fields["outputs"]
    fields["outputs"] = [years, genders | {"labels": ["Male", "Female"]}]
    _load(tmp_path, fields).close()


def test_an_onnx_file_has_its_role(onnx_network) -> None:
    assert json.loads(manifest_template(onnx_network))["files"] == {"onnx": "net.onnx"}


def test_what_is_no_network_has_no_manifest(tmp_path) -> None:
    (tmp_path / "net.onnx").write_bytes(b"not a network")
    with pytest.raises(ModelError, match=r"cannot read .*net\.onnx"):
        manifest_template(tmp_path / "net.onnx")


def test_a_network_of_another_kind_is_named_as_one(open_model_zoo) -> None:
    with pytest.raises(ModelError, match="none of which is an age or a gender"):
        manifest_template(open_model_zoo / "face-detection-retail-0005.xml")


def _load(folder, fields):
    (folder / "model.json").write_text(json.dumps(fields))
    (manifest,) = read_models(folder / "model.json")
    return OpenVINOBackend("CPU").load(manifest)
