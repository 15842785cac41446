from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from edgeage.errors import ToolchainError
from edgeage.movidius.libusb import LIBRARY, library_folder
from edgeage.movidius.toolchain import (
    MANIFEST,
    PYTHON_VARIABLE,
    Toolchain,
    find_toolchain,
    toolchain_dir,
)

pytestmark = pytest.mark.usefixtures("home")


def make_python(folder: Path, packages: str | None = None) -> Path:
    python = folder / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    if packages:
        library = folder / packages / "libusb_package" / "libusb-1.0.so"
        library.parent.mkdir(parents=True)
        library.write_text("libusb")
    return python


def make_installed(name: str = "env-1") -> Path:
    python = make_python(toolchain_dir() / name)
    (toolchain_dir() / MANIFEST).write_text(json.dumps({"folder": name}))
    return python


def test_the_one_given_then_the_variable_then_ours(tmp_path, monkeypatch):
    ours, theirs, given = make_installed(), make_python(tmp_path / "a"), make_python(tmp_path / "b")
    assert find_toolchain() == Toolchain(ours, managed=True)
    monkeypatch.setenv(PYTHON_VARIABLE, str(theirs))
    assert find_toolchain() == Toolchain(theirs, managed=False)
    assert find_toolchain(given) == Toolchain(given, managed=False)


def test_a_relative_cache_or_python_is_made_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EDGEAGE_CACHE", "mine")
    assert find_toolchain(make_python(Path("x"))).python == tmp_path / "x" / "bin" / "python"
    make_installed()
    assert find_toolchain().python == tmp_path / "mine" / "toolchain" / "env-1" / "bin" / "python"


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"folder": "env-9"}', '{"folder": 3}'],
    ids=["empty", "cut off", "a list", "no folder", "a folder that is gone", "a number"],
)  # fmt: skip
def test_a_record_that_names_no_environment(text):
    make_installed()
    (toolchain_dir() / MANIFEST).write_text(text)
    with pytest.raises(ToolchainError, match="edgeage toolchain install"):
        find_toolchain()


def test_without_any_the_message_says_how_to_get_them(tmp_path, monkeypatch):
    with pytest.raises(ToolchainError, match=r"not installed.*edgeage toolchain install"):
        find_toolchain()
    monkeypatch.setenv(PYTHON_VARIABLE, str(tmp_path / "gone"))
    with pytest.raises(ToolchainError, match=rf"gone \(\${PYTHON_VARIABLE}\) is no Python"):
        find_toolchain()


def test_tools_whose_python_was_uninstalled(tmp_path):
    python = make_installed()
    python.unlink()
    python.symlink_to(tmp_path / "uninstalled")
    with pytest.raises(ToolchainError, match="have lost their Python"):
        find_toolchain()


@pytest.mark.parametrize(
    "packages",
    ["lib/python3.9/site-packages", "lib64/python3.7/site-packages",
     "local/lib/python3.9/dist-packages"],
)  # fmt: skip
def test_libusb_is_found_under_the_name_the_plugin_asks_for(packages, tmp_path):
    python = make_python(tmp_path / "env", packages)
    for _again in range(2):
        folder = library_folder(python)
        assert folder is not None
        assert (folder / LIBRARY).read_text() == "libusb"
        assert [path.name for path in folder.iterdir()] == [LIBRARY]


def test_a_link_that_leads_nowhere_is_made_anew(tmp_path):
    folder = library_folder(make_python(tmp_path / "env", "lib/python3.9/site-packages"))
    (folder / LIBRARY).unlink()
    (folder / LIBRARY).symlink_to("nowhere")
    assert library_folder(tmp_path / "env" / "bin" / "python") == folder
    assert (folder / LIBRARY).read_text() == "libusb"


def test_no_libusb_package_and_no_cache_are_harmless(tmp_path, monkeypatch):
    assert library_folder(make_python(tmp_path / "bare")) is None
    (tmp_path / "file").touch()
    monkeypatch.setenv("EDGEAGE_CACHE", str(tmp_path / "file"))
    assert library_folder(make_python(tmp_path / "env", "lib/python3.9/site-packages")) is None


def test_the_environment_leads_to_libusb_before_the_users_libraries(tmp_path, monkeypatch):
    python = make_python(tmp_path / "env", "lib/python3.9/site-packages")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/a:/b")
    paths = Toolchain(python, managed=True).environment()["LD_LIBRARY_PATH"].split(":")
    assert paths == [str(library_folder(python)), "/a", "/b"]


def test_the_environment_keeps_this_pythons_settings_away(tmp_path, monkeypatch):
    for name in ("PYTHONPATH", "PYTHONHOME", "PYTHONWARNINGS"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("KEPT", "yes")
    for managed in (True, False):
        variables = Toolchain(make_python(tmp_path / str(managed)), managed).environment()
        assert not {"PYTHONPATH", "PYTHONHOME", "PYTHONWARNINGS"} & set(variables)
        assert variables["KEPT"] == "yes"
        assert variables["PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION"] == "cpp"
        assert "LD_LIBRARY_PATH" not in variables


def test_what_setupvars_sets_is_for_a_python_of_the_users_own(tmp_path, monkeypatch):
    openvino = tmp_path / "openvino_2022.3"
    inside = [str(openvino / name) for name in ("python", "lib")]
    monkeypatch.setenv("INTEL_OPENVINO_DIR", str(openvino))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([inside[0], "/ours"]))
    monkeypatch.setenv("LD_LIBRARY_PATH", os.pathsep.join([inside[1], "/a"]))
    python = make_python(tmp_path / "env")
    theirs = Toolchain(python, managed=False).environment()
    assert theirs["PYTHONPATH"] == inside[0]
    assert theirs["LD_LIBRARY_PATH"] == os.pathsep.join([inside[1], "/a"])
    ours = Toolchain(python, managed=True).environment()
    assert "PYTHONPATH" not in ours
    assert ours["LD_LIBRARY_PATH"] == "/a"


@pytest.mark.parametrize(
    ("given", "expected"),
    [({}, "C.UTF-8"), ({"LANG": "C"}, "C.UTF-8"), ({"LC_ALL": "de_DE.UTF-8"}, "de_DE.UTF-8")],
    ids=["none", "C", "the user's"],
)
def test_paths_may_hold_any_letter(given, expected, tmp_path, monkeypatch):
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, text in given.items():
        monkeypatch.setenv(name, text)
    assert Toolchain(make_python(tmp_path / "e"), managed=True).environment()["LC_ALL"] == expected
