"""MobileNet with two heads: shapes, statistics, and the weights it begins with."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from edgeage.training.joint.mobilenet import MobileNet, take_face_weights

STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)


def face_arrays(seed=0):
    """Arrays as that graph has them, of random numbers."""
    random = np.random.default_rng(seed)

    def numbers(*shape, size=1.0):
        return (random.standard_normal(shape) * size).astype(np.float32)

    arrays = {
        "conv1/convolution/merged_input": numbers(3, 3, 3, 32, size=0.01),
        "conv1_bn/batchnorm_1/sub": numbers(32),
        "feats/kernel": numbers(1024, 256, size=0.05),
        "feats/bias": numbers(256),
        "age_pred/kernel": numbers(256, 100),
        "age_pred/bias": numbers(100),
        "gender_pred/kernel": numbers(256, 1),
        "gender_pred/bias": numbers(1),
    }
    inside = 32
    widths = (64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)
    for number, out in enumerate(widths, 1):
        deep, point = (f"conv_{kind}_{number}" for kind in ("dw", "pw"))
        arrays[f"{deep}/depthwise_kernel"] = numbers(3, 3, inside, 1, size=0.5)
        arrays[f"{deep}_bn/batchnorm_1/mul"] = np.abs(numbers(inside)) + 0.5
        arrays[f"{deep}_bn/batchnorm_1/sub"] = numbers(inside)
        arrays[f"{point}/convolution/merged_input"] = numbers(1, 1, inside, out, size=inside**-0.5)
        arrays[f"{point}_bn/batchnorm_1/sub"] = numbers(out)
        inside = out
    return arrays


def answers_as_tensorflow(arrays, pixels):
    """Run that graph's layers as it has them: kernels folded, padding by the «SAME» rule."""

    def convolved(values, kernel, bias, stride, groups=1):
        if stride == 2:
            values = functional.pad(values, (0, 1, 0, 1))
        weights = torch.from_numpy(np.ascontiguousarray(kernel))
        padding = 0 if stride == 2 else weights.shape[-1] // 2
        result = functional.conv2d(
            values, weights, torch.from_numpy(bias), stride, padding, groups=groups
        )
        return result.clamp(0, 6)

    first = arrays["conv1/convolution/merged_input"].transpose(3, 2, 0, 1)
    values = convolved(pixels, first, arrays["conv1_bn/batchnorm_1/sub"], 2)
    for number, stride in enumerate(STRIDES, 1):
        deep, point = (f"conv_{kind}_{number}" for kind in ("dw", "pw"))
        kernel = arrays[f"{deep}/depthwise_kernel"].transpose(2, 3, 0, 1)
        kernel = kernel * arrays[f"{deep}_bn/batchnorm_1/mul"].reshape(-1, 1, 1, 1)
        bias = arrays[f"{deep}_bn/batchnorm_1/sub"]
        values = convolved(values, kernel, bias, stride, groups=len(kernel))
        kernel = arrays[f"{point}/convolution/merged_input"].transpose(3, 2, 0, 1)
        values = convolved(values, kernel, arrays[f"{point}_bn/batchnorm_1/sub"], 1)
    pooled = values.mean((2, 3)).numpy()
    features = np.maximum(pooled @ arrays["feats/kernel"] + arrays["feats/bias"], 0)
    ages = features @ arrays["age_pred/kernel"] + arrays["age_pred/bias"]
    male = features @ arrays["gender_pred/kernel"] + arrays["gender_pred/bias"]
    return ages, male[:, 0]


def test_it_is_as_large_as_mobilenet_and_answers_both_tasks():
    network = MobileNet().eval()
    # MobileNet 1.0 has 4,253,864 parameters with its 1,000 classes (Keras), 1,025,000 of them in
    # the last layer, and 21,888 of them running statistics.
    trunk = sum(blob.numel() for blob in network.trunk.parameters())
    assert trunk == 4_253_864 - 1_025_000 - 21_888
    ages, genders = network(torch.zeros(2, 3, 64, 64))
    assert (ages.shape, genders.shape) == ((2, 101), (2, 2))


def test_a_narrow_one_has_channels_in_eights():
    channels = {blob.shape[0] for blob in MobileNet(0.35).trunk.state_dict().values() if blob.ndim}
    assert channels == {8, 24, 48, 88, 176, 360}
    assert sum(blob.numel() for blob in MobileNet(0.35).parameters()) < 500_000


def test_the_first_and_the_last_layers_have_widths_of_their_own():
    network = MobileNet(0.375, width_early=0.25, width_last=0.28)
    across = [network.trunk[0], *network.trunk[2::2]]
    channels = [block[-2].num_features for block in across]
    assert channels == [8, 16, 32, 32, 96, 96, *[192] * 6, 288, 288]


def test_what_a_residual_block_sees_is_added_before_its_relu():
    torch.manual_seed(0)
    network = MobileNet(0.25, residual=True).eval()
    for across in network.trunk[2::2]:
        torch.nn.init.ones_(across[-2].weight)
    seen = torch.randn(2, 3, 64, 64) * 60
    first, *blocks = network.trunk
    pixels, added = first(seen), []
    for spatial, across in zip(blocks[::2], blocks[1::2], strict=True):
        said = across[1](across[0](spatial(pixels)))
        added.append(said.shape == pixels.shape)
        pixels = (said + pixels if added[-1] else said).clamp(0, 6)
    assert added == [False, False, True, False, True, False, *[True] * 5, False, True]
    features = network.features(pixels.mean((2, 3)))
    for found, layer in zip(network(seen), (network.age, network.gender), strict=True):
        torch.testing.assert_close(found, layer(features))


@pytest.mark.parametrize("fixed", [True, False])
def test_statistics_move_unless_they_are_fixed(fixed):
    network = MobileNet(0.25, fixed_statistics=fixed).train()
    before = [values.clone() for values in network.statistics()]
    network(torch.rand(4, 3, 32, 32) * 100)
    same = [torch.equal(one, two) for one, two in zip(before, network.statistics(), strict=True)]
    assert all(same) if fixed else not any(same)


def test_fixed_statistics_compute_as_the_layer_does():
    torch.manual_seed(0)
    network = MobileNet(0.25, dropout=0.0, fixed_statistics=True)
    for norm in (part for part in network.modules() if isinstance(part, torch.nn.BatchNorm2d)):
        torch.nn.init.uniform_(norm.weight, 0.5, 2)
        torch.nn.init.normal_(norm.bias)
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2)
    pixels, found = torch.randn(2, 3, 32, 32) * 60, []
    for mode in (True, False):
        network.train(mode)
        network.zero_grad()
        ages, genders = network(pixels)
        (ages.square().sum() + genders.square().sum()).backward()
        found.append([ages, genders, *(blob.grad for blob in network.parameters())])
    for one, other in zip(*found, strict=True):
        size = float(other.detach().abs().max())
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3 * size)


def test_it_begins_with_the_answers_of_the_face_network():
    arrays, network = face_arrays(), MobileNet(fixed_statistics=True).eval()
    take_face_weights(network, arrays)
    pixels = torch.from_numpy(
        np.random.default_rng(1).uniform(-128, 128, (2, 3, 64, 64)).astype(np.float32)
    )
    with torch.no_grad():
        ages, genders = (part.numpy() for part in network(pixels))
    expected, male = answers_as_tensorflow(arrays, pixels)
    np.testing.assert_allclose(ages[:, :100], expected, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(genders[:, 0] - genders[:, 1], male, rtol=1e-3, atol=1e-3)
    kernel = network.trunk[2][0].weight
    assert kernel.detach().flatten(1).norm(dim=1).numpy() == pytest.approx(2**0.5)


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda arrays: arrays.pop("feats/bias"), KeyError),
        (lambda arrays: arrays.update({"feats/bias": np.zeros(3, np.float32)}), ValueError),
    ],
)
def test_other_arrays_are_refused(change, kind):
    arrays = face_arrays()
    change(arrays)
    with pytest.raises(kind):
        take_face_weights(MobileNet(), arrays)
