"""The udev rule that lets users open Movidius devices: its text, and whether one is installed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from edgeage.movidius.usb import VENDOR

if TYPE_CHECKING:
    from pathlib import Path

    from edgeage.movidius.machine import Machine

__all__ = ["RULE", "RULE_FILE", "find_rules", "install_commands"]

RULE_FILE = "/etc/udev/rules.d/60-edgeage-movidius.rules"
"""Where the rule goes. Below 73, so that a later rule may still add to it."""

# Mode 0666 and no group: it holds for a user at the screen, over ssh, in a service and in a
# container alike, and no group of one distribution is missing in another. By vendor alone: a
# device changes its product id as it boots.
RULE = f"""\
# Movidius devices (Neural Compute Sticks, OAK cameras) for every user of this machine.
SUBSYSTEM=="usb", ENV{{DEVTYPE}}=="usb_device", ATTR{{idVendor}}=="{VENDOR}", MODE="0666", \
ENV{{ID_MM_DEVICE_IGNORE}}="1"
"""

_FOLDERS = ("etc/udev/rules.d", "run/udev/rules.d", "usr/lib/udev/rules.d", "lib/udev/rules.d")
_NAMES_VENDOR = re.compile(rf'ATTRS?\{{idVendor\}}\s*==\s*"[^"]*{VENDOR}[^"]*"', re.IGNORECASE)


def install_commands() -> str:
    """Return shell commands that install the rule and apply it to what is plugged in."""
    return (
        f"edgeage doctor --udev | sudo tee {RULE_FILE}\n"
        "sudo udevadm control --reload-rules\n"
        f"sudo udevadm trigger --subsystem-match=usb --attr-match=idVendor={VENDOR}"
    )


def find_rules(machine: Machine) -> list[Path]:
    """Return the rule files that have a rule for Movidius devices.

    A file in ``/etc`` hides one of the same name in ``/usr/lib`` or ``/lib``, as udev has it.
    """
    found, names = [], set()
    for folder in _FOLDERS:
        for path in machine.entries(machine.path(folder)):
            if path.suffix == ".rules" and path.name not in names:
                names.add(path.name)
                if _has_rule(path):
                    found.append(path)
    return found


def _has_rule(path: Path) -> bool:
    try:
        content = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    rules = (line for line in content.splitlines() if not line.lstrip().startswith("#"))
    return any(_NAMES_VENDOR.search(rule) for rule in rules)
