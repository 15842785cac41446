"""Figures of a classification over ordered or unordered groups, all from one confusion matrix."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["GroupScore", "Score", "confusion_matrix"]


def confusion_matrix(truth: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Count every pair of true and predicted class.

    Args:
        truth: integers (N,) of 0 to ``classes`` − 1.
        predicted: integers (N,), the same range.
        classes: how many classes there are.

    Returns:
        int64 array (classes, classes); rows are true, columns predicted classes.

    >>> confusion_matrix(np.array([0, 0, 1]), np.array([0, 1, 1]), 2).tolist()
    [[1, 1], [0, 1]]
    """
    flat = np.asarray(truth, np.int64) * classes + np.asarray(predicted, np.int64)
    return np.bincount(flat, minlength=classes * classes).reshape(classes, classes)


@dataclasses.dataclass(frozen=True)
class GroupScore:
    """How one true class fared.

    Attributes:
        label: the class.
        images: pictures of the class.
        correct: how many were put in it.
        one_off: how many were put in it or a neighbour.
        predicted: how many pictures of any class were put in it.
    """

    label: str
    images: int
    correct: int
    one_off: int
    predicted: int

    @property
    def recall(self) -> float | None:
        """Share of the class's pictures put in it; None for a class without pictures."""
        return self.correct / self.images if self.images else None

    @property
    def precision(self) -> float | None:
        """Share of the pictures put in the class that belong there; None when there are none."""
        return self.correct / self.predicted if self.predicted else None


@dataclasses.dataclass(frozen=True)
class Score:
    """A network's figures on one set of pictures.

    Attributes:
        labels: the classes in order.
        confusion: int64 (classes, classes); rows are true, columns predicted classes.
        ordered: whether neighbouring labels are neighbours in meaning (age groups are).
    """

    labels: tuple[str, ...]
    confusion: np.ndarray
    ordered: bool

    @classmethod
    def of(
        cls, truth: np.ndarray, predicted: np.ndarray, labels: Sequence[str], *, ordered: bool
    ) -> Score:
        """Score predictions, both integers (N,), against the truth."""
        return cls(tuple(labels), confusion_matrix(truth, predicted, len(labels)), ordered)

    @property
    def images(self) -> int:
        """How many pictures were scored."""
        return int(self.confusion.sum())

    @property
    def correct(self) -> int:
        """How many were right."""
        return int(np.trace(self.confusion))

    @property
    def accuracy(self) -> float:
        """Share of the pictures that were right."""
        return self.correct / self.images

    @property
    def one_off_accuracy(self) -> float | None:
        """Share right or in a neighbouring group (Eidinger et al. 2014); None when unordered."""
        if not self.ordered:
            return None
        return sum(group.one_off for group in self.groups) / self.images

    @property
    def balanced_recall(self) -> float:
        """Mean of the recalls of the classes that have pictures, each class counting once."""
        recalls = [group.recall for group in self.groups if group.recall is not None]
        return sum(recalls) / len(recalls)

    @property
    def groups(self) -> tuple[GroupScore, ...]:
        """One row a class."""
        return tuple(self._group(index) for index in range(len(self.labels)))

    def _group(self, index: int) -> GroupScore:
        row = self.confusion[index]
        return GroupScore(
            label=self.labels[index],
            images=int(row.sum()),
            correct=int(row[index]),
            one_off=int(row[max(index - 1, 0) : index + 2].sum()),
            predicted=int(self.confusion[:, index].sum()),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return every figure as JSON-ready values; shares are 0 to 1."""
        groups = []
        for group in self.groups:
            row = {
                **dataclasses.asdict(group),
                "recall": group.recall,
                "precision": group.precision,
            }
            if not self.ordered:
                del row["one_off"]
            groups.append(row)
        return {
            "images": self.images,
            "correct": self.correct,
            "accuracy": self.accuracy,
            "one_off_accuracy": self.one_off_accuracy,
            "balanced_recall": self.balanced_recall,
            "labels": list(self.labels),
            "confusion": self.confusion.tolist(),
            "groups": groups,
        }
