"""``edgeage devices``: what can run a network here."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from edgeage.runtime.inventory import Device

__all__ = ["command"]


@click.command("devices")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(as_json: bool) -> None:
    """List Movidius sticks, OAK cameras and OpenVINO's devices, and which of them can be used.

    The first column is what --device takes, or «-» for a device that cannot be used now; the lines
    below it say why, or what the device can do: the precisions it computes in, how many runs it
    works on side by side (streams) and wants under way (requests), and whether what it compiled is
    kept for the next start.
    """
    from edgeage.runtime.inventory import list_devices

    inventory = list_devices()
    if as_json:
        click.echo(json.dumps(inventory.to_dict(), indent=2, ensure_ascii=False))
        return
    width = max((len(_use(device)) for device in inventory.devices), default=0)
    for device in inventory.devices:
        click.echo(_line(device, width))
        for note in device.notes:
            click.echo(f"{'':{width}}    {note}")
    for note in inventory.notes:
        click.echo(f"Note: {note}", err=True)


def _use(device: Device) -> str:
    return " or ".join(device.use_as) or "-"


def _line(device: Device, width: int) -> str:
    where = f"port {device.port}" if device.port else ""
    parts = [device.name, device.state, device.connection, where]
    return f"{_use(device):{width}}  {', '.join(part for part in parts if part)}"
