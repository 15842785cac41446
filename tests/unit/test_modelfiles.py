"""Where models are looked for, and what is said when there are none."""

from __future__ import annotations

import json
import shutil

import pytest

from edgeage.errors import ModelError
from edgeage.manifest import Manifest
from edgeage.modelfiles import has_weights, read_models, ready_models

FIELDS = {
    "manifest": 1,
    "files": {"ir_xml": "net.xml"},
    "input": {"size": [12, 12], "channel_order": "RGB"},
    "outputs": [{"name": "years", "task": "age", "kind": "years"}],
}
ZOO = "age-gender-recognition-retail-0013"


def write(folder, name="model.json", **changes):
    (folder / name).write_text(json.dumps(FIELDS | changes))
    return folder / name


def test_a_short_manifest_is_filled_in(tmp_path) -> None:
    (manifest,) = read_models(write(tmp_path))
    assert (manifest.name, manifest.tasks, manifest.is_own) == ("net", ("age",), False)
    assert manifest.files == {"ir_xml": {"name": "net.xml"}, "ir_bin": {"name": "net.bin"}}
    assert manifest.folder == tmp_path


def test_the_same_manifest_by_its_folder_by_its_network_and_by_the_networks_name(
    tmp_path, channel_network
) -> None:
    network = channel_network()
    named = write(tmp_path)
    expected = read_models(named)
    assert read_models(tmp_path) == read_models(str(tmp_path)) == read_models(network) == expected
    named.rename(tmp_path / "net.json")
    assert read_models(network) == read_models(tmp_path) == expected


def test_a_manifest_beside_it_that_is_of_another_network_is_not_taken(
    tmp_path, channel_network
) -> None:
    network = channel_network()
    write(tmp_path, files={"onnx": "other.onnx"})
    with pytest.raises(ModelError, match=r"net\.xml has no manifest"):
        read_models(network)


def test_a_network_without_a_manifest_gets_one_to_put_right(channel_network) -> None:
    with pytest.raises(ModelError, match=r"write model\.json beside it, put right: ") as caught:
        read_models(channel_network())
    text = str(caught.value)
    assert "\n" not in text
    template = json.loads(text[text.index("{") :])
    assert template["files"] == {"ir_xml": "net.xml"}
    assert template["input"]["size"] == [12, 12]
    assert [output["name"] for output in template["outputs"]] == ["years", "genders", "all"]


WITHOUT_WEIGHTS = sorted(
    name for name, path in ready_models().items() if not has_weights(Manifest.read(path))
)


def test_a_network_of_edgeages_own_is_found_by_its_name() -> None:
    assert WITHOUT_WEIGHTS == [ZOO]
    (manifest,) = read_models("edgeage-s")
    assert manifest.file("onnx").is_file()


@pytest.mark.parametrize("name", WITHOUT_WEIGHTS)
def test_a_ready_manifest_is_found_by_the_networks_name(name, tmp_path) -> None:
    for suffix in (".xml", ".bin"):
        (tmp_path / f"{name}{suffix}").touch()
    (manifest,) = read_models(tmp_path / f"{name}.xml")
    assert (manifest.name, manifest.folder, manifest.is_own) == (name, tmp_path, False)
    assert manifest.file("ir_xml") == tmp_path / f"{name}.xml"
    assert manifest.source["licence"]
    assert read_models(tmp_path) == [manifest]


def test_a_manifest_of_ones_own_goes_before_the_ready_one(tmp_path) -> None:
    (tmp_path / f"{ZOO}.xml").touch()
    write(tmp_path, files={"ir_xml": f"{ZOO}.xml"})
    assert read_models(tmp_path / f"{ZOO}.xml")[0].tasks == ("age",)


def test_a_ready_models_name_alone_says_what_is_missing() -> None:
    with pytest.raises(ModelError, match=f"weights do not; give the path of {ZOO}.xml"):
        read_models(ZOO)
    with pytest.raises(ModelError, match=f"did you mean «{ZOO}»"):
        read_models(ZOO.replace("0013", "013"))


def test_a_folder_of_several_networks_is_not_guessed_at(tmp_path, channel_network) -> None:
    channel_network()
    shutil.copy(tmp_path / "net.xml", tmp_path / "two.xml")
    with pytest.raises(ModelError, match=r"several networks \(net\.xml, two\.xml\)"):
        read_models(tmp_path)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"files": {"xml": "net.xml"}}, "did you mean «ir_xml»", id="role"),
        pytest.param({"files": "net.xml"}, "expected files, as", id="files a word"),
        pytest.param({"files": {}}, "either ir_xml or onnx", id="no file"),
        pytest.param(
            {"files": {"ir_xml": "a.xml", "onnx": "a.onnx"}}, "either ir_xml or onnx", id="both"
        ),
        pytest.param({"files": {"onnx": "../net.onnx"}}, "a plain file name", id="up and out"),
        pytest.param({"files": {"onnx": ""}}, "a plain file name", id="no name"),
        pytest.param({"files": {"onnx": 3}}, "a plain file name", id="a number"),
        pytest.param(
            {"files": {"onnx": {"name": "a", "sha": "0"}}}, "a plain file name", id="hash's name"
        ),
        pytest.param({"outputs": []}, "each of another task, got none", id="no outputs"),
        pytest.param({"outputs": FIELDS["outputs"] * 2}, "each of another task", id="two ages"),
        pytest.param({"ouputs": []}, "did you mean «outputs»", id="typo"),
    ],
)
def test_a_wrong_hand_written_manifest_is_refused(changes, reason, tmp_path) -> None:
    path = write(tmp_path, **changes)
    with pytest.raises(ModelError, match=reason) as caught:
        read_models(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_hash_is_held_to_where_there_is_one(tmp_path, channel_network) -> None:
    network = channel_network()
    digest = "0" * 64
    entry = {"name": "net.xml", "sha256": digest}
    (manifest,) = read_models(write(tmp_path, files={"ir_xml": entry}))
    with pytest.raises(ModelError, match=r"net\.xml does not match its manifest"):
        manifest.file("ir_xml")
    assert manifest.file("ir_bin") == network.with_suffix(".bin")


def test_what_is_read_can_be_written(tmp_path) -> None:
    (manifest,) = read_models(write(tmp_path, name="mine.json", source={"licence": "MIT"}))
    manifest.write(tmp_path / "again.json")
    assert read_models(tmp_path / "again.json") == [manifest]
