"""``edgeage toolchain``: install, try and remove the Movidius tools."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from edgeage.movidius.status import ToolchainStatus

__all__ = ["command"]

_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
_PATH = click.Path(path_type=Path)


@click.group("toolchain")
def command() -> None:
    """Install, try and remove the last Movidius tools: OpenVINO 2021.4.2 and Caffe.

    They need a Python 3.6 to 3.9 and live in an environment of their own in the user's cache.
    """


@command.command("install")
@click.option(
    "--python",
    type=_PATH,
    metavar="PATH",
    help="The Python 3.6 to 3.9 to use.  [default: $EDGEAGE_TOOLCHAIN_PYTHON, or the newest in "
    "PATH, pyenv, uv and conda]",
)
@click.option("--force", is_flag=True, help="Install again what is there already.")
@_JSON
def install_command(python: Path | None, force: bool, as_json: bool) -> None:
    """Install the tools: pinned versions with checked hashes, some 130 MB to download.

    Does nothing when the same tools are there and work. It may be interrupted and repeated at any
    moment; what was installed before stays in use until the new one is whole.
    """
    from edgeage.cli.progress import ProgressBar
    from edgeage.movidius.install import install

    with ProgressBar("installing", unit="step") as bar:
        installed = install(
            python,
            force=force,
            on_progress=bar.update,
            say=bar.write,
        )
    if as_json:
        click.echo(json.dumps(installed.to_dict(), indent=2))
        return
    click.echo(
        f"{installed.folder}  Python {installed.python_version}, "
        f"{installed.size_bytes / 1e6:.0f} MB, installed in {installed.seconds:.0f} s"
    )


@command.command("status")
@click.option(
    "--python",
    type=_PATH,
    metavar="PATH",
    help="A Python that has the tools.  [default: $EDGEAGE_MOVIDIUS_PYTHON, or what was installed]",
)
@_JSON
def status_command(python: Path | None, as_json: bool) -> int:
    """Say what is there and whether it works, by trying it; exit status 1 when it does not."""
    from edgeage.movidius.status import toolchain_status

    status = toolchain_status(python)
    if as_json:
        click.echo(json.dumps(status.to_dict(), indent=2, ensure_ascii=False))
    else:
        for line in _lines(status):
            click.echo(line)
        for remedy in status.remedies:
            click.echo(f"To mend it: {remedy}", err=True)
    return 0 if status.works else 1


def _lines(status: ToolchainStatus) -> list[str]:
    if not status.present:
        return [status.problem]
    lines = [f"python         {status.python}"]
    if status.installed is not None:
        lines.append(
            f"installed      Python {status.installed.python_version}, "
            f"{status.installed.size_bytes / 1e6:.0f} MB"
        )
    for check in status.checks:
        word = "" if check.ok else "does not work: " if check.needed else "not there: "
        lines.append(f"{check.name:<13}  {word}{check.detail}")
    lines.append(f"devices        {', '.join(status.devices) or 'none'}")
    return [*lines, "works" if status.works else "does not work"]


@command.command("remove")
@_JSON
def remove_command(as_json: bool) -> None:
    """Remove the tools and what interrupted installations left of them."""
    from edgeage.movidius.install import remove

    removed = remove()
    if as_json:
        document = {
            "root": str(removed.root),
            "folders": removed.folders,
            "freed_bytes": removed.freed_bytes,
        }
        click.echo(json.dumps(document, indent=2))
    elif removed.folders:
        click.echo(f"removed {removed.root}, {removed.freed_bytes / 1e6:.0f} MB freed")
    else:
        click.echo(f"nothing to remove: no Movidius tools in {removed.root}")
