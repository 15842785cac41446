"""What is listed as a device, how it is reached, and why it cannot be used."""

from __future__ import annotations

import dataclasses
import errno
import json
import subprocess
import sys
import types

import pytest

from edgeage.movidius.toolchain import PYTHON_VARIABLE
from edgeage.runtime import core, inventory
from edgeage.runtime.inventory import (
    depthai_problem,
    list_devices,
    list_oak_cameras,
    list_openvino_devices,
)


@pytest.fixture(autouse=True)
def bare(monkeypatch, tmp_path):
    """Neither the Movidius tools nor depthai are installed."""
    monkeypatch.delenv(PYTHON_VARIABLE, raising=False)
    monkeypatch.setenv("EDGEAGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(inventory, "depthai_problem", lambda: "depthai is not installed")
    monkeypatch.setattr(inventory, "list_oak_cameras", lambda: ([], ""))


@pytest.fixture
def tools(monkeypatch):
    """The Movidius tools are there."""
    monkeypatch.setenv(PYTHON_VARIABLE, sys.executable)


@pytest.fixture
def depthai(monkeypatch):
    """depthai is there and lists these cameras."""

    def install(*cameras):
        monkeypatch.setattr(inventory, "depthai_problem", lambda: "")
        monkeypatch.setattr(inventory, "list_oak_cameras", lambda: (list(cameras), ""))

    return install


def camera(name="1.2", state="X_LINK_UNBOOTED", protocol="X_LINK_USB_VSC"):
    return {"mxid": "184430", "name": name, "state": state, "status": "X_LINK_SUCCESS",
            "protocol": protocol}  # fmt: skip


def usb(fake):
    return [device for device in list_devices(fake.machine).devices if device.port]


def test_without_a_stick_openvinos_own_devices_are_there(fake):
    found = list_devices(fake.machine)
    assert "CPU" in [name for device in found.devices for name in device.use_as]
    assert all(device.usable and not device.port for device in found.devices)
    assert found.notes == ()


def test_a_fresh_stick_with_nothing_installed_says_what_is_missing(fake):
    fake.plug("2485")
    (device,) = usb(fake)
    assert (device.usable, device.state, device.port) == (False, "unbooted", "1-2")
    assert device.connection == "USB 2 (480 Mbit/s)"
    assert any("as MYRIAD: the Movidius tools are not installed" in note for note in device.notes)
    assert any("as OAK: depthai is not installed" in note for note in device.notes)
    assert any("nothing tells a stick from an OAK" in note for note in device.notes)


def test_a_fresh_stick_can_be_either_when_both_are_installed(fake, tools, depthai):
    depthai(camera())
    fake.plug("2485")
    (device,) = usb(fake)
    assert device.use_as == ("MYRIAD", "OAK")
    assert device.details["mxid"] == "184430"
    assert device.details["myriad_id"] == "1.2-ma2480"


def test_two_sticks_are_told_apart(fake, tools):
    fake.plug("2485", "1-2", address=4)
    fake.plug("2485", "1-3.1", address=5)
    assert [device.use_as for device in usb(fake)] == [
        ("MYRIAD.1.2-ma2480",),
        ("MYRIAD.1.3.1-ma2480",),
    ]


def test_an_oak_in_its_boot_loader_is_no_stick(fake, tools, depthai):
    depthai()
    fake.plug("f63c")
    (device,) = usb(fake)
    assert (device.name, device.use_as, device.state) == ("OAK camera", ("OAK",), "bootloader")


@pytest.mark.parametrize(
    ("product_id", "refusal", "claimed", "state", "reason"),
    [
        ("2485", errno.EACCES, False, "no permission", "may not open it; «edgeage doctor»"),
        ("2485", errno.ENOENT, False, "no device node", "missing, as in a container"),
        ("f63b", None, True, "in use", "another program holds it"),
        ("f63b", None, False, "left booted", "is gone; it resets itself"),
        ("2150", None, False, "unbooted", "2020.3 was the last"),
        ("0001", None, False, "unknown", "does not know this product id"),
    ],
)
def test_what_cannot_be_used_says_why(
    product_id, refusal, claimed, state, reason, fake, tools, depthai
):
    depthai()
    fake.plug(product_id)
    if refusal:
        fake.refuse["001/004"] = refusal
    if claimed:
        fake.claim()
    (device,) = usb(fake)
    assert (device.usable, device.state) == (False, state)
    assert any(reason in note for note in device.notes)


def test_a_slow_port_is_noted_and_does_not_forbid(fake, tools):
    fake.plug("2485", peer=False)
    (device,) = usb(fake)
    assert device.usable
    assert "USB 2 speed: the port has no USB 3" in device.notes


def test_a_camera_on_the_network_and_one_that_is_busy(fake, depthai):
    depthai(
        camera("192.168.1.5", "X_LINK_BOOTLOADER", "X_LINK_TCP_IP"),
        camera("192.168.1.6", "X_LINK_BOOTED", "X_LINK_TCP_IP"),
    )
    first, second = usb(fake)
    assert (first.use_as, first.state, first.connection) == (("OAK",), "bootloader", "network")
    assert (second.usable, second.state) == (False, "in use")


def test_a_camera_that_sysfs_shows_too_is_listed_once(fake, depthai):
    depthai(camera("1.2", "X_LINK_BOOTLOADER"))
    fake.plug("f63c")
    assert len(usb(fake)) == 1


@pytest.mark.parametrize(
    ("platform", "note"), [("win32", "on win32 edgeage cannot see which sticks are plugged in")]
)
def test_other_systems_say_what_they_cannot_see(platform, note, fake):
    fake.plug("2485")
    found = list_devices(dataclasses.replace(fake.machine, platform=platform))
    assert [n for n in found.notes if note in n]
    assert not [device for device in found.devices if device.port]


def test_everything_is_ready_for_json(fake, tools):
    fake.plug("2485")
    document = json.loads(json.dumps(list_devices(fake.machine).to_dict()))
    assert document["devices"][0]["usable"] is True
    assert document["devices"][0]["details"]["product_id"] == "2485"


@pytest.mark.parametrize("error", [ImportError, OSError, RuntimeError])
def test_an_openvino_that_does_not_load(error, monkeypatch, fake):
    def fail():
        raise error("libopenvino.so: cannot open\nmore")

    monkeypatch.setitem(sys.modules, "openvino", types.SimpleNamespace(Core=fail))
    # As in a process that has none yet.
    monkeypatch.setattr(core, "_made", core._made.__wrapped__)
    devices, problem = list_openvino_devices()
    assert (devices, "\n" in problem) == ([], False)
    assert "cannot be listed: libopenvino.so: cannot open" in problem
    assert problem in list_devices(fake.machine).notes


class TestDepthai:
    """Asking depthai, which is another process, played by a package of that name."""

    @pytest.fixture(autouse=True)
    def real(self, monkeypatch):
        monkeypatch.setattr(inventory, "depthai_problem", depthai_problem)

    @pytest.fixture
    def package(self, monkeypatch, tmp_path):
        def write(content: str, version: str = "2.30.0.0") -> None:
            (tmp_path / "depthai.py").write_text(content)
            folder = tmp_path / f"depthai-{version}.dist-info"
            folder.mkdir()
            (folder / "METADATA").write_text(f"Name: depthai\nVersion: {version}\n")
            monkeypatch.syspath_prepend(tmp_path)
            monkeypatch.setenv("PYTHONPATH", str(tmp_path))

        return write

    def test_none(self):
        if depthai_problem() == "":
            pytest.skip("depthai is installed here")
        assert depthai_problem().endswith("pip install 'edgeage[oak]'")
        assert list_oak_cameras() == ([], "")

    def test_another_version(self, package):
        package("", "3.1.0")
        assert "depthai 3.1.0 is installed, 2.x is needed" in depthai_problem()
        assert list_oak_cameras() == ([], "")

    def test_what_it_says_besides_is_no_data(self, package):
        package(
            "from types import SimpleNamespace as N\n"
            "print('[warning] no USB'); e = lambda n: N(name=n)\n"
            "info = N(getMxId=lambda: '18', name='1.2', state=e('X_LINK_BOOTED'),\n"
            "         status=e('X_LINK_SUCCESS'), protocol=e('X_LINK_USB_VSC'))\n"
            "class Device:\n    getAllConnectedDevices = staticmethod(lambda: [info])\n"
        )
        assert depthai_problem() == ""
        (found,), problem = list_oak_cameras()
        assert (found["mxid"], found["state"], problem) == ("18", "X_LINK_BOOTED", "")

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            ("raise RuntimeError('no\\n  USB')", "RuntimeError: no USB"),
            ("import os; os.abort()", "its process ended with status -6: it gave no reason"),
            (
                "import os; os.write(2, b'what(): no\\n\\n'); os.abort()",
                "its process ended with status -6: what(): no",
            ),
            ("import time; time.sleep(60)", "no answer within 1 s"),
            (
                "Device = None",
                "AttributeError: 'NoneType' object has no attribute 'getAllConnectedDevices'",
            ),
        ],
        ids=["error", "crash", "crash with a word", "hang", "changed"],
    )
    def test_one_that_fails_is_told_and_no_more(self, content, reason, package, monkeypatch):
        if reason.startswith("no answer"):
            monkeypatch.setattr(inventory, "_OAK_TIMEOUT_S", 1)
        package(content)
        found, problem = list_oak_cameras()
        assert found == []
        assert problem == f"depthai failed to list its cameras: {reason}"


def test_the_listing_is_a_program():
    done = subprocess.run(
        [sys.executable, "-c", f"compile({inventory._OAK_LISTING!r}, 'x', 'exec')"], check=False
    )
    assert done.returncode == 0
