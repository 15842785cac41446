"""``edgeage bench``: how fast this machine answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgeage.cli.output import open_text
from edgeage.cli.progress import ProgressBar
from edgeage.cli.workoptions import device_options
from edgeage.errors import DeviceError, UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgeage.sources import Source
    from edgeage.speed import Bench, BenchOptions
    from edgeage.speed.grid import Grid

__all__ = ["command"]

_PATH = click.Path(path_type=Path)
_PRECISIONS = ("FP32", "FP16", "INT8")


@click.command("bench")
@click.option(
    "--models",
    multiple=True,
    metavar="NAME|PATH",
    help="agenet, gendernet, a .caffemodel, or what «edgeage infer --models» takes, which is "
    "measured in the precision it has.  [default: agenet,gendernet]",
)
@click.option(
    "--device", "devices", multiple=True, metavar="DEVICE", help="CPU, GPU, …  [default: CPU]"
)
@click.option(
    "--precision",
    "precisions",
    multiple=True,
    metavar="PRECISION",
    help="What trained networks are compiled in: FP32, FP16.  [default: FP32,FP16]",
)
@click.option(
    "--batch", "batches", multiple=True, metavar="N", help="Pictures a run takes.  [default: 1,8]"
)
@click.option(
    "--seconds",
    type=click.FloatRange(0, min_open=True),
    default=2.0,
    show_default=True,
    help="How long each row is timed; a tenth as much goes before to warm up.",
)
@click.option(
    "--rounds",
    type=click.IntRange(1),
    default=5,
    show_default=True,
    help="In how many turns; all rows take one before any takes the next.",
)
@click.option(
    "--image",
    help="The picture whose steps are measured.  [default: the one that comes with edgeage]",
)
@click.option(
    "--steps/--no-steps", default=True, help="Measure each step of a picture.  [default: steps]"
)
@device_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--plot", type=_PATH, help="Draw bars to a .png, .svg or .pdf.")
@click.option("--output", type=_PATH, help="Write the results to a file instead.")
@click.option("--overwrite", is_flag=True, help="Replace what --output finds there.")
def command(
    models: tuple[str, ...],
    devices: tuple[str, ...],
    precisions: tuple[str, ...],
    batches: tuple[str, ...],
    seconds: float,
    rounds: int,
    image: str | None,
    steps: bool,
    as_json: bool,
    plot: Path | None,
    output: Path | None,
    overwrite: bool,
    **runtime: Any,
) -> None:
    """Measure every network on every device in every precision with every size of batch.

    --models, --device, --precision and --batch may be given several times or take several values
    separated by commas. What is not here is listed with the reason; the exit status is 1 only
    when nothing could be measured.
    """
    from edgeage.runtime.options import RuntimeOptions
    from edgeage.speed import BenchOptions
    from edgeage.speed.text import format_bench

    grid = _grid(models, devices, precisions, batches)
    options = BenchOptions(seconds, rounds, RuntimeOptions(**runtime))
    if plot is not None:
        from edgeage.evaluation.plots import check_plot_path

        check_plot_path(plot)
    picture = _picture(image) if steps else None
    with open_text(output, overwrite=overwrite) as stream:
        found = _measured(grid, options, picture)
        text = json.dumps(found.to_dict(), indent=2, ensure_ascii=False) if as_json else ""
        stream.write((text or format_bench(found)) + "\n")
    _finish(found, plot)


def _grid(
    models: Sequence[str], devices: Sequence[str], precisions: Sequence[str], batches: Sequence[str]
) -> Grid:
    from edgeage.speed.grid import Grid, split_words

    given = {
        "models": split_words(models),
        "devices": split_words([device.upper() for device in devices]),
        "precisions": tuple(map(_precision, split_words(precisions))),
        "batches": tuple(map(_batch, split_words(batches))),
    }
    return Grid(**{name: values for name, values in given.items() if values})  # type: ignore[arg-type]


def _precision(word: str) -> str:
    if word.upper() not in _PRECISIONS:
        hint = did_you_mean(word.upper(), _PRECISIONS)
        raise UsageError(f"unknown precision «{word}»; expected FP32, FP16 or INT8{hint}")
    return word.upper()


def _batch(word: str) -> int:
    if not word.isdecimal() or not 1 <= int(word) <= 4096:
        raise UsageError(f"expected a batch of 1 to 4096 pictures, got «{word}»")
    return int(word)


def _picture(image: str | None) -> Source:
    from edgeage.paths import data_dir
    from edgeage.sources import find_sources

    return next(iter(find_sources(image or str(data_dir("examples") / "test_0.png")))).held()


def _measured(grid: Grid, options: BenchOptions, picture: Source | None) -> Bench:
    from edgeage.speed import run_bench

    with ProgressBar("bench", "turn") as bar:
        return run_bench(
            grid,
            options,
            picture=picture,
            on_entry=lambda name: bar.write(f"Preparing {name}."),
            on_turn=bar.update,
        )


def _finish(found: Bench, plot: Path | None) -> None:
    if not found.ran:
        first, *others = dict.fromkeys(row.reason for row in found.rows)
        listed = "the reasons are listed with the results" if others else first
        raise DeviceError(f"nothing could be measured: {listed}")
    if plot is not None:
        from edgeage.speed.plot import plot_bench

        plot_bench(found, plot)
