"""What each output of a network is taught about a face, and by which loss."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from edgeage.errors import TrainingError
from edgeage.labels import GENDERS
from edgeage.training.joint.targets import age_targets, gender_targets

if TYPE_CHECKING:
    from edgeage.outputs import Output
    from edgeage.training.zoo.recipe import ZooRecipe

__all__ = ["loss_name", "targets"]

_LOSSES = {
    "classes": ("crossentropy",),
    "distribution": ("crossentropy",),
    "years": ("mae", "mse"),
    "sigmoid": ("crossentropy", "mae", "mse"),
}


def loss_name(output: Output, recipe: ZooRecipe) -> str:
    """Return which of a recipe's losses an output is trained by.

    Raises:
        TrainingError: when the recipe asks for one that the output does not allow.
    """
    asked = recipe.age_loss if output.task == "age" else recipe.gender_loss
    allowed = _LOSSES[output.kind]
    if asked and asked not in allowed:
        raise TrainingError(
            f"{output.task}_loss={asked} does not fit output «{output.name}» of {output.kind}; "
            f"expected {' or '.join(allowed)}"
        )
    return asked or allowed[0]


def targets(
    output: Output, size: int, ages_years: np.ndarray, genders: np.ndarray, recipe: ZooRecipe
) -> np.ndarray:
    """Return what an output is to answer.

    Args:
        output: what it means.
        size: how many values it has.
        ages_years: int64 (n,).
        genders: int64 (n,), indices into :data:`edgeage.labels.GENDERS`.
        recipe: says how sure the answers are to be.

    Returns:
        float32 (n, size).
    """
    if output.task == "gender":
        places = [GENDERS.index(label) for label in output.labels]
        return gender_targets(genders, recipe.gender_smoothing)[:, places]
    if output.kind == "years":
        return ((ages_years - output.offset) / output.factor).astype(np.float32)[:, None]
    starts = _starts(output, size)
    if recipe.age_spread:
        return age_targets(ages_years, recipe.age_spread, starts)
    classes = np.maximum(np.searchsorted(starts, ages_years, side="right") - 1, 0)
    one_hot: np.ndarray = np.eye(size, dtype=np.float32)[classes]
    return one_hot


def _starts(output: Output, size: int) -> list[int]:
    """Return the age in years at which each class begins; the first takes all who are younger."""
    if output.kind == "distribution":
        return [round(place * output.factor + output.offset) for place in range(size)]
    found = [re.search(r"\d+", label) for label in output.labels]
    return [int(match[0]) for match in found if match]
