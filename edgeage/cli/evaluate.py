"""``edgeage evaluate``: how right models are, on any data set, with intervals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgeage.cli.progress import ProgressBar
from edgeage.cli.workoptions import crops_option
from edgeage.errors import require
from edgeage.paths import atomic_file, refuse_taken

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edgeage.scoring import EvaluateOptions

__all__ = ["command"]

_PATH = click.Path(path_type=Path)


@click.command("evaluate")
@click.option(
    "--models",
    "--model",
    "models",
    multiple=True,
    metavar="NAME|PATH[,…]",
    help="agenet, gendernet, a .caffemodel, or what «edgeage infer --models» takes; what commas "
    "join is scored as one, for a task each. Give it again for another. {fold} in a path stands "
    "for the face's fold.  [default: agenet,gendernet]",
)
@click.option(
    "--data",
    "data",
    multiple=True,
    required=True,
    type=_PATH,
    help="A built data set's folder; may be given several times.",
)
@click.option(
    "--split",
    default="test",
    show_default=True,
    help="Which side of the data sets, train or test, or all of them.",
)
@click.option(
    "--faces",
    "lists",
    multiple=True,
    metavar="NAME|FILE",
    help="A list of faces to score instead of a side: utkface_asian, utkface_all, utkface_watch, "
    "or a file of «sha256  name» lines; may be given several times.",
)
@click.option(
    "--crop",
    default="tight",
    show_default=True,
    type=click.Choice(("tight", "loose", "wide", "both")),
    help="The stored crop; a looser one of the same faces as a face detector gives it; the stored "
    "one with 40 % of border, as SSR-Net wants it; both is the first two.",
)
@crops_option
@click.option("--device", default="CPU", show_default=True, help="Where the models run.")
@click.option(
    "--precision",
    default="FP32",
    show_default=True,
    type=click.Choice(("FP32", "FP16"), case_sensitive=False),
    help="What names and .caffemodel files are compiled in.",
)
@click.option("--limit", type=click.IntRange(1), help="Score at most so many faces of each set.")
@click.option(
    "--resamples",
    type=click.IntRange(100, 100_000),
    default=1000,
    show_default=True,
    help="How often faces are drawn anew for the intervals.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(0),
    default=1.0,
    show_default=True,
    help="How long each model is timed, all in turn; 0 to leave it out.",
)
@click.option(
    "--cache/--no-cache",
    default=True,
    help="Keep the models' answers, so that an interrupted evaluation goes on.  [default: cache]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--markdown", type=_PATH, help="Write the tables as Markdown.")
@click.option("--html", "page", type=_PATH, help="Write tables and plots as one HTML file.")
@click.option("--plot", type=_PATH, metavar="FOLDER", help="Draw the plots into a folder, as SVG.")
@click.option("--overwrite", is_flag=True, help="Replace files that are there.")
def command(
    models: tuple[str, ...],
    data: tuple[Path, ...],
    lists: tuple[str, ...],
    crop: str,
    as_json: bool,
    markdown: Path | None,
    page: Path | None,
    plot: Path | None,
    overwrite: bool,
    **settings: Any,
) -> None:
    """Score models on data sets: ages, age groups, genders, by race, gender and age.

    Every figure has a 95 % interval, and each two models are compared on the same faces. What a
    data set does not tell is not scored. docs/accuracy.md explains the figures.
    """
    from edgeage.scoring import EvaluateOptions

    files = {path: overwrite for path in (markdown, page, plot) if path is not None}
    _check_files(files, drawn=page is not None or plot is not None)
    options = EvaluateOptions(
        lists=lists, crop=("tight", "loose") if crop == "both" else (crop,), **settings
    )
    document = _evaluated(models or ("agenet,gendernet",), data, options)
    _write_files(document, markdown, page, plot)
    if as_json:
        click.echo(json.dumps(document, indent=1, ensure_ascii=False))
    else:
        from edgeage.scoring.text import format_evaluation

        click.echo(format_evaluation(document))


def _check_files(files: Mapping[Path, bool], *, drawn: bool) -> None:
    """Refuse, before any work is done, what could not be written."""
    for path, overwrite in files.items():
        if not path.is_dir() or any(path.iterdir()):
            refuse_taken(path, overwrite=overwrite)
    if drawn:
        require("matplotlib", extra="plot", purpose="draw plots")


def _evaluated(
    models: tuple[str, ...], data: tuple[Path, ...], options: EvaluateOptions
) -> dict[str, Any]:
    from edgeage.scoring import evaluate

    with _Steps() as steps:
        return evaluate(models, data, options, on_step=steps.begin, on_progress=steps.update)


def _write_files(
    document: dict[str, Any], markdown: Path | None, page: Path | None, plot: Path | None
) -> None:
    if markdown is not None:
        from edgeage.scoring.text import markdown_evaluation

        with atomic_file(markdown) as temporary:
            temporary.write_text(markdown_evaluation(document), encoding="utf-8")
    if page is not None:
        from edgeage.scoring.page import html_evaluation

        with atomic_file(page) as temporary:
            temporary.write_text(html_evaluation(document), encoding="utf-8")
    if plot is not None:
        from edgeage.scoring.charts import write_charts

        write_charts(document, plot)


class _Steps:
    """A line on stderr and a progress bar of its own for each step."""

    def __init__(self) -> None:
        self._bar: ProgressBar | None = None

    def begin(self, step: str) -> None:
        self._close()
        click.echo(step, err=True)

    def update(self, done: int, total: int | None) -> None:
        if self._bar is None:
            self._bar = ProgressBar("evaluate", "face")
        self._bar.update(done, total)

    def __enter__(self) -> _Steps:
        return self

    def __exit__(self, *error: object) -> None:
        self._close()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.__exit__(None, None, None)
        self._bar = None
