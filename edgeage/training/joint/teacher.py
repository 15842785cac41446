"""A network that is there already, as the teacher of one in training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgeage.closing import Closing
from edgeage.errors import TrainingError
from edgeage.labels import AGE_GROUPS, age_group_index
from edgeage.modelfiles import read_models
from edgeage.runtime.openvino import OpenVINOBackend
from edgeage.runtime.options import RuntimeOptions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["Lesson", "Teacher", "mixed"]

Lesson = tuple[np.ndarray, np.ndarray]
"""Probabilities of 101 ages, (n, 101), and of the two genders, (n, 2), float32."""


class Teacher(Closing):
    """A network of both tasks whose answers a smaller one is taught (Hinton et al., 2015).

    Args:
        model: what :func:`edgeage.modelfiles.read_models` takes: one network that answers the age
            as scores of 101 years and the gender as scores.

    Raises:
        TrainingError: when it is another kind of network.
        ModelError: when it is missing or damaged.
    """

    def __init__(self, model: str | Path) -> None:
        manifests = read_models(model)
        outputs = {output.task: output for output in manifests[0].outputs}
        kinds = [
            (outputs[task].kind, outputs[task].logits)
            for task in ("age", "gender")
            if task in outputs
        ]
        if len(manifests) != 1 or kinds != [("distribution", True), ("classes", True)]:
            raise TrainingError(
                f"{model} cannot teach: expected one network with the scores of 101 ages and of "
                "two genders, as edgeage-s has"
            )
        (self.manifest,) = manifests
        self._names = [outputs[task].name for task in ("age", "gender")]
        backend = OpenVINOBackend("CPU", RuntimeOptions(threads=1))
        self._session = backend.load(self.manifest)

    def teach(self, pictures: Sequence[np.ndarray]) -> Lesson:
        """Answer pictures as the network in training sees them.

        Args:
            pictures: uint8 (height, width, 3), BGR.
        """
        batch = np.stack([self.manifest.input.prepare(picture) for picture in pictures])
        outputs = self._session.infer(batch).outputs
        ages, genders = (_softmax(outputs[name]) for name in self._names)
        return ages, genders

    def close(self) -> None:
        """Give the network back."""
        self._session.close()


def mixed(labels: np.ndarray, taught: np.ndarray, share: float) -> np.ndarray:
    """Mix what a face's label says with what the teacher says.

    Args:
        labels: float32 (n, classes), rows summing to 1: of 101 ages, of the nine groups, or of
            genders.
        taught: the teacher's, (n, 101) or (n, 2).
        share: the teacher's, 0 to 1.

    Returns:
        float32 of ``labels``' shape, rows summing to 1.
    """
    if labels.shape[1] == len(AGE_GROUPS):
        groups = np.array([age_group_index(year) for year in range(taught.shape[1])])
        taught = taught @ np.eye(len(AGE_GROUPS), dtype=np.float32)[groups]
    result: np.ndarray = ((1 - share) * labels + share * taught).astype(np.float32)
    return result


def _softmax(scores: np.ndarray) -> np.ndarray:
    raised = np.exp(scores - scores.max(axis=1, keepdims=True), dtype=np.float32)
    shares: np.ndarray = raised / raised.sum(axis=1, keepdims=True)
    return shares
