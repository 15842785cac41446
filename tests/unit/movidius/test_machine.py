"""What the machine's files say of containers, virtual machines, processes and permissions."""

from __future__ import annotations

import errno

import pytest

from edgeage.movidius.machine import Machine, open_error


def test_a_plain_machine(fake):
    assert fake.machine.container() is None
    assert fake.machine.hypervisor() is None


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        (".dockerenv", "", "docker"),
        ("run/.containerenv", "", "podman"),
        ("run/systemd/container", "lxc\n", "lxc"),
        ("proc/1/cgroup", "12:pids:/docker/9f0c\n", "docker"),
        ("proc/1/cgroup", "0::/kubepods/besteffort/pod1\n", "kubepods"),
    ],
)
def test_containers(name, content, kind, fake):
    fake.write(name, content)
    assert fake.machine.container() == kind


@pytest.mark.parametrize("content", ["0::/\n", "0::/init.scope\n"])
def test_no_container(content, fake):
    fake.write("proc/1/cgroup", content)
    assert fake.machine.container() is None


@pytest.mark.parametrize(
    ("name", "content", "title"),
    [
        ("proc/version", "Linux version 5.15.90.1-microsoft-standard-WSL2", "WSL"),
        ("sys/class/dmi/id/sys_vendor", "VMware, Inc.", "VMware"),
        ("sys/class/dmi/id/sys_vendor", "QEMU", "QEMU"),
        ("sys/class/dmi/id/product_name", "VirtualBox", "VirtualBox"),
        ("sys/class/dmi/id/product_name", "Virtual Machine", "Hyper-V"),
        ("sys/class/dmi/id/product_name", "ThinkPad X1", None),
        ("sys/class/dmi/id/product_name", b"\xff\xff", None),
    ],
)
def test_virtual_machines(name, content, title, fake):
    fake.write(name, content)
    assert fake.machine.hypervisor() == title


def test_who_has_a_file_open(fake):
    node = fake.write("dev/bus/usb/001/004", "")
    fake.hold("dev/bus/usb/001/004", 1234, "python3")
    fake.hold("dev/bus/usb/001/005", 99, "other")
    fake.write("proc/not-a-process/comm", "x")
    assert list(fake.machine.holders(node)) == [(1234, "python3")]


def test_opening_says_why_it_fails(tmp_path):
    assert open_error(tmp_path / "none") == errno.ENOENT
    assert open_error(tmp_path) == errno.EISDIR
    (tmp_path / "node").write_bytes(b"")
    assert open_error(tmp_path / "node") is None


def test_this_machine_is_the_default():
    machine = Machine()
    assert machine.path("dev").is_dir() or machine.platform == "win32"
    assert machine.open_error is open_error
