"""Compile one trained network: build the graph, write it, prove that it agrees, describe it."""

from __future__ import annotations

import contextlib
import dataclasses
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from edgeage.compiler.graph import build_graph
from edgeage.compiler.parity import check_parity, parity_pictures
from edgeage.compiler.profiles import Profile, read_profile
from edgeage.errors import ModelError
from edgeage.paths import atomic_dir, sha256_file
from edgeage.runtime.openvino import OpenVINOBackend

if TYPE_CHECKING:
    from pathlib import Path

    from edgeage.compiler.sources import TrainedModel
    from edgeage.manifest import Manifest

__all__ = ["compile_model"]


def compile_model(
    trained: TrainedModel,
    folder: Path,
    *,
    target: str = "CPU",
    precision: str = "FP16",
    data: Path | None = None,
    overwrite: bool = False,
) -> Manifest:
    """Compile a trained network into ``folder / NAME`` after proving that it still agrees.

    Args:
        trained: what to compile; see :func:`edgeage.compiler.find_model`.
        folder: where the compiled model's own folder appears, whole or not at all.
        target: a target with a profile under ``compile/``.
        precision: ``"FP32"`` or ``"FP16"``.
        data: pictures for the parity check; see :func:`edgeage.compiler.parity.parity_pictures`.
        overwrite: replace a compiled model of that name.

    Returns:
        The compiled model's manifest, in place.

    Raises:
        UsageError: for an unknown target or precision.
        ModelError: when the network, its weights and its labels do not fit together.
        ParityError: when the compiled network is further from the trained one than the profile
            allows; nothing is written then.
        EdgeageError: when the folder is not empty and not ``overwrite``.
    """
    profile = read_profile(target, precision)
    manifest = trained.manifest
    place = folder / manifest.name
    with atomic_dir(place, overwrite=overwrite) as temporary:
        pictures = parity_pictures(data, manifest.input, manifest.task)
        compiled = _write(_graph(trained, profile), trained, profile, temporary)
        with contextlib.closing(OpenVINOBackend(profile.device).load(compiled)) as session:
            figures = check_parity(
                trained, lambda batch: session.infer(batch).probabilities, pictures, profile
            )
        compiled = dataclasses.replace(compiled, parity=figures)
        compiled.write(temporary / "model.json")
    return dataclasses.replace(compiled, folder=place)


def _graph(trained: TrainedModel, profile: Profile) -> Any:
    from edgeage import caffe

    manifest = trained.manifest
    graph = build_graph(
        caffe.filter_net(caffe.read_net(trained.prototxt), "TEST"),
        caffe.read_weights(trained.caffemodel),
        mean=trained.mean,
        scale=manifest.input.scale,
        output_name=manifest.output_name,
        half=profile.precision == "FP16",
    )
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
    import openvino as ov

    from edgeage import caffe

    name = trained.manifest.name
    ov.save_model(graph, folder / f"{name}.xml", compress_to_fp16=False)
    files = {"ir_xml": f"{name}.xml", "ir_bin": f"{name}.bin"}
    if trained.mean is not None:
        files["mean"] = "mean.npy"
        caffe.write_mean(folder / files["mean"], trained.mean)
    compiled = dataclasses.replace(
        trained.manifest,
        target=profile.target,
        precision=profile.precision,
        options=dict(profile.options),
        source={**trained.manifest.source, "compiled_from": _hashes(trained)},
        tools={**trained.manifest.tools, **_tools()},
    )
    return compiled.with_files(folder, **files)


def _hashes(trained: TrainedModel) -> dict[str, str]:
    return {
        "caffemodel_sha256": sha256_file(trained.caffemodel),
        "prototxt_sha256": sha256_file(trained.prototxt),
    }


def _tools() -> dict[str, str]:
    return {tool: version(tool) for tool in ("edgeage", "openvino")}
