"""EfficientNet-Lite with two heads: shapes, statistics, and the weights it begins with."""

import numpy as np
import pytest
import torch

from edgeage.training.joint.lite import LITE0, LiteNetwork, LiteShape, Stage, bgr_start

SMALL = LiteShape(4, (Stage(1, 4, 1, 3, 1), Stage(2, 8, 2, 3, 2)), 16, dropout=0.0)


def classifier_of(network):
    """The arrays of a classifier with the same trunk: every value another number."""
    random = np.random.default_rng(3)
    arrays = {
        f"layer{number}": torch.tensor(random.uniform(0.5, 1.5, tuple(value.shape))).float()
        for number, value in enumerate(network.trunk.state_dict().values())
        if value.ndim
    }
    return {**arrays, "counter": torch.tensor(7), "_fc.weight": torch.zeros(10, 16)}


def test_it_has_the_parameters_of_lite0_and_answers_both_tasks():
    network = LiteNetwork(LITE0).eval()
    trunk = sum(value.numel() for value in network.trunk.parameters())
    # Lite0 has 4,652,008 parameters, 1,281,000 of them in its last layer (Liu, 2020).
    assert trunk == 4_652_008 - 1_281_000
    with torch.no_grad():
        ages, genders = network(torch.zeros(2, 3, 64, 64))
    assert (tuple(ages.shape), tuple(genders.shape)) == ((2, 101), (2, 2))


@pytest.mark.parametrize("fixed", [True, False])
def test_statistics_stay_only_where_they_are_fixed(fixed):
    torch.manual_seed(1)
    network = LiteNetwork(SMALL, fixed_statistics=fixed).train()
    before = [values.clone() for values in network.statistics()]
    ages, genders = network(torch.randn(4, 3, 32, 32) * 5)
    (ages.sum() + genders.sum()).backward()
    same = [torch.equal(a, b) for a, b in zip(before, network.statistics(), strict=True)]
    assert same == [fixed] * len(before)
    assert all(value.grad is not None for value in network.parameters())


def test_it_begins_as_the_classifier_with_its_channels_in_bgr():
    start, network = LiteNetwork(SMALL).eval(), LiteNetwork(SMALL).eval()
    arrays = classifier_of(network)
    own = [value for value in start.trunk.state_dict().values() if value.ndim]
    for target, values in zip(own, list(arrays.values())[: len(own)], strict=True):
        target.copy_(values)
    bgr_start(network, arrays)
    pixels = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(network.trunk(pixels.flip(1)), start.trunk(pixels))


def test_another_trunk_is_refused():
    arrays = classifier_of(LiteNetwork(SMALL))
    del arrays["layer3"]
    with pytest.raises(ValueError, match="arrays of this trunk"):
        bgr_start(LiteNetwork(SMALL), arrays)
