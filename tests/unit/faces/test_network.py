"""The networks behind detectors: threads, closing, and no error that is not ours."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as ops

from edgeage.errors import DeviceError, ModelError, UsageError
from edgeage.faces.network import Network, byte_input, input_layout, read_network
from edgeage.runtime.options import RuntimeOptions

UNCACHED = RuntimeOptions(cache=False)


def identity(shape: list[int], element=ov.Type.f32) -> ov.Model:
    picture = ops.parameter(ov.PartialShape(shape), element)
    return ov.Model([ops.add(picture, ops.constant(0, element))], [picture])


@pytest.mark.parametrize("element", [ov.Type.f32, ov.Type.f16], ids=["f32", "f16"])
@pytest.mark.parametrize(
    ("layout", "rgb", "axes"),
    [
        ("NCHW", False, lambda picture: picture.transpose(0, 3, 1, 2)),
        ("NCHW", True, lambda picture: picture[..., ::-1].transpose(0, 3, 1, 2)),
        ("NHWC", True, lambda picture: picture[..., ::-1]),
    ],
)
def test_bytes_come_to_the_network_as_it_wants_them(layout, rgb, axes, element):
    shape = [1, 3, 4, 6] if layout == "NCHW" else [1, 4, 6, 3]
    model = byte_input(identity(shape, element), layout, rgb=rgb, mean=127.5, scale=128.0)
    picture = np.random.default_rng(0).integers(0, 256, (1, 4, 6, 3), dtype=np.uint8)
    answer = Network(model, "identity", options=UNCACHED).infer([picture])[0][0]
    np.testing.assert_allclose(answer, axes((picture - 127.5) / 128), atol=2e-3)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ([1, 3, 40, 60], ("NCHW", (40, 60))),
        ([1, 40, 60, 3], ("NHWC", (40, 60))),
        ([-1, 3, -1, -1], ("NCHW", (32, 32))),
        ([-1, -1, 60, 3], ("NHWC", (32, 60))),
    ],
)
def test_layout_and_size_are_told_and_open_sizes_set(shape, expected):
    model = identity(shape)
    assert input_layout(model, 32) == expected
    assert model.inputs[0].get_partial_shape().is_static


def test_an_input_without_three_channels_is_refused():
    with pytest.raises(ModelError, match="expected a network that takes 1×3×H×W"):
        input_layout(identity([1, 1, 30, 30]), 32)


@pytest.mark.parametrize("mode", ["latency", "throughput"])
def test_many_threads_get_their_own_answers(mode):
    options = RuntimeOptions(mode=mode, streams=2, cache=False)
    network = Network(identity([1, 4]), "identity", options=options)

    def run(number: int) -> list[float]:
        inputs = [np.full((1, 4), number * 10 + i, np.float32) for i in range(5)]
        return [float(outputs[0].mean()) for outputs in network.infer(inputs)]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(run, range(40)))
    assert answers == [[number * 10.0 + i for i in range(5)] for number in range(40)]


def test_a_closed_network_says_so():
    network = Network(identity([1, 4]), "identity", options=UNCACHED)
    network.close()
    network.close()
    with pytest.raises(UsageError, match="this detector is closed"):
        network.infer([np.zeros((1, 4), np.float32)])


def test_openvinos_errors_are_translated():
    with pytest.raises(DeviceError, match="cannot open device «NOPE» for identity"):
        Network(identity([1, 4]), "identity", "NOPE", UNCACHED)
    network = Network(identity([1, 4]), "identity", options=UNCACHED)
    with pytest.raises(DeviceError, match="cannot run identity on CPU"):
        network.infer([np.zeros((1, 4), np.float32), np.zeros((2, 9), np.float32)])
    assert network.infer([np.ones((1, 4), np.float32)])[0][0].tolist() == [[1, 1, 1, 1]]


@pytest.mark.parametrize("suffix", [".xml", ".onnx"])
def test_what_is_no_network_is_refused(suffix, tmp_path):
    path = tmp_path / f"net{suffix}"
    with pytest.raises(ModelError, match="is missing"):
        read_network(path)
    path.write_bytes(b"no network at all")
    with pytest.raises(ModelError, match="cannot read"):
        read_network(path)


def test_what_was_compiled_is_kept_checked_in_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("EDGEAGE_CACHE", str(tmp_path))
    Network(identity([1, 3, 4, 4]), "identity", options=UNCACHED).close()
    assert not (tmp_path / "openvino").exists()
    for _ in range(2):
        Network(identity([1, 3, 4, 4]), "identity", options=RuntimeOptions()).close()
        assert len(list((tmp_path / "openvino").glob("*/crc32.json"))) == 1
