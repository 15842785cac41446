"""Plots of a score, for those who would rather look than read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgeage.errors import UsageError, require
from edgeage.paths import atomic_file

if TYPE_CHECKING:
    from pathlib import Path

    from edgeage.evaluation.metrics import Score

__all__ = ["plot_confusion"]

_SUFFIXES = (".png", ".svg", ".pdf")


def plot_confusion(score: Score, path: Path, title: str) -> None:
    """Draw the confusion matrix, each row coloured by its share, counts written in the cells.

    Args:
        score: what to draw.
        path: ``.png``, ``.svg`` or ``.pdf``; written whole or not at all.
        title: the figure's title.

    Raises:
        UsageError: for another suffix.
        MissingDependencyError: without matplotlib.
    """
    if path.suffix.lower() not in _SUFFIXES:
        raise UsageError(f"{path}: expected a plot's name to end in {', '.join(_SUFFIXES)}")
    require("matplotlib", extra="plot", purpose="draw plots")
    from matplotlib.figure import Figure

    shares = score.confusion / np.maximum(score.confusion.sum(axis=1, keepdims=True), 1)
    side = 2.5 + 0.55 * len(score.labels)
    figure = Figure(figsize=(side + 1, side), layout="constrained")
    axes = figure.subplots()
    picture = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(picture, ax=axes, label="share of the true class")
    ticks = range(len(score.labels))
    axes.set_xticks(ticks, score.labels, rotation=45, ha="right")
    axes.set_yticks(ticks, score.labels)
    axes.set(xlabel="predicted", ylabel="true", title=f"{title}\naccuracy {score.accuracy:.1%}")
    for row in ticks:
        for column in ticks:
            colour = "white" if shares[row, column] > 0.5 else "black"
            count = str(score.confusion[row, column])
            axes.text(column, row, count, ha="center", va="center", color=colour)
    with atomic_file(path) as temporary:
        figure.savefig(temporary, format=path.suffix[1:].lower(), dpi=150)
