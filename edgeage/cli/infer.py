"""``edgeage infer``: predict age and gender of pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edgeage.cli.drawings import Drawings
from edgeage.cli.output import FORMATS, open_report
from edgeage.cli.predicting import Predicting, predictor_options
from edgeage.cli.talk import talk
from edgeage.cli.workoptions import work_options
from edgeage.errors import UsageError

__all__ = ["command"]

_PATH = click.Path(path_type=Path)


@click.command("infer")
@click.argument("words", metavar="[PICTURES]...", nargs=-1)
@click.option(
    "--image",
    "images",
    multiple=True,
    metavar="PICTURE",
    help="A picture, as PICTURES; may be given several times.",
)
@predictor_options
@work_options
@click.option(
    "--format",
    "form",
    type=click.Choice(list(FORMATS)),
    help="How to print the results: aligned lines of text, one JSON document, one JSON line a "
    "picture, or CSV with one row a face.  [default: table]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document: --format json.")
@click.option("--output", type=_PATH, help="Write the results to a file instead.")
@click.option(
    "--save",
    type=_PATH,
    help="Draw the results: a picture's name, or a folder for several pictures.",
)
@click.option("--overwrite", is_flag=True, help="Replace what --output and --save find there.")
def command(
    words: tuple[str, ...],
    images: tuple[str, ...],
    form: str | None,
    as_json: bool,
    output: Path | None,
    save: Path | None,
    overwrite: bool,
    **settings: Any,
) -> int:
    """Predict age and gender of the faces in pictures.

    PICTURES are files, folders (their pictures at any depth), patterns such as 'photos/**/*.jpg',
    http:// and https:// addresses, and - for one picture on standard input. A picture that cannot
    be read gives one line on stderr, the others still come out, and the exit status is 1.
    """
    from edgeage.sources import find_sources

    given = images + words
    if not given:
        raise UsageError("no picture given; name one with --image PATH")
    drawings = Drawings(save, given, overwrite=overwrite)
    failed = False
    with (
        talk(),
        Predicting(**settings) as predicting,
        open_report(_format(form, as_json), output, overwrite=overwrite) as report,
    ):
        for source, result in predicting.results(drawings.hold(find_sources(given))):
            report.write(result)
            if result.note:
                click.echo(f"{result.image}: {result.note}", err=True)
            problems = [result.error or drawings.draw(source, result)]
            for problem in filter(None, problems):
                click.echo(f"Error: {problem}", err=True)
                failed = True
        report.finish(predicting.timing)
    return int(failed)


def _format(form: str | None, as_json: bool) -> str:
    if as_json and form not in (None, "json"):
        raise UsageError(f"--json is --format json; leave it out for --format {form}")
    return "json" if as_json else form or "table"
