"""A stored picture as a network takes it that was given its size by resizing alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from edgeage.inputspec import InputSpec
    from edgeage.networkinput import NetworkInput

__all__ = ["Resized"]


class Resized:
    """A stored picture resized to the network's sides and normalised.

    Args:
        spec: the size of what the network sees, and whether it is equalised.
        takes: its order of channels, mean and range.
        mirror: mirror every second picture.
    """

    def __init__(self, spec: InputSpec, takes: NetworkInput, *, mirror: bool) -> None:
        self.spec, self.mirror = spec, mirror
        self._reverse = takes.channel_order == "RGB"
        self._mean, self._scale = (np.asarray(part, np.float32) for part in takes.mean_scale)

    @property
    def output_shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of what the network sees."""
        return (3, *self.spec.resize_hw)

    def __call__(self, picture: np.ndarray, random: np.random.Generator, out: np.ndarray) -> None:
        """Transform one picture.

        Args:
            picture: uint8 (height, width, 3), BGR.
            random: source of randomness.
            out: float32 (*spec.resize_hw, 3) in the network's order of channels, written to.
        """
        small = self.spec.resized(picture)
        if self.mirror and random.integers(2) == 1:
            small = small[:, ::-1]
        if self._reverse:
            small = small[..., ::-1]
        np.subtract(small, self._mean, out=out, dtype=np.float32)
        out /= self._scale
