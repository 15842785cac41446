"""Reading Movidius devices from a made-up sysfs, in every state and with everything broken."""

from __future__ import annotations

import dataclasses
import errno
import shutil

import pytest

from edgeage.movidius.usb import UsbDevice, scan, usb_is_visible


def only(fake) -> UsbDevice:
    (device,) = scan(fake.machine)
    return device


def test_nothing_is_plugged_in(fake):
    assert scan(fake.machine) == []
    assert usb_is_visible(fake.machine)


@pytest.mark.parametrize(
    ("product_id", "product", "kind", "firmware"),
    [
        ("2150", "Movidius MA2X5X", "NCS1", "unbooted"),
        ("2485", "Movidius MyriadX", "stick or OAK", "unbooted"),
        ("f63b", "VSC Loopback Device", "stick", "booted"),
        ("f63b", "Luxonis Device", "OAK", "booted"),
        ("f63b", "", "stick or OAK", "booted"),
        ("f63c", "Luxonis Bootloader", "OAK", "bootloader"),
        ("f63c", "", "OAK", "bootloader"),
        ("f63d", "OAK UVC", "OAK", "flash booted"),
        ("abcd", "Something new", "unknown", "unknown"),
        ("F63C", "Luxonis Bootloader", "OAK", "bootloader"),
    ],
)
def test_what_the_product_id_and_name_say(product_id, product, kind, firmware, fake):
    fake.plug(product_id, product=product)
    device = only(fake)
    assert (device.kind, device.firmware) == (kind, firmware)


def test_all_that_sysfs_tells(fake):
    fake.plug("f63b", "2-1.4", address=17, speed="5000", serial="14442C10D1")
    assert dataclasses.asdict(only(fake)) == {
        "port": "2-1.4", "product_id": "f63b", "product": "VSC Loopback Device",
        "serial": "14442C10D1", "bus": 2, "address": 17, "speed_mbps": 5000.0, "usb3_port": True,
        "node": fake.path("dev/bus/usb/002/017"), "open_errno": None, "claimed": False,
    }  # fmt: skip


def test_the_names_openvino_and_depthai_give_it(fake):
    fake.plug("2485", "1-2.3")
    fake.plug("2150", "1-4", address=5)
    stick, old = scan(fake.machine)
    assert (stick.myriad_id, stick.depthai_name) == ("1.2.3-ma2480", "1.2.3")
    assert old.myriad_id == "1.4-ma2450"


@pytest.mark.parametrize(
    ("product_id", "refusal", "claimed", "state"),
    [
        ("2485", None, False, "unbooted"),
        ("2485", errno.EACCES, False, "no permission"),
        ("2485", errno.EPERM, False, "no permission"),
        ("2485", errno.ENOENT, False, "no device node"),
        ("f63b", None, True, "in use"),
        ("f63b", errno.EACCES, True, "in use"),
        ("f63b", None, False, "left booted"),
        ("f63b", errno.EACCES, False, "no permission"),
        ("f63c", None, False, "bootloader"),
        ("f63d", None, False, "flash booted"),
    ],
)
def test_states(product_id, refusal, claimed, state, fake):
    fake.plug(product_id)
    if refusal:
        fake.refuse["001/004"] = refusal
    if claimed:
        fake.claim()
    assert only(fake).state == state


def test_a_driver_of_the_kernel_is_no_program(fake):
    fake.plug("f63b")
    fake.claim(driver="cdc_acm")
    assert only(fake).state == "left booted"


@pytest.mark.parametrize(
    ("product_id", "speed", "peer", "slow"),
    [
        # These chips are all at 480 until they are booted: only the port can tell.
        ("2485", "480", True, ""),
        ("2485", "480", False, "the port has no USB 3"),
        ("f63c", "480", True, ""),
        ("f63b", "5000", True, ""),
        ("f63b", "10000", True, ""),
        ("f63b", "480", True, "a cable or hub between"),
        ("f63b", "480", False, "the port has no USB 3"),
        ("f63d", "480", True, "a cable or hub between"),
        ("f63b", "?", True, ""),
    ],
)
def test_whether_it_is_slow_and_why(product_id, speed, peer, slow, fake):
    fake.plug(product_id, speed=speed, peer=peer)
    assert only(fake).slow_because == slow


def test_a_kernel_that_says_nothing_of_ports(fake):
    shutil.rmtree(fake.plug("2485") / "port")
    device = only(fake)
    assert device.usb3_port is None
    assert device.slow_because == ""


@pytest.mark.parametrize(
    ("speed", "words"),
    [("480", "USB 2 (480 Mbit/s)"), ("5000", "USB 3 (5000 Mbit/s)"), ("12", "USB 2 (12 Mbit/s)")],
)
def test_speed_in_words(speed, words, fake):
    fake.plug("f63b", speed=speed)
    assert only(fake).speed == words


def test_several_come_in_the_order_of_their_ports(fake):
    fake.plug("f63b", "2-1", address=9)
    fake.plug("2485", "1-4", address=6)
    fake.plug("2485", "1-2", address=5)
    assert [device.port for device in scan(fake.machine)] == ["1-2", "1-4", "2-1"]


def test_one_that_goes_away_while_it_is_looked_at(fake):
    folder = fake.plug("2485", "1-2")
    fake.plug("f63b", "1-3", address=5)
    fake.before_open = lambda: shutil.rmtree(folder, ignore_errors=True)
    assert [device.port for device in scan(fake.machine)] == ["1-3"]


def test_one_that_boots_while_it_is_looked_at(fake):
    folder = fake.plug("2485")
    fake.before_open = lambda: (folder / "idProduct").write_text("f63b\n")
    assert scan(fake.machine) == []
    assert only(fake).product_id == "f63b"


GARBAGE = [b"", b"\n", b"\xff\xfe\x00", b"-1", b"1e99", b"nan", b"inf", b"\x00" * 9000, b"07e3 x"]


@pytest.mark.parametrize("name", ["busnum", "devnum", "speed"])
@pytest.mark.parametrize("content", GARBAGE, ids=repr)
def test_numbers_that_make_no_sense_are_not_known(content, name, fake):
    (fake.plug("2485") / name).write_bytes(content)
    device = only(fake)
    assert {"busnum": device.bus, "devnum": device.address, "speed": device.speed_mbps}[
        name
    ] is None
    assert device.speed == "" or name != "speed"
    if name != "speed":
        assert (device.node, device.state) == (None, "no device node")


@pytest.mark.parametrize("name", ["idVendor", "idProduct"])
@pytest.mark.parametrize("content", GARBAGE, ids=repr)
def test_ids_that_make_no_sense_are_not_ours(content, name, fake):
    (fake.plug("2485") / name).write_bytes(content)
    assert all(device.kind == "unknown" for device in scan(fake.machine))


@pytest.mark.parametrize(
    "name", ["idVendor", "idProduct", "busnum", "devnum", "speed", "product", "serial"]
)
@pytest.mark.parametrize("how", ["missing", "unreadable"])
def test_files_that_cannot_be_read(how, name, fake):
    folder = fake.plug("2485")
    (folder / name).unlink()
    if how == "unreadable":
        (folder / name).mkdir()  # reading a folder fails for root too
    found = scan(fake.machine)
    assert len(found) == (0 if name.startswith("id") else 1)


def test_other_vendors_devices_are_left_alone(fake):
    fake.plug("2485", idVendor="8086")
    assert scan(fake.machine) == []


def test_a_machine_without_sysfs(fake):
    shutil.rmtree(fake.path("sys"))
    assert scan(fake.machine) == []
    assert not usb_is_visible(fake.machine)


@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_a_system_that_lists_no_devices_in_files(platform, fake):
    fake.plug("2485")
    machine = dataclasses.replace(fake.machine, platform=platform)
    assert scan(machine) == []
    assert not usb_is_visible(machine)
