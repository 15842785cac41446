"""The udev rule: found where it is, and our own is one that is found."""

from __future__ import annotations

import pytest

from edgeage.movidius.udev import RULE, RULE_FILE, find_rules, install_commands


def test_our_own_rule_is_found(fake):
    path = fake.write(RULE_FILE.lstrip("/"), RULE)
    assert find_rules(fake.machine) == [path]


@pytest.mark.parametrize("folder", ["etc", "run", "usr/lib", "lib"])
@pytest.mark.parametrize(
    "rule",
    [
        'SUBSYSTEM=="usb", ATTRS{idVendor}=="03e7", MODE="0666"',
        'SUBSYSTEM=="usb", ATTRS{idProduct}=="2485", ATTRS{idVendor}=="03e7", GROUP="users"',
        '# a comment\nATTR{idVendor} == "03E7", MODE="0660"\n',
        'ATTRS{idVendor}=="03e7|8086", MODE="0666"',
    ],
    ids=["luxonis", "intel", "spaces", "several"],
)
def test_rules_of_others_are_found(rule, folder, fake):
    path = fake.write(f"{folder}/udev/rules.d/97-myriad-usbboot.rules", rule)
    assert find_rules(fake.machine) == [path]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("97-x.rules", '# SUBSYSTEM=="usb", ATTRS{idVendor}=="03e7"'),
        ("97-x.rules", 'SUBSYSTEM=="usb", ATTRS{idVendor}=="8086", MODE="0666"'),
        ("97-x.rules", b"\xff\xfe\x00"),
        ("97-x.rules.off", 'ATTRS{idVendor}=="03e7"'),
    ],
    ids=["commented out", "another vendor", "garbage", "another ending"],
)
def test_what_is_no_rule(name, content, fake):
    fake.write(f"etc/udev/rules.d/{name}", content)
    assert find_rules(fake.machine) == []


def test_a_file_in_etc_hides_one_of_the_same_name(fake):
    fake.write("usr/lib/udev/rules.d/60-x.rules", RULE)
    fake.write("etc/udev/rules.d/60-x.rules", "")
    assert find_rules(fake.machine) == []


def test_a_rule_that_cannot_be_read(fake):
    fake.path("etc/udev/rules.d/60-x.rules").mkdir(parents=True)
    assert find_rules(fake.machine) == []


def test_the_rule_is_one_line_for_every_product_id():
    (rule,) = [line for line in RULE.splitlines() if not line.startswith("#")]
    assert "idProduct" not in rule
    assert 'ATTR{idVendor}=="03e7"' in rule


def test_the_commands_install_it_where_it_is_looked_for():
    assert RULE_FILE in install_commands()
    assert all(line.startswith(("edgeage ", "sudo ")) for line in install_commands().splitlines())
