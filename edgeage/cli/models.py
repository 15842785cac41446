"""``edgeage models``: what models there are, what is known of them, and calibrating one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from edgeage.cli.modelimport import command as import_command
from edgeage.cli.progress import ProgressBar

__all__ = ["command"]

_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


@click.group()
def command() -> None:
    """List, describe, import and calibrate models."""


command.add_command(import_command)


@command.command("list")
@_JSON
def list_models(as_json: bool) -> None:
    """List the models that go by name: answers, data, licence, accuracy.

    These are what comes with edgeage and what «edgeage models import» made.
    """
    from edgeage.compiler.sources import RELEASED
    from edgeage.inspection.finding import Table, format_table
    from edgeage.modelfiles import imported_models, ready_models
    from edgeage.scoring.cards import accuracy_line, describe, model_manifest, read_scores

    scores = read_scores()
    names = dict.fromkeys((*RELEASED, *ready_models(), *imported_models()))
    found = [describe(model_manifest(name), scores) for name in names]
    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    rows = []
    for fields in found:
        weights = "here" if fields["weights"] else "not here"
        answers = " and ".join(fields["answers"])
        accuracy = accuracy_line(fields) or None
        rows.append((fields["name"], answers, fields["from"], weights, fields["data"], accuracy))
    columns = ("model", "answers", "from", "weights", "trained on", "accuracy")
    click.echo("\n".join(format_table(Table("models", columns, tuple(rows)))))
    click.echo("\nLicences:")
    for fields in found:
        click.echo(f"  {fields['name']}: {fields['licence'] or 'not told'}")


@command.command("show")
@click.argument("name", metavar="NAME|PATH")
@_JSON
def show(name: str, as_json: bool) -> None:
    """Show a model's card: data and licence, recipe, figures, groups where it is worse, uses.

    A model without a card, given by its manifest's path, is described by its manifest.
    """
    from edgeage.scoring.cards import (
        card_text,
        describe,
        manifest_path,
        model_manifest,
        read_scores,
    )

    manifest = model_manifest(name)
    if as_json:
        fields = {**describe(manifest, read_scores()), "manifest": manifest.to_dict()}
        click.echo(json.dumps(fields, indent=2, ensure_ascii=False))
    elif (card := card_text(name)) is not None:
        click.echo(card.rstrip())
    else:
        from edgeage.inspection import inspect_file
        from edgeage.inspection.finding import format_finding

        click.echo(format_finding(inspect_file(manifest_path(name))))


@command.command("calibrate")
@click.argument("name", metavar="NAME|PATH")
@click.option(
    "--data",
    required=True,
    type=click.Path(path_type=Path),
    help="A built data set's folder.",
)
@click.option(
    "--faces",
    required=True,
    metavar="NAME|FILE",
    help="The list of faces to fit on, which the model was neither trained nor is tested on.",
)
@click.option("--device", default="CPU", show_default=True, help="Where the model runs.")
@click.option("--dry-run", is_flag=True, help="Fit and print, and leave the manifest as it is.")
@_JSON
def calibrate(name: str, data: Path, faces: str, device: str, dry_run: bool, as_json: bool) -> None:
    """Fit a model's temperature and its 80 % age interval, and write them into its manifest.

    NAME is a released model, a .caffemodel or a compiled model's folder. What is printed after
    the fit is of faces that had no part in it, a fifth at a time.
    """
    from edgeage.scoring.calibration import calibrate_model

    with ProgressBar("calibrate", "face") as bar:
        found = calibrate_model(
            name, data, faces, device=device, write=not dry_run, on_progress=bar.update
        )
    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        click.echo(_format(found))


def _format(found: dict[str, Any]) -> str:
    from edgeage.evaluation.figures import CATALOGUE
    from edgeage.inspection.finding import Table, format_table
    from edgeage.scoring.tables import with_interval

    lines = [
        f"{output['name']}: temperature {output['temperature']:.3f}"
        + (f", interval {output['interval']:.3f}" if output["interval"] else "")
        for output in found["outputs"]
    ]
    rows = []
    for figure in found["after"]:
        sides = (found[side].get(figure) for side in ("before", "after"))
        cells = (None if s is None else with_interval(figure, s["value"], s) for s in sides)
        rows.append((CATALOGUE[figure].title, *cells))
    table = Table("figures", ("figure", "before", "after"), tuple(rows))
    head = f"Fitted on {found['faces']:,} faces of {found['set']}, {found['part']}."
    where = f"Written to {found['manifest']}." if found["written"] else "Nothing was written."
    return "\n".join([head, *lines, "", *format_table(table), "", where])
