"""``edgeage inspect``: say what a file is."""

from __future__ import annotations

import json
from pathlib import Path

import click

__all__ = ["command"]


@click.command("inspect")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--prototxt",
    type=click.Path(path_type=Path),
    help="The deploy network of a caffemodel, to count its multiplications by.  "
    "[default: the one its manifest names]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(file: Path, prototxt: Path | None, as_json: bool) -> None:
    """Explain FILE, whatever it is called.

    A caffemodel, solverstate, prototxt, mean, IR (.xml), MYRIAD blob, model.json, LMDB, or the
    folder of a compiled model or data set. It is recognised by its content and no runtime is
    asked to load it.
    """
    from edgeage.inspection import inspect_file
    from edgeage.inspection.finding import format_finding

    finding = inspect_file(file, prototxt=prototxt)
    if as_json:
        click.echo(json.dumps(finding.to_dict(), indent=2, ensure_ascii=False))
    else:
        click.echo(format_finding(finding))
