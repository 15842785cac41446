"""``edgeage compile``: compile trained networks for a device."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgeage.cli.progress import ProgressBar
from edgeage.cli.talk import talk
from edgeage.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from edgeage.compiler import Int8Options
    from edgeage.manifest import Manifest

__all__ = ["command"]

_PATH = click.Path(path_type=Path)


@click.command("compile")
@click.argument("models", nargs=-1, metavar="[MODEL]...")
@click.option(
    "--target",
    default="CPU",
    show_default=True,
    help="The device to compile for, or ONNX for a file that other programs read.",
)
@click.option(
    "--precision",
    help="FP32; FP16 for half the size and more speed; INT8 for a quarter and most speed, which "
    "needs --data.  [default: FP16; of ONNX FP32]",
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
    "[default: variants of edgeage's sample picture]  For INT8 a built data set.",
)
@click.option(
    "--calibration",
    type=int,
    help="For INT8: faces of the training LMDB to calibrate with.  [default: 300]",
)
@click.option(
    "--max-drop",
    type=float,
    help="For INT8: percentage points of accuracy that may be lost on the test LMDB.  "
    "[default: the target profile's]",
)
@click.option(
    "--accuracy-control",
    is_flag=True,
    help="For INT8: leave layers in float until no more accuracy is lost than that.",
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
    precision: str | None,
    output: Path,
    data: Path | None,
    calibration: int | None,
    max_drop: float | None,
    accuracy_control: bool,
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

    MODEL is agenet, gendernet, edgeage-s, edgeage-xs, the path of a .caffemodel whose manifest
    (.json) is beside it, or another network: the name or folder of what «edgeage models import»
    made, or a model.json or .onnx (docs/models.md); without any, AgeNet and GenderNet are compiled.
    Each result is compared with the trained network on real pictures; beyond the target profile's
    tolerance nothing is written.

    INT8 is calibrated on faces of the data set's training LMDB, measured on all of its test LMDB,
    and refused, with the worst layers, when it loses more accuracy than the profile allows.

    For MYRIAD (a Neural Compute Stick 2) and OAK a blob is compiled too, for which the Movidius
    tools are needed («edgeage toolchain install») and no stick is.
    """
    from edgeage.compiler import compile_model, find_model
    from edgeage.compiler.compile import chosen_profile
    from edgeage.compiler.imported import compile_imported, find_imported
    from edgeage.compiler.sources import RELEASED
    from edgeage.manifest import Manifest

    chip: dict[str, Any] = {"shaves": shaves, "cmx_slices": cmx_slices, "hw": hw}
    profile = chosen_profile(target, precision, **chip)
    stages = _Stages()
    int8 = _int8_options(profile.precision, calibration, max_drop, accuracy_control, stages.update)
    if len(models) != 1 and (prototxt or task):
        raise UsageError("--prototxt and --task are of one network; name one MODEL")
    trained = [
        find_imported(model) or find_model(model, prototxt=prototxt, mean=mean, task=task)
        for model in models or RELEASED
    ]
    names = [
        model.name if isinstance(model, Manifest) else model.manifest.name for model in trained
    ]
    if len(set(names)) != len(names):
        raise UsageError(f"two models have the same name ({', '.join(names)}); compile them apart")
    manifests = []
    for model in trained:
        options = {"target": target, "precision": precision, "data": data, "int8": int8, **chip}
        with talk(), stages:
            if isinstance(model, Manifest):
                made = compile_imported(model, output, overwrite=overwrite, **options)
            else:
                made = compile_model(model, output, overwrite=overwrite, **options)
            manifests.append(made)
        if not as_json:
            click.echo("\n".join(_lines(manifests[-1])))
    if as_json:
        documents = [{"folder": str(m.folder), **m.to_dict()} for m in manifests]
        click.echo(json.dumps({"models": documents}, indent=2, ensure_ascii=False))


def _int8_options(
    precision: str,
    calibration: int | None,
    max_drop: float | None,
    accuracy_control: bool,
    on_progress: Callable[[str, int, int | None], None],
) -> Int8Options | None:
    from edgeage.compiler import Int8Options

    given: dict[str, Any] = {"accuracy_control": True} if accuracy_control else {}
    numbers = {"calibration": calibration, "max_drop": max_drop}
    given |= {name: number for name, number in numbers.items() if number is not None}
    if precision == "INT8":
        return Int8Options(**given, on_progress=on_progress)
    if given:
        option = next(iter(given)).replace("_", "-")
        raise UsageError(f"--{option} is of INT8, and this is {precision}")
    return None


class _Stages:
    """A context manager that shows one progress bar after the other."""

    def __init__(self) -> None:
        self._bars = contextlib.ExitStack()
        self._bar: ProgressBar | None = None

    def __enter__(self) -> None:
        self._bar = None

    def __exit__(self, *_: object) -> None:
        self._bars.close()

    def update(self, stage: str, done: int, total: int | None) -> None:
        """Show how far a stage is; another name than before begins a bar of its own."""
        if self._bar is None or self._bar.label != stage:
            self._bars.close()
            self._bar = self._bars.enter_context(ProgressBar(stage, "img"))
        self._bar.update(done, total)


def _lines(compiled: Manifest) -> list[str]:
    parity = compiled.parity
    first = (
        f"{compiled.folder}  {compiled.target} {compiled.precision}  largest difference "
        f"{parity['max_difference']:g} (allowed {parity['max_allowed']:g}), "
        f"{parity['changed_decisions']} of {parity['pictures']} decisions changed "
        f"({parity['origin']})"
    )
    lines = [first]
    measured = parity.get("device", compiled.target)
    if measured != compiled.target != "ONNX":
        lines.append(f"  measured on {measured}: no {compiled.target} is here")
    if compiled.precision == "INT8":
        lines += _int8_lines(parity)
    if compiled.blob:
        lines.append(_blob_line(compiled.blob))
    return [*lines, *_half_lines(parity["half"])] if "half" in parity else lines


def _int8_lines(parity: dict[str, Any]) -> Iterator[str]:
    accuracy, calibration = parity["accuracy"], parity["calibration"]
    for task, own in {"": accuracy}.items() if "fp32" in accuracy else accuracy.items():
        yield f"  {task + ' ' if task else ''}{_accuracy_line(own, parity['mean_difference'])}"
    control = calibration["control_faces"]
    yield f"  calibrated on {calibration['faces']} faces of {calibration['origin']}" + (
        f", layers chosen on {control} others" if control else ""
    )
    if parity["float_layers"]:
        yield f"  left in float: {', '.join(parity['float_layers'])}"
    width = max((len(row["layer"]) for row in parity["layers"]), default=0)
    for row in parity["layers"]:
        noise = "" if row["sqnr_db"] is None else f"{row['sqnr_db']:8.1f} dB"
        yield f"  {row['layer']:{width}}  error {row['relative_error']:7.2%}{noise}"


def _accuracy_line(accuracy: dict[str, Any], mean_difference: float) -> str:
    lost = accuracy["drop"]
    years = ""
    if "mae_fp32" in accuracy:
        years = f"; mean error {accuracy['mae_fp32']:.2f} and {accuracy['mae_int8']:.2f} years"
    return (
        f"accuracy: FP32 {accuracy['fp32']:.2%} ({accuracy['fp32_correct']}), INT8 "
        f"{accuracy['int8']:.2%} ({accuracy['int8_correct']}); {abs(lost):.2f} points "
        f"{'gained' if lost < 0 else 'lost'}, {accuracy['max_drop']:g} allowed{years}; mean "
        f"difference {mean_difference:g}"
    )


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
