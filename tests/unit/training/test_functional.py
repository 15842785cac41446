"""Caffe's operations against plain definitions written out in the test."""

import numpy as np
import pytest
import torch

from edgeage.training.functional import local_response_norm, pool_caffe, softmax_loss


def _lrn_by_definition(x: torch.Tensor, size: int, alpha: float, beta: float, k: float):
    half = (size - 1) // 2
    channels = x.shape[1]
    out = torch.empty_like(x)
    for channel in range(channels):
        window = x[:, max(channel - half, 0) : channel + half + 1]
        scale = k + alpha / size * (window**2).sum(dim=1)
        out[:, channel] = x[:, channel] * scale**-beta
    return out


@pytest.mark.parametrize(
    ("size", "alpha", "beta", "k"),
    [
        pytest.param(5, 1e-4, 0.75, 1.0, id="agenet"),
        pytest.param(3, 0.5, 0.75, 2.0, id="strong"),
        pytest.param(5, 0.1, 0.5, 1.0, id="other-beta"),
        pytest.param(1, 0.1, 0.75, 1.0, id="one-channel-window"),
    ],
)
def test_lrn_and_its_gradient_follow_the_definition(size, alpha, beta, k):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 7, 4, 3, generator=generator, dtype=torch.float64) * 5
    x.requires_grad_(True)
    weight = torch.randn(2, 7, 4, 3, generator=generator, dtype=torch.float64)
    expected = _lrn_by_definition(x, size, alpha, beta, k)
    (expected_gradient,) = torch.autograd.grad((expected * weight).sum(), x)
    found = local_response_norm(x, size, alpha, beta, k)
    (gradient,) = torch.autograd.grad((found * weight).sum(), x)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(gradient, expected_gradient)


def _pooled_by_definition(x: np.ndarray, kind: str, kernel: int, stride: int, pad: int):
    """pooling_layer.cpp, one window at a time."""
    side = x.shape[-1]
    out = int(np.ceil((side + 2 * pad - kernel) / stride)) + 1
    if pad and (out - 1) * stride >= side + pad:
        out -= 1
    result = np.empty((*x.shape[:2], out, out), x.dtype)
    for row in range(out):
        for column in range(out):
            top, left = row * stride - pad, column * stride - pad
            bottom, right = min(top + kernel, side + pad), min(left + kernel, side + pad)
            area = (bottom - top) * (right - left)
            window = x[:, :, max(top, 0) : min(bottom, side), max(left, 0) : min(right, side)]
            result[:, :, row, column] = (
                window.max(axis=(2, 3)) if kind == "MAX" else window.sum(axis=(2, 3)) / area
            )
    return result


@pytest.mark.parametrize("kind", ["MAX", "AVE"])
@pytest.mark.parametrize(
    ("side", "kernel", "stride", "pad"),
    [
        pytest.param(56, 3, 2, 0, id="agenet-pool1"),
        pytest.param(28, 3, 2, 0, id="agenet-pool2"),
        pytest.param(7, 2, 2, 0, id="last-window-hangs-over"),
        pytest.param(7, 3, 2, 1, id="padded"),
        pytest.param(6, 2, 2, 1, id="last-window-would-start-in-the-padding"),
        pytest.param(5, 5, 1, 0, id="whole"),
    ],
)
def test_pooling_follows_caffes_ceil_rule(kind, side, kernel, stride, pad):
    x = np.random.default_rng(0).standard_normal((2, 3, side, side))
    found = pool_caffe(torch.from_numpy(x), kind, (kernel,) * 2, (stride,) * 2, (pad,) * 2)
    expected = _pooled_by_definition(x, kind, kernel, stride, pad)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("normalization", "ignore", "divisor"),
    [
        pytest.param("VALID", None, 4, id="valid-counts-all-without-ignored"),
        pytest.param("VALID", 1, 3, id="valid-leaves-ignored-out"),
        pytest.param("FULL", 1, 4, id="full-counts-ignored-too"),
        pytest.param("BATCH_SIZE", 1, 4, id="batch-size"),
        pytest.param("NONE", None, 1, id="none-is-the-sum"),
    ],
)
def test_softmax_loss_normalisation(normalization, ignore, divisor):
    scores = torch.tensor([[1.0, 2.0], [0.5, -1.0], [3.0, 0.0], [0.0, 0.0]])
    labels = torch.tensor([0, 1, 0, 0])
    negative_log = -torch.log_softmax(scores, dim=1)[torch.arange(4), labels]
    if ignore is not None:
        negative_log = negative_log[labels != ignore]
    found = softmax_loss(scores, labels, normalization, ignore)
    torch.testing.assert_close(found, negative_log.sum() / divisor)
