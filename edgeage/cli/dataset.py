"""``edgeage dataset``: build data sets from published archives, look at them, check them."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from edgeage.cli.progress import ProgressBar
from edgeage.datasets.importers import open_importer
from edgeage.errors import UsageError
from edgeage.labels import GENDERS, MAX_AGE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edgeage.datasets.importers.found import ImportOptions
    from edgeage.datasets.options import BuildOptions
    from edgeage.faces import FaceCutter

__all__ = ["command"]

_Command = TypeVar("_Command", bound="Callable[..., Any]")
_RACES = ("asian", "white", "black", "indian", "others", "all")


@click.group()
def command() -> None:
    """Build data sets and their mean from published archives; look at them; check them."""


_TAKING = (
    click.option(
        "--race",
        "races",
        multiple=True,
        default=("all",),
        type=click.Choice(_RACES),
        show_default=True,
        help="Which faces to take; may be given several times.",
    ),
    click.option("--ages", metavar="LOW-HIGH", help="Take faces of these ages in years only."),
    click.option(
        "--limit",
        type=click.IntRange(1),
        metavar="N",
        help="Take N faces at most, drawn by --seed.",
    ),
    click.option(
        "--balance",
        is_flag=True,
        help="Take equally many faces of each age group: as many as the smallest has, or as "
        "--limit allows.",
    ),
)

_SPLITTING = (
    click.option(
        "--split",
        default=0.8,
        show_default=True,
        type=click.FloatRange(0, 1, min_open=True, max_open=True),
        help="Share of the faces that are for training.",
    ),
    click.option(
        "--test-from",
        type=click.Path(path_type=Path),
        help="Another data set's records.csv, or a list of faces (.sha256): its test faces, with "
        "their near-duplicates, are the test faces here too, whatever --split says.",
    ),
    click.option(
        "--own-split",
        is_flag=True,
        help="The data set's own test faces are the test faces; its validation faces, where it "
        "has no others.",
    ),
    click.option(
        "--test-fold",
        type=click.IntRange(0),
        metavar="N",
        help="The faces of the data set's own fold N are the test faces.",
    ),
)

_LABELS = (
    click.option(
        "--labels",
        multiple=True,
        type=click.Path(exists=True, path_type=Path),
        help="A file with the labels, or a folder of such, where they are not in SOURCE; for "
        "utkface the landmarks of the in-the-wild pictures. May be given several times.",
    ),
    click.option(
        "--column",
        "columns",
        multiple=True,
        metavar="WHAT=NAME",
        help="csv: what a column of the table is called, for example age=years.",
    ),
    click.option(
        "--genders",
        metavar="WORD=GENDER,…",
        help="csv, mat: what the table's words mean, for example 1=male,0=female.",
    ),
    click.option(
        "--form",
        default="",
        metavar="FORM",
        help="Which pictures: imdb-wiki crop or full; adience aligned or faces; appa-real face "
        "or full.  [default: the first]",
    ),
    click.option(
        "--min-score",
        default=1.0,
        show_default=True,
        help="imdb-wiki: leave out pictures whose face has a lower score.",
    ),
    click.option(
        "--ignore",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="appa-real: a list of pictures to leave out, one name a line.",
    ),
)

_CUTTING = (
    click.option(
        "--detect/--no-detect",
        default=False,
        show_default=True,
        help="Find the face of each picture and cut it out upright; pictures without a clear "
        "single face are left out.",
    ),
    click.option(
        "--detector",
        default="mtcnn",
        show_default=True,
        metavar="NAME|PATH",
        help="What finds the faces: mtcnn, haar, dlib, or a detector's network.",
    ),
    click.option(
        "--margin",
        default=0.4,
        show_default=True,
        type=click.FloatRange(-0.5, 10, min_open=True),
        help="The margin around a face that is cut out, as a fraction of it.",
    ),
    click.option(
        "--min-face",
        type=click.IntRange(1),
        metavar="PIXELS",
        help="The longer side of the smallest face to look for.  [default: the detector's own]",
    ),
)

_STORING = (
    click.option(
        "--oversample/--no-oversample",
        default=True,
        show_default=True,
        help="Balance the training classes with mirrored and noisy copies.",
    ),
    click.option("--seed", default=230, show_default=True, help="Decides split, order and noise."),
    click.option(
        "--size",
        default=227,
        show_default=True,
        type=click.IntRange(16, 4096),
        help="Side in pixels of the stored pictures.",
    ),
    click.option(
        "--encoding",
        default="raw",
        show_default=True,
        type=click.Choice(("raw", "png")),
        help="How the LMDBs hold the pictures: raw pixels, or PNG, which is two fifths of the "
        "size, the same pixels, and slower to read.",
    ),
    click.option(
        "--workers",
        default=None,
        type=click.IntRange(1),
        help="Number of threads; the result is the same.  [default: one a processor]",
    ),
)


def _all_of(*groups: Sequence[Callable[[Any], Any]]) -> Callable[[_Command], _Command]:
    def decorate(command: _Command) -> _Command:
        for option in reversed([option for group in groups for option in group]):
            command = option(command)
        return command

    return decorate


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
@_all_of(_TAKING, _SPLITTING, _STORING, _LABELS, _CUTTING)
@click.option("--overwrite", is_flag=True, help="Replace the output folder.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def build(
    name: str, source: Path, output: Path, overwrite: bool, as_json: bool, **given: Any
) -> None:
    """Build the data set NAME from SOURCE, its archive or a folder of its pictures.

    NAME is utkface, imdb-wiki, adience, fgnet, appa-real, fairface; csv for pictures of your own
    with a table of labels; mat for a .mat file with pictures and labels in it.

    Makes the LMDBs {age,gender}_{train,test}_lmdb, mean.binaryproto, age_gender_mean.npy,
    records.csv and report.json, and prints the class counts. Pictures that show the same
    photograph stay on one side of the split, and so do all of one person where the data set says
    who it is. The same source and seed give the same data set.
    """
    from edgeage.datasets.build import build_dataset
    from edgeage.datasets.tables import format_report

    importer = open_importer(name)
    options = _build_options(given)
    if given["min_face"] and not given["detect"]:
        raise UsageError("--min-face needs --detect, which looks for faces")
    cut = given["detect"] or importer.gives_hints(options.importing)
    with contextlib.ExitStack() as stack:
        cutter = stack.enter_context(_cutter(given)) if cut else None
        stages = stack.enter_context(_Stages())
        report = build_dataset(
            *(name, source, output, options),
            cutter=cutter,
            overwrite=overwrite,
            on_progress=stages.update,
        )
    if as_json:
        click.echo(json.dumps(report, indent=2))
    else:
        click.echo(format_report(report))


def _build_options(given: dict[str, Any]) -> BuildOptions:
    from edgeage.datasets.options import BuildOptions
    from edgeage.datasets.records import RACES
    from edgeage.processor import usable_processors

    races = given["races"]
    taken = ("split", "test_from", "own_split", "test_fold", "limit", "balance", "encoding")
    return BuildOptions(
        races=RACES if "all" in races else tuple(race for race in RACES if race in races),
        ages=_ages(given["ages"]),
        oversample=given["oversample"],
        seed=given["seed"],
        size=given["size"],
        workers=given["workers"] or usable_processors(),
        importing=_import_options(given),
        **{option: given[option] for option in taken},
    )


def _import_options(given: dict[str, Any]) -> ImportOptions:
    from edgeage.datasets.importers.found import ImportOptions

    columns = dict(_pair(text, "--column age=years") for text in given["columns"])
    words = [text for text in (given["genders"] or "").split(",") if text]
    genders = dict(_pair(text, "--genders 1=male,0=female") for text in words)
    known = {gender.lower(): index for index, gender in enumerate(GENDERS)}
    for gender in genders.values():
        if gender.lower() not in known:
            raise UsageError(f"expected {' or '.join(known)} in --genders, got «{gender}»")
    return ImportOptions(
        labels=given["labels"],
        columns=columns,
        genders={word.lower(): known[gender.lower()] for word, gender in genders.items()},
        min_score=given["min_score"],
        form=given["form"],
        ignore=given["ignore"],
    )


def _pair(text: str, example: str) -> tuple[str, str]:
    left, equals, right = text.partition("=")
    if not (left and equals and right):
        raise UsageError(f"expected «{text}» as in: {example}")
    return left.strip(), right.strip()


def _ages(text: str | None) -> tuple[int, int]:
    if text is None:
        return 0, MAX_AGE
    low, _, high = text.partition("-")
    if not (low.isdecimal() and high.isdecimal()):
        raise UsageError(f"expected --ages as in 18-60, got «{text}»")
    return int(low), int(high)


def _cutter(given: dict[str, Any]) -> FaceCutter:
    from edgeage.faces import FaceCutter

    detector = given["detector"] if given["detect"] else None
    return FaceCutter(detector, given["margin"], min_face=given["min_face"])


@command.command()
@click.argument("data", type=click.Path(path_type=Path))
@click.option(
    "--plot",
    type=click.Path(path_type=Path),
    help="Draw the ages and genders to a .png, .svg or .pdf.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def stats(data: Path, plot: Path | None, as_json: bool) -> None:
    """Describe the data set in the folder DATA: ages, genders, races, duplicates, poor pictures."""
    from edgeage.datasets.statistics import dataset_stats, format_stats, plot_stats

    if plot:
        from edgeage.evaluation.plots import check_plot_path

        check_plot_path(plot)
    with ProgressBar("looking", "img") as bar:
        found = dataset_stats(data, on_progress=bar.update)
    if plot:
        plot_stats(found, plot)
    click.echo(json.dumps(found, indent=2) if as_json else format_stats(found))


@command.command()
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def check(data: Path, as_json: bool) -> int:
    """Check the data set in the folder DATA; exit status 1 when something is wrong.

    Every record is read, labels and hashes are compared with records.csv and report.json, and
    near-duplicates between training and test faces are searched anew.
    """
    from edgeage.datasets.checking import check_dataset

    with _Stages() as stages:
        findings = check_dataset(data, on_progress=stages.update)
    if as_json:
        told = [{"kind": finding.kind, "text": finding.text} for finding in findings]
        click.echo(json.dumps({"sound": not findings, "findings": told}, indent=2))
    elif findings:
        click.echo("\n".join(f"{finding.kind}: {finding.text}" for finding in findings))
    else:
        click.echo(f"{data} is sound")
    return 1 if findings else 0


class _Stages(contextlib.ExitStack):
    """One progress bar after the other, one for each stage of a build."""

    stage = ""

    def update(self, stage: str, done: int, total: int | None) -> None:
        if stage != self.stage:
            self.close()
            self.stage = stage
            self.bar = self.enter_context(ProgressBar(stage, "img"))
        self.bar.update(done, total)
