"""What a caffemodel says of itself."""

from __future__ import annotations

import numpy as np
import pytest

from edgeage import caffe
from edgeage.caffe.blobs import array_to_blob
from edgeage.caffe.schema import V1LayerParameter
from edgeage.errors import ModelError
from edgeage.inspection import inspect_file
from edgeage.inspection.weights import multiplications

NET = """
name: "tiny"
layer { name: "data" type: "Input" top: "data"
  input_param { shape { dim: 1 dim: 3 dim: 5 dim: 6 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 4 kernel_size: 2 group: 1 } }
layer { name: "fc" type: "InnerProduct" bottom: "conv" top: "fc"
  inner_product_param { num_output: 2 } }
"""


@pytest.fixture
def tiny(tmp_path):
    """A network's prototxt, and a function that writes its caffemodel."""
    prototxt = tmp_path / "tiny.prototxt"
    prototxt.write_text(NET)
    rng = np.random.default_rng(0)
    shapes = {"conv": [(4, 3, 2, 2), (4,)], "fc": [(2, 80), (2,)]}
    weights = {
        name: [rng.integers(-8, 8, shape).astype(np.float32) / 8 for shape in blobs]
        for name, blobs in shapes.items()
    }

    def write(**changed):
        path = tmp_path / "tiny.caffemodel"
        caffe.write_weights(path, caffe.read_net(prototxt), {**weights, **changed})
        return path

    return prototxt, weights, write


def _table(finding):
    (table,) = finding.tables
    return {row[0]: dict(zip(table.columns, row, strict=True)) for row in table.rows}


def test_layers_parameters_and_multiplications(tiny):
    prototxt, weights, write = tiny
    finding = inspect_file(write(), prototxt=prototxt)
    assert finding.facts["syntax"] == "V2 (layer)"
    assert finding.facts["parameters"] == 48 + 4 + 160 + 2
    rows = _table(finding)
    assert rows["conv"]["blob_shapes"] == "4×3×2×2 4"
    # 4 × 5 places of 12 products for each of 4 outputs; then 80 inputs into 2.
    assert rows["conv"]["macs"] == 4 * 5 * 12 * 4
    assert rows["fc"]["macs"] == 160
    assert finding.facts["macs"] == 960 + 160
    assert rows["data"]["parameters"] is None
    smallest = min(blob.min() for blobs in weights.values() for blob in blobs)
    assert finding.facts["smallest"] == smallest


def test_a_grouped_convolution_multiplies_less(tiny):
    prototxt, weights, _ = tiny
    text = NET.replace("num_output: 4", "num_output: 6").replace("group: 1", "group: 3")
    prototxt.write_text(text)
    grouped = {
        "conv": [np.ones((6, 1, 2, 2), np.float32), np.ones(6, np.float32)],
        "fc": [np.ones((2, 120), np.float32), weights["fc"][1]],
    }
    assert multiplications(prototxt, grouped)["conv"] == 20 * 6 * 4


def test_of_the_released_size(trained_models):
    """The manifest beside it names the prototxt."""
    facts = inspect_file(trained_models / "gendernet.caffemodel").facts
    assert facts["macs"] > 10_000_000
    assert facts["exact_in_half"] is False


def test_half_precision_holds_it_or_not(tiny):
    _, weights, write = tiny
    assert inspect_file(write()).facts["exact_in_half"] is True
    weights["fc"][0][0, 0] = 1 / 3
    rows = _table(inspect_file(write()))
    assert (rows["conv"]["exact_in_half"], rows["fc"]["exact_in_half"]) == (True, False)


def test_what_half_precision_cannot_hold_is_named(tiny):
    _, weights, write = tiny
    weights["conv"][0][0, 0, 0, 0] = 70_000
    weights["fc"][1][0] = np.nan
    notes = " | ".join(inspect_file(write()).notes)
    assert "layer conv holds 1 values beyond half precision's 65,504" in notes
    assert "layer fc holds 1 values that are not finite" in notes


def test_without_a_prototxt_nothing_is_multiplied(tiny):
    finding = inspect_file(tiny[2]())
    assert finding.facts["macs"] is None
    assert "give --prototxt" in finding.notes[0]


def test_a_prototxt_of_another_network_is_an_error(tiny, trained_models):
    with pytest.raises(ModelError, match="of the same network"):
        inspect_file(tiny[2](), prototxt=trained_models / "agenet_deploy.prototxt")


def test_the_older_syntax(tmp_path):
    net = caffe.NetParameter(name="old")
    layer = net.layers.add(name="conv", type=V1LayerParameter.CONVOLUTION)
    layer.blobs.append(array_to_blob(np.ones((1, 1, 2, 2), np.float32), legacy=True))
    path = tmp_path / "old"
    path.write_bytes(net.SerializeToString())
    finding = inspect_file(path)
    assert finding.facts["syntax"] == "V1 (layers)"
    assert _table(finding)["conv"]["type"] == "Convolution"
