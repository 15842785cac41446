"""Our calls to depthai against the real package; skipped where it is not installed."""

from __future__ import annotations

import math
import os
import struct

import numpy as np
import pytest

os.environ.setdefault("DEPTHAI_LEVEL", "off")
depthai = pytest.importorskip("depthai", reason="needs depthai 2: pip install 'depthai<3'")
if not hasattr(depthai.node, "XLinkIn"):
    pytest.skip("needs depthai 2", allow_module_level=True)

from edgeage.errors import DeviceNotFoundError, DeviceVersionError, ModelError  # noqa: E402
from edgeage.inputspec import InputSpec  # noqa: E402
from edgeage.labels import TASK_LABELS  # noqa: E402
from edgeage.manifest import Manifest  # noqa: E402
from edgeage.runtime.inventory import depthai_problem, list_oak_cameras  # noqa: E402
from edgeage.runtime.oak import OakBackend, OakSession  # noqa: E402
from edgeage.runtime.oakpipeline import IN_FLIGHT, build_pipeline, check_blob  # noqa: E402

_U8, _FP16, _FP32 = 1, 0, 3
_NAMES = {"age": "agenet", "gender": "gendernet"}


def tensor(name: str, kind: int, order: int, dims: list[int], where: int) -> bytes:
    """Describe an input or output; its dimensions lie in the blob's constants."""
    padded = name.encode().ljust(16, b"\0")
    numbers = (kind, order, len(dims), 3, where, 3, where)
    return struct.pack("<3I", 0, 0, len(padded)) + padded + struct.pack("<7I", *numbers)


def blob_bytes(
    labels: int, side: int = 227, *, major: int = 6, kind: int = _U8, shaves: int = 6
) -> bytes:
    """Make the smallest blob that depthai reads: header, one input, one output, no stages."""
    into, out_of = [side, side, 3, 1], [labels, 1]
    tensors = [tensor("data", kind, 0x4321, into, 0), tensor("prob", _FP32, 0x43, out_of, 64)]
    places = [0xC0, 0xC0 + len(tensors[0]), 0xC0 + sum(map(len, tensors))]
    constants = b"".join(struct.pack(f"<{len(d)}I", *d).ljust(64, b"\0") for d in (into, out_of))
    size = places[2] + len(constants)
    header = struct.pack(
        "<20I", 9709, size, major, 0, 1, 1, 0, math.prod(into), 4 * labels, 1, 0, 9, shaves, 1, 1,
        1, *places, places[2],
    )  # fmt: skip
    return (
        (b"\x7felf".ljust(0x34, b"\0") + header).ljust(0xC0, b"\0") + b"".join(tensors) + constants
    )


@pytest.fixture
def model(tmp_path):
    def make(task: str = "age", content: bytes | None = None) -> Manifest:
        labels = TASK_LABELS[task]
        path = tmp_path / f"{_NAMES[task]}.blob"
        path.write_bytes(blob_bytes(len(labels)) if content is None else content)
        manifest = Manifest.classifier(_NAMES[task], task, labels, InputSpec())
        return manifest.with_files(tmp_path, blob=path.name)

    return make


def test_both_networks_in_one_pipeline_serialise(model):
    blobs = {name: model(task).file("blob") for task, name in _NAMES.items()}
    built = build_pipeline(depthai, blobs).serializeToJson()["pipeline"]
    nodes = {number: (node["name"], node["properties"]) for number, node in built["nodes"]}
    assert [name for name, _ in nodes.values()] == ["XLinkIn", "NeuralNetwork", "XLinkOut"] * 2
    for start, name in ((0, "agenet"), (3, "gendernet")):
        source, network, sink = (nodes[start + step][1] for step in range(3))
        assert source["streamName"] == f"{name}-in"
        assert (source["maxDataSize"], source["numFrames"]) == (3 * 227 * 227, IN_FLIGHT)
        assert (network["numThreads"], network["numFrames"]) == (2, IN_FLIGHT)
        assert network["blobSize"] == blobs[name].stat().st_size
        assert sink["streamName"] == f"{name}-out"
    links = {(link["node1Id"], link["node2Id"]) for link in built["connections"]}
    assert links == {(0, 1), (1, 2), (3, 4), (4, 5)}


def test_the_networks_input_waits_instead_of_dropping(model):
    pipeline = build_pipeline(depthai, {"agenet": model().file("blob")})
    (network,) = [node for node in pipeline.getAllNodes() if node.getName() == "NeuralNetwork"]
    assert network.input.getBlocking()
    assert network.input.getQueueSize() == IN_FLIGHT


@pytest.mark.parametrize(
    ("content", "error", "reason"),
    [
        (blob_bytes(9, major=7), DeviceVersionError, "of a version that this depthai does not"),
        (blob_bytes(9)[:-20], ModelError, "is not a blob that depthai reads"),
        (b"no blob" * 100, ModelError, "is not a blob that depthai reads"),
        (b"", ModelError, "is not a blob that depthai reads"),
        (blob_bytes(9, side=67), ModelError, "expected one input, U8F"),
        (blob_bytes(9, kind=_FP16), ModelError, "expected one input, U8F"),
        (blob_bytes(2), ModelError, r"expected one output, FP16 or FP32 \[9, 1\]"),
    ],
    ids=["version", "cut off", "garbage", "empty", "size", "input type", "labels"],
)
def test_blobs_that_are_refused(content, error, reason, model):
    manifest = model(content=content)
    with pytest.raises(error, match=reason) as caught:
        check_blob(depthai, manifest.file("blob"), manifest)
    assert "\n" not in str(caught.value)


def test_a_blob_that_fits(model):
    for task in _NAMES:
        check_blob(depthai, model(task).file("blob"), model(task))


def test_a_picture_keeps_its_bytes_and_its_number():
    session = OakSession.__new__(OakSession)
    session._camera = type("Camera", (), {"depthai": depthai})
    pixels = np.random.default_rng(0).integers(0, 256, (3, 20, 30), dtype=np.uint8)
    frame = session._frame(pixels, 12345)
    np.testing.assert_array_equal(np.asarray(frame.getData()), pixels.reshape(-1))
    assert (frame.getSequenceNum(), frame.getWidth(), frame.getHeight()) == (12345, 30, 20)


@pytest.mark.parametrize(
    ("owner", "names"),
    [
        ("Device", "getAllConnectedDevices getInputQueue getOutputQueue getMxId close"),
        ("DeviceInfo", "getMxId name state status protocol"),
        ("DataInputQueue", "send"),
        ("DataOutputQueue", "tryGet"),
        ("NNData", "getSequenceNum getAllLayers getData"),
        ("TensorInfo", "name dims dataType offset"),
        ("XLinkDeviceState", "X_LINK_BOOTED X_LINK_BOOTLOADER"),
        ("XLinkError_t", "X_LINK_INSUFFICIENT_PERMISSIONS X_LINK_DEVICE_ALREADY_IN_USE"),
    ],
)
def test_what_only_a_device_can_show_is_there_by_name(owner, names):
    for name in names.split():
        assert hasattr(getattr(depthai, owner), name)


def test_depthais_own_errors_are_those_that_are_caught():
    assert issubclass(depthai.XLinkReadError, RuntimeError)
    assert issubclass(depthai.XLinkWriteError, RuntimeError)
    with pytest.raises(RuntimeError):
        depthai.Device(depthai.Pipeline(), depthai.DeviceInfo("no such device"))


def test_without_a_device_loading_says_so(model):
    if depthai.Device.getAllConnectedDevices():
        pytest.skip("a device is plugged in here")
    with pytest.raises(DeviceNotFoundError, match="there is no OAK camera; plug one in"):
        OakBackend().load(model())
    assert depthai_problem() == ""
    assert list_oak_cameras() == ([], "")
