"""A stand-in for depthai 2: the part of its interface that edgeage uses, and nothing else."""

from __future__ import annotations

import enum
import json
import sys
import types
from pathlib import Path

import numpy as np
import pytest


class State(enum.Enum):
    X_LINK_BOOTED = 1
    X_LINK_UNBOOTED = 2
    X_LINK_BOOTLOADER = 3


class XLinkError(enum.Enum):
    X_LINK_SUCCESS = 0
    X_LINK_INSUFFICIENT_PERMISSIONS = 9
    X_LINK_DEVICE_ALREADY_IN_USE = 10


class DataType(enum.Enum):
    FP16 = 0
    U8F = 1
    INT = 2
    FP32 = 3


class TensorInfo:
    DataType = DataType

    def __init__(self, dims, kind, name="", offset=0):
        self.dims, self.dataType, self.name, self.offset = dims, kind, name, offset


class Info:
    """A plugged-in device, as depthai lists it."""

    def __init__(self, mxid="184430", name="1.2"):
        self.mxid, self.name = mxid, name
        self.state, self.status = State.X_LINK_BOOTLOADER, XLinkError.X_LINK_SUCCESS

    def getMxId(self):
        return self.mxid


class Blob:
    """Read from JSON that a test has written."""

    def __init__(self, path):
        assert isinstance(path, Path)
        try:
            spec = json.loads(path.read_text())
        except ValueError:
            raise RuntimeError("BlobReader error: not supported\nsecond line") from None
        {6: "VERSION_2022_1"}[spec["major"]] if spec["major"] == 6 else self._unknown()
        self.spec, self.numShaves = spec, spec["shaves"]
        self.networkInputs = {"data": TensorInfo(spec["input"], DataType[spec["input_type"]])}
        self.networkOutputs = {"prob": TensorInfo(spec["output"], DataType[spec["output_type"]])}

    @staticmethod
    def _unknown():
        raise IndexError("map::at")


class Port:
    def __init__(self, owner):
        self.owner, self.blocking, self.size, self.linked = owner, None, None, []

    def setBlocking(self, value):
        self.blocking = value

    def setQueueSize(self, size):
        self.size = size

    def link(self, other):
        self.linked.append(other)


class Node:
    def __init__(self):
        self.input, self.out, self.settings = Port(self), Port(self), {}

    def __getattr__(self, name):
        if not name.startswith("set"):
            raise AttributeError(name)
        return lambda value: self.settings.__setitem__(name.removeprefix("set"), value)


class Pipeline:
    def __init__(self):
        self.nodes = []

    def create(self, kind):
        self.nodes.append(kind())
        return self.nodes[-1]


class ImgFrame:
    Type = enum.Enum("Type", ["BGR888p", "RGB888p"])

    def setType(self, kind):
        self.type = kind

    def setWidth(self, width):
        self.width = width

    def setHeight(self, height):
        self.height = height

    def setData(self, data):
        assert data.dtype == np.uint8
        self.data = data.copy()

    def setSequenceNum(self, number):
        self.number = number


class NNData:
    """An answer: its tensor lies behind 64 other bytes."""

    def __init__(self, number, values, kind):
        self.number = number
        self._layers = [TensorInfo([len(values), 1], kind, "prob", 64)]
        as_bytes = values.astype("<f2" if kind is DataType.FP16 else "<f4").tobytes()
        self._data = np.frombuffer(b"\xff" * 64 + as_bytes + b"\xff" * 10, np.uint8)

    def getSequenceNum(self):
        return self.number

    def getAllLayers(self):
        return self._layers

    def getData(self):
        return self._data


class Queues:
    """Both queues of one network on a running device."""

    def __init__(self, world, network):
        self.world, self.network, self.waiting, self.most = world, network, [], 0

    def send(self, frame):
        self.world.check_alive()
        spec = self.network.settings["Blob"].spec
        assert frame.type is ImgFrame.Type.BGR888p
        assert [frame.width, frame.height, 3, 1] == spec["input"]
        assert frame.data.size == frame.width * frame.height * 3
        self.world.sent += 1
        if self.world.sent not in self.world.swallow:
            self.waiting.append(frame)
        self.most = max(self.most, len(self.waiting))

    def tryGet(self):
        self.world.check_alive()
        self.world.polls += 1
        if not self.waiting or self.world.polls % 2:
            return None
        frame = self.waiting.pop(-1 if self.world.last_first else 0)
        if self.world.on_answer:
            self.world.on_answer()
        spec = self.network.settings["Blob"].spec
        values = np.full(spec["output"][0], 0.5)
        values[:2] = frame.data[0] / 256, frame.data[1] / 256
        return NNData(frame.number, values, DataType[spec["output_type"]])


class World:
    """What is plugged in and what goes wrong; a test changes it.

    ``devices`` have been opened; ``sent`` counts pictures, those in ``swallow`` are never
    answered; ``last_first`` answers in the wrong order; ``resets`` is how often a closed device is
    missed by a look at the list.
    """

    def __init__(self):
        self.infos = [Info()]
        self.devices, self.swallow, self.sent, self.polls = [], set(), 0, 0
        self.last_first, self.lost, self.on_answer = False, False, None
        self.open_error, self.resets, self.missing = None, 0, 0

    def check_alive(self):
        if self.lost:
            raise RuntimeError("Couldn't read data from stream: 'agenet-out' (X_LINK_ERROR)")

    def connected(self):
        if self.missing:
            self.missing -= 1
            return []
        return list(self.infos)

    def device_class(world):
        class Device:
            getAllConnectedDevices = staticmethod(world.connected)

            def __init__(self, pipeline, info):
                if world.open_error:
                    raise world.open_error()
                assert info in world.infos
                self.pipeline, self.info, self.closed, self.queues = pipeline, info, False, {}
                info.state = State.X_LINK_BOOTED
                for source, network, sink in zip(*[iter(pipeline.nodes)] * 3, strict=True):
                    queues = Queues(world, network)
                    assert source.out.linked == [network.input]
                    assert network.out.linked == [sink.input]
                    self.queues[source.settings["StreamName"]] = queues
                    self.queues[sink.settings["StreamName"]] = queues
                world.devices.append(self)

            def getMxId(self):
                return self.info.mxid

            def getInputQueue(self, name, maxSize, blocking=True):
                assert blocking
                return self.queues[name]

            def getOutputQueue(self, name, maxSize, blocking=True):
                assert blocking
                return self.queues[name]

            def close(self):
                if world.lost:
                    raise RuntimeError("Device already closed or disconnected")
                self.closed, world.missing = True, world.resets
                self.info.state = State.X_LINK_BOOTLOADER

        return Device


@pytest.fixture
def world(monkeypatch):
    """The world that ``import depthai`` sees."""
    world = World()
    module = types.ModuleType("depthai")
    module.node = types.SimpleNamespace(
        XLinkIn=type("XLinkIn", (Node,), {}),
        XLinkOut=type("XLinkOut", (Node,), {}),
        NeuralNetwork=type("NeuralNetwork", (Node,), {}),
    )
    module.OpenVINO = types.SimpleNamespace(Blob=Blob)
    module.Pipeline, module.ImgFrame, module.TensorInfo = Pipeline, ImgFrame, TensorInfo
    module.XLinkError_t, module.XLinkDeviceState = XLinkError, State
    module.Device, module.__version__ = world.device_class(), "2.33.0.0"
    monkeypatch.setitem(sys.modules, "depthai", module)
    monkeypatch.setattr("edgeage.runtime.oakcamera._SEARCH_S", 0.0)
    monkeypatch.setattr("edgeage.runtime.oakcamera._RESET_S", 5.0)
    return world


@pytest.fixture
def world_parts():
    """Names that tests of the stand-in need: ``Info``, ``State``, ``XLinkError``."""
    return types.SimpleNamespace(Info=Info, State=State, XLinkError=XLinkError)


@pytest.fixture
def onnx_network(tmp_path: Path) -> Path:
    """An ONNX file: ``years``, the mean of the first channel of (n, 3, 12, 12) ``pixels``.

    Written byte by byte: field numbers are those of ``onnx/onnx.proto``.
    """

    def field(number: int, value: int | bytes) -> bytes:
        if isinstance(value, int):
            return _varint(number << 3) + _varint(value)
        return _varint(number << 3 | 2) + _varint(len(value)) + value

    def tensor(name: bytes, *shape: int | bytes) -> bytes:
        dims = [field(1, field(2 if isinstance(n, bytes) else 1, n)) for n in shape]
        kind = field(1, field(1, 1) + field(2, b"".join(dims)))
        return field(1, name) + field(2, kind)

    ints = b"".join(field(8, axis) for axis in (2, 3))
    axes = field(1, b"axes") + ints + field(20, 7)
    keep = field(1, b"keepdims") + field(3, 0) + field(20, 2)
    mean = field(1, b"pixels") + field(2, b"m") + field(4, b"ReduceMean")
    pick = field(1, b"m") + field(1, b"w") + field(2, b"years") + field(4, b"MatMul")
    column = np.array([1, 0, 0], "<f4").tobytes()
    weights = field(1, 3) + field(1, 1) + field(2, 1) + field(8, b"w") + field(9, column)
    nodes = field(1, mean + field(5, axes) + field(5, keep)) + field(1, pick)
    ends = field(11, tensor(b"pixels", b"n", 3, 12, 12)) + field(12, tensor(b"years", b"n", 1))
    graph = nodes + field(2, b"channels") + field(5, weights) + ends
    path = tmp_path / "net.onnx"
    path.write_bytes(field(1, 8) + field(7, graph) + field(8, field(2, 13)))
    return path


def _varint(value: int) -> bytes:
    more, least = divmod(value, 128)
    return bytes([least]) if not more else bytes([least | 128]) + _varint(more)
