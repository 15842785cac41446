"""Half precision as it is simulated, against numpy and against the network in single."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from edgeage import caffe
from edgeage.compiler import find_model
from edgeage.compiler.half import HALF_MAX, HalfNetwork, rounded_to_half
from edgeage.compiler.movidius import half_figures
from edgeage.compiler.parity import Pictures, parity_pictures
from edgeage.compiler.references import opencv_reference
from edgeage.outputs import Output

TWO_LAYERS = (
    'layer { name: "fc1" type: "InnerProduct" bottom: "data" top: "fc1" '
    "inner_product_param { num_output: 3 } } "
    'layer { name: "relu1" type: "ReLU" bottom: "fc1" top: "fc1" } '
    'layer { name: "prob" type: "Softmax" bottom: "fc1" top: "prob" }'
)


@pytest.fixture
def trained(trained_models):
    return find_model(trained_models / "agenet.caffemodel")


@pytest.fixture
def two_layers(trained, write_net):
    """A network of one InnerProduct with given weights: ``two_layers(weights, mean)``."""

    def make(weights, bias, mean=0.0):
        prototxt, caffemodel = write_net(TWO_LAYERS, {"fc1": [weights, bias]}, (2, 2))
        array = np.full((3, 2, 2), mean, np.float32)
        spec = dataclasses.replace(trained.manifest.input, resize_hw=(2, 2), input_hw=(2, 2))
        outputs = (Output("prob", "age", labels=("a", "b", "c"), group_ages=(1, 2, 3)),)
        manifest = dataclasses.replace(trained.manifest, input=spec, outputs=outputs)
        return dataclasses.replace(
            trained, manifest=manifest, prototxt=prototxt, caffemodel=caffemodel, mean=array
        )

    return make


def test_every_value_is_rounded_as_numpy_rounds(two_layers):
    rng = np.random.default_rng(1)
    weights = rng.normal(0, 0.1, (3, 12)).astype(np.float32)
    bias = rng.normal(0, 1, 3).astype(np.float32)
    pixels = rng.integers(0, 256, (5, 3, 2, 2), dtype=np.uint8)
    (made,) = HalfNetwork(two_layers(weights, bias, mean=129.97)).chunks(pixels)
    assert list(made) == ["data", "fc1", "relu1", "prob"]

    data = pixels.reshape(5, 12) - np.float16(129.97).astype(np.float64)
    np.testing.assert_array_equal(made["data"].reshape(5, 12), data.astype(np.float16))
    exact = data @ weights.astype(np.float16).T.astype(np.float64) + bias.astype(np.float16)
    # One unit in the last place, where single-precision sums fall on the other side of a tie.
    np.testing.assert_allclose(made["fc1"], exact, rtol=2**-10, atol=2**-10)
    for array in made.values():
        np.testing.assert_array_equal(array, rounded_to_half(array))
    np.testing.assert_array_equal(made["relu1"], np.maximum(made["fc1"], 0))


def test_what_half_precision_cannot_hold_becomes_infinite_and_is_named(two_layers):
    weights = np.full((3, 12), 100, np.float32)
    network = HalfNetwork(two_layers(weights, np.zeros(3, np.float32)))
    (made,) = network.chunks(np.full((1, 3, 2, 2), 200, np.uint8))
    assert np.isinf(made["fc1"]).all()
    assert network.peaks["fc1"] == 12 * 100 * 200 > HALF_MAX


def test_figures_of_an_overflow(two_layers):
    weights = np.zeros((3, 12), np.float32)
    weights[1] = 100
    model = two_layers(weights, np.zeros(3, np.float32))
    pictures = Pictures(np.full((2, 3, 2, 2), 200, np.uint8), "made up")
    figures = half_figures(model, pictures, opencv_reference(model, pictures.batch))
    assert figures["overflows"][0] == "fc1 (240000.0)"
    assert (figures["peak"], figures["peak_at"]) == (240000.0, "fc1")
    # The largest probability is infinity by infinity, which is no number and no decision.
    assert figures["changed_decisions"] == figures["pictures"] == 2
    assert figures["max_difference"] == "nan"


def test_agrees_with_single_precision_as_far_as_it_goes(trained):
    pictures = parity_pictures(None, trained.manifest.input, "age")
    reference = opencv_reference(trained, pictures.batch)
    figures = half_figures(trained, pictures, reference)
    assert figures["pictures"] == 24
    assert 1e-6 < figures["max_difference"] < 0.02
    assert figures["overflows"] == []
    # The mean is between 100 and 150, where half precision has steps of 1/16 and 1/8.
    assert 1 / 32 < figures["mean_rounding"] <= 1 / 16


def test_more_pictures_than_go_at_once_are_the_same_one_by_one(trained):
    batch = parity_pictures(None, trained.manifest.input, "age").batch[:11]
    first, second = HalfNetwork(trained).chunks(batch)
    assert all(len(array) == 8 for array in first.values())
    assert all(len(array) == 3 for array in second.values())
    (alone,) = HalfNetwork(trained).chunks(batch[10:])
    np.testing.assert_allclose(second["prob"][2:], alone["prob"], atol=2e-3)


LRN = 'layer {{ name: "norm" type: "LRN" bottom: "data" top: "out" lrn_param {{ {} }} }}'


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("local_size: 3", 20**2 + 30**2 + 10**2),
        ("local_size: 1", 30**2),
        # Three by three around a pixel of a picture that is 30 all over the second channel.
        ("local_size: 3 norm_region: WITHIN_CHANNEL", 9 * 30**2),
    ],
    ids=["across", "one channel", "within a channel"],
)
def test_the_squares_of_a_normalisation_are_watched(setting, expected, trained, write_net):
    prototxt, _ = write_net(LRN.format(setting), {}, (4, 4))
    other = trained.caffemodel.with_name("agenet.caffemodel")
    model = dataclasses.replace(trained, prototxt=prototxt, caffemodel=other, mean=None)
    pixels = np.empty((1, 3, 4, 4), np.uint8)
    pixels[0, 0], pixels[0, 1], pixels[0, 2] = 10, 30, 20
    network = HalfNetwork(model)
    list(network.chunks(pixels))
    assert network.peaks["norm: sum of squares"] == expected


ACROSS = "local_size: 3 alpha: 0.0001 beta: 0.75"


@pytest.fixture
def normalised(trained, write_net):
    """Simulate one LRN over three channels: ``normalised(pixels, lrn_scale) → answer, peaks``."""
    prototxt, _ = write_net(LRN.format(ACROSS), {}, (4, 4))
    model = dataclasses.replace(trained, prototxt=prototxt, mean=None)

    def run(pixels, lrn_scale):
        network = HalfNetwork(model, lrn_scale=lrn_scale)
        (made,) = network.chunks(pixels)
        return made["norm"], network.peaks

    return run


def test_a_sum_of_squares_overflows_unless_it_is_scaled(normalised):
    pixels = np.full((1, 3, 4, 4), 200, np.uint8)
    # The middle channel has two neighbours, the others one.
    exact = 200 / (1 + 1e-4 / 3 * 200**2 * np.array([2, 3, 2])) ** 0.75
    plain, peaks = normalised(pixels, 1)
    assert peaks["norm: sum of squares"] == 3 * 200**2 > HALF_MAX
    np.testing.assert_array_equal(plain, np.zeros((1, 3, 4, 4)))
    scaled, peaks = normalised(pixels, 16)
    assert peaks["norm: sum of squares"] == 3 * 200**2 / 256
    np.testing.assert_allclose(scaled[0].reshape(3, 16), exact[:, None].repeat(16, 1), rtol=2e-3)


@pytest.mark.parametrize("scale", [1, 16])
def test_a_normalisation_is_rounded_at_every_step(scale, normalised):
    """By numpy's own half precision, which rounds after every operation."""
    pixels = np.random.default_rng(4).integers(0, 140, (1, 3, 4, 4), dtype=np.uint8)
    found, _ = normalised(pixels, scale)
    half = np.float16
    x = pixels.astype(half) / half(scale)
    first, middle, last = (x * x).swapaxes(0, 1)
    sums = np.stack([first + middle, first + middle + last, middle + last], axis=1)
    share = half(1e-4 * scale**2) / half(3)
    expected = x * (half(1) + share * sums) ** half(-0.75) * half(scale)
    np.testing.assert_array_equal(found, expected.astype(np.float32))
    squares = pixels.astype(int) ** 2
    assert (sums.astype(float) * scale**2 != np.stack(
        [squares[:, 0] + squares[:, 1], squares.sum(1), squares[:, 1] + squares[:, 2]], axis=1
    )).any()  # fmt: skip


def test_rounding_is_to_nearest_even():
    np.testing.assert_array_equal(
        rounded_to_half(np.float32([2049, 2051, 65519, 65520])), [2048, 2052, 65504, np.inf]
    )


def test_weights_are_rounded_too(trained):
    network = HalfNetwork(trained)
    kept = caffe.read_weights(trained.caffemodel)["conv1"][0]
    np.testing.assert_array_equal(network._weights["conv1"][0], rounded_to_half(kept))
    assert (network._weights["conv1"][0] != kept).any()
