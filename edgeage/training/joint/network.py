"""Levi and Hassner's network with a second last layer: one trunk, age and gender."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from edgeage.errors import ModelError
from edgeage.labels import DEFAULT_GROUP_AGES, GENDERS
from edgeage.training.joint.targets import GROUP_STARTS
from edgeage.training.net import TorchNet

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["JointNetwork"]

_HEAD = "fc8"
_FEATURES = "fc7"
_GENDER = "gender"


class JointNetwork:
    """An AgeNet whose last features also answer the gender.

    Args:
        agenet: AgeNet's ``NetParameter`` of both phases; ``fc7`` are its features, ``fc8`` its
            scores.
        input_shape: (channels, height, width).
        seed: of the fillers.
        phases: which phases to build.
    """

    starts_years = GROUP_STARTS
    class_ages = DEFAULT_GROUP_AGES

    def __init__(
        self,
        agenet: Any,
        input_shape: tuple[int, int, int],
        seed: int,
        phases: tuple[str, ...] = ("TRAIN", "TEST"),
    ) -> None:
        self.net = TorchNet(agenet, input_shape, seed, phases)
        features = self.net.weights()[_HEAD][0].shape[-1]
        generator = torch.Generator().manual_seed(seed + 1)
        self._gender = [
            torch.randn(len(GENDERS), features, generator=generator) * 0.01,
            torch.zeros(len(GENDERS)),
        ]
        for blob in self._gender:
            blob.requires_grad_(True)

    @property
    def parameters(self) -> list[torch.Tensor]:
        """Every learnable blob, the gender's last."""
        return [entry.blob for entry in self.net.parameters] + self._gender

    @property
    def statistics(self) -> list[torch.Tensor]:
        """No layer of it keeps any."""
        return []

    def __call__(self, phase: str, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the scores of age (n, 9) and of gender (n, 2), before the softmax.

        Args:
            phase: ``TRAIN`` (with dropout) or ``TEST``.
            pixels: float32 (n, 3, height, width), BGR, mean subtracted.
        """
        labels = torch.zeros(len(pixels), dtype=torch.int64)
        blobs = self.net.forward(phase, pixels, labels)
        genders = torch.nn.functional.linear(blobs[_FEATURES], *self._gender)
        return blobs[_HEAD], genders

    def weights(self) -> dict[str, list[np.ndarray]]:
        """Return a float32 copy of all parameters by layer name, the gender's under ``gender``."""
        return self.net.weights() | {_GENDER: [b.detach().numpy().copy() for b in self._gender]}

    def load(self, weights: Mapping[str, list[np.ndarray]]) -> None:
        """Take what :meth:`weights` returned.

        Raises:
            ModelError: when a layer is missing or of another size.
        """
        _, missing = self.net.load(weights)
        if missing or [w.shape for w in weights.get(_GENDER, [])] != [
            tuple(blob.shape) for blob in self._gender
        ]:
            raise ModelError("these weights are not of this joint network")
        with torch.no_grad():
            for blob, values in zip(self._gender, weights[_GENDER], strict=True):
                blob.copy_(torch.from_numpy(values))

    def join(
        self, agenet: Mapping[str, list[np.ndarray]], gendernet: Mapping[str, list[np.ndarray]]
    ) -> None:
        """Take the weights of two networks as :meth:`split` returned them.

        Raises:
            ModelError: when a layer is missing or of another size, or they differ before the last.
        """
        trunk = {name: blobs for name, blobs in agenet.items() if name != _HEAD}
        for name, blobs in trunk.items():
            others = gendernet.get(name, [])
            if not all(map(np.array_equal, blobs, others)) or len(blobs) != len(others):
                raise ModelError(f"AgeNet and GenderNet differ in layer «{name}»")
        self.load({**agenet, _GENDER: gendernet.get(_HEAD, [])})

    def split(self, weights: Mapping[str, list[np.ndarray]]) -> dict[str, dict[str, Any]]:
        """Return the two networks' own weights: AgeNet's and GenderNet's, layer by layer."""
        trunk = {name: blobs for name, blobs in weights.items() if name not in (_HEAD, _GENDER)}
        return {
            "agenet": {**trunk, _HEAD: weights[_HEAD]},
            "gendernet": {**trunk, _HEAD: weights[_GENDER]},
        }
