"""The Asian faces of the real UTKFace: built, and INT8 on those that are held back."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json

import numpy as np
import pytest

from edgeage.caffe import check_mean, read_mean
from edgeage.cli.main import main
from edgeage.compiler import compile_model, find_model
from edgeage.datasets import DatumReader, read_records
from edgeage.runtime.openvino import OpenVINOBackend

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def built(utkface_archive, tmp_path_factory):
    """The data set the released networks are scored on, and what the command says of it."""
    folder = tmp_path_factory.mktemp("utkface") / "asian"
    words = ["dataset", "build", "utkface", str(utkface_archive), "-o", str(folder)]
    with contextlib.redirect_stdout(io.StringIO()) as stdout:
        assert main([*words, "--race", "asian", "--no-oversample", "--json"]) == 0
    return folder, json.loads(stdout.getvalue())


def test_what_is_known_of_them(built):
    folder, report = built
    assert {reason: entry["count"] for reason, entry in report["drops"].items()} == {
        "missing dot": 1, "missing field": 3, "space in the name": 1,
    }  # fmt: skip
    assert report["faces"] == 2747
    assert abs(sum(report["counts"]["age"]["test"]) - 0.2 * 2747) <= 2
    # 32 files are byte for byte copies; looking at all pairs found gave about 100 photographs
    # that are there twice.
    assert report["near_duplicates"]["identical_files"] == 32
    assert 90 <= report["near_duplicates"]["pairs"] <= 115
    sides: dict[int | None, set[str]] = {}
    for item in read_records(folder / "records.csv"):
        sides.setdefault(item.duplicate_group, set()).add(item.split)
    assert all(len(found) == 1 for group, found in sides.items() if group is not None)
    check_mean(read_mean(folder / "mean.binaryproto"), (3, 227, 227))
    with DatumReader(folder / "gender_test_lmdb") as reader:
        assert len(reader) == sum(report["counts"]["gender"]["test"])


@pytest.mark.skipif(importlib.util.find_spec("nncf") is None, reason="nncf is not installed")
@pytest.mark.parametrize("name", ["agenet", "gendernet"])
def test_int8_keeps_the_accuracy_on_all_held_back(name, built, tmp_path):
    data, _ = built
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
