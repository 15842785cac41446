"""What a network sees that takes a resized picture."""

import numpy as np

from edgeage.inputspec import InputSpec
from edgeage.networkinput import NetworkInput
from edgeage.training.joint.resized import Resized

BYTES = NetworkInput("BGR")


def sized(height, width, **more):
    return InputSpec((height, width), (height, width), mean="none", **more)


def test_pixels_are_resized_and_normalised():
    picture = np.full((64, 64, 3), (0, 127, 255), np.uint8)
    out = np.empty((32, 16, 3), np.float32)
    takes = NetworkInput("BGR", mean=(127,) * 3, std=(128,) * 3)
    Resized(sized(32, 16), takes, mirror=False)(picture, np.random.default_rng(0), out)
    np.testing.assert_allclose(out[5, 5], [-127 / 128, 0, 1])


def test_an_equalised_face_is_what_the_predictor_will_see(astronaut_face):
    out, spec = np.empty((40, 40, 3), np.float32), sized(40, 40, equalise=True)
    Resized(spec, BYTES, mirror=False)(astronaut_face, np.random.default_rng(0), out)
    np.testing.assert_array_equal(out.transpose(2, 0, 1), spec.prepare(astronaut_face))
    assert np.abs(out.transpose(2, 0, 1) - sized(40, 40).prepare(astronaut_face)).mean() > 5


def test_channels_come_in_the_network_s_order():
    picture = np.full((8, 8, 3), (0, 127, 255), np.uint8)
    out = np.empty((8, 8, 3), np.float32)
    takes = NetworkInput("RGB", pixel_range=(-1, 1))
    Resized(sized(8, 8), takes, mirror=False)(picture, np.random.default_rng(0), out)
    np.testing.assert_allclose(out[0, 0], [1, -1 / 255, -1], atol=1e-6)


def test_every_second_training_picture_is_mirrored():
    picture = np.zeros((32, 32, 3), np.uint8)
    picture[:, :16] = 255
    random, left = np.random.default_rng(0), []
    for _ in range(64):
        out = np.empty((32, 32, 3), np.float32)
        Resized(sized(32, 32), BYTES, mirror=True)(picture, random, out)
        left.append(out[0, 0, 0] > 0)
    assert 16 < sum(left) < 48
