"""SSR-Net: its sizes, its regression, and the published weights where they are."""

from __future__ import annotations

import numpy as np
import pytest

from edgeage.errors import ModelError
from edgeage.zoo.h5weights import load_h5
from edgeage.zoo.layers import Expectation, SoftStagewise
from edgeage.zoo.ssrnet import ssrnet, ssrnet_gender, ssrnet_joint


def test_the_paper_s_number_of_parameters():
    """«SSR-Net: 40,915 parameters», Yang et al., table 1."""
    assert ssrnet().model.count_params() == 40_915


def test_the_joint_network_has_one_trunk_and_two_heads():
    network = ssrnet_joint()
    assert [output.task for output in network.outputs] == ["age", "gender"]
    alone = ssrnet().model.count_params()
    trunk = sum(
        layer.count_params()
        for layer in ssrnet().model.layers
        if layer.name in {f"conv2d_{n}" for n in range(1, 9)}
        or layer.name.startswith("batch_normalization")
    )
    assert network.model.count_params() == 2 * alone - trunk


def test_soft_stagewise_regression_by_hand(keras):
    random = np.random.default_rng(0)
    shares, shifts = random.uniform(0, 1, (2, 3, 4, 3)).astype(np.float32)
    stretch = random.uniform(-0.5, 0.5, (3, 4, 1)).astype(np.float32)
    found = np.asarray(SoftStagewise(101)([*shares, *stretch, *shifts]))
    for row in range(4):
        total, width = 0.0, 101.0
        for stage in range(3):
            width /= 3 * (1 + stretch[stage, row, 0])
            for index in range(3):
                total += shares[stage, row, index] * (index + shifts[stage, row, index]) * width
        assert found[row, 0] == pytest.approx(total, rel=1e-5)


def test_expectation(keras):
    shares = np.array([[0.25, 0.75], [1.0, 0.0]], np.float32)
    np.testing.assert_allclose(np.asarray(Expectation([10, 20])(shares)), [[17.5], [10.0]])


@pytest.mark.parametrize("builder", [ssrnet, ssrnet_gender])
def test_keras_2_weights_go_into_their_layers(builder, tmp_path, write_keras2, stir, faces):
    given, taken = builder(), builder()
    stir(given)
    load_h5(taken.model, write_keras2(given.model, tmp_path / "w.h5"))
    batch = faces(given)
    (expected,), (found,) = given.predict(batch).values(), taken.predict(batch).values()
    np.testing.assert_array_equal(found, expected)
    assert np.ptp(expected) > 0


def drop(layers):
    del layers["delta_s2"]


def add(layers):
    layers["delta_s9"] = {"kernel": np.zeros((3, 1), np.float32)}


def turn(layers):
    layers["dense_1"]["kernel"] = layers["dense_1"]["kernel"].T


def lose(layers):
    del layers["dense_1"]["bias"]


def spoil(layers):
    layers["dense_1"]["bias"] = np.full(3, np.nan, np.float32)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (drop, "has no layer «delta_s2» of ssrnet; did you mean «delta_s"),
        (add, "has a layer «delta_s9» that ssrnet has not; did you mean «delta_s"),
        (turn, r"layer «dense_1»: kernel has shape \(3, 160\), expected \(160, 3\)"),
        (lose, r"layer «dense_1» holds \['kernel'\], expected \['bias', 'kernel'\]"),
        (spoil, "layer «dense_1»: bias holds a value that is not a finite number"),
    ],
)
def test_weights_that_do_not_fit_change_nothing(change, reason, tmp_path, write_keras2):
    network = ssrnet()
    before = [w.copy() for w in network.model.get_weights()]
    path = write_keras2(ssrnet().model, tmp_path / "w.h5", change)
    with pytest.raises(ModelError, match=reason) as caught:
        load_h5(network.model, path)
    assert "\n" not in str(caught.value)
    for old, now in zip(before, network.model.get_weights(), strict=True):
        np.testing.assert_array_equal(now, old)


def test_files_that_are_no_weights(tmp_path):
    import h5py

    (tmp_path / "text.h5").write_text("no HDF5")
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["numbers"] = np.zeros(3)
    for name in ("text.h5", "other.h5"):
        with pytest.raises(ModelError, match="holds no Keras 2 weights"):
            load_h5(ssrnet().model, tmp_path / name)
    with pytest.raises(ModelError, match="is missing"):
        load_h5(ssrnet().model, tmp_path / "nothing.h5")
