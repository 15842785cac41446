"""``edgeage compile``: compile trained networks for a device."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgeage.cli.talk import talk
from edgeage.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

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
@click.option("--shaves", type=int, help="For a Myriad X: vector processors, 1 to 16.")
@click.option(
    "--cmx-slices",
    type=int,
    help="For a Myriad X: slices of on-chip memory, 1 to 19.  [default: as many as SHAVEs]",
)
@click.option(
    "--hw/--no-hw",
    default=None,
    help="For a Myriad X: use its accelerator for convolutions, or not.  [default: hw]",
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
    shaves: int | None,
    cmx_slices: int | None,
    hw: bool | None,
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

    For MYRIAD (a Neural Compute Stick 2) and OAK a blob is compiled too, for which the Movidius
    tools are needed («edgeage toolchain install») and no stick is.
    """
    from edgeage.compiler import compile_model, find_model
    from edgeage.compiler.compile import chosen_profile
    from edgeage.compiler.sources import RELEASED

    chip: dict[str, Any] = {"shaves": shaves, "cmx_slices": cmx_slices, "hw": hw}
    chosen_profile(target, precision, **chip)
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
        options = {"target": target, "precision": precision, "data": data, **chip}
        with talk():
            manifests.append(compile_model(model, output, overwrite=overwrite, **options))
        if not as_json:
            click.echo("\n".join(_lines(manifests[-1])))
    if as_json:
        documents = [{"folder": str(m.folder), **m.to_dict()} for m in manifests]
        click.echo(json.dumps({"models": documents}, indent=2, ensure_ascii=False))


def _lines(compiled: Manifest) -> list[str]:
    parity = compiled.parity
    first = (
        f"{compiled.folder}  {compiled.target} {compiled.precision}  largest difference "
        f"{parity['max_difference']:g} (allowed {parity['max_allowed']:g}), "
        f"{parity['changed_decisions']} of {parity['pictures']} decisions changed "
        f"({parity['origin']})"
    )
    lines = [first]
    if (measured := parity.get("device", compiled.target)) != compiled.target:
        lines.append(f"  measured on {measured}: no {compiled.target} is here")
    if compiled.blob:
        lines.append(_blob_line(compiled.blob))
    return [*lines, *_half_lines(parity["half"])] if "half" in parity else lines


def _blob_line(blob: dict[str, Any]) -> str:
    kilobytes = blob["size"] / 1e3
    size = f"{kilobytes / 1e3:.1f} MB" if kilobytes >= 1e3 else f"{kilobytes:.1f} kB"
    return (
        f"  blob: {size}, {blob['stages']} stages, {blob['shaves']} SHAVEs, "
        f"{blob['cmx_slices']} CMX slices, {'with' if blob['has_hw'] else 'no'} hardware stages, "
        f"{blob['input_bytes']} bytes in, {blob['output_bytes']} bytes out"
    )


def _half_lines(half: dict[str, Any]) -> Iterator[str]:
    yield (
        f"  in half precision (simulated): of {half['pictures']} pictures "
        f"{half['changed_decisions']} changed group, largest difference "
        f"{half['max_difference']:g}; largest number {half['peak']:g} of {half['limit']:g} "
        f"({half['peak_at']})"
    )
    for place in half["overflows"]:
        yield f"  beyond half precision: {place}; the device may answer wrongly"
