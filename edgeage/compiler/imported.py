"""Compile an imported network: bytes in BGR go in, and the answers stay what they were."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeage.answers import comparable
from edgeage.compiler.compile import check_int8, chosen_profile
from edgeage.compiler.importedblob import taking_bytes, write_blob
from edgeage.compiler.int8 import Int8Options
from edgeage.compiler.parity import parity_device, parity_pictures, rounded
from edgeage.errors import ParityError, UsageError
from edgeage.evaluation.decoded import decode_answers
from edgeage.evaluation.faces import open_faces
from edgeage.manifest import Manifest
from edgeage.modelfiles import (
    NETWORK_SUFFIXES,
    has_weights,
    imported_models,
    read_models,
    ready_models,
)
from edgeage.movidius.toolchain import find_toolchain
from edgeage.networkinput import NetworkInput
from edgeage.paths import atomic_dir, sha256_file
from edgeage.runtime.openvino import OpenVINOBackend
from edgeage.runtime.options import RuntimeOptions

if TYPE_CHECKING:
    from edgeage.compiler.parity import Pictures
    from edgeage.compiler.profiles import Profile

__all__ = ["compile_imported", "find_imported"]

Answers = dict[str, np.ndarray]

_LOGGER = logging.getLogger(__name__)
_EXACT = {"INFERENCE_PRECISION_HINT": "f32"}


def find_imported(model: str | Path) -> Manifest | None:
    """Return the manifest of an imported network, or None when this is no such thing.

    Args:
        model: its folder, its ``model.json``, an ``.onnx`` or ``.xml`` with a manifest, or its
            name: of one that was imported (:func:`edgeage.paths.models_dir`), or that comes with
            edgeage.

    Raises:
        ModelError: when its manifest cannot be read.
    """
    path = Path(model)
    if path.suffix in NETWORK_SUFFIXES and path.is_file():
        return next((found for found in read_models(path) if not found.is_own), None)
    for place in (path, path / "model.json", imported_models().get(str(model), path)):
        if place.suffix == ".json" and place.is_file():
            manifest = Manifest.read(place)
            return None if manifest.is_own else manifest
    ready = ready_models().get(str(model))
    if ready is not None and has_weights(manifest := Manifest.read(ready)):
        return manifest
    return None


def compile_imported(
    manifest: Manifest,
    folder: Path,
    *,
    target: str = "CPU",
    precision: str | None = None,
    data: Path | None = None,
    overwrite: bool = False,
    int8: Int8Options | None = None,
    **chip: Any,
) -> Manifest:
    """Compile an imported network into ``folder / NAME`` after proving that it still agrees.

    Files in half precision are judged in single-precision arithmetic. Where this machine's CPU
    computes in less and that is too far off, the compiled model has it compute in single.

    Args:
        manifest: the network's, from :func:`find_imported`.
        folder: where the compiled model's own folder appears, whole or not at all.
        target: as for :func:`edgeage.compiler.compile_model`.
        precision: likewise.
        data: pictures for the check; see :func:`edgeage.compiler.parity.parity_pictures`. INT8
            needs a built data set.
        overwrite: replace a compiled model of that name.
        int8: as for :func:`edgeage.compiler.compile_model`, without accuracy control.
        chip: ``shaves``, ``cmx_slices`` and ``hw``, as for
            :func:`edgeage.compiler.compile_model`.

    Returns:
        The compiled model's manifest, in place.

    Raises:
        UsageError: for an unknown target or precision, or as for INT8 there.
        ModelError: when a file is missing or not what its manifest says.
        DatasetError: when INT8's data set is missing, incomplete or of another task.
        ParityError: when the answers differ by more than the target's profile allows, an age
            counted in hundreds of years, or INT8 loses more accuracy than it allows.
        ToolchainError: when a blob is wanted and the Movidius tools are missing or fail.
    """
    profile = chosen_profile(target, precision, **chip)
    check_int8(profile, data, int8)
    if int8 is not None and int8.accuracy_control:
        raise UsageError(f"--accuracy-control is of AgeNet and GenderNet, not of {manifest.name}")
    with atomic_dir(folder / manifest.name, overwrite=overwrite) as temporary:
        if profile.precision == "INT8":
            compiled = _in_int8(manifest, profile, data, int8 or Int8Options(), temporary)
        else:
            compiled = _in_float(manifest, profile, data, temporary)
        compiled.write(temporary / "model.json")
    return dataclasses.replace(compiled, folder=folder / manifest.name)


def _in_float(manifest: Manifest, profile: Profile, data: Path | None, folder: Path) -> Manifest:
    toolchain = None if profile.blob is None else find_toolchain()
    pictures = parity_pictures(data, manifest.input, manifest.tasks[0])
    expected = _answers(_exact(manifest), "CPU", pictures)
    described = _described(manifest, profile)
    device = "CPU"
    if toolchain is not None:
        compiled, found = write_blob(described, profile, toolchain, folder, pictures.batch)
        compiled = dataclasses.replace(compiled, network_input=None)
    else:
        compiled = (_write_onnx if profile.is_onnx else _write_ir)(described, profile, folder)
        device = parity_device(profile.device)
        judged = _exact(compiled) if device == "CPU" else compiled
        found = _answers(judged, device, pictures)
    figures = _compared(compiled, expected, found)
    _check(compiled, profile, figures)
    if device == profile.device == "CPU":
        compiled = _as_run(compiled, profile, expected, pictures)
    return dataclasses.replace(
        compiled,
        parity={
            "reference": "the imported network in FP32 on OpenVINO's CPU",
            "pictures": len(pictures.batch),
            "origin": pictures.origin,
            **figures,
            "max_allowed": profile.max_difference,
            "mean_allowed": profile.mean_difference,
            "device": device,
        },
    )


def _in_int8(
    manifest: Manifest, profile: Profile, data: Path | None, options: Int8Options, folder: Path
) -> Manifest:
    from edgeage.compiler.importedint8 import quantise_imported

    assert data is not None
    # Before anything takes time: is it a built data set?
    with open_faces(data, limit=1):
        pass
    with tempfile.TemporaryDirectory(prefix="edgeage-fp32-") as other:
        exact = compile_imported(manifest, Path(other), precision="FP32", data=data)
        described = _described(manifest, profile)
        return quantise_imported(exact, described, profile, data, options=options, folder=folder)


def _exact(manifest: Manifest) -> Manifest:
    """Have a network compute in single precision."""
    return dataclasses.replace(manifest, options={**manifest.options, **_EXACT})


def _as_run(
    compiled: Manifest, profile: Profile, expected: Answers, pictures: Pictures
) -> Manifest:
    """Have the model compute in single precision where the CPU's own choice is too far off."""
    figures = _compared(compiled, expected, _answers(compiled, "CPU", pictures))
    if _within(profile, figures):
        return compiled
    _LOGGER.info(
        "%s computes in single precision: as this CPU computes it, answers differ by up to %.2g.",
        compiled.name,
        figures["max_difference"],
    )
    return _exact(compiled)


def _answers(manifest: Manifest, device: str, pictures: Pictures) -> Answers:
    backend = OpenVINOBackend(device, RuntimeOptions(cache=False))
    with contextlib.closing(backend.load(manifest)) as session:
        return dict(session.infer(pictures.batch).outputs)


def _described(manifest: Manifest, profile: Profile) -> Manifest:
    role = "onnx" if "onnx" in manifest.files else "ir_xml"
    hashed = {f"{role}_sha256": sha256_file(manifest.file(role))}
    here = {tool: version(tool) for tool in ("edgeage", "openvino")}
    return dataclasses.replace(
        manifest,
        target=profile.target,
        precision=profile.precision,
        options=dict(profile.options),
        source={**manifest.source, "compiled_from": hashed},
        tools={**manifest.tools, **here},
    )


def _write_ir(manifest: Manifest, profile: Profile, folder: Path) -> Manifest:
    import openvino as ov
    from openvino._offline_transformations import apply_moc_transformations

    from edgeage.runtime.foreign import prepared_model

    model = prepared_model(manifest).model
    name, half = manifest.name, profile.precision == "FP16"
    if half:
        # Folds batch normalisation, whose variances may exceed what half precision holds.
        apply_moc_transformations(model, cf=True)
    ov.save_model(model, folder / f"{name}.xml", compress_to_fp16=half)
    compiled = manifest.with_files(folder, ir_xml=f"{name}.xml", ir_bin=f"{name}.bin")
    return dataclasses.replace(compiled, network_input=None)


def _write_onnx(manifest: Manifest, profile: Profile, folder: Path) -> Manifest:
    del profile
    name = f"{manifest.name}.onnx"
    (folder / name).write_bytes(taking_bytes(manifest))
    compiled = dataclasses.replace(manifest, network_input=NetworkInput("BGR", "NCHW"))
    return compiled.with_files(folder, onnx=name)


def _compared(compiled: Manifest, expected: Answers, found: Answers) -> dict[str, Any]:
    worst, means = 0.0, []
    for output in compiled.outputs:
        before = comparable(output, expected[output.name])
        after = comparable(output, found[output.name].reshape(before.shape))
        difference = np.nan_to_num(np.abs(after - before), nan=np.inf)
        worst = max(worst, float(difference.max()))
        means.append(float(difference.mean()))
    return {
        "max_difference": rounded(worst),
        "mean_difference": rounded(max(means)),
        "changed_decisions": _changed(compiled, expected, found) if np.isfinite(worst) else None,
    }


def _changed(manifest: Manifest, expected: Answers, found: Answers) -> int:
    """Count genders and age groups that are decided otherwise."""
    before, after = (
        decode_answers(
            [manifest],
            {o.task: rows[o.name].reshape(len(rows[o.name]), -1) for o in manifest.outputs},
        )
        for rows in (expected, found)
    )
    changed = 0
    if before.ages is not None and after.ages is not None:
        changed += int((before.ages.groups != after.ages.groups).sum())
    if before.genders is not None and after.genders is not None:
        changed += int((before.genders.genders != after.genders.genders).sum())
    return changed


def _within(profile: Profile, figures: dict[str, Any]) -> bool:
    return bool(
        figures["max_difference"] <= profile.max_difference
        and figures["mean_difference"] <= profile.mean_difference
    )


def _check(compiled: Manifest, profile: Profile, figures: dict[str, Any]) -> None:
    if not _within(profile, figures):
        raise ParityError(
            f"{compiled.name} for {profile.target} in {profile.precision} differs from the "
            f"imported network by up to {figures['max_difference']:.2g} (mean "
            f"{figures['mean_difference']:.2g}); {profile.max_difference:g} (mean "
            f"{profile.mean_difference:g}) is allowed; nothing was written"
        )
