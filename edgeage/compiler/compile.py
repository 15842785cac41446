"""Compile one trained network: build the graph, write it, prove that it agrees, describe it."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeage.compiler.calibration import read_split
from edgeage.compiler.graph import build_graph
from edgeage.compiler.int8 import Int8Options, check_accuracy, quantise_graph
from edgeage.compiler.movidius import check_and_add_blob, half_figures
from edgeage.compiler.parity import Pictures, check_parity, parity_device, parity_pictures
from edgeage.compiler.profiles import Profile, read_profile
from edgeage.compiler.quantise import require_nncf
from edgeage.compiler.references import opencv_reference
from edgeage.errors import ModelError, UsageError
from edgeage.movidius.toolchain import find_toolchain
from edgeage.networkinput import NetworkInput
from edgeage.paths import atomic_dir, sha256_file
from edgeage.runtime.openvino import OpenVINOBackend
from edgeage.runtime.options import RuntimeOptions

if TYPE_CHECKING:
    from edgeage.compiler.sources import TrainedModel
    from edgeage.manifest import Manifest

__all__ = ["check_int8", "chosen_profile", "compile_model", "trained_graph"]


def compile_model(
    trained: TrainedModel,
    folder: Path,
    *,
    target: str = "CPU",
    precision: str | None = None,
    data: Path | None = None,
    overwrite: bool = False,
    shaves: int | None = None,
    cmx_slices: int | None = None,
    hw: bool | None = None,
    int8: Int8Options | None = None,
) -> Manifest:
    """Compile a trained network into ``folder / NAME`` after proving that it still agrees.

    Args:
        trained: what to compile; see :func:`edgeage.compiler.find_model`.
        folder: where the compiled model's own folder appears, whole or not at all.
        target: a target with a profile under ``compile/``.
        precision: ``"FP32"``, ``"FP16"`` or ``"INT8"``, as far as the target's profile has them;
            None for FP16, or FP32 for the target ONNX.
        data: pictures for the parity check; see :func:`edgeage.compiler.parity.parity_pictures`.
            INT8 needs a built data set: it is calibrated on faces of its training LMDB and
            measured on all of its test LMDB.
        overwrite: replace a compiled model of that name.
        shaves: for a Myriad X, instead of the profile's; see
            :class:`edgeage.movidius.blobs.BlobOptions`.
        cmx_slices: likewise.
        hw: likewise.
        int8: how to quantise; None for the defaults of :class:`edgeage.compiler.Int8Options`.

    Returns:
        The compiled model's manifest, in place.

    Raises:
        UsageError: for an unknown target or precision, options of a blob that are out of range
            or for a target without one, options of INT8 in another precision, or INT8 without
            ``data``.
        MissingDependencyError: when INT8 is wanted and NNCF is not installed.
        DatasetError: when the data set is missing, incomplete or of another task.
        ModelError: when the network, its weights and its labels do not fit together.
        ParityError: when the compiled network is further from the trained one, or loses more
            accuracy, than the profile allows; nothing is written then.
        ToolchainError: when a blob is wanted and the Movidius tools are missing or fail.
        EdgeageError: when the folder is not empty and not ``overwrite``.

    Source:
        OpenVINO's IR of version 10, which every OpenVINO since 2020.4 reads; ONNX of operator
        set 11.
    """
    profile = chosen_profile(target, precision, shaves=shaves, cmx_slices=cmx_slices, hw=hw)
    toolchain = None if profile.blob is None else find_toolchain()
    check_int8(profile, data, int8)
    manifest = trained.manifest
    place = folder / manifest.name
    with atomic_dir(place, overwrite=overwrite) as temporary:
        if profile.precision == "INT8":
            assert data is not None
            compiled = _quantised(trained, profile, data, int8 or Int8Options(), temporary)
        else:
            pictures = parity_pictures(data, manifest.input, manifest.task)
            compiled = _write(_graph(trained, profile), trained, profile, temporary)
            if toolchain is None:
                compiled = _checked(trained, compiled, pictures, profile)
            else:
                compiled = check_and_add_blob(trained, compiled, pictures, profile, toolchain)
        compiled.write(temporary / "model.json")
    return dataclasses.replace(compiled, folder=place)


def chosen_profile(
    target: str,
    precision: str | None,
    *,
    shaves: int | None = None,
    cmx_slices: int | None = None,
    hw: bool | None = None,
) -> Profile:
    """Read a profile and put the user's choices of how a blob is compiled into it.

    Raises:
        UsageError: as :func:`compile_model`.
    """
    profile = read_profile(target, precision)
    if shaves is cmx_slices is hw is None:
        return profile
    if profile.blob is None:
        raise UsageError(
            f"SHAVEs, CMX slices and hardware stages are of a Myriad X; target {profile.target} "
            "has none"
        )
    return dataclasses.replace(profile, blob=profile.blob.chosen(shaves, cmx_slices, hw))


def _checked(
    trained: TrainedModel, compiled: Manifest, pictures: Pictures, profile: Profile
) -> Manifest:
    """Compare on the target, or, where that is not here, on the CPU."""
    reference = opencv_reference(trained, pictures.batch)
    backend = OpenVINOBackend(parity_device(profile.device), RuntimeOptions(cache=False))
    with contextlib.closing(backend.load(compiled)) as session:
        figures = check_parity(
            trained, lambda batch: session.infer(batch).probabilities, pictures, profile, reference
        )
    figures["device"] = backend.device
    if profile.device != "CPU" and profile.precision == "FP16":
        figures["half"] = half_figures(trained, pictures, reference, lrn_scale=profile.lrn_scale)
    return dataclasses.replace(compiled, parity=figures)


def check_int8(profile: Profile, data: Path | None, options: Int8Options | None) -> None:
    """Refuse what INT8 lacks, or another precision does not have, before anything takes time.

    Raises:
        UsageError: for INT8 without a data set, or options of INT8 in another precision.
        MissingDependencyError: when INT8 is wanted and NNCF is not installed.
    """
    if profile.precision != "INT8":
        if options is not None:
            raise UsageError(
                f"calibration and accuracy are of INT8, and this is {profile.precision}"
            )
        return
    if data is None:
        raise UsageError(
            "INT8 is calibrated and measured on real faces; give a built data set's folder with "
            "--data (edgeage dataset build makes one)"
        )
    require_nncf()


def _quantised(
    trained: TrainedModel, profile: Profile, data: Path, options: Int8Options, folder: Path
) -> Manifest:
    """Quantise, write, and compare with the same network in FP32, itself proved by parity."""
    manifest = trained.manifest
    split = read_split(data, manifest, options.calibration, control=options.accuracy_control)
    pictures = parity_pictures(data, manifest.input, manifest.task)
    with tempfile.TemporaryDirectory(prefix="edgeage-fp32-") as other:
        exact = compile_model(trained, Path(other), precision="FP32", data=data)
        made = quantise_graph(_graph(trained, profile), split, profile, options, pictures.batch)
        compiled = _write(made.graph, trained, profile, folder)
        figures = check_accuracy(exact, compiled, made, profile, options)
    tools = {**compiled.tools, "nncf": version("nncf")}
    return dataclasses.replace(compiled, parity=figures, tools=tools)


def trained_graph(trained: TrainedModel, profile: Profile) -> Any:
    """Build a trained network's graph as a profile wants it.

    Returns:
        ``openvino.Model``; see :func:`edgeage.compiler.graph.build_graph`.

    Raises:
        ModelError: when the network and its weights do not fit together.
    """
    from edgeage import caffe

    return build_graph(
        caffe.filter_net(caffe.read_net(trained.prototxt), "TEST"),
        caffe.read_weights(trained.caffemodel),
        mean=trained.mean,
        scale=trained.manifest.input.scale,
        output_name=trained.manifest.output_name,
        half=profile.precision == "FP16",
        lrn_scale=profile.lrn_scale,
    )


def _graph(trained: TrainedModel, profile: Profile) -> Any:
    manifest = trained.manifest
    graph = trained_graph(trained, profile)
    _check_ends(graph, manifest, trained.prototxt)
    for key, value in _essentials(manifest, profile).items():
        graph.set_rt_info(value, ["edgeage", key])
    return graph


def _check_ends(graph: Any, manifest: Manifest, prototxt: Path) -> None:
    found_hw = tuple(graph.input(0).get_shape())[2:]
    if found_hw != manifest.input.input_hw:
        raise ModelError(
            f"{prototxt} takes pictures of {found_hw}, the manifest says {manifest.input.input_hw}"
        )
    labels = graph.output(0).get_shape()[1]
    if labels != len(manifest.labels):
        raise ModelError(
            f"{prototxt} answers {labels} values, task «{manifest.task}» has "
            f"{len(manifest.labels)} labels"
        )


def _essentials(manifest: Manifest, profile: Profile) -> dict[str, str]:
    return {
        "name": manifest.name,
        "task": manifest.task,
        "labels": " ".join(manifest.labels),
        "channel_order": manifest.input.channel_order,
        "mean_sha256": manifest.input.mean_sha256 or "",
        "precision": profile.precision,
        "version": version("edgeage"),
    }


def _write(graph: Any, trained: TrainedModel, profile: Profile, folder: Path) -> Manifest:
    if profile.is_onnx:
        return _write_onnx(graph, trained, profile, folder)
    import openvino as ov

    from edgeage import caffe

    name = trained.manifest.name
    # The version of the format that every OpenVINO since 2020.4 reads.
    ov.serialize(graph, folder / f"{name}.xml", folder / f"{name}.bin", "IR_V10")
    files = {"ir_xml": f"{name}.xml", "ir_bin": f"{name}.bin"}
    if trained.mean is not None:
        files["mean"] = "mean.npy"
        caffe.write_mean(folder / files["mean"], trained.mean)
    return _described(trained, profile).with_files(folder, **files)


def _write_onnx(graph: Any, trained: TrainedModel, profile: Profile, folder: Path) -> Manifest:
    """Write a file that others run too; its manifest says of it what theirs say of others'."""
    from edgeage.compiler.onnxnet import onnx_of

    name = f"{trained.manifest.name}.onnx"
    (folder / name).write_bytes(onnx_of(graph))
    compiled = dataclasses.replace(
        _described(trained, profile),
        input=dataclasses.replace(trained.manifest.input, mean="none", mean_sha256=None, scale=1.0),
        network_input=NetworkInput("BGR", "NCHW"),
    )
    return compiled.with_files(folder, onnx=name)


def _described(trained: TrainedModel, profile: Profile) -> Manifest:
    return dataclasses.replace(
        trained.manifest,
        target=profile.target,
        precision=profile.precision,
        options=dict(profile.options),
        source={**trained.manifest.source, "compiled_from": _hashes(trained)},
        tools={**trained.manifest.tools, **_tools()},
    )


def _hashes(trained: TrainedModel) -> dict[str, str]:
    return {
        "caffemodel_sha256": sha256_file(trained.caffemodel),
        "prototxt_sha256": sha256_file(trained.prototxt),
    }


def _tools() -> dict[str, str]:
    return {tool: version(tool) for tool in ("edgeage", "openvino")}
