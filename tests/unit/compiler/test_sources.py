"""Finding a trained network and refusing files that do not belong together."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest

from edgeage import caffe
from edgeage.compiler import sources
from edgeage.compiler.sources import find_model
from edgeage.errors import EdgeageError, MeanError, ModelError, UsageError
from edgeage.manifest import Manifest


@pytest.fixture
def folder(trained_models, tmp_path) -> Path:
    """A copy of the AgeNet's files that may be changed."""
    for path in trained_models.glob("*"):
        if not path.name.startswith("gender"):
            shutil.copy(path, tmp_path)
    return tmp_path


def _rehashed(manifest: Manifest) -> Manifest:
    names = {role: entry["name"] for role, entry in manifest.files.items()}
    return manifest.with_files(manifest.folder, **names)


def test_a_manifest_says_all(folder):
    found = find_model(folder / "agenet.caffemodel")
    assert found.manifest.task == "age"
    assert found.prototxt == folder / "agenet_deploy.prototxt"
    assert caffe.mean_sha256(found.mean) == found.manifest.input.mean_sha256


def test_a_prototxt_that_is_not_beside_the_manifest_is_the_packages_own(folder, repo_root):
    shipped = repo_root / "prototxt" / "agenet_deploy.prototxt"
    shutil.copy(shipped, folder)
    _rehashed(Manifest.read(folder / "agenet.json")).write(folder / "agenet.json")
    (folder / "agenet_deploy.prototxt").unlink()
    assert find_model(folder / "agenet.caffemodel").prototxt == shipped


def test_the_packages_own_prototxt_is_hashed_too(folder):
    """The copy beside the manifest is of 67×67 and the package's of 227×227."""
    (folder / "agenet_deploy.prototxt").unlink()
    with pytest.raises(ModelError, match=r"agenet_deploy\.prototxt does not match its manifest"):
        find_model(folder / "agenet.caffemodel")


def test_another_mean_replaces_the_models_own(folder, tmp_path):
    other = np.full((3, 67, 67), 90, np.float32)
    caffe.write_mean(tmp_path / "other.npy", other)
    found = find_model(folder / "agenet.caffemodel", mean=tmp_path / "other.npy")
    np.testing.assert_array_equal(found.mean, other)
    assert found.manifest.input.mean_sha256 == caffe.mean_sha256(other)


def test_without_a_manifest_everything_else_is_given(folder):
    (folder / "agenet.json").unlink()
    found = find_model(
        str(folder / "agenet.caffemodel"),
        prototxt=folder / "agenet_deploy.prototxt",
        mean=folder / "mean.npy",
        task="age",
    )
    manifest = found.manifest
    assert (manifest.name, manifest.input_name, manifest.output_name) == ("agenet", "data", "prob")
    assert manifest.input.resize_hw == manifest.input.input_hw == (67, 67)
    assert len(manifest.source["weights"]["sha256"]) == 64


@pytest.mark.parametrize(
    ("mean", "expected"),
    [
        (np.full((3, 80, 72), 9, np.float32), ("image", (80, 72))),
        (np.full(3, 9, np.float32), ("channel", (67, 67))),
    ],
    ids=["a larger picture", "one value a channel"],
)
def test_the_means_shape_says_how_pictures_were_stored(mean, expected, folder, tmp_path):
    (folder / "agenet.json").unlink()
    np.save(tmp_path / "m.npy", mean)
    spec = find_model(
        folder / "agenet.caffemodel",
        prototxt=folder / "agenet_deploy.prototxt",
        mean=tmp_path / "m.npy",
        task="gender",
    ).manifest.input
    assert (spec.mean, spec.resize_hw) == expected
    assert spec.input_hw == (67, 67)


def _drop(name):
    return lambda folder: (folder / name).unlink()


def _spoil(name):
    return lambda folder: (folder / name).write_bytes(b"no such thing")


BROKEN = {
    "unknown name": ("agnet", {}, None, UsageError, "did you mean «agenet»"),
    "not a caffemodel": ("x/agenet.pb", {}, None, UsageError, "not a .caffemodel"),
    "nothing there": ("{folder}/none.caffemodel", {}, None, ModelError, "is missing"),
    "no manifest, nothing given": (
        "{folder}/agenet.caffemodel", {}, _drop("agenet.json"), UsageError,
        "give --prototxt and --mean and --task too",
    ),
    "weights changed": (
        "{folder}/agenet.caffemodel", {}, _spoil("agenet.caffemodel"), ModelError,
        "does not match its manifest",
    ),
    "mean gone": (
        "{folder}/agenet.caffemodel", {}, _drop("mean.npy"), ModelError, "mean.npy is missing"),
    "manifest no JSON": (
        "{folder}/agenet.caffemodel", {}, _spoil("agenet.json"), ModelError, "not a readable"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("model", "options", "spoil", "error", "reason"), BROKEN.values(), ids=BROKEN
)
def test_says_in_one_line_what_is_wrong(model, options, spoil, error, reason, folder):
    if spoil:
        spoil(folder)
    with pytest.raises(error) as caught:
        find_model(model.format(folder=folder), **options)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("mean", "reason"),
    [
        (np.full((67, 67, 3), 90, np.float32), "(67, 67, 3), expected (3, 67, 67)"),
        (np.full((3, 67, 67), np.nan, np.float32), "not finite"),
    ],
    ids=["channels last", "NaN"],
)
def test_refuses_a_wrong_mean_with_the_reason(mean, reason, folder, tmp_path):
    np.save(tmp_path / "m.npy", mean)
    with pytest.raises(MeanError) as caught:
        find_model(folder / "agenet.caffemodel", mean=tmp_path / "m.npy")
    assert reason in str(caught.value)


def test_refuses_the_models_own_mean_reversed(folder, tmp_path):
    """A known defect of the original scripts: a BGR network with an RGB picture or mean."""
    own = np.load(folder / "mean.npy") + np.array([0, 20, 40], np.float32)[:, None, None]
    caffe.write_mean(folder / "mean.npy", own)
    manifest = Manifest.read(folder / "agenet.json")
    spec = dataclasses.replace(manifest.input, mean_sha256=caffe.mean_sha256(own))
    _rehashed(dataclasses.replace(manifest, input=spec)).write(folder / "agenet.json")
    np.save(tmp_path / "rgb.npy", own[::-1])
    with pytest.raises(MeanError, match="RGB"):
        find_model(folder / "agenet.caffemodel", mean=tmp_path / "rgb.npy")


def test_a_mean_that_the_manifest_does_not_know_is_refused(folder):
    manifest = Manifest.read(folder / "agenet.json")
    spec = dataclasses.replace(manifest.input, mean_sha256="0" * 64)
    dataclasses.replace(manifest, input=spec).write(folder / "agenet.json")
    with pytest.raises(ModelError, match="not the mean agenet was trained with"):
        find_model(folder / "agenet.caffemodel")


def test_a_training_prototxt_is_refused(folder, repo_root):
    (folder / "agenet.json").unlink()
    with pytest.raises(ModelError, match="give the deploy prototxt, not the training one"):
        find_model(
            folder / "agenet.caffemodel",
            prototxt=repo_root / "prototxt" / "agenet_train_test.prototxt",
            mean=folder / "mean.npy",
            task="age",
        )


def test_released_weights_that_are_not_installed_say_so(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "data_dir", lambda _: tmp_path)
    with pytest.raises(EdgeageError, match="released weights of agenet are not in this"):
        find_model("agenet")
