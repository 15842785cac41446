"""Replacing a network's own mean by another one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgeage.errors import MeanError

if TYPE_CHECKING:
    from pathlib import Path

    from edgeage.inputspec import InputSpec

__all__ = ["replaced_mean"]


def replaced_mean(
    mean: str | Path | np.ndarray, spec: InputSpec, *, reference: np.ndarray | None
) -> np.ndarray:
    """Return a mean that may stand in for a network's own.

    Args:
        mean: an array, or the path of a ``.npy`` or ``.binaryproto`` file; BGR.
        spec: what the network expects.
        reference: the network's own mean, to tell BGR from RGB by; None when not known.

    Returns:
        float32 array of shape ``spec.mean_shape``.

    Raises:
        MeanError: when it cannot be read, has the wrong shape or channel order, or the network
            takes no mean.
    """
    from edgeage import caffe

    if spec.mean_shape is None:
        raise MeanError("the network was trained without a mean; leave the mean out")
    array = mean if isinstance(mean, np.ndarray) else caffe.read_mean(mean)
    return caffe.check_mean(array, spec.mean_shape, reference=reference)
