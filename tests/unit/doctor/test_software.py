"""Checks of Python, packages, OpenVINO and the models."""

from __future__ import annotations

import platform
import shutil
from importlib.metadata import PackageNotFoundError, version

import pytest

from edgeage import paths
from edgeage.doctor import OK, PROBLEM, WARNING, software


def test_python_and_the_machine():
    finding = software.check_python()
    assert finding.status == OK
    assert platform.python_version() in finding.text


def test_a_system_of_32_bits(monkeypatch):
    monkeypatch.setattr(software.sys, "maxsize", 2**31 - 1)
    finding = software.check_python()
    assert (finding.status, "64-bit" in finding.remedy) == (WARNING, True)


def test_packages_with_their_versions():
    finding = software.check_packages()
    assert finding.status == OK
    assert f"numpy {version('numpy')}" in finding.text


@pytest.mark.parametrize(
    ("missing", "status", "remedy"),
    [
        ("pillow", PROBLEM, "python -m pip install 'pillow>=11.3'"),
        ("edgeage", WARNING, "pip install -e ."),
    ],
)
def test_a_package_that_is_missing(missing, status, remedy, monkeypatch):
    monkeypatch.setattr(software, "version", _version(missing, None))
    monkeypatch.setattr(software, "find_spec", lambda name: None)
    finding = software.check_packages()
    assert (finding.status, finding.remedy) == (status, remedy)


def _version(name, number):
    """Return ``importlib.metadata.version`` with another answer for one package; None: missing."""

    def of(asked):
        if asked != name:
            return version(asked)
        if number is None:
            raise PackageNotFoundError(asked)
        return number

    return of


@pytest.mark.parametrize(
    ("name", "number", "text", "remedy"),
    [
        ("openvino", "2024.6.0", "openvino is 2024.6.0, expected >=", "'openvino>="),
        ("opencv-python", "5.0.0", "opencv-python is 5.0.0, expected <5,>=", "'opencv-python<5,>="),
    ],
)
def test_a_package_in_a_version_that_will_not_do(name, number, text, remedy, monkeypatch):
    monkeypatch.setattr(software, "version", _version(name, number))
    finding = software.check_packages()
    assert finding.status == PROBLEM
    assert text in finding.text
    assert finding.remedy.startswith(f"python -m pip install {remedy}")


def test_a_pre_release_that_is_new_enough_will_do(monkeypatch):
    monkeypatch.setattr(software, "version", _version("openvino", "2099.1.0.dev20990101"))
    assert software.check_packages().status == OK


@pytest.mark.parametrize(("sign", "status"), [(">=", PROBLEM), ("<", OK)])
def test_what_only_some_pythons_need(sign, status, monkeypatch):
    lines = [f"tomli>=2; python_version {sign} '3.10'", "lmdb>=1.4; extra == 'data'"]
    monkeypatch.setattr(software, "requires", lambda name: lines)
    monkeypatch.setattr(software, "version", lambda name: "1.0")
    assert software.check_packages().status == status


def test_a_package_that_another_one_brings(monkeypatch):
    monkeypatch.setattr(software, "version", _version("opencv-python", None))
    assert software.check_packages().status == OK


def test_openvino_and_its_devices():
    finding = software.check_openvino()
    assert finding.status == OK
    assert "CPU (" in finding.text


@pytest.mark.parametrize(("found", "text"), [("it broke", "it broke"), ("", "finds no device")])
def test_an_openvino_that_is_no_use(found, text, monkeypatch):
    monkeypatch.setattr(software, "list_openvino_devices", lambda: ([], found))
    finding = software.check_openvino()
    assert finding.status == PROBLEM
    assert text in finding.text
    assert finding.remedy == "python -m pip install --force-reinstall edgeage openvino"


@pytest.fixture
def own_files(monkeypatch, tmp_path):
    """A copy of the project's data folders, with small files for the released networks."""
    from edgeage.testing import write_random_model

    for task in ("age", "gender"):
        write_random_model(tmp_path / "caffe_models", task, side=67)
    (tmp_path / "models").mkdir()
    monkeypatch.setattr(paths, "_PACKAGE", tmp_path / "edgeage")
    return tmp_path / "caffe_models"


def test_released_models_that_are_whole(own_files):
    finding = software.check_models()
    assert (finding.status, finding.remedy) == (OK, "")


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (lambda path: path.write_bytes(b"x"), "does not match its manifest"),
        (lambda path: path.unlink(), "gendernet.caffemodel is missing"),
        (lambda path: shutil.rmtree(path.parent), "missing from the installation"),
    ],
    ids=["damaged", "missing", "no folder"],
)
def test_released_models_that_are_not(break_it, words, own_files):
    break_it(own_files / "gendernet.caffemodel")
    finding = software.check_models()
    assert finding.status == PROBLEM
    assert words in finding.text
    assert finding.remedy == "python -m pip install --force-reinstall edgeage"


def test_an_empty_cache_is_fine():
    finding = software.check_cache()
    assert (finding.status, "0 compiled models" in finding.text) == (OK, True)


def test_compiled_models_are_looked_at(compiled_models):
    place = paths.cache_dir() / "models" / "key"
    shutil.copytree(compiled_models / "agenet", place / "agenet")
    assert "1 compiled models, all whole" in software.check_cache().text
    (place / "agenet" / "agenet.bin").write_bytes(b"cut")
    finding = software.check_cache()
    assert finding.status == WARNING
    assert finding.remedy == f"rm -r {place / 'agenet'}"


def test_a_cache_that_cannot_be_written(monkeypatch, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("EDGEAGE_CACHE", str(tmp_path / "file" / "deeper"))
    finding = software.check_cache()
    assert (finding.status, "cannot be written" in finding.text) == (WARNING, True)
    assert "EDGEAGE_CACHE" in finding.remedy
