"""The manifest: what it holds, what it checks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgeage.errors import ModelError
from edgeage.inputspec import InputSpec
from edgeage.labels import AGE_GROUPS, DEFAULT_GROUP_AGES, GENDERS
from edgeage.manifest import Manifest


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    (tmp_path / "net.xml").write_text("<net/>")
    (tmp_path / "mean.npy").write_bytes(b"mean")
    spec = InputSpec((256, 256), (227, 227), scale=0.5)
    model = Manifest.classifier(
        "agenet",
        "age",
        AGE_GROUPS,
        spec,
        source={"licence": "none «of yours»"},
        blob={"version": [6, 0], "stages": 36, "options": {"shaves": None}},
    )
    return model.with_files(tmp_path, ir_xml="net.xml", mean="mean.npy")


def stored(path: Path, **changes: Any) -> Path:
    """Write a manifest's JSON with some fields changed, or removed when the change is None."""
    fields = Manifest.classifier("gendernet", "gender", GENDERS, InputSpec()).to_dict() | changes
    fields = {name: value for name, value in fields.items() if value is not None}
    path.write_text(json.dumps(fields), encoding="utf-8")
    return path


def test_a_manifest_survives_its_file(manifest: Manifest, tmp_path: Path) -> None:
    manifest.write(tmp_path / "model.json")
    again = Manifest.read(tmp_path / "model.json")
    assert again == manifest
    assert again.blob == {"version": [6, 0], "stages": 36, "options": {"shaves": None}}
    assert again.folder == tmp_path
    assert "none «of yours»" in (tmp_path / "model.json").read_text(encoding="utf-8")


def test_a_manifest_of_before_there_were_blobs_is_read(tmp_path: Path) -> None:
    assert Manifest.read(stored(tmp_path / "model.json", blob=None)).blob == {}


def test_the_folder_is_not_stored(manifest: Manifest, tmp_path: Path) -> None:
    assert str(tmp_path) not in json.dumps(manifest.to_dict())


def test_a_named_file_is_found_and_checked(manifest: Manifest, tmp_path: Path) -> None:
    assert manifest.file("ir_xml") == tmp_path / "net.xml"
    (tmp_path / "net.xml").write_text("<net></net>")
    with pytest.raises(ModelError, match=r"net\.xml does not match its manifest: .* make it again"):
        manifest.file("ir_xml")
    (tmp_path / "net.xml").unlink()
    with pytest.raises(ModelError, match=r"net\.xml is missing; agenet's manifest names it as its"):
        manifest.file("ir_xml")
    with pytest.raises(ModelError, match="the manifest of agenet in .* names no blob file"):
        manifest.file("blob")


def test_a_prototxt_may_be_one_of_the_packages_own(repo_root: Path, tmp_path: Path) -> None:
    shipped = Manifest.classifier("agenet", "age", AGE_GROUPS, InputSpec()).with_files(
        repo_root / "prototxt", prototxt="agenet_deploy.prototxt", mean="agenet_deploy.prototxt"
    )
    shipped.write(tmp_path / "agenet.json")
    elsewhere = Manifest.read(tmp_path / "agenet.json")
    assert elsewhere.file("prototxt") == repo_root / "prototxt" / "agenet_deploy.prototxt"
    with pytest.raises(ModelError, match="is missing"):
        elsewhere.file("mean")
    (tmp_path / "agenet_deploy.prototxt").write_text("another net")
    with pytest.raises(ModelError, match="does not match"):
        elsewhere.file("prototxt")


def test_group_ages_default_only_for_the_known_groups() -> None:
    assert Manifest.classifier("a", "age", AGE_GROUPS, InputSpec()).group_ages == DEFAULT_GROUP_AGES
    assert Manifest.classifier("a", "gender", GENDERS, InputSpec()).group_ages == ()
    with pytest.raises(ModelError, match="expected 2 group_ages, got 0"):
        Manifest.classifier("a", "age", ("young", "old"), InputSpec())


ENTRY = {"name": "a.npy", "sha256": "0" * 64}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"manifest": 2}, "is not a manifest of version 1", id="another version"),
        pytest.param({"manifest": None}, "is not a manifest of version 1", id="no version"),
        pytest.param({"task": "mood"}, "expected task «age» or «gender», got «mood»", id="task"),
        pytest.param({"task": []}, "not a manifest edgeage understands", id="task of no word"),
        pytest.param({"lables": []}, "unknown field «lables»; did you mean «labels»", id="typo"),
        pytest.param({"folder": "/"}, "unknown field «folder»", id="folder"),
        pytest.param({"name": None}, "missing 1 required", id="no name"),
        pytest.param({"labels": 3}, "not a manifest edgeage understands", id="labels a number"),
        pytest.param({"group_ages": ["old"]}, "not a manifest edgeage", id="ages in words"),
        pytest.param({"input": {"scale": None}}, "expected scale", id="input"),
        pytest.param({"input": 3}, "not a manifest edgeage understands", id="input a number"),
        pytest.param({"files": []}, "expected files as dict", id="files a list"),
        pytest.param({"name": 3}, "expected name as str, got 3", id="name a number"),
        pytest.param({"options": "fast"}, "expected options as dict", id="options a word"),
        pytest.param({"files": {"mean": "a.npy"}}, "plain file name and a sha256", id="no hash"),
        pytest.param({"files": {"mean": ENTRY | {"name": "../a"}}}, "plain file", id="up and out"),
        pytest.param({"files": {"mean": ENTRY | {"name": "/etc/a"}}}, "plain file", id="absolute"),
        pytest.param({"files": {"mean": ENTRY | {"sha256": "0"}}}, "plain file", id="short hash"),
    ],
)
def test_a_wrong_manifest_is_refused_with_its_path(
    changes: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    path = stored(tmp_path / "model.json", **changes)
    with pytest.raises(ModelError, match=reason) as caught:
        Manifest.read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is not a readable manifest"),
        (b"\xff\xfe\x00", "is not a readable manifest"),
        (b"{", "is not a readable manifest"),
        (b"[1]", "is not a manifest of version 1"),
    ],
    ids=["empty", "not text", "cut short", "a list"],
)
def test_what_is_not_json_is_refused(content: bytes, reason: str, tmp_path: Path) -> None:
    (tmp_path / "model.json").write_bytes(content)
    with pytest.raises(ModelError, match=reason):
        Manifest.read(tmp_path / "model.json")


def test_a_missing_manifest_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"model\.json is missing; expected a model's manifest"):
        Manifest.read(tmp_path / "model.json")
    with pytest.raises(ModelError, match="is not a readable manifest: .*directory"):
        Manifest.read(tmp_path)
