"""What a family of networks brings to a training of both tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from edgeage.training.joint.faces import FaceTransform
    from edgeage.training.joint.trainer import FaceNetwork, JointTrainer

__all__ = ["Family"]


class Family(Protocol):
    """Networks that see faces the same way and are written in the same format."""

    @classmethod
    def recipe_path(cls) -> Path:
        """Return the released networks' own recipe."""

    def transforms(self, shape: tuple[int, ...], data: Path) -> tuple[FaceTransform, FaceTransform]:
        """Return how a face is seen in training and in validation.

        Args:
            shape: (channels, height, width) of the stored pictures.
            data: the data set's folder.
        """

    def network(self, input_shape: tuple[int, int, int], start: Path | None) -> FaceNetwork:
        """Return the network to train, with the weights it begins with.

        Args:
            input_shape: (channels, height, width).
            start: file of another network's weights to begin with.

        Raises:
            TrainingError: when those are not for this network.
        """

    def write_models(
        self, trainer: JointTrainer, out: Path, report: Mapping[str, Any]
    ) -> list[Path]:
        """Write the trainer's network, as it stands, and return the models' paths.

        Args:
            trainer: the finished training.
            out: the folder to write to.
            report: the data set's report.
        """
