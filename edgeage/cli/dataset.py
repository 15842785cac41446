"""``edgeage dataset``: build data sets from published archives."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import click

from edgeage.cli.progress import ProgressBar
from edgeage.errors import UsageError, did_you_mean

__all__ = ["command"]

_DATASETS = ("utkface",)
_RACES = ("asian", "white", "black", "indian", "others", "all")


@click.group()
def command() -> None:
    """Build data sets and their mean from published archives."""


@command.command()
@click.argument("name")
@click.argument("source", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder to make; it appears when everything is in it.",
)
@click.option(
    "--race",
    "races",
    multiple=True,
    default=("all",),
    type=click.Choice(_RACES),
    show_default=True,
    help="Which faces to take; may be given several times.",
)
@click.option(
    "--split",
    default=0.8,
    show_default=True,
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Share of the faces that are for training.",
)
@click.option(
    "--test-from",
    type=click.Path(path_type=Path),
    help="Another data set's records.csv, or a list of faces (.sha256): its test faces, with their "
    "near-duplicates, are the test faces here too, whatever --split says.",
)
@click.option(
    "--oversample/--no-oversample",
    default=True,
    show_default=True,
    help="Balance the training classes with mirrored and noisy copies.",
)
@click.option("--seed", default=230, show_default=True, help="Decides split, order and noise.")
@click.option(
    "--size",
    default=227,
    show_default=True,
    type=click.IntRange(16, 4096),
    help="Side in pixels of the stored pictures.",
)
@click.option(
    "--workers",
    default=None,
    type=click.IntRange(1),
    help="Number of threads; the result is the same.  [default: one a processor]",
)
@click.option("--overwrite", is_flag=True, help="Replace the output folder.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def build(
    name: str,
    source: Path,
    output: Path,
    races: tuple[str, ...],
    split: float,
    test_from: Path | None,
    oversample: bool,
    seed: int,
    size: int,
    workers: int | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Build the data set NAME (utkface) from SOURCE, its archive or a folder of its pictures.

    Makes the LMDBs {age,gender}_{train,test}_lmdb, mean.binaryproto, age_gender_mean.npy,
    records.csv and report.json, and prints the class counts. Pictures that show the same
    photograph stay on one side of the split. The same source and seed give the same data set.
    """
    if name not in _DATASETS:
        raise UsageError(
            f"unknown data set «{name}», expected {', '.join(_DATASETS)}"
            f"{did_you_mean(name, _DATASETS)}"
        )
    from edgeage.datasets.build import BuildOptions, build_utkface
    from edgeage.datasets.parallel import default_workers
    from edgeage.datasets.records import RACES
    from edgeage.datasets.tables import format_report

    options = BuildOptions(
        races=RACES if "all" in races else tuple(race for race in RACES if race in races),
        split=split,
        test_from=test_from,
        oversample=oversample,
        seed=seed,
        size=size,
        workers=workers or default_workers(),
    )
    with _Stages() as stages:
        report = build_utkface(
            source, output, options, overwrite=overwrite, on_progress=stages.update
        )
    if as_json:
        click.echo(json.dumps(report, indent=2))
    else:
        click.echo(format_report(report))


class _Stages(contextlib.ExitStack):
    """One progress bar after the other, one for each stage of a build."""

    stage = ""

    def update(self, stage: str, done: int, total: int | None) -> None:
        if stage != self.stage:
            self.close()
            self.stage = stage
            self.bar = self.enter_context(ProgressBar(stage, "img"))
        self.bar.update(done, total)
