"""``edgeage test``."""

from __future__ import annotations

import contextlib
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgeage.cli.progress import ProgressBar
from edgeage.cli.workoptions import crops_option
from edgeage.errors import UsageError, did_you_mean
from edgeage.labels import TASK_LABELS

if TYPE_CHECKING:
    from edgeage.manifest import Manifest

_TASKS = {"agenet": "age", "gendernet": "gender"}


@click.command()
@click.argument("name", metavar="agenet|gendernet")
@click.option(
    "--data",
    required=True,
    type=click.Path(path_type=Path),
    help="A built data set's folder, or one LMDB.",
)
@click.option(
    "--model",
    type=click.Path(path_type=Path),
    help="A .caffemodel, or a compiled model's folder.  [default: the released weights]",
)
@crops_option
@click.option("--device", default="CPU", show_default=True, help="OpenVINO device.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option(
    "--plot",
    type=click.Path(path_type=Path),
    help="Draw the confusion matrix to a .png, .svg or .pdf.",
)
def command(
    name: str,
    data: Path,
    model: Path | None,
    crops: int,
    device: str,
    as_json: bool,
    plot: Path | None,
) -> None:
    """Score a network on every picture of a data set's test LMDB.

    Prints accuracy, one-off accuracy, class-balanced recall, the confusion matrix and a row per
    class. A .caffemodel is run in full precision.
    """
    if name not in _TASKS:
        raise UsageError(
            f"unknown network «{name}»{did_you_mean(name, _TASKS)}; expected one of "
            f"{', '.join(_TASKS)}"
        )
    from edgeage.datasets.store import DatumReader
    from edgeage.evaluation.plots import plot_confusion
    from edgeage.evaluation.score import score_model
    from edgeage.evaluation.text import format_score
    from edgeage.runtime.devices import open_backend

    lmdb = data if (data / "data.mdb").exists() else data / f"{_TASKS[name]}_test_lmdb"
    with contextlib.ExitStack() as stack:
        reader = stack.enter_context(DatumReader(lmdb))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        manifest = _compiled(model, name, folder)
        if manifest.task != _TASKS[name]:
            raise UsageError(
                f"{model} answers «{manifest.task}» ({', '.join(TASK_LABELS[manifest.task])}), "
                f"{name} is for «{_TASKS[name]}»"
            )
        session = stack.enter_context(contextlib.closing(open_backend(device).load(manifest)))
        bar = stack.enter_context(ProgressBar(f"test {name}", "img"))
        score = score_model(session, manifest, reader, bar.update, crops)
        used_device = session.device
    if plot:
        plot_confusion(score, plot, f"{manifest.name}, {manifest.precision} on {used_device}")
    if as_json:
        head = {"model": manifest.name, "precision": manifest.precision, "device": used_device}
        click.echo(json.dumps({**head, "crops": crops, **score.to_dict()}, indent=2))
    else:
        click.echo(format_score(score))


def _compiled(model: Path | None, name: str, folder: Path) -> Manifest:
    """Return the manifest of a compiled model; compile trained weights into ``folder`` first."""
    from edgeage.compiler import compile_model, find_model
    from edgeage.manifest import Manifest

    if model is not None and (model / "model.json").is_file():
        return Manifest.read(model / "model.json")
    trained = find_model(model if model is not None else name)
    return compile_model(trained, folder, precision="FP32")
