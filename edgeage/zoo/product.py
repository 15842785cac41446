"""The model folder a network of the zoo becomes: an ONNX file that is proved, and its manifest."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeage.answers import comparable
from edgeage.errors import ParityError
from edgeage.manifest import Manifest
from edgeage.paths import atomic_dir
from edgeage.runtime.core import openvino_core
from edgeage.zoo.backend import backend_tools
from edgeage.zoo.export import INPUT_NAME, write_onnx

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from edgeage.zoo.network import ZooNetwork

__all__ = ["TOLERANCE", "write_product"]

TOLERANCE = 1e-3
"""Largest difference between Keras and OpenVINO, in single precision: of a probability, or of an
age in hundreds of years."""


def write_product(
    network: ZooNetwork,
    folder: Path,
    faces: np.ndarray,
    origin: str,
    *,
    source: Mapping[str, Any],
    overwrite: bool = False,
) -> Manifest:
    """Write a network as ONNX with its manifest, after proving that OpenVINO answers as Keras.

    Args:
        network: what to write.
        folder: gets ``NAME.onnx`` and ``model.json``, whole or not at all.
        faces: what to compare on: uint8 (n, 3, height, width), BGR.
        origin: where these come from, for the manifest.
        source: where the weights come from, likewise.
        overwrite: replace a folder that is there.

    Returns:
        The manifest, in place.

    Raises:
        ParityError: when OpenVINO's answers differ by more than :data:`TOLERANCE`.
        UnsupportedLayerError: for a layer that has no form in ONNX here.
        EdgeageError: when the folder is not empty and not ``overwrite``.
    """
    with atomic_dir(folder, overwrite=overwrite) as temporary:
        path = temporary / f"{network.name}.onnx"
        write_onnx(network, path)
        manifest = Manifest(
            network.name,
            network.spec,
            network.outputs,
            network_input=network.takes,
            input_name=INPUT_NAME,
            source=dict(source),
            tools={**backend_tools(), **{tool: version(tool) for tool in ("edgeage", "onnx")}},
            parity=_compared(network, path, faces, origin),
        ).with_files(temporary, onnx=path.name)
        manifest.write(temporary / "model.json")
    return Manifest.read(folder / "model.json")


def _compared(network: ZooNetwork, path: Path, faces: np.ndarray, origin: str) -> dict[str, Any]:
    expected = network.predict(faces)
    found = _openvino_answers(path, network.prepared(faces).transpose(0, 3, 1, 2))
    differences = {
        output.name: np.abs(
            comparable(output, found[output.name]) - comparable(output, expected[output.name])
        ).max()
        for output in network.outputs
    }
    worst = max(differences, key=lambda name: np.nan_to_num(differences[name], nan=np.inf))
    # «not ≤» rather than «>» so that NaN fails.
    if not differences[worst] <= TOLERANCE:
        raise ParityError(
            f"{network.name}: output «{worst}» of the ONNX file differs from Keras by "
            f"{differences[worst]:.2g} on {len(faces)} pictures; {TOLERANCE:g} is allowed; "
            "nothing was written"
        )
    tools = backend_tools()
    return {
        "reference": " on ".join(f"{name} {number}" for name, number in tools.items()),
        "pictures": len(faces),
        "origin": origin,
        "max_difference": float(f"{max(differences.values()):.3g}"),
        "max_allowed": TOLERANCE,
        "device": "CPU",
    }


def _openvino_answers(path: Path, batch: np.ndarray) -> dict[str, np.ndarray]:
    core = openvino_core()
    model = core.read_model(path)
    names = [output.get_any_name() for output in model.outputs]
    compiled = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    rows = [[np.array(part) for part in compiled([row[None]]).values()] for row in batch]
    return {
        name: np.concatenate(parts)
        for name, parts in zip(names, zip(*rows, strict=True), strict=True)
    }
