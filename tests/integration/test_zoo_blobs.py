"""Networks of the zoo become blobs that depthai reads; their weights are random here."""

from __future__ import annotations

import pytest

from edgeage.compiler.imported import compile_imported
from edgeage.compiler.parity import parity_pictures
from edgeage.zoo import build_network
from edgeage.zoo.product import write_product


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("ssrnet-joint", {}),
        ("mobilenetv2", {"weights": "none"}),
        ("efficientnetb0", {"weights": "none", "head": "groups"}),
        ("mobilenetv3small", {"weights": "none", "size": 96}),
    ],
    ids=["ssrnet", "mobilenetv2", "efficientnetb0", "mobilenetv3small"],
)
def test_a_blob(name, options, toolchain, tmp_path):
    depthai = pytest.importorskip("depthai")
    network = build_network(name, options)
    for layer in network.model.layers:
        if type(layer).__name__ == "BatchNormalization":
            layer.momentum = 0.02
        # Random stretches saturate at -1, where a stage's width is infinite.
        if "delta_s" in layer.name and "local" not in layer.name:
            layer.kernel.assign(layer.get_weights()[0] * 1e-4)
    faces = parity_pictures(None, network.spec, "age").batch[::6]
    # With statistics of pictures no layer's answers are lost in another's bias.
    network.model(network.prepared(faces), training=True)
    made = write_product(network, tmp_path / "m", faces, "variants", source={})
    blob = compile_imported(made, tmp_path / "out", target="MYRIAD")
    read = depthai.OpenVINO.Blob(blob.file("blob"))
    assert list(blob.blob["values"]) == [output.name for output in network.outputs]
    (answers,) = read.networkOutputs.values()
    assert max(answers.dims) == sum(blob.blob["values"].values())
    assert blob.blob["input_bytes"] >= faces[0].size
    print(name, blob.blob["stages"], blob.blob["size"], blob.parity["max_difference"])
