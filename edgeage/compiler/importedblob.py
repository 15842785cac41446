"""An imported network for a Myriad X, and its ONNX file with bytes going in."""

from __future__ import annotations

import dataclasses
import math
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeage.errors import ModelError, require
from edgeage.movidius.blobs import compile_blob
from edgeage.movidius.jobs import run_job
from edgeage.runtime.backend import parted
from edgeage.runtime.core import openvino_core

if TYPE_CHECKING:
    from edgeage.compiler.profiles import Profile
    from edgeage.manifest import Manifest

__all__ = ["taking_bytes", "write_blob"]


def write_blob(
    manifest: Manifest, profile: Profile, toolchain: Any, folder: Path, batch: np.ndarray
) -> tuple[Manifest, dict[str, np.ndarray]]:
    """Write IR and blob with OpenVINO 2021.4, whose CPU answers for the stick.

    Args:
        manifest: the imported network's.
        profile: the target's.
        toolchain: the Movidius tools.
        folder: where the files go.
        batch: pictures to answer for: uint8 (n, 3, height, width), BGR.

    Returns:
        The manifest with files and blob, and by output name the answers. Of a network with several
        outputs the files have one, in which they stand beside one another; ``blob["values"]`` says
        how many values each has (:func:`edgeage.runtime.backend.values_of`).

    Raises:
        ModelError: when the network is no ONNX file, or its outputs go by other names.
        ToolchainError: when the tools fail.
    """
    assert profile.blob is not None
    xml, weights = folder / f"{manifest.name}.xml", folder / f"{manifest.name}.bin"
    with tempfile.TemporaryDirectory(prefix="edgeage-onnx-") as other:
        onnx = Path(other) / f"{manifest.name}.onnx"
        onnx.write_bytes(taking_bytes(manifest))
        made = Path(other) / "made.xml"
        request = {
            "onnx": str(onnx), "xml": str(made), "bin": str(made.with_suffix(".bin")),
            "shape": [3, *manifest.input.input_hw],
        }  # fmt: skip
        reply, _ = run_job(toolchain, "convert_onnx", request)
        values = _in_own_form(made, manifest, xml)
    asked = {"xml": str(xml), "bin": str(weights), "device": "CPU", "outputs": None}
    told, arrays = run_job(toolchain, "run_ir", asked, {"batch": batch})
    if len(told["outputs"]) != 1:
        raise ModelError(f"OpenVINO 2021.4 finds the outputs {told['outputs']}, expected one")
    place = folder / f"{manifest.name}.blob"
    info = compile_blob(toolchain, xml, weights, profile.blob, place)
    compiled = dataclasses.replace(
        manifest,
        tools={**manifest.tools, "movidius_openvino": str(reply["version"])},
        blob={**info.to_dict(), "options": dataclasses.asdict(profile.blob), "values": values},
    )
    files = {"ir_xml": xml.name, "ir_bin": weights.name, "blob": place.name}
    found = parted(compiled, arrays["blob_0"].reshape(len(batch), -1))
    return compiled.with_files(folder, **files), found


def _in_own_form(made: Path, manifest: Manifest, xml: Path) -> dict[str, int]:
    """Let an IR take bytes and answer in the manifest's order in one output, still in version 10.

    Returns:
        How many values of it are which of the manifest's outputs.
    """
    import openvino as ov
    from openvino import opset1
    from openvino.preprocess import PrePostProcessor

    from edgeage.runtime.foreign import names_of

    whole = openvino_core().read_model(made)
    ends = {name: port.get_node() for port in whole.outputs for name in names_of(port)}
    results = [ends[output.name] for output in manifest.outputs]
    values = {
        output.name: math.prod(result.input(0).get_shape())
        for output, result in zip(manifest.outputs, results, strict=True)
    }
    if len(results) > 1:
        sources = [result.input_value(0) for result in results]
        flat = [opset1.reshape(source, [1, -1], special_zero=False) for source in sources]
        results = [opset1.result(opset1.concat(flat, axis=1, name="answers"))]
    steps = PrePostProcessor(ov.Model(results, whole.get_parameters(), manifest.name))
    steps.input().tensor().set_element_type(ov.Type.u8)
    ov.serialize(steps.build(), xml, xml.with_suffix(".bin"), "IR_V10")
    return values


def taking_bytes(manifest: Manifest) -> bytes:
    """Return the network's ONNX with a convolution of 1×1 in front that prepares BGR bytes.

    It puts the channels in order, subtracts the mean and divides: what the chip does best. A
    network that takes such bytes as they are stays as it is.

    Raises:
        ModelError: when it is no ONNX file, or takes another layout.
        MissingDependencyError: without the package onnx.
    """
    onnx: Any = require("onnx", extra="zoo", purpose="prepare an ONNX file")
    takes = manifest.network_input
    assert takes is not None
    if "onnx" not in manifest.files:
        raise ModelError(f"{manifest.name} is an IR; this target is compiled from an ONNX file")
    if takes.layout == "NHWC":
        raise ModelError(f"{manifest.name} takes NHWC; this target is compiled from NCHW only")
    if takes.takes_bytes and takes.channel_order == "BGR":
        return manifest.file("onnx").read_bytes()
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
