"""``edgeage devices`` and ``edgeage doctor`` as a user types them, on a made-up machine."""

from __future__ import annotations

import errno
import json
import subprocess
import sys

import pytest

from edgeage.movidius.toolchain import PYTHON_VARIABLE


@pytest.fixture(autouse=True)
def machine(fake, monkeypatch, tmp_path):
    """Both commands look at the made-up machine, on which only edgeage is installed."""
    from edgeage import doctor
    from edgeage.runtime import inventory

    monkeypatch.setattr(inventory, "Machine", lambda: fake.machine)
    monkeypatch.setattr(doctor, "Machine", lambda: fake.machine)
    monkeypatch.setattr(inventory.importlib.util, "find_spec", _without_depthai)
    monkeypatch.delenv(PYTHON_VARIABLE, raising=False)
    monkeypatch.setenv("EDGEAGE_CACHE", str(tmp_path / "cache"))
    return fake


_find_spec = __import__("importlib.util").util.find_spec


def _without_depthai(name, package=None):
    return None if name == "depthai" else _find_spec(name, package)


@pytest.fixture
def statuses(cli):
    """Run doctor; its exit status and every finding's status, by what was looked at."""

    def run():
        done = cli("doctor", "--json")
        findings = json.loads(done.stdout)["findings"]
        return done.exit_code, {finding["check"]: finding["status"] for finding in findings}

    return run


def test_no_stick_is_no_problem(cli, statuses):
    exit_code, found = statuses()
    assert exit_code == 0
    assert found["USB"] == found["Movidius tools"] == found["depthai"] == "not needed"
    assert found["Python"] == found["OpenVINO"] == found["edgeage"] == "ok"
    done = cli("devices")
    assert (done.exit_code, done.stderr) == (0, "")
    assert any(line.startswith("CPU") for line in done.stdout.splitlines())


def test_a_new_stick_on_a_new_machine(cli, machine, statuses):
    machine.plug("2485")
    machine.refuse["001/004"] = errno.EACCES
    exit_code, found = statuses()
    assert exit_code == 1
    problems = [check for check, status in found.items() if status == "problem"]
    assert problems == ["udev rule", "1-2 (03e7:2485)", "Movidius tools"]
    shown = cli("doctor").stdout
    assert "sudo tee /etc/udev/rules.d/60-edgeage-movidius.rules" in shown
    assert "edgeage toolchain install" in shown
    first = cli("devices").stdout.splitlines()[0]
    assert first.split("  ", 1)[0] == "-"
    assert first.endswith(
        "Myriad X: Neural Compute Stick 2 or OAK camera, no permission, USB 2 (480 Mbit/s), "
        "port 1-2"
    )


def test_two_sticks_of_which_one_is_in_use(cli, machine):
    machine.plug("2485", "1-2", address=4)
    machine.plug("f63b", "2-1", address=7, speed="5000")
    machine.claim("2-1")
    devices = json.loads(cli("devices", "--json").stdout)["devices"]
    found = {device["port"]: device["state"] for device in devices if device["port"]}
    assert found == {"1-2": "unbooted", "2-1": "in use"}
    assert [device["name"] for device in devices[:2]] == [
        "Myriad X: Neural Compute Stick 2 or OAK camera",
        "Neural Compute Stick",
    ]


def test_an_oak_wants_depthai(machine, statuses):
    machine.plug("f63c")
    exit_code, found = statuses()
    assert (exit_code, found["depthai"]) == (1, "problem")


def test_an_old_stick_cannot_be_mended_and_fails_nothing(machine, statuses):
    machine.plug("2150")
    exit_code, found = statuses()
    assert (exit_code, found["1-2 (03e7:2150)"]) == (0, "warning")


def test_a_sysfs_full_of_garbage(cli, machine, statuses):
    folder = machine.plug("2485")
    for name in ("busnum", "devnum", "speed", "product", "serial"):
        (folder / name).write_bytes(b"\xff\x00\xfe" * 50)
    machine.write("sys/bus/usb/devices/not-a-device", b"\xff")
    assert cli("devices").exit_code == 0
    exit_code, found = statuses()
    assert (exit_code, found["1-2 (03e7:2485)"]) == (1, "problem")


def test_the_rule_can_be_piped_to_where_it_belongs():
    done = subprocess.run(
        [sys.executable, "-m", "edgeage", "doctor", "--udev"], capture_output=True, check=True
    )
    rule = done.stdout.decode().splitlines()[-1]
    assert rule.startswith('SUBSYSTEM=="usb"')
    assert 'MODE="0666"' in rule


@pytest.mark.parametrize("command", ["devices", "doctor"])
def test_on_the_machine_it_runs_on(command):
    done = subprocess.run(
        [sys.executable, "-m", "edgeage", command, "--json"], capture_output=True, check=False
    )
    assert done.returncode in ((0,) if command == "devices" else (0, 1))
    assert json.loads(done.stdout)
