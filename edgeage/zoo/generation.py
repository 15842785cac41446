"""Generation and identity: an age as a generation and a year within it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from edgeage.errors import UsageError
from edgeage.networkinput import NetworkInput
from edgeage.zoo.applications import application

if TYPE_CHECKING:
    from edgeage.zoo.network import ZooNetwork

__all__ = ["generation"]

_MIDDLE, _CONTRAST = 128.0, 130.51


def generation(
    *,
    backbone: str = "mobilenetv2",
    size: int | None = None,
    weights: str = "none",
    equalise: int = 0,
) -> ZooNetwork:
    """Return a backbone with :func:`edgeage.zoo.heads.generation_head`.

    It takes pictures in contrast normalisation, ``(x − 128) · 128 / 130.51``, and so starts from
    random weights unless ImageNet's are asked for.

    Args:
        backbone: one of :func:`edgeage.zoo.applications.application_names`.
        size: as for :func:`edgeage.zoo.applications.application`.
        weights: likewise.
        equalise: 1 to equalise each face's histogram before that.

    Raises:
        UsageError: as :func:`edgeage.zoo.applications.application`.
        ModelError: likewise.
    """
    if equalise not in (0, 1):
        raise UsageError(f"expected equalise of 0 or 1, got {equalise!r}")
    network = application(
        backbone, head="generation", size=size, weights=weights, name="generation"
    )
    takes = NetworkInput("RGB", mean=(_MIDDLE,) * 3, std=(_CONTRAST / _MIDDLE,) * 3)
    return dataclasses.replace(network, takes=takes, equalise=bool(equalise))
