"""Caffemodels: round trips, old files, damaged files, and OpenCV as a second reader."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgeage.caffe import filter_net, format_message, read_net, read_weights, write_weights
from edgeage.caffe.blobs import array_to_blob
from edgeage.caffe.schema import NetParameter
from edgeage.errors import ModelError

FUZZ = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150
)


def assert_same(found, expected):
    assert list(found) == list(expected)
    for name, blobs in expected.items():
        assert len(found[name]) == len(blobs)
        for one, other in zip(found[name], blobs, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.fixture
def model_bytes(small_net, small_weights, tmp_path):
    write_weights(tmp_path / "small.caffemodel", small_net, small_weights)
    return (tmp_path / "small.caffemodel").read_bytes()


def test_weights_survive_a_round_trip(small_net, small_weights, tmp_path):
    path = tmp_path / "sub" / "small.caffemodel"
    write_weights(path, small_net, small_weights)
    found = read_weights(str(path))
    assert_same(found, small_weights)
    found["conv"][1][0] = 1.0
    assert [one.name for one in path.parent.iterdir()] == ["small.caffemodel"]


def test_the_file_holds_the_network(small_net, model_bytes):
    net = NetParameter.FromString(model_bytes)
    assert [(one.name, one.type) for one in net.layer] == [
        (one.name, one.type) for one in small_net.layer
    ]
    assert net.layer[1].param[1].lr_mult == 2
    for layer in net.layer:
        layer.ClearField("blobs")
    assert net == small_net


def test_the_network_given_is_left_as_it_is(small_net, small_weights, tmp_path):
    before = small_net.SerializeToString()
    write_weights(tmp_path / "x.caffemodel", small_net, small_weights)
    assert small_net.SerializeToString() == before


def test_doubles_and_strided_arrays_are_written_as_float32(small_net, tmp_path):
    weights = np.arange(128, dtype=np.float64).reshape(64, 2).T
    write_weights(tmp_path / "x.caffemodel", small_net, {"fc": [weights]})
    np.testing.assert_array_equal(read_weights(tmp_path / "x.caffemodel")["fc"][0], weights)


def test_weights_of_no_layer_are_refused(small_net, tmp_path):
    with pytest.raises(ModelError, match="weights of «cnv» have no layer.*did you mean «conv»"):
        write_weights(tmp_path / "x.caffemodel", small_net, {"cnv": [np.zeros(1)]})
    assert not list(tmp_path.iterdir())


def test_the_older_syntax_and_four_axes_are_read(small_weights, tmp_path):
    old = NetParameter(name="old")
    layer = old.layers.add(name="conv", type=4, blobs_lr=[1, 2])
    layer.blobs.append(array_to_blob(small_weights["conv"][0], legacy=True))
    layer.blobs.append(array_to_blob(small_weights["conv"][1], legacy=True))
    (tmp_path / "old.caffemodel").write_bytes(old.SerializeToString())
    weights, bias = read_weights(tmp_path / "old.caffemodel")["conv"]
    np.testing.assert_array_equal(weights, small_weights["conv"][0])
    np.testing.assert_array_equal(bias, small_weights["conv"][1].reshape(1, 1, 1, 4))


def test_of_two_layers_with_one_name_the_later_counts(tmp_path):
    net = NetParameter()
    for value in (1.0, 2.0):
        net.layer.add(name="x", type="Bias").blobs.append(array_to_blob(np.array([value])))
    (tmp_path / "x.caffemodel").write_bytes(net.SerializeToString())
    assert read_weights(tmp_path / "x.caffemodel")["x"][0].tolist() == [2.0]


BAD_LAYERS = {
    "no name": (NetParameter(layer=[{"type": "Bias"}]), "layer 0 has no readable name"),
    "nothing learned": (NetParameter(layer=[{"name": "x", "type": "ReLU"}]), "holds no weights"),
    "no layers": (NetParameter(name="x"), "holds no weights"),
}


@pytest.mark.parametrize(("net", "message"), BAD_LAYERS.values(), ids=list(BAD_LAYERS))
def test_a_model_without_named_weights_is_refused(net, message, tmp_path):
    if net.layer and net.layer[0].type == "Bias":
        net.layer[0].blobs.append(array_to_blob(np.zeros(1)))
    path = tmp_path / "x.caffemodel"
    path.write_bytes(net.SerializeToString())
    with pytest.raises(ModelError, match=message):
        read_weights(path)


BAD_FILES = {
    "empty": (b"", "is empty; expected a binary .caffemodel"),
    "a prototxt": (b'name: "AgeNet"\nlayer { name: "x" }\n', "not a binary .caffemodel: .* text"),
    "garbage": (b"\xff" * 100, "not a binary .caffemodel: it is truncated"),
    "an unreadable name": (b"\xa2\x06\x07\x0a\x01\xff\x3a\x02\x2a\x00", "no readable name"),
}


@pytest.mark.parametrize(("data", "message"), BAD_FILES.values(), ids=list(BAD_FILES))
def test_a_bad_file_is_refused(data, message, tmp_path):
    path = tmp_path / "x.caffemodel"
    path.write_bytes(data)
    with pytest.raises(ModelError, match=message):
        read_weights(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"gone\.caffemodel is missing; expected a binary"):
        read_weights(tmp_path / "gone.caffemodel")
    with pytest.raises(ModelError, match="cannot be read"):
        read_weights(tmp_path)


def test_a_blob_that_does_not_fit_is_named(small_net, model_bytes, tmp_path):
    net = NetParameter.FromString(model_bytes)
    net.layer[1].blobs[1].shape.dim[0] = 5
    path = tmp_path / "x.caffemodel"
    path.write_bytes(net.SerializeToString())
    with pytest.raises(
        ModelError,
        match=r"x\.caffemodel: layer conv, blob 1: shape \(5,\) needs 5 numbers, found 4",
    ):
        read_weights(path)


def test_every_truncation_is_refused_or_loses_whole_layers(
    only, model_bytes, small_weights, tmp_path
):
    path = tmp_path / "x.caffemodel"
    for length in range(0, len(model_bytes), 7):
        path.write_bytes(model_bytes[:length])
        with only(ModelError):
            found = read_weights(path)
            assert_same(found, {name: small_weights[name] for name in found})


@given(data=st.binary(max_size=200))
@FUZZ
def test_any_bytes_are_weights_or_a_model_error(data, tmp_path):
    path = tmp_path / "x.caffemodel"
    path.write_bytes(data)
    with pytest.raises(ModelError) as caught:
        read_weights(path)
    assert "\n" not in str(caught.value)


@given(data=st.data())
@FUZZ
def test_a_mutated_model_is_weights_or_a_model_error(only, data, model_bytes, tmp_path):
    damaged = bytearray(model_bytes)
    # The first 120 bytes and the ends of blobs hold the structure; the rest is mostly floats.
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(damaged) - 1) | st.integers(0, 120))
        damaged[at] = data.draw(st.integers(0, 255))
    path = tmp_path / "x.caffemodel"
    path.write_bytes(bytes(damaged))
    with only(ModelError):
        found = read_weights(path)
        assert all(blob.dtype == np.float32 for blobs in found.values() for blob in blobs)


def test_reading_takes_no_python_number_a_weight(small_net, tmp_path):
    # A list of a million Python floats alone is 32 MB; the file, its message and the arrays are 12.
    weights = np.ones((2, 500_000), np.float32)
    write_weights(tmp_path / "x.caffemodel", small_net, {"fc": [weights]})
    tracemalloc.start()
    try:
        read_weights(tmp_path / "x.caffemodel")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 20e6


def test_opencv_reads_the_small_model_and_agrees(small_net, small_weights, tmp_path):
    import cv2

    write_weights(tmp_path / "small.caffemodel", small_net, small_weights)
    (tmp_path / "small.prototxt").write_text(format_message(small_net))
    picture = np.random.default_rng(3).normal(size=(1, 3, 6, 6)).astype(np.float32)
    net = cv2.dnn.readNetFromCaffe(
        str(tmp_path / "small.prototxt"), str(tmp_path / "small.caffemodel")
    )
    net.setInput(picture)
    kernel, bias = small_weights["conv"]
    windows = np.lib.stride_tricks.sliding_window_view(picture[0], (3, 3), axis=(1, 2))
    hidden = np.einsum("chwij,ocij->ohw", windows, kernel) + bias[:, None, None]
    expected = small_weights["fc"][0] @ np.maximum(hidden, 0).ravel()
    np.testing.assert_allclose(net.forward()[0], expected, rtol=1e-4, atol=1e-4)


def test_a_train_net_and_a_deploy_net_share_weights(repo_root, tmp_path):
    net = filter_net(read_net(repo_root / "prototxt" / "gendernet_train_test.prototxt"), "TRAIN")
    bias = np.array([1.0, 2.0], np.float32)
    write_weights(tmp_path / "x.caffemodel", net, {"fc8": [np.zeros((2, 512)), bias]})
    np.testing.assert_array_equal(read_weights(tmp_path / "x.caffemodel")["fc8"][1], bias)
