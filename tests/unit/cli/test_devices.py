"""``edgeage devices``: how a listing is shown."""

from __future__ import annotations

import json

import pytest

from edgeage.runtime import inventory
from edgeage.runtime.inventory import Device, Inventory

STICK = Device("Neural Compute Stick", ("MYRIAD", "OAK"), "unbooted", ("a note",), "USB 2", "1-2")
BUSY = Device("OAK camera", (), "in use", ("another program holds it",), "network", "10.0.0.7")
CPU = Device("A processor", ("CPU",))


@pytest.fixture
def listed(monkeypatch):
    def install(*devices, notes=()):
        monkeypatch.setattr(inventory, "list_devices", lambda: Inventory(devices, notes))

    return install


def test_one_line_a_device_and_its_notes_below(cli, listed):
    listed(STICK, BUSY, CPU)
    done = cli("devices")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == (
        "MYRIAD or OAK  Neural Compute Stick, unbooted, USB 2, port 1-2\n"
        "                 a note\n"
        "-              OAK camera, in use, network, port 10.0.0.7\n"
        "                 another program holds it\n"
        "CPU            A processor, ready\n"
    )


def test_what_could_not_be_looked_at_is_talk(cli, listed):
    listed(CPU, notes=("no USB here",))
    done = cli("devices")
    assert done.stderr == "Note: no USB here\n"
    assert "no USB" not in done.stdout


def test_json_is_one_document(cli, listed):
    listed(STICK, BUSY, notes=("no USB here",))
    done = cli("devices", "--json")
    document = json.loads(done.stdout)
    assert (done.exit_code, done.stderr) == (0, "")
    assert [device["usable"] for device in document["devices"]] == [True, False]
    assert document["devices"][0]["use_as"] == ["MYRIAD", "OAK"]
    assert document["notes"] == ["no USB here"]


def test_nothing_at_all(cli, listed):
    listed()
    assert cli("devices").exit_code == 0
