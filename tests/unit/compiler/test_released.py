"""The released models' cache: made once, found again, safe for two, and not needed."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor

import pytest

from edgeage.compiler import released, sources
from edgeage.compiler.released import BOTH_TASKS, default_names, released_models
from edgeage.compiler.sources import RELEASED
from edgeage.errors import ToolchainError, UsageError
from edgeage.paths import data_dir


@pytest.fixture(autouse=True)
def _installed(trained_models, tmp_path, monkeypatch):
    """Pretend that the random models are the released ones, with a cache of this test's own."""
    monkeypatch.setenv("EDGEAGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(
        sources,
        "data_dir",
        lambda name: trained_models if name == "caffe_models" else data_dir(name),
    )


def _take() -> list:
    with released_models(names=RELEASED) as manifests:
        assert all(manifest.file("ir_xml").is_file() for manifest in manifests)
        return manifests


def test_compiles_both_once(tmp_path, caplog, monkeypatch):
    caplog.set_level(logging.INFO, "edgeage")
    first = _take()
    assert [manifest.name for manifest in first] == ["agenet", "gendernet"]
    assert all(tmp_path / "cache" in manifest.folder.parents for manifest in first)
    assert caplog.text.count("this happens once") == 2
    monkeypatch.setattr("edgeage.compiler.compile.compile_model", None)
    assert _take() == first
    leftovers = [p for p in (tmp_path / "cache" / "models").iterdir() if p.name.startswith(".")]
    assert leftovers == []


def test_one_network_answers_both_tasks_where_no_model_is_named():
    assert default_names() == (BOTH_TASKS,)
    with released_models() as manifests:
        (manifest,) = manifests
    assert (manifest.name, manifest.tasks) == (BOTH_TASKS, ("age", "gender"))
    assert manifest.folder == released._place(BOTH_TASKS, "CPU")


def test_without_its_weights_the_two_networks_answer(monkeypatch):
    monkeypatch.setattr(released, "has_weights", lambda manifest: False)
    assert default_names() == RELEASED


def test_another_openvino_or_other_weights_are_another_model(monkeypatch):
    key = released._key("agenet", "CPU")
    assert key != released._key("gendernet", "CPU")
    monkeypatch.setattr(released, "version", lambda tool: "0.0.0")
    assert released._key("agenet", "CPU") != key


def test_another_target_or_other_tools_are_another_model(monkeypatch):
    key = released._key("agenet", "MYRIAD")
    assert len({key, released._key("agenet", "CPU"), released._key("agenet", "OAK")}) == 3
    monkeypatch.setenv("EDGEAGE_MOVIDIUS_PYTHON", "/opt/other/python")
    assert released._key("agenet", "MYRIAD") != key


def test_a_stick_needs_the_tools_only_where_nothing_is_compiled_yet(monkeypatch):
    monkeypatch.delenv("EDGEAGE_MOVIDIUS_PYTHON", raising=False)
    with (
        pytest.raises(ToolchainError, match="edgeage toolchain install"),
        released_models("myriad", RELEASED),
    ):
        pass
    folder = _take()[0].folder
    place = released._place("agenet", "MYRIAD")
    place.parent.mkdir(parents=True)
    folder.rename(place)
    assert released._cached("agenet", "MYRIAD").folder == place


def test_an_unknown_target_is_refused():
    expected = pytest.raises(UsageError, match="«MYRIAT»; .* did you mean «MYRIAD»")
    with expected, released_models("MYRIAT"):
        pass


def test_a_damaged_cache_is_made_again():
    folder = _take()[0].folder
    (folder / "agenet.bin").write_bytes(b"cut off")
    again = _take()[0]
    assert again.file("ir_bin").stat().st_size > 1000


def test_two_at_once_do_not_clash():
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda _: _take(), range(3)))
    assert len({len(answer) for answer in answers}) == 1
    assert _take()[0].folder == released._place("agenet", "CPU")


def test_works_where_the_cache_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("EDGEAGE_CACHE", str(tmp_path / "file"))
    with released_models(names=RELEASED) as manifests:
        folder = manifests[0].folder
        assert manifests[0].file("ir_bin").is_file()
    assert not folder.exists()
