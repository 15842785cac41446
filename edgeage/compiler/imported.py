"""Compile an imported network: bytes in BGR go in, and the answers stay what they were."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeage.compiler.compile import chosen_profile
from edgeage.compiler.parity import parity_device, parity_pictures, rounded
from edgeage.errors import ModelError, ParityError, UsageError, require
from edgeage.manifest import Manifest
from edgeage.modelfiles import has_weights, ready_models
from edgeage.movidius.blobs import compile_blob
from edgeage.movidius.jobs import run_job
from edgeage.movidius.toolchain import find_toolchain
from edgeage.paths import atomic_dir, models_dir, sha256_file
from edgeage.runtime.core import openvino_core
from edgeage.runtime.openvino import OpenVINOBackend
from edgeage.runtime.options import RuntimeOptions

if TYPE_CHECKING:
    from edgeage.compiler.parity import Pictures
    from edgeage.compiler.profiles import Profile

__all__ = ["compile_imported", "find_imported"]

Answers = dict[str, np.ndarray]


def find_imported(model: str | Path) -> Manifest | None:
    """Return the manifest of an imported network, or None when this is no such thing.

    Args:
        model: its folder, its ``model.json``, or its name (:func:`edgeage.paths.models_dir`),
            which may also be that of a network that comes with edgeage and its weights.

    Raises:
        ModelError: when its manifest cannot be read.
    """
    path = Path(model)
    for place in (path, path / "model.json", models_dir() / path / "model.json"):
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
    precision: str = "FP16",
    data: Path | None = None,
    overwrite: bool = False,
    **chip: Any,
) -> Manifest:
    """Compile an imported network into ``folder / NAME`` after proving that it still agrees.

    Args:
        manifest: the network's, from :func:`find_imported`.
        folder: where the compiled model's own folder appears, whole or not at all.
        target: as for :func:`edgeage.compiler.compile_model`.
        precision: ``"FP32"`` or ``"FP16"``.
        data: pictures for the check; see :func:`edgeage.compiler.parity.parity_pictures`.
        overwrite: replace a compiled model of that name.
        chip: ``shaves``, ``cmx_slices`` and ``hw``, as for
            :func:`edgeage.compiler.compile_model`.

    Returns:
        The compiled model's manifest, in place.

    Raises:
        UsageError: for an unknown target or precision, or INT8.
        ModelError: when a file is missing or not what its manifest says.
        ParityError: when the answers differ by more than the target's profile allows, an age
            counted in hundreds of years.
        ToolchainError: when a blob is wanted and the Movidius tools are missing or fail.
    """
    profile = chosen_profile(target, precision, **chip)
    if profile.precision == "INT8":
        raise UsageError("an imported network is compiled in FP32 or FP16, not yet in INT8")
    toolchain = None if profile.blob is None else find_toolchain()
    pictures = parity_pictures(data, manifest.input, manifest.tasks[0])
    exact = dataclasses.replace(manifest, options={"INFERENCE_PRECISION_HINT": "f32"})
    expected = _answers(exact, "CPU", pictures)
    with atomic_dir(folder / manifest.name, overwrite=overwrite) as temporary:
        if toolchain is None:
            compiled = _write_ir(manifest, profile, temporary)
            device = parity_device(profile.device)
            found = _answers(compiled, device, pictures)
        else:
            compiled, found = _write_blob(manifest, profile, toolchain, temporary, pictures)
            device = "CPU"
        figures = _compared(compiled, profile, expected, found, pictures)
        compiled = dataclasses.replace(compiled, parity={**figures, "device": device})
        compiled.write(temporary / "model.json")
    return dataclasses.replace(compiled, folder=folder / manifest.name)


def _answers(manifest: Manifest, device: str, pictures: Pictures) -> Answers:
    backend = OpenVINOBackend(device, RuntimeOptions(cache=False))
    with contextlib.closing(backend.load(manifest)) as session:
        return dict(session.infer(pictures.batch).outputs)


def _described(manifest: Manifest, profile: Profile, **tools: str) -> Manifest:
    role = "onnx" if "onnx" in manifest.files else "ir_xml"
    hashed = {f"{role}_sha256": sha256_file(manifest.file(role))}
    here = {tool: version(tool) for tool in ("edgeage", "openvino")}
    return dataclasses.replace(
        manifest,
        network_input=None,
        target=profile.target,
        precision=profile.precision,
        options=dict(profile.options),
        source={**manifest.source, "compiled_from": hashed},
        tools={**manifest.tools, **here, **tools},
    )


def _write_ir(manifest: Manifest, profile: Profile, folder: Path) -> Manifest:
    import openvino as ov

    from edgeage.runtime.foreign import prepared_model

    model = prepared_model(manifest).model
    name = manifest.name
    ov.save_model(model, folder / f"{name}.xml", compress_to_fp16=profile.precision == "FP16")
    compiled = _described(manifest, profile)
    return compiled.with_files(folder, ir_xml=f"{name}.xml", ir_bin=f"{name}.bin")


def _write_blob(
    manifest: Manifest, profile: Profile, toolchain: Any, folder: Path, pictures: Pictures
) -> tuple[Manifest, Answers]:
    """Write IR and blob with OpenVINO 2021.4; its CPU answers for the stick."""
    assert profile.blob is not None
    xml, weights = folder / f"{manifest.name}.xml", folder / f"{manifest.name}.bin"
    with tempfile.TemporaryDirectory(prefix="edgeage-onnx-") as other:
        onnx = Path(other) / f"{manifest.name}.onnx"
        onnx.write_bytes(_taking_bytes(manifest))
        made = Path(other) / "made.xml"
        request = {
            "onnx": str(onnx), "xml": str(made), "bin": str(made.with_suffix(".bin")),
            "shape": [3, *manifest.input.input_hw],
        }  # fmt: skip
        reply, _ = run_job(toolchain, "convert_onnx", request)
        _in_own_form(made, manifest, xml)
    names = [output.name for output in manifest.outputs]
    asked = {"xml": str(xml), "bin": str(weights), "device": "CPU", "outputs": None}
    told, arrays = run_job(toolchain, "run_ir", asked, {"batch": pictures.batch})
    found = {name: arrays[f"blob_{place}"] for place, name in enumerate(told["outputs"])}
    if missing := [name for name in names if name not in found]:
        raise ModelError(f"OpenVINO 2021.4 calls the outputs {list(found)}, expected {missing}")
    place = folder / f"{manifest.name}.blob"
    info = compile_blob(toolchain, xml, weights, profile.blob, place)
    compiled = dataclasses.replace(
        _described(manifest, profile, movidius_openvino=str(reply["version"])),
        blob={**info.to_dict(), "options": dataclasses.asdict(profile.blob)},
    )
    files = {"ir_xml": xml.name, "ir_bin": weights.name, "blob": place.name}
    return compiled.with_files(folder, **files), {name: found[name] for name in names}


def _in_own_form(made: Path, manifest: Manifest, xml: Path) -> None:
    """Let an IR take bytes and answer in the manifest's order, still in version 10."""
    import openvino as ov
    from openvino.preprocess import PrePostProcessor

    from edgeage.runtime.foreign import names_of

    whole = openvino_core().read_model(made)
    ends = {name: port.get_node() for port in whole.outputs for name in names_of(port)}
    results = [ends[output.name] for output in manifest.outputs]
    steps = PrePostProcessor(ov.Model(results, whole.get_parameters(), manifest.name))
    steps.input().tensor().set_element_type(ov.Type.u8)
    ov.serialize(steps.build(), xml, xml.with_suffix(".bin"), "IR_V10")


def _taking_bytes(manifest: Manifest) -> bytes:
    """Return the network's ONNX with a convolution of 1×1 in front that prepares BGR bytes.

    It puts the channels in order, subtracts the mean and divides: what the chip does best.
    """
    onnx: Any = require("onnx", extra="zoo", purpose="compile a blob")
    takes = manifest.network_input
    assert takes is not None
    if takes.layout == "NHWC":
        raise ModelError(f"{manifest.name} takes NHWC; a blob is made of NCHW networks only")
    model = onnx.load(manifest.file("onnx"))
    graph, name = model.graph, model.graph.input[0].name
    mean, std = (np.asarray(part, np.float32) for part in takes.mean_scale)
    order = np.eye(3, dtype=np.float32)
    kernel = (order if takes.channel_order == "BGR" else order[::-1]) / std[:, None]
    arrays = {"edgeage/kernel": kernel.reshape(3, 3, 1, 1), "edgeage/bias": -mean / std}
    for node in graph.node:
        node.input[:] = ["edgeage/prepared" if value == name else value for value in node.input]
    graph.initializer.extend(
        onnx.numpy_helper.from_array(np.ascontiguousarray(array, np.float32), key)
        for key, array in arrays.items()
    )
    first = onnx.helper.make_node(
        "Conv", [name, *arrays], ["edgeage/prepared"], name="edgeage/prepare", kernel_shape=[1, 1]
    )
    graph.node.insert(0, first)
    return bytes(model.SerializeToString())


def _compared(
    compiled: Manifest, profile: Profile, expected: Answers, found: Answers, pictures: Pictures
) -> dict[str, Any]:
    worst, total, changed = 0.0, [], 0
    for output in compiled.outputs:
        before, after = expected[output.name], found[output.name].reshape(len(pictures.batch), -1)
        before = before.reshape(after.shape).astype(np.float64)
        unit = abs(output.factor) / 100 if output.kind == "years" else 1.0
        difference = np.abs(after - before) * unit
        worst = max(worst, float(np.nan_to_num(difference, nan=np.inf).max()))
        total.append(float(difference.mean()))
        if output.kind in ("classes", "distribution"):
            changed += int((after.argmax(axis=1) != before.argmax(axis=1)).sum())
    if not (worst <= profile.max_difference and max(total) <= profile.mean_difference):
        raise ParityError(
            f"{compiled.name} for {profile.target} in {profile.precision} differs from the "
            f"imported network by up to {worst:.2g} (mean {max(total):.2g}); "
            f"{profile.max_difference:g} (mean {profile.mean_difference:g}) is allowed; nothing "
            "was written"
        )
    return {
        "reference": "the imported network in FP32 on OpenVINO's CPU",
        "pictures": len(pictures.batch),
        "origin": pictures.origin,
        "max_difference": rounded(worst),
        "mean_difference": rounded(max(total)),
        "changed_decisions": changed,
        "max_allowed": profile.max_difference,
        "mean_allowed": profile.mean_difference,
    }
