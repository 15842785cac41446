"""Checks of USB devices: every state, and the command that mends it."""

from __future__ import annotations

import dataclasses
import errno
import shutil

import pytest

from edgeage.doctor import NOT_NEEDED, OK, PROBLEM, WARNING
from edgeage.doctor.usbcheck import check_surroundings, check_udev, check_usb, check_usb_device
from edgeage.movidius.udev import RULE, RULE_FILE
from edgeage.movidius.usb import scan

DOCKER = "docker run -v /dev/bus/usb:/dev/bus/usb --device-cgroup-rule='c 189:* rmw'"


def check(fake, **changes):
    """Check the one device that is plugged in; its findings by status."""
    (device,) = scan(fake.machine)
    machine = dataclasses.replace(fake.machine, **changes)
    return list(check_usb_device(machine, device))


def udev(fake, **changes):
    machine = dataclasses.replace(fake.machine, **changes)
    return list(check_udev(machine, scan(machine)))


def test_a_stick_that_is_fine(fake):
    fake.plug("2485")
    (finding,) = check(fake)
    assert finding.check == "1-2 (03e7:2485)"
    assert finding.status == OK
    assert finding.text.startswith("Myriad X (NCS2 or OAK), unbooted, USB 2 (480 Mbit/s); ")
    assert finding.remedy == ""


def test_a_user_without_permission_gets_the_rule(fake):
    fake.plug("2485")
    fake.path("dev/bus/usb/001/004").chmod(0o644)
    fake.refuse["001/004"] = errno.EACCES
    (finding,) = check(fake)
    assert finding.status == PROBLEM
    assert "this user may not open" in finding.text
    assert "001/004 (mode 0644, " in finding.text
    assert finding.remedy.splitlines() == [
        f"edgeage doctor --udev | sudo tee {RULE_FILE}",
        "sudo udevadm control --reload-rules",
        "sudo udevadm trigger --subsystem-match=usb --attr-match=idVendor=03e7",
    ]


def test_a_rule_that_is_there_and_not_applied_yet(fake):
    fake.write(RULE_FILE.lstrip("/"), RULE)
    fake.plug("2485")
    fake.refuse["001/004"] = errno.EACCES
    (finding,) = check(fake)
    assert finding.remedy.splitlines() == [
        "sudo udevadm control --reload-rules && sudo udevadm trigger",
        "# unplug it, and plug it in again",
    ]


def test_a_node_of_a_group_the_user_is_not_in(fake, monkeypatch):
    fake.plug("2485")
    fake.path("dev/bus/usb/001/004").chmod(0o660)
    fake.refuse["001/004"] = errno.EACCES
    monkeypatch.setattr("pathlib.PosixPath.group", lambda self: "plugdev")
    (finding,) = check(fake)
    assert finding.remedy.splitlines()[0] == 'sudo usermod -aG plugdev "$USER"'
    (finding,) = check(fake, groups=("plugdev",))
    assert "usermod" not in finding.remedy


@pytest.mark.parametrize("changes", [{"is_root": True}, {}], ids=["root", "in docker"])
def test_what_a_container_refuses(changes, fake):
    fake.plug("2485")
    fake.refuse["001/004"] = errno.EPERM
    if not changes:
        fake.write(".dockerenv", "")
    (finding,) = check(fake, **changes)
    assert finding.status == PROBLEM
    assert DOCKER in finding.remedy


@pytest.mark.parametrize(
    ("container", "remedy"), [(True, DOCKER), (False, "# unplug it, and plug it in again")]
)
def test_a_node_that_is_not_there(container, remedy, fake):
    fake.plug("2485")
    shutil.rmtree(fake.path("dev/bus"))
    if container:
        fake.write(".dockerenv", "")
    (finding,) = check(fake)
    assert finding.status == PROBLEM
    assert "dev/bus/usb/001/004 is missing" in finding.text
    assert remedy in finding.remedy


def test_a_node_that_fails_otherwise(fake):
    fake.plug("2485")
    fake.refuse["001/004"] = errno.ENODEV
    (finding,) = check(fake)
    assert (finding.status, "(ENODEV)" in finding.text) == (PROBLEM, True)


def test_one_in_use_names_the_program(fake):
    fake.plug("f63b", speed="5000")
    fake.claim()
    fake.hold("dev/bus/usb/001/004", 4321, "python3")
    fine, used = check(fake)
    assert fine.status == OK
    assert used.status == WARNING
    assert "in use by python3 (process 4321)" in used.text
    assert used.remedy.startswith("kill 4321 ")


def test_one_in_use_by_somebody_else(fake):
    fake.plug("f63b", speed="5000")
    fake.claim()
    _, used = check(fake)
    assert "in use by a program of another user" in used.text
    assert used.remedy == ""


def test_one_that_a_dead_program_left(fake):
    fake.plug("f63b", speed="5000")
    _, left = check(fake)
    assert left.status == WARNING
    assert "a program booted it and is gone" in left.text
    assert left.remedy == "# unplug it, and plug it in again"


@pytest.mark.parametrize(
    ("product_id", "speed", "peer", "reason"),
    [
        ("2485", "480", False, "the port has no USB 3"),
        ("f63b", "480", True, "a cable or hub between"),
    ],
)
def test_a_slow_connection(product_id, speed, peer, reason, fake):
    fake.plug(product_id, speed=speed, peer=peer)
    slow = check(fake)[-1]
    assert (slow.status, reason in slow.text) == (WARNING, True)
    assert "USB 3 port" in slow.remedy


@pytest.mark.parametrize(
    ("product_id", "words"),
    [("2150", "OpenVINO 2021.4 has no program for it"), ("0007", "does not know this product id")],
)
def test_what_nothing_can_mend_is_a_warning(product_id, words, fake):
    fake.plug(product_id)
    last = check(fake)[-1]
    assert (last.status, words in last.text) == (WARNING, True)


def test_an_oak_in_its_boot_loader_is_fine(fake):
    fake.plug("f63c")
    (finding,) = check(fake)
    assert (finding.status, finding.text[:15]) == (OK, "OAK, bootloader")


def test_no_stick_is_no_problem(fake):
    (finding,) = check_usb(fake.machine, [])
    assert finding.status == NOT_NEEDED
    assert "no Movidius stick and no OAK camera is plugged in" in finding.text


@pytest.mark.parametrize(
    ("how", "words"),
    [("no sysfs", "is missing (no USB controller"), ("container", "is missing (as in a container")],
)
def test_usb_that_cannot_be_seen(how, words, fake):
    shutil.rmtree(fake.path("sys"))
    if how == "container":
        fake.write("run/.containerenv", "")
    (finding,) = check_usb(fake.machine, [])
    assert (finding.status, words in finding.text) == (NOT_NEEDED, True)


def test_other_systems_are_not_checked(fake):
    machine = dataclasses.replace(fake.machine, platform="darwin")
    (finding,) = check_usb(machine, scan(machine))
    assert (finding.status, "darwin" in finding.text) == (NOT_NEEDED, True)
    assert list(check_udev(machine, [])) == []


def test_a_plain_machine_has_no_surroundings(fake):
    assert list(check_surroundings(fake.machine, [])) == []


@pytest.mark.parametrize(
    ("version", "remedy"),
    [
        ("Linux microsoft-standard-WSL2", "usbipd attach --wsl --auto-attach --hardware-id 03e7:"),
        ("VirtualBox", "VBoxManage usbfilter add 0 --target VM --name movidius-"),
        ("VMware, Inc.", "# hand USB device 03e7:"),
    ],
)
def test_a_virtual_machine_needs_both_ids(version, remedy, fake):
    name = "proc/version" if "WSL" in version else "sys/class/dmi/id/sys_vendor"
    fake.write(name, version)
    (finding,) = check_surroundings(fake.machine, [])
    assert finding.status == NOT_NEEDED
    for line, product in zip(finding.remedy.splitlines(), ("2485", "f63b"), strict=True):
        assert line.startswith(remedy)
        assert product in line


@pytest.mark.parametrize("plugged", [True, False])
def test_a_container_without_a_stick_says_how_to_start_it(plugged, fake):
    fake.write(".dockerenv", "")
    if plugged:
        fake.plug("2485")
    (finding,) = check_surroundings(fake.machine, scan(fake.machine))
    assert finding.status == (OK if plugged else NOT_NEEDED)
    assert (DOCKER in finding.remedy) is not plugged


@pytest.mark.parametrize(
    ("plugged", "refusal", "is_root", "status"),
    [
        (False, None, False, NOT_NEEDED),
        (True, errno.EACCES, False, PROBLEM),
        (True, None, True, WARNING),
        (True, None, False, None),  # something else lets this user in: nothing to say
    ],
)
def test_a_missing_rule(plugged, refusal, is_root, status, fake):
    if plugged:
        fake.plug("2485")
    if refusal:
        fake.refuse["001/004"] = refusal
    found = udev(fake, is_root=is_root)
    assert [finding.status for finding in found] == ([status] if status else [])
    assert all(RULE_FILE in finding.remedy for finding in found)


def test_a_rule_that_is_there(fake):
    path = fake.write("lib/udev/rules.d/80-movidius.rules", RULE)
    (finding,) = udev(fake)
    assert (finding.status, finding.text) == (OK, str(path))
