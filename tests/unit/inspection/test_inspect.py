"""Every format is recognised by its content, and nothing else escapes than one clear line."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgeage.errors import EdgeageError, ModelError, UsageError
from edgeage.inspection import inspect_file
from edgeage.inspection.finding import format_finding

KINDS = {
    "caffemodel": "caffemodel",
    "net": "net",
    "manifest": "manifest",
    "ir": "ir",
    "blob": "blob",
    "mean": "mean",
    "mean.binaryproto": "mean",
    "solver": "solver",
    "solverstate": "solverstate",
    "lmdb": "lmdb",
    "dataset": "dataset",
}


@pytest.mark.parametrize(("sample", "kind"), KINDS.items(), ids=KINDS)
def test_is_recognised_by_its_content(sample, kind, samples):
    finding = inspect_file(samples[sample])
    assert finding.kind == kind
    assert json.loads(json.dumps(finding.to_dict(), allow_nan=False))["kind"] == kind
    text = format_finding(finding)
    assert text.startswith(f"{samples[sample]}: {finding.summary}\n")
    assert len(text.splitlines()) > 2


def test_a_name_that_lies_changes_nothing(samples, tmp_path):
    lying = shutil.copy(samples["mean.binaryproto"], tmp_path / "x.caffemodel")
    assert inspect_file(tmp_path / lying).kind == "mean"


def test_an_lmdb_is_known_by_its_file_too(samples):
    assert inspect_file(samples["lmdb"] / "data.mdb").facts["records"] == 5


STRANGE = {
    "empty": (b"", "is empty (0 bytes)"),
    "zip": (b"PK\x03\x04" + bytes(20), "a zip archive (weights of PyTorch or Keras?)"),
    "pickle": (b"\x80\x02}q\x00.", "a Python pickle, which edgeage never opens"),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(20), "an HDF5 file"),
    "picture": (b"\x89PNG\r\n\x1a\n" + bytes(20), "give pictures to «edgeage infer»"),
    "program": (b"\x7fELF" + bytes(80), "a program or library"),
    "noise": (bytes(range(128, 256)), "of no format edgeage knows"),
    "onnx": (b"\x08\x07\x12\x02pt\x3a\x02\x0a\x00\x42\x02\x10\x0d", "an ONNX model"),
    "text": (b"Dear reader,\n", ":1:1: unknown field «Dear»"),
    "no field": (b"\n \n", "text without a layer"),
    "json": (b'{"a": 1}', "no manifest of a model"),
    "json cut": (b'{"manifest": 1,', "is not readable JSON"),
    "deep json": (b"{" + b'"a":[' * 100_000, "is not readable JSON"),
    "html": (b"<html></html>", "its outermost element is «html»"),
    "ir cut": (b'<net name="a" version="10"><layers>', "cut short?"),
    "cache of a CPU": (
        b'<?xml version="1.0"?><compiled_blob x="1"/>\n\xff\xfe',
        "for another device than MYRIAD",
    ),
    "typing error": (b"bas_lr: 1", "in SolverParameter; did you mean «base_lr»"),
    "net cut": (b'name: "a" layer { name: "b" ', ":1:25: Expected"),
}


@pytest.mark.parametrize(("content", "reason"), STRANGE.values(), ids=STRANGE)
def test_what_it_is_not_is_said_in_one_line(content, reason, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(ModelError) as caught:
        inspect_file(path)
    assert reason in str(caught.value)
    assert str(path) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_missing_and_empty_folders(tmp_path):
    with pytest.raises(ModelError, match="nothing is missing; expected a caffemodel"):
        inspect_file(tmp_path / "nothing")
    with pytest.raises(ModelError, match=r"is a folder without data\.mdb"):
        inspect_file(tmp_path)


def test_the_bin_of_an_ir_says_where_to_look(write_ir):
    path = write_ir()
    path.with_suffix(".bin").write_bytes(b"\xff\x01\x02" * 40)
    with pytest.raises(ModelError, match=r"it is the weights of small\.xml, inspect that"):
        inspect_file(path.with_suffix(".bin"))


def test_a_prototxt_is_for_a_caffemodel_only(samples):
    with pytest.raises(UsageError, match="--prototxt is for a caffemodel"):
        inspect_file(samples["mean"], prototxt=samples["net"])


def _only_our_errors(path):
    try:
        text = format_finding(inspect_file(path))
    except EdgeageError as error:
        text = str(error)
        assert len(text.splitlines()) == 1
    assert text


@settings(max_examples=150, deadline=None)
@given(content=st.binary(max_size=300))
def test_noise_never_escapes(content, tmp_path_factory):
    path = tmp_path_factory.mktemp("noise") / "file"
    path.write_bytes(content)
    _only_our_errors(path)


@pytest.mark.parametrize("sample", ["net", "manifest", "ir", "blob", "mean", "solverstate"])
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_damaged_files_never_escape(sample, data, samples, tmp_path_factory):
    content = bytearray(samples[sample].read_bytes())
    for _ in range(data.draw(st.integers(0, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damaged") / "file"
    path.write_bytes(content[: data.draw(st.integers(1, len(content)))])
    _only_our_errors(path)


@pytest.mark.parametrize("sample", ["caffemodel", "mean.binaryproto", "solverstate"])
@pytest.mark.parametrize("keep", [0.3, 0.9, 0.999])
def test_caffes_files_cut_short_are_named(sample, keep, samples, tmp_path):
    content = samples[sample].read_bytes()
    path = tmp_path / "cut"
    path.write_bytes(content[: max(int(len(content) * keep), 12)])
    with pytest.raises(EdgeageError) as caught:
        inspect_file(path)
    assert str(path) in str(caught.value)
    assert "cut short" in str(caught.value) or "truncated" in str(caught.value)


def test_mean_channels_and_order(samples, tmp_path):
    facts = inspect_file(samples["mean"]).facts
    mean = np.load(samples["mean"])
    assert facts["channel_means"] == pytest.approx(mean.mean(axis=(1, 2)), abs=1e-3)
    assert facts["order"].startswith("BGR, as expected")
    np.save(tmp_path / "rgb.npy", mean[::-1])
    flipped = inspect_file(tmp_path / "rgb.npy")
    np.save(tmp_path / "steep.npy", mean[::-1] + np.array([9, 5, 0], np.float32)[:, None, None])
    steep = inspect_file(tmp_path / "steep.npy")
    assert not (flipped.facts["order"] or "").startswith("BGR, as")
    assert "looks like RGB" in steep.notes[0]


def test_a_solverstate_without_its_weights(samples):
    finding = inspect_file(samples["solverstate"])
    assert finding.facts["iteration"] == 1200
    assert finding.tables[0].rows == ((0, "2×3", 1.0),)
    assert "net_iter_1200.caffemodel, are not beside it" in finding.notes[0]
    (samples["solverstate"].parent / "net_iter_1200.caffemodel").touch()
    assert inspect_file(samples["solverstate"]).notes == ()


def test_solver_fields(samples):
    facts = inspect_file(samples["solver"]).facts
    assert facts == {
        "net": "x.prototxt", "base_lr": 0.01, "lr_policy": "step", "max_iter": 7,
    }  # fmt: skip


def test_lmdb_labels_and_dataset(samples):
    finding = inspect_file(samples["lmdb"])
    assert finding.facts["shape"] == [3, 8, 9]
    assert finding.tables[0].rows == ((0, 3), (1, 2))
    rows = inspect_file(samples["dataset"]).tables[0].rows
    assert [row[:3] for row in rows] == [("age_test_lmdb", 5, "3×8×9")]


def test_a_manifest_checks_its_files(trained_models, tmp_path):
    folder = shutil.copytree(trained_models, tmp_path / "copy")
    (folder / "mean.npy").write_bytes(b"changed")
    finding = inspect_file(folder / "agenet.json")
    states = {row[0]: row[3] for row in finding.tables[0].rows}
    assert states == {
        "caffemodel": "as hashed", "prototxt": "as hashed", "mean": "missing or changed",
    }  # fmt: skip
    assert "does not match its manifest" in finding.notes[0]


def test_a_compiled_folder(compiled_models):
    finding = inspect_file(compiled_models / "agenet")
    assert finding.summary == "manifest of agenet, compiled for CPU, FP32"
    assert finding.facts["parity"]["pictures"] == 24
