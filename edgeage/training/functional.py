"""The few operations whose Caffe form torch has no fast or exact equal of."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import torch
from torch.nn import functional

__all__ = ["local_response_norm", "pool_caffe", "softmax_loss"]


_WORST_LOSS = -math.log(torch.finfo(torch.float32).tiny)


@lru_cache(maxsize=16)
def _band(channels: int, size: int, dtype: torch.dtype) -> torch.Tensor:
    """Return the (channels, channels) 0/1 matrix that sums ``size`` neighbouring channels."""
    index = torch.arange(channels)
    half = (size - 1) // 2
    return ((index[:, None] - index[None, :]).abs() <= half).to(dtype)


def _window_sum(values: torch.Tensor, size: int) -> torch.Tensor:
    """Sum each of the last axis' neighbourhoods; one matrix product beats ``size`` shifted adds."""
    return values @ _band(values.shape[-1], size, values.dtype)


class _LocalResponseNorm(torch.autograd.Function):  # type: ignore[misc]
    """Across-channel LRN in channels-last order, keeping only what the gradient needs."""

    @staticmethod
    def forward(  # noqa: PLR0917 - torch hands them over by position
        ctx: Any, x: torch.Tensor, size: int, alpha: float, beta: float, k: float
    ) -> torch.Tensor:
        last = x.permute(0, 2, 3, 1)
        scale = _window_sum(last * last, size).mul_(alpha / size).add_(k)
        # x^-0.75 as two square roots: pow costs more than the convolution before it.
        power = scale.rsqrt().mul_(scale.rsqrt().sqrt_()) if beta == 0.75 else scale.pow(-beta)
        ctx.save_for_backward(x, scale, power)
        ctx.constants = (size, alpha, beta)
        return (last * power).permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None, None, None, None]:
        x, scale, power = ctx.saved_tensors
        size, alpha, beta = ctx.constants
        last, grad_last = x.permute(0, 2, 3, 1), grad.permute(0, 2, 3, 1)
        direct = grad_last * power
        crossed = _window_sum((direct * last).div_(scale), size)
        result = direct.sub_(crossed.mul_(last), alpha=2 * alpha * beta / size)
        return result.permute(0, 3, 1, 2), None, None, None, None


def local_response_norm(
    x: torch.Tensor, size: int, alpha: float, beta: float, k: float = 1.0
) -> torch.Tensor:
    """Across-channel LRN as Caffe computes it: ``x · (k + alpha/size · Σ x²) ** -beta``.

    Args:
        x: (N, C, H, W), fastest in channels-last memory.
        size: odd number of channels in the window.
        alpha: Caffe's alpha, divided by ``size`` here as there.
        beta: exponent.
        k: constant.

    Returns:
        A tensor of ``x``'s shape and dtype.
    """
    result: torch.Tensor = _LocalResponseNorm.apply(x, size, alpha, beta, k)
    return result


def pool_caffe(
    x: torch.Tensor,
    kind: str,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    pad: tuple[int, int],
) -> torch.Tensor:
    """Max or average pooling with Caffe's ceil rule for the output size.

    torch's ``ceil_mode`` clips the last window as Caffe does when it would start in the padding,
    and its average counts padding the same way.
    """
    if kind == "MAX":
        return functional.max_pool2d(x, kernel, stride, pad, ceil_mode=True)
    return functional.avg_pool2d(x, kernel, stride, pad, ceil_mode=True)


def softmax_loss(
    scores: torch.Tensor, labels: torch.Tensor, normalization: str, ignore_label: int | None
) -> torch.Tensor:
    """Softmax with multinomial logistic loss, as ``SoftmaxWithLoss`` normalises and limits it.

    Args:
        scores: (N, classes, …) before the softmax.
        labels: int64 (N, …).
        normalization: ``FULL``, ``VALID``, ``BATCH_SIZE`` or ``NONE``.
        ignore_label: label left out of the loss, or None.

    Returns:
        A float32 scalar.
    """
    ignored = -100 if ignore_label is None else ignore_label
    each = functional.cross_entropy(scores.float(), labels, ignore_index=ignored, reduction="none")
    # Caffe takes no probability for less than FLT_MIN; its gradient does not know of that.
    total = (each + (each.clamp(max=_WORST_LOSS) - each).detach()).sum()
    divisors = {
        "FULL": labels.numel(),
        "VALID": int((labels != ignored).sum()),
        "BATCH_SIZE": labels.shape[0],
        "NONE": 1,
    }
    return total / max(divisors[normalization], 1)
