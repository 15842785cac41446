"""``edgeage compile``: compile trained networks for a device."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgeage.errors import UsageError

if TYPE_CHECKING:
    from edgeage.manifest import Manifest

__all__ = ["command"]

_PATH = click.Path(path_type=Path)


@click.command("compile")
@click.argument("models", nargs=-1, metavar="[MODEL]...")
@click.option("--target", default="CPU", show_default=True, help="The device to compile for.")
@click.option(
    "--precision",
    default="FP16",
    show_default=True,
    help="FP32, or FP16 for half the size and more speed.",
)
@click.option(
    "-o",
    "--output",
    type=_PATH,
    default=Path("compiled"),
    show_default=True,
    help="The folder that gets one folder a model.",
)
@click.option(
    "--data",
    type=_PATH,
    help="Pictures to check the result on: a built data set, an LMDB or a folder of pictures.  "
    "[default: variants of edgeage's sample picture]",
)
@click.option("--prototxt", type=_PATH, help="The deploy network, where no manifest names it.")
@click.option("--mean", type=_PATH, help="The mean to build in (.npy or .binaryproto).")
@click.option("--task", help="age or gender, where no manifest says it.")
@click.option("--overwrite", is_flag=True, help="Replace compiled models of the same name.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(
    models: tuple[str, ...],
    target: str,
    precision: str,
    output: Path,
    data: Path | None,
    prototxt: Path | None,
    mean: Path | None,
    task: str | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Compile trained networks and prove that they still answer as they did.

    MODEL is agenet, gendernet or the path of a .caffemodel whose manifest (.json) is beside it;
    without any, both released networks are compiled. Each result is compared with the trained
    network on real pictures; beyond the target profile's tolerance nothing is written.
    """
    from edgeage.compiler import compile_model, find_model, read_profile
    from edgeage.compiler.sources import RELEASED

    read_profile(target, precision)
    if len(models) != 1 and (prototxt or task):
        raise UsageError("--prototxt and --task are of one network; name one MODEL")
    trained = [
        find_model(model, prototxt=prototxt, mean=mean, task=task) for model in models or RELEASED
    ]
    names = [model.manifest.name for model in trained]
    if len(set(names)) != len(names):
        raise UsageError(f"two models have the same name ({', '.join(names)}); compile them apart")
    manifests = []
    for model in trained:
        compiled = compile_model(
            model, output, target=target, precision=precision, data=data, overwrite=overwrite
        )
        manifests.append(compiled)
        if not as_json:
            click.echo(_line(compiled))
    if as_json:
        documents = [{"folder": str(m.folder), **m.to_dict()} for m in manifests]
        click.echo(json.dumps({"models": documents}, indent=2, ensure_ascii=False))


def _line(compiled: Manifest) -> str:
    parity = compiled.parity
    return (
        f"{compiled.folder}  {compiled.target} {compiled.precision}  largest difference "
        f"{parity['max_difference']:g} (allowed {parity['max_allowed']:g}), "
        f"{parity['changed_decisions']} of {parity['pictures']} decisions changed "
        f"({parity['origin']})"
    )
