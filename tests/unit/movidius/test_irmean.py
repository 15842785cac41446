"""Another mean in an IR's weights, seen by OpenVINO itself."""

from __future__ import annotations

import numpy as np
import pytest

from edgeage.errors import ModelError
from edgeage.manifest import Manifest
from edgeage.movidius.irmean import weights_with_mean
from edgeage.runtime.openvino import OpenVINOBackend, graph_mean


def test_is_what_openvino_makes_of_it(compiled_models, tmp_path):
    manifest = Manifest.read(compiled_models / "agenet" / "model.json")
    mean = np.load(manifest.file("mean")) / 2
    xml, weights = manifest.file("ir_xml"), manifest.file("ir_bin")
    (tmp_path / "agenet.xml").write_bytes(xml.read_bytes())
    changed = weights_with_mean(xml, weights, graph_mean(mean, (67, 67)))
    (tmp_path / "agenet.bin").write_bytes(changed)
    moved = manifest.with_files(tmp_path, ir_xml="agenet.xml", ir_bin="agenet.bin")
    batch = np.random.default_rng(0).integers(0, 256, (4, 3, 67, 67), dtype=np.uint8)
    expected = OpenVINOBackend("CPU").load(manifest, mean=mean).infer(batch).probabilities
    found = OpenVINOBackend("CPU").load(moved).infer(batch).probabilities
    own = OpenVINOBackend("CPU").load(manifest).infer(batch).probabilities
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert np.abs(found - own).max() > 1e-4


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<net", "is no network"),
        ("<net><layers/></net>", "has no constant «mean»"),
        (
            (
                '<net><layer name="mean" type="Const">'
                '<data element_type="f16" offset="0" size="9"/></layer></net>'
            ),
            "has a mean of 9 bytes, the new one has 6",
        ),
    ],
    ids=["no xml", "no mean", "another size"],
)
def test_a_network_it_cannot_be_put_in(text, reason, tmp_path):
    (tmp_path / "a.xml").write_text(text)
    (tmp_path / "a.bin").write_bytes(b"0" * 20)
    with pytest.raises(ModelError, match=reason) as caught:
        weights_with_mean(tmp_path / "a.xml", tmp_path / "a.bin", np.zeros((1, 3, 1, 1)))
    assert "compile the model again" in str(caught.value)
