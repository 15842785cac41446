"""The released networks in INT8 on real faces: every held-back Asian face of UTKFace."""

from __future__ import annotations

import contextlib
import importlib.util

import numpy as np
import pytest

from edgeage.compiler import compile_model, find_model
from edgeage.datasets import BuildOptions, DatumReader, build_utkface
from edgeage.runtime.openvino import OpenVINOBackend

pytestmark = pytest.mark.slow

if importlib.util.find_spec("nncf") is None:
    pytest.skip("nncf is not installed", allow_module_level=True)


@pytest.fixture(scope="module")
def data(utkface_archive, tmp_path_factory):
    """The data set the released networks are scored on."""
    folder = tmp_path_factory.mktemp("utkface") / "asian"
    build_utkface(utkface_archive, folder, BuildOptions(races=("asian",), oversample=False))
    return folder


@pytest.mark.parametrize("name", ["agenet", "gendernet"])
def test_accuracy_is_kept_on_all_held_back_faces(name, data, tmp_path):
    trained = find_model(name)
    model = compile_model(trained, tmp_path, precision="INT8", data=data)
    figures = model.parity
    assert figures["pictures"] >= 549
    assert figures["calibration"]["faces"] == 300
    assert figures["accuracy"]["drop"] <= 0.5
    assert figures["changed_decisions"] <= 0.02 * figures["pictures"]
    assert figures["mean_difference"] < 0.01
    assert figures["float_layers"] == []
    assert max(row["relative_error"] for row in figures["layers"]) < 0.03
    assert 11e6 < model.file("ir_bin").stat().st_size < 13e6
    _answers_alike_in_every_batch(model, data)


def _answers_alike_in_every_batch(model, data):
    with DatumReader(data / f"{model.task}_test_lmdb") as reader:
        faces = [reader.get(place)[0].transpose(1, 2, 0) for place in range(11)]
    batch = np.stack([model.input.prepare(face) for face in faces])
    with contextlib.closing(OpenVINOBackend("CPU").load(model)) as session:
        together = session.infer(batch).probabilities
        alone = [session.infer(batch[place : place + 1]).probabilities for place in range(11)]
    # Other kernels round elsewhere: a step of eight bits here and there, no more.
    np.testing.assert_allclose(together, np.concatenate(alone), atol=0.02)
