"""Plots of a score, for those who would rather look than read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgeage.errors import UsageError, require
from edgeage.paths import atomic_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from edgeage.evaluation.metrics import Score

__all__ = ["check_plot_path", "plot_confusion", "plot_headroom"]

_SUFFIXES = (".png", ".svg", ".pdf")


def check_plot_path(path: Path) -> None:
    """Refuse, before any work is done, a plot that could not be drawn.

    Raises:
        UsageError: when the name does not end in ``.png``, ``.svg`` or ``.pdf``.
        MissingDependencyError: without matplotlib.
    """
    if path.suffix.lower() not in _SUFFIXES:
        raise UsageError(f"{path}: expected a plot's name to end in {', '.join(_SUFFIXES)}")
    require("matplotlib", extra="plot", purpose="draw plots")


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
    check_plot_path(path)
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


def plot_headroom(
    largest: Mapping[str, float], inner: Mapping[str, float], path: Path, title: str
) -> None:
    """Draw how close each layer comes to half precision's largest number, on a log scale.

    Args:
        largest: largest magnitude by blob, in the network's order.
        inner: largest sum of squares on the way to some of them.
        path: ``.png``, ``.svg`` or ``.pdf``; written whole or not at all.
        title: the figure's title.

    Raises:
        UsageError: for another suffix.
        MissingDependencyError: without matplotlib.
    """
    check_plot_path(path)
    from matplotlib.figure import Figure

    limit = float(np.finfo(np.float16).max)
    figure = Figure(figsize=(8, 1.5 + 0.35 * len(largest)), layout="constrained")
    axes = figure.subplots()
    names = list(largest)
    # A blob of noughts, or one that is not finite, has no place on a log scale.
    drawn = [value if 0 < value < np.inf else np.nan for value in largest.values()]
    axes.barh(names, drawn, color=["tab:red" if value > limit else "tab:blue" for value in drawn])
    marks = [(value, names.index(name)) for name, value in inner.items()]
    axes.plot(
        [value for value, _ in marks],
        [place for _, place in marks],
        "kx",
        label="sum of squares on the way",
    )
    axes.axvline(limit, color="tab:red", label="largest in half precision, 65,504")
    axes.axvline(
        float(np.finfo(np.float16).tiny),
        color="tab:orange",
        linestyle="--",
        label="below this with fewer bits, 6.1e-5",
    )
    axes.set_xscale("log")
    axes.invert_yaxis()
    axes.set(xlabel="largest magnitude", title=title)
    figure.legend(loc="outside lower center", ncols=3, fontsize="small")
    with atomic_file(path) as temporary:
        figure.savefig(temporary, format=path.suffix[1:].lower(), dpi=150)
