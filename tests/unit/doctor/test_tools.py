"""Checks of the Movidius tools and depthai, by what is plugged in."""

from __future__ import annotations

import sys
import types
from typing import Any

import pytest

from edgeage.doctor import NOT_NEEDED, OK, PROBLEM, WARNING, tools
from edgeage.movidius.toolchain import PYTHON_VARIABLE
from edgeage.movidius.usb import UsbDevice

STICK = UsbDevice("1-2", "f63b", "VSC Loopback Device")
EITHER = UsbDevice("1-2", "2485", "Movidius MyriadX")
OAK = UsbDevice("1-2", "f63c", "Luxonis Bootloader")
OLD = UsbDevice("1-2", "2150")


def result(name: str, *, ok: bool, needed: bool = True) -> Any:
    return types.SimpleNamespace(
        name=name, ok=ok, detail=f"{name} said", remedy="" if ok else "mend it", needed=needed
    )


@pytest.fixture
def tried(monkeypatch):
    """The Movidius tools are there, and trying them comes out like this."""

    def install(*results):
        monkeypatch.setenv(PYTHON_VARIABLE, sys.executable)
        status = types.SimpleNamespace(checks=results)
        monkeypatch.setattr(tools, "toolchain_status", lambda: status)

    return install


@pytest.mark.parametrize(
    ("devices", "status"),
    [([], NOT_NEEDED), ([STICK], PROBLEM), ([EITHER], PROBLEM), ([OAK], PROBLEM),
     ([OLD], NOT_NEEDED), ([OLD, STICK], PROBLEM)],
    ids=["none", "stick", "either", "OAK", "NCS1", "NCS1 and stick"],
)  # fmt: skip
def test_tools_that_are_missing_matter_to_those_who_have_a_stick(devices, status):
    (finding,) = tools.check_toolchain(devices)
    assert (finding.status, finding.remedy) == (status, "edgeage toolchain install")


def test_tools_that_work(tried):
    tried(result("openvino", ok=True), result("myriad_plugin", ok=True))
    found = list(tools.check_toolchain([STICK]))
    assert [finding.check for finding in found] == [
        "Movidius tools", "libusb", "Movidius tools, openvino", "Movidius tools, myriad plugin",
    ]  # fmt: skip
    assert f"{sys.executable} (named by $EDGEAGE_MOVIDIUS_PYTHON)" in found[0].text
    assert {finding.status for finding in found if finding.check != "libusb"} == {OK}


@pytest.mark.parametrize(
    ("devices", "needed", "status"),
    [([STICK], True, PROBLEM), ([], True, WARNING), ([STICK], False, NOT_NEEDED)],
)
def test_a_tool_that_does_not_work(devices, needed, status, tried):
    tried(result("caffe", ok=False, needed=needed))
    last = list(tools.check_toolchain(devices))[-1]
    assert (last.status, last.text, last.remedy) == (status, "caffe said", "mend it")


@pytest.mark.parametrize(("devices", "missing"), [([STICK], PROBLEM), ([], WARNING)])
def test_libusb_of_the_system(devices, missing, tried, monkeypatch):
    tried()
    monkeypatch.setattr(tools, "packaged_library", lambda python: None)
    for library, status in (("libusb-1.0.so.0", OK), (None, missing)):
        monkeypatch.setattr(tools.ctypes.util, "find_library", lambda name, found=library: found)
        finding = list(tools.check_toolchain(devices))[1]
        assert finding.status == status
    assert finding.remedy == "sudo apt install libusb-1.0-0"


@pytest.mark.parametrize(
    ("devices", "status", "words"),
    [
        ([], NOT_NEEDED, "only OAK cameras need it"),
        ([STICK], NOT_NEEDED, "only OAK cameras need it"),
        ([EITHER], NOT_NEEDED, "only needed if the Myriad X here is an OAK camera"),
        ([OAK], PROBLEM, "the OAK here needs it"),
    ],
)
def test_a_missing_depthai_matters_to_those_who_have_an_oak(devices, status, words):
    (finding,) = tools.check_depthai(devices)
    assert finding.status == status
    assert words in finding.text
    assert finding.remedy == "pip install 'edgeage[oak]'"


@pytest.mark.parametrize(
    ("cameras", "problem", "status", "text"),
    [
        ([], "", OK, "sees no camera"),
        ([{"mxid": "18", "name": "1.2"}], "", OK, "sees 18 at 1.2"),
        ([], "depthai failed: x", WARNING, "depthai failed: x"),
    ],
)
def test_what_depthai_sees(cameras, problem, status, text, monkeypatch):
    monkeypatch.setattr(tools, "depthai_problem", lambda: "")
    monkeypatch.setattr(tools, "list_oak_cameras", lambda: (cameras, problem))
    (finding,) = tools.check_depthai([OAK])
    assert (finding.status, finding.text) == (status, text)
