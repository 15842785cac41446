"""Caffe's weight fillers (``filler.hpp``), drawn from a seeded torch generator."""

from __future__ import annotations

import math
from typing import Any

import torch

from edgeage.errors import UnsupportedLayerError, did_you_mean

__all__ = ["fill"]

_KNOWN = ("constant", "gaussian", "uniform", "xavier", "msra")


def fill(filler: Any, shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
    """Return a float32 tensor of ``shape`` filled as a ``FillerParameter`` says.

    Args:
        filler: type ``constant``, ``gaussian``, ``uniform``, ``xavier`` or ``msra``.
        shape: the blob's shape; the first axis counts outputs.
        generator: source of randomness.

    Raises:
        UnsupportedLayerError: for any other filler type.
    """
    kind = filler.type or "constant"
    blob = torch.empty(shape, dtype=torch.float32)
    if kind == "constant":
        return blob.fill_(filler.value)
    if kind == "gaussian":
        return _gaussian(blob, filler, generator)
    if kind == "uniform":
        return blob.uniform_(filler.min, filler.max, generator=generator)
    if kind == "xavier":
        bound = math.sqrt(3.0 / _fan(filler, shape))
        return blob.uniform_(-bound, bound, generator=generator)
    if kind == "msra":
        return blob.normal_(0.0, math.sqrt(2.0 / _fan(filler, shape)), generator=generator)
    raise UnsupportedLayerError(
        f"unknown filler «{kind}»{did_you_mean(kind, _KNOWN)}; expected one of {', '.join(_KNOWN)}"
    )


def _gaussian(blob: torch.Tensor, filler: Any, generator: torch.Generator) -> torch.Tensor:
    blob.normal_(filler.mean, filler.std, generator=generator)
    if filler.sparse >= 0:
        # Caffe keeps on average `sparse` non-zero inputs an output.
        keep = filler.sparse / blob.shape[0]
        blob.mul_(torch.empty_like(blob).bernoulli_(keep, generator=generator))
    return blob


def _fan(filler: Any, shape: tuple[int, ...]) -> float:
    count = math.prod(shape)
    fan_in = count / shape[0]
    fan_out = count / shape[1] if len(shape) > 1 else count
    # VarianceNorm: FAN_IN = 0, FAN_OUT = 1, AVERAGE = 2.
    return (fan_in, fan_out, (fan_in + fan_out) / 2)[int(filler.variance_norm)]
