"""``edgeage doctor``: what is wrong here, and the command that mends it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from edgeage.doctor import Finding

__all__ = ["command"]

_INDENT = 12


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--udev", is_flag=True, help="Only print the udev rule for Movidius devices.")
def command(as_json: bool, udev: bool) -> int:
    """Check Python, OpenVINO, the Movidius tools, USB devices and models.

    Each problem comes with the commands that mend it. The exit status is 1 when something does not
    work that a device which is there needs; a stick that is not there is no problem.
    """
    if udev:
        from edgeage.movidius.udev import RULE

        click.echo(RULE, nl=False)
        return 0
    from edgeage.doctor import PROBLEM, examine

    findings = []
    for finding in examine():
        findings.append(finding)
        if not as_json:
            _say(finding)
    healthy = all(finding.status != PROBLEM for finding in findings)
    if as_json:
        document = {"healthy": healthy, "findings": [f.to_dict() for f in findings]}
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
    return 0 if healthy else 1


def _say(finding: Finding) -> None:
    click.echo(f"{finding.status:{_INDENT}}{finding.check}: {finding.text}")
    for line in finding.remedy.splitlines():
        click.echo(f"{'':{_INDENT}}    {line}")
