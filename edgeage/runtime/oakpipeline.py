"""The pipeline an OAK runs, what its blobs must be like, and what its answers mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edgeage.errors import DeviceError, DeviceVersionError, ModelError
from edgeage.runtime.backend import values_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from edgeage.manifest import Manifest

__all__ = ["IN_FLIGHT", "build_pipeline", "check_blob", "probabilities", "streams"]

IN_FLIGHT = 4
"""Pictures on their way to one network at once: two being run, two waiting."""

_SHAVES = 16
_THREADS = 2
_FLOATS: dict[str, np.dtype[Any]] = {"FP16": np.dtype("<f2"), "FP32": np.dtype("<f4")}


def streams(key: str) -> tuple[str, str]:
    """Return the names of the streams that carry one network's pictures and answers."""
    return f"{key}-in", f"{key}-out"


def build_pipeline(depthai: Any, blobs: Mapping[str, Path]) -> Any:
    """Build a pipeline that runs networks side by side: XLinkIn → NeuralNetwork → XLinkOut each.

    Two threads run a network, as the chip has two of the engines for convolutions; only one does
    where two would take more than the chip's 16 SHAVEs. Networks take turns on the same SHAVEs.

    Args:
        depthai: the module.
        blobs: the networks' blobs, by the keys that name their :func:`streams`.

    Raises:
        RuntimeError: when depthai refuses a blob.
    """
    pipeline = depthai.Pipeline()
    for key, path in blobs.items():
        into, out_of = streams(key)
        blob = depthai.OpenVINO.Blob(path)
        source = pipeline.create(depthai.node.XLinkIn)
        source.setStreamName(into)
        source.setMaxDataSize(max(_size(info) for info in blob.networkInputs.values()))
        source.setNumFrames(IN_FLIGHT)
        network = pipeline.create(depthai.node.NeuralNetwork)
        network.setBlob(blob)
        network.setNumInferenceThreads(_THREADS if blob.numShaves * _THREADS <= _SHAVES else 1)
        network.setNumPoolFrames(IN_FLIGHT)
        network.input.setBlocking(True)
        network.input.setQueueSize(IN_FLIGHT)
        sink = pipeline.create(depthai.node.XLinkOut)
        sink.setStreamName(out_of)
        source.out.link(network.input)
        network.out.link(sink.input)
    return pipeline


def check_blob(depthai: Any, path: Path, manifest: Manifest) -> None:
    """Refuse a blob that depthai does not read or that is not what its manifest says.

    Raises:
        ModelError: when it is damaged, or takes or gives something else.
        DeviceVersionError: when depthai does not know its version.
    """
    try:
        blob = depthai.OpenVINO.Blob(path)
    except IndexError as error:
        # It looks the version up in a table and says no more than «map::at».
        raise DeviceVersionError(
            f"{path} is of a version that this depthai does not know; compile it anew with: "
            f"edgeage compile --target OAK --overwrite"
        ) from error
    except (RuntimeError, ValueError) as error:
        reason = (str(error).strip().splitlines() or ["no reason given"])[0]
        raise ModelError(f"{path} is not a blob that depthai reads: {reason}") from error
    height, width = manifest.input.input_hw
    types = depthai.TensorInfo.DataType
    # depthai gives dimensions from the innermost out.
    _expect(path, "input", blob.networkInputs, ([width, height, 3, 1], (types.U8F,)))
    values = sum(values_of(manifest).values())
    _expect(path, "output", blob.networkOutputs, ([values, 1], (types.FP16, types.FP32)))


def _expect(
    path: Path, what: str, infos: Mapping[str, Any], expected: tuple[list[int], tuple[Any, ...]]
) -> None:
    dims, types = expected
    found = [(list(info.dims), info.dataType) for info in infos.values()]
    if len(found) == 1 and _real(found[0][0]) == _real(dims) and found[0][1] in types:
        return
    shown = ", ".join(f"{kind.name} {shape}" for shape, kind in found)
    raise ModelError(
        f"{path}: expected one {what}, {' or '.join(kind.name for kind in types)} {dims}, found "
        f"{shown or 'none'}; compile it with: edgeage compile --target OAK"
    )


def _real(dims: list[int]) -> list[int]:
    """Leave out dimensions of one, which some versions list and some do not."""
    return [size for size in dims if size != 1]


def _size(info: Any) -> int:
    return int(np.prod(info.dims))


def probabilities(message: Any, manifest: Manifest) -> np.ndarray:
    """Read a network's answer.

    Args:
        message: the ``NNData`` it came in; its one layer is of half or single precision.
        manifest: says how many values there are.

    Returns:
        float32 array of shape (values,), the sum of :func:`edgeage.runtime.backend.values_of`.

    Raises:
        DeviceError: when the answer is of another size.
    """
    count = sum(values_of(manifest).values())
    data = np.asarray(message.getData(), np.uint8)
    layers = list(message.getAllLayers())
    for layer in layers:
        kind = _FLOATS.get(layer.dataType.name)
        if kind is not None and int(np.prod(layer.dims)) == count:
            values = data[layer.offset : layer.offset + count * kind.itemsize]
            if values.size == count * kind.itemsize:
                answer: np.ndarray = np.frombuffer(values.tobytes(), kind).astype(np.float32)
                return answer
    shown = ", ".join(f"{layer.name} {list(layer.dims)}" for layer in layers)
    raise DeviceError(
        f"expected {count} values of {manifest.name} from the device, got {shown or 'none'}"
    )
