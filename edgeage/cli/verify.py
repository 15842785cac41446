"""``edgeage verify``: one network in every engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgeage.cli.progress import ProgressBar
from edgeage.errors import ParityError, UsageError

if TYPE_CHECKING:
    from edgeage.verification import Verification

__all__ = ["command"]

_PATH = click.Path(path_type=Path)


@click.command("verify")
@click.argument("model")
@click.option(
    "--data",
    required=True,
    type=_PATH,
    help="Pictures to compare on: a built data set, an LMDB or a folder of pictures.",
)
@click.option(
    "--engines",
    help="Which engines to compare, separated by commas: caffe, cv2, torch, openvino-fp32, "
    "openvino-fp16, compiled, openvino-2021.4, openvino-2022.3, fp16.  [default: all]",
)
@click.option(
    "--pictures",
    default=100,
    show_default=True,
    type=click.IntRange(1),
    help="How many pictures at most, evenly spread over the data.",
)
@click.option("--trained", help="What a compiled MODEL was made of: a name or a .caffemodel.")
@click.option("--prototxt", type=_PATH, help="The deploy network, where no manifest names it.")
@click.option("--mean", type=_PATH, help="The mean (.npy or .binaryproto), likewise.")
@click.option("--task", help="age or gender, where no manifest says it.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option(
    "--plot", type=_PATH, help="Draw each layer's room in half precision to a .png, .svg or .pdf."
)
def command(
    model: str,
    data: Path,
    engines: str | None,
    pictures: int,
    trained: str | None,
    prototxt: Path | None,
    mean: Path | None,
    task: str | None,
    as_json: bool,
    plot: Path | None,
) -> None:
    """Run MODEL in every engine there is and compare them, layer by layer.

    MODEL is agenet, gendernet, the path of a .caffemodel, or a compiled model's folder. Engines
    that are not installed are listed with the reason. The status is 1 when an engine is further
    from the first than the profile under compile/ allows.
    """
    from edgeage.evaluation.plots import check_plot_path
    from edgeage.verification import find_subject, verify
    from edgeage.verification.pictures import read_pictures
    from edgeage.verification.text import format_verification

    if plot is not None:
        check_plot_path(plot)
    keys = _keys(engines)
    subject = find_subject(model, trained=trained, prototxt=prototxt, mean=mean, task=task)
    found_pictures = read_pictures(data, subject.manifest, pictures)
    with ProgressBar(f"verify {subject.manifest.name}", "img") as bar:
        found = verify(subject, found_pictures, engines=keys, on_progress=bar.update)
    if plot is not None:
        _plot(found, plot)
    if as_json:
        click.echo(json.dumps(found.to_dict(), indent=2, ensure_ascii=False))
    else:
        click.echo(format_verification(found))
    _judge(found)


def _keys(engines: str | None) -> list[str] | None:
    if engines is None:
        return None
    keys = [key.strip() for key in engines.split(",") if key.strip()]
    if not keys:
        raise UsageError("--engines names no engine")
    return keys


def _plot(found: Verification, path: Path) -> None:
    from edgeage.evaluation.plots import plot_headroom

    bars = {layer.blob: layer.largest for layer in found.layers}
    inner = {layer.blob: layer.inner for layer in found.layers if layer.inner is not None}
    plot_headroom(bars, inner, path, f"{found.model} in half precision, {found.origin}")


def _judge(found: Verification) -> None:
    if found.beyond:
        names = ", ".join(
            f"{engine.key} ({engine.reason or f'{engine.max_difference:.2g}'})"
            for engine in found.beyond
        )
        raise ParityError(
            f"{found.model}: beyond what its profile allows against {found.reference}: {names}"
        )
