"""Somebody else's network in edgeage's own form: bytes in BGR go in, one array an output comes out.

OpenVINO's preprocessing puts what a :class:`edgeage.networkinput.NetworkInput` says into the
graph, so that it is compiled and runs on the device with the rest.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import openvino as ov
from openvino.frontend import (
    FrontEndManager,
    GeneralFailure,
    NotImplementedFailure,
    OpConversionFailure,
    OpValidationFailure,
)
from openvino.preprocess import PrePostProcessor

from edgeage.errors import ModelError, did_you_mean
from edgeage.runtime.core import openvino_core
from edgeage.runtime.openvino import translated

if TYPE_CHECKING:
    from pathlib import Path

    from edgeage.manifest import Manifest
    from edgeage.networkinput import NetworkInput

__all__ = ["Prepared", "names_of", "prepared_model", "read_network"]

_CHANNELS = 3
_READING_FAILED = (
    *(GeneralFailure, NotImplementedFailure, OpConversionFailure, OpValidationFailure),
)


@dataclasses.dataclass(frozen=True)
class Prepared:
    """A network ready to be compiled.

    Attributes:
        model: OpenVINO's model: uint8 (n, 3, height, width) in BGR to float32, its outputs in the
            order of the manifest's.
        takes_batches: whether n may be more than 1.
    """

    model: Any
    takes_batches: bool


def prepared_model(manifest: Manifest) -> Prepared:
    """Read somebody else's network and bring it into edgeage's own form.

    Args:
        manifest: says what the network takes and what its outputs mean.

    Raises:
        ModelError: when a file is missing, changed or no network, or the network is not what its
            manifest says.
    """
    takes_batches = True
    model = _in_own_form(manifest)
    if not _reshaped(model, manifest, 2):
        takes_batches = False
        model = _in_own_form(manifest)
    if not _reshaped(model, manifest, 1):
        height, width = manifest.input.input_hw
        raise ModelError(
            f"{manifest.name} cannot be given one picture of {height}×{width} pixels; check the "
            f"size in its manifest"
        )
    _check_sizes(model, manifest)
    return Prepared(model, takes_batches)


def read_network(network: Path, weights: Path | None = None) -> Any:
    """Read an IR or ONNX file.

    Raises:
        ModelError: when it is no network.
    """
    with translated(f"read {network}", ModelError):
        if network.suffix == ".onnx":
            model = _read_onnx(network)
        else:
            files = (network, weights) if weights else (network,)
            model = openvino_core().read_model(*files)
    if not model.inputs or not model.outputs:
        raise ModelError(f"cannot read {network}: it holds no network")
    return model


def _read_onnx(network: Path) -> Any:
    """Read it as ONNX and nothing else.

    Left to choose, OpenVINO tries every reader it has on a file that is none, and those of other
    frameworks complain on stderr.
    """
    reader = FrontEndManager().load_by_framework("onnx")
    try:
        return reader.convert(reader.load(str(network)))
    except _READING_FAILED as error:
        raise RuntimeError(str(error)) from error


def names_of(port: Any) -> list[str]:
    """Return every name an input or output goes by: its tensor's, then its operation's.

    A file of an OpenVINO before 2022 names operations only.
    """
    node = port.get_node()
    if node.get_type_name() == "Result":
        node = node.input_value(0).get_node()
    names = [*sorted(port.get_names()), node.get_friendly_name()]
    return list(dict.fromkeys(names))


def _in_own_form(manifest: Manifest) -> Any:
    takes = manifest.network_input
    assert takes is not None
    if "onnx" in manifest.files:
        whole = read_network(manifest.file("onnx"))
    else:
        whole = read_network(manifest.file("ir_xml"), manifest.file("ir_bin"))
    port = _only_input(whole, manifest)
    layout = _layout(port, manifest, takes)
    results = [_output(whole, manifest, output.name).get_node() for output in manifest.outputs]
    with translated(f"prepare {manifest.name}", ModelError):
        model = ov.Model(results, whole.get_parameters(), manifest.name)
        return _with_preparation(model, takes, layout, port.get_element_type())


def _with_preparation(model: Any, takes: NetworkInput, layout: str, element_type: Any) -> Any:
    steps = PrePostProcessor(model)
    steps.input().tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NCHW"))
    steps.input().model().set_layout(ov.Layout(layout))
    preparation = steps.input().preprocess()
    if takes.channel_order == "RGB":
        preparation.reverse_channels()
    if not takes.takes_bytes:
        mean, scale = takes.mean_scale
        preparation.convert_element_type(ov.Type.f32).mean(list(mean)).scale(list(scale))
    preparation.convert_element_type(element_type)
    for place in range(len(model.outputs)):
        steps.output(place).tensor().set_element_type(ov.Type.f32)
    return steps.build()


def _only_input(model: Any, manifest: Manifest) -> Any:
    """Return the network's input; refuse one that is no picture or not the only one."""
    names = [names_of(port) for port in model.inputs]
    shown = ", ".join(own[0] for own in names)
    if len(names) != 1:
        raise ModelError(f"{manifest.name} takes {len(names)} inputs ({shown}), expected one")
    wanted = manifest.input_name
    if wanted and wanted not in names[0]:
        hint = did_you_mean(wanted, names[0])
        raise ModelError(f"expected input «{wanted}»; the network has {shown}{hint}")
    return model.inputs[0]


def _layout(port: Any, manifest: Manifest, takes: NetworkInput) -> str:
    """Return the layout of the network's input, and check its shape and element type by it."""
    shape = port.get_partial_shape()
    found = _shown(shape)
    height, width = manifest.input.input_hw
    if takes.layout:
        fitting = [takes.layout]
    else:
        fitting = [name for name in ("NCHW", "NHWC") if _fits(shape, name, None)]
    if len(fitting) != 1 or not _fits(shape, fitting[0], (height, width)):
        layout = takes.layout or "NCHW or NHWC"
        raise ModelError(
            f"expected {manifest.name} to take one picture of {height}×{width} pixels in 3 "
            f"channels, {layout}; the network takes {found}; put right size or layout"
        )
    element_type = port.get_element_type()
    if not element_type.is_real() and element_type != ov.Type.u8:
        found = element_type.get_type_name()
        raise ModelError(f"{manifest.name} takes {found}, expected floating point or u8")
    if element_type == ov.Type.u8 and not takes.takes_bytes:
        raise ModelError(
            f"{manifest.name} takes bytes and so prepares them itself; leave out mean, std and "
            f"pixel_range"
        )
    return fitting[0]


def _fits(shape: Any, layout: str, input_hw: tuple[int, int] | None) -> bool:
    if shape.rank.is_dynamic:
        return True
    wanted = {"C": _CHANNELS}
    if input_hw:
        wanted |= dict(zip("HW", input_hw, strict=True))
    return len(shape) == len(layout) and all(
        shape[layout.index(name)].compatible(ov.Dimension(side)) for name, side in wanted.items()
    )


def _output(model: Any, manifest: Manifest, wanted: str) -> Any:
    for port in model.outputs:
        if wanted in names_of(port):
            return port
    names = [name for port in model.outputs for name in names_of(port)]
    expected = ", ".join(output.name for output in manifest.outputs)
    there = ", ".join(names_of(port)[0] for port in model.outputs)
    raise ModelError(
        f"expected outputs {expected} of {manifest.name}; the network has {there}"
        f"{did_you_mean(wanted, names)}"
    )


def _reshaped(model: Any, manifest: Manifest, count: int) -> bool:
    """Fix the network's batch, and say whether every output then has a row a picture."""
    try:
        model.reshape([count, _CHANNELS, *manifest.input.input_hw])
    except RuntimeError:
        return False
    shapes = [port.get_partial_shape() for port in model.outputs]
    return count == 1 or all(
        shape.rank.is_static and len(shape) > 0 and shape[0] == ov.Dimension(count)
        for shape in shapes
    )


def _check_sizes(model: Any, manifest: Manifest) -> None:
    """Refuse an output with another number of values than its meaning has."""
    for port, output in zip(model.outputs, manifest.outputs, strict=True):
        shape = port.get_partial_shape()
        if shape.is_dynamic:
            raise ModelError(f"output «{output.name}» of {manifest.name} has no fixed shape")
        if output.size not in (None, size := math.prod(shape.to_shape())):
            raise ModelError(
                f"output «{output.name}» of {manifest.name} has {size} values a face, "
                f"{output.task} by {output.kind} has {output.size}"
            )


def _shown(shape: Any) -> str:
    return "×".join(str(side) for side in shape) if shape.rank.is_static else "any shape"
