"""An evaluation as plots: small vector pictures for a page, or files."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeage.errors import require
from edgeage.evaluation.figures import CATALOGUE
from edgeage.paths import atomic_file
from edgeage.scoring.tables import heading

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["CHARTS", "charts_as_svg", "learning_curve", "write_charts"]

_BARS = ("age_mae", "age_group", "gender")
_STYLE = {"svg.fonttype": "none", "svg.hashsalt": "edgeage", "font.size": 9.0}


def charts_as_svg(document: dict[str, Any]) -> dict[str, str]:
    """Draw an evaluation.

    Args:
        document: what :func:`edgeage.scoring.evaluate` returned.

    Returns:
        By name an ``<svg>`` element. A chart of what was not scored is left out.

    Raises:
        MissingDependencyError: without matplotlib.
    """
    require("matplotlib", extra="plot", purpose="draw plots")
    import matplotlib as mpl

    found = {}
    with mpl.rc_context(_STYLE):
        for name, draw in CHARTS.items():
            figure = draw(document)
            if figure is not None:
                found[name] = _svg(figure)
    return found


def write_charts(document: dict[str, Any], folder: Path) -> list[Path]:
    """Write every chart as ``NAME.svg`` into a folder.

    Raises:
        MissingDependencyError: without matplotlib.
    """
    paths = []
    for name, svg in charts_as_svg(document).items():
        paths.append(folder / f"{name}.svg")
        with atomic_file(paths[-1]) as temporary:
            temporary.write_text(svg + "\n", encoding="utf-8")
    return paths


def learning_curve(rows: list[dict[str, str]], title: str) -> str:
    """Draw a training's log: its loss, smoothed, and what was validated.

    Args:
        rows: of the CSV a training leaves: ``iteration``, ``phase``, ``loss``, ``accuracy``.
        title: the figure's title.

    Returns:
        An ``<svg>`` element.

    Raises:
        MissingDependencyError: without matplotlib.
    """
    require("matplotlib", extra="plot", purpose="draw plots")
    import matplotlib as mpl

    with mpl.rc_context(_STYLE):
        figure = _figure(6.4, 3.4)
        axes = figure.subplots()
        for phase, colour in (("train", "C0"), ("test", "C1")):
            own = [row for row in rows if row["phase"] == phase]
            places = np.array([int(row["iteration"]) for row in own])
            losses = np.array([float(row["loss"]) for row in own])
            places, losses = _thinned(places, losses)
            style = "o-" if phase == "test" else "-"
            label = "validation" if phase == "test" else "training"
            axes.plot(places, losses, style, color=colour, markersize=3, label=f"loss, {label}")
        shares = [row for row in rows if row["phase"] == "test" and row["accuracy"]]
        if shares:
            other = axes.twinx()
            places = np.array([int(row["iteration"]) for row in shares])
            values = np.array([float(row["accuracy"]) for row in shares])
            other.plot(places, values, "s--", color="C2", markersize=3, label="accuracy")
            other.set(ylabel="accuracy, validation", ylim=(0, 1))
        axes.set(xlabel="iteration", ylabel="loss", title=title)
        axes.grid(alpha=0.3)
        figure.legend(loc="outside lower center", ncols=3)
        return _svg(figure)


def _thinned(
    places: np.ndarray, values: np.ndarray, points: int = 200
) -> tuple[np.ndarray, np.ndarray]:
    """Average runs of points, so that a long training makes no larger file than a short one."""
    if len(values) <= points:
        return places, values
    parts = np.array_split(np.arange(len(values)), points)
    return (
        np.array([places[part].mean() for part in parts]),
        np.array([values[part].mean() for part in parts]),
    )


def _figure(width: float, height: float) -> Any:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _svg(figure: Any) -> str:
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    svg = text.getvalue()
    return svg[svg.index("<svg") :].rstrip()


def _first_round(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the results of the first set of faces in the first crop, a model each."""
    results: list[dict[str, Any]] = document["results"]
    return [result for result in results if heading(result) == heading(results[0])]


def _labelled(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every result with what sets it apart from the others."""
    several = len(document["models"]) > 1
    rounds = len({heading(result) for result in document["results"]})
    for result in document["results"]:
        words = [result["model"]] if several or rounds == 1 else []
        words += [heading(result)] if rounds > 1 else []
        yield ": ".join(words), result


def _time_error(document: dict[str, Any]) -> Any:
    """Time against error, the area of a point as the size of the model's files."""
    models = {model["name"]: model for model in document["models"] if model["time"]}
    own = [result for result in _first_round(document) if result["model"] in models]
    names = [n for n in ("age_mae", "gender") if any(n in result["figures"] for result in own)]
    if not own or not names:
        return None
    figure = _figure(4.4 * len(names), 3.4)
    for axes, name in zip(np.atleast_1d(figure.subplots(1, len(names))), names, strict=True):
        for number, result in enumerate(own):
            if name not in result["figures"]:
                continue
            model, value = models[result["model"]], result["figures"][name]
            time_ms = model["time"]["p50_ms"]
            ends = [[abs(value["value"] - value["low"])], [abs(value["high"] - value["value"])]]
            error = value["value"] if name == "age_mae" else 1 - value["value"]
            ends = ends if name == "age_mae" else ends[::-1]
            axes.errorbar(time_ms, error, ends, color=f"C{number}", capsize=3)
            area = 20 + 20 * float(np.log2(1 + model["bytes"] / 1e6))
            label = f"{result['model']}, {model['bytes'] / 1e6:.1f} MB"
            axes.scatter(time_ms, error, area, color=f"C{number}", label=label)
        axes.set_xscale("log")
        wrong = "mean absolute error, years" if name == "age_mae" else "genders wrong, share"
        axes.set(xlabel="ms a face, median", ylabel=wrong)
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small")
    figure.suptitle(heading(own[0]))
    return figure


def _bars(document: dict[str, Any]) -> Any:
    """The main figures as bars with their intervals."""
    labelled = list(_labelled(document))
    names = [n for n in _BARS if any(n in result["figures"] for _, result in labelled)]
    if not names:
        return None
    figure = _figure(9, 0.9 + 0.6 * len(labelled) + 0.3)
    for axes, name in zip(
        np.atleast_1d(figure.subplots(1, len(names), sharey=True)), names, strict=True
    ):
        for place, (_, result) in enumerate(labelled):
            if (value := result["figures"].get(name)) is None:
                continue
            ends = [[value["value"] - value["low"]], [value["high"] - value["value"]]]
            axes.barh(place, value["value"], xerr=np.abs(ends), color=f"C{place}", capsize=3)
        axes.set(title=CATALOGUE[name].title, xlabel=CATALOGUE[name].unit)
        axes.set_yticks(range(len(labelled)), [label for label, _ in labelled])
    figure.axes[0].invert_yaxis()
    return figure


def _cs(document: dict[str, Any]) -> Any:
    """CS(n), the share of faces whose age is at most n years off."""
    own = [(label, result) for label, result in _labelled(document) if "cs" in result]
    if not own:
        return None
    figure = _figure(6.4, 3.6)
    axes = figure.subplots()
    for label, result in own:
        axes.plot(range(len(result["cs"])), result["cs"], "o-", markersize=3, label=label)
    axes.set(xlabel="n, years", ylabel="CS(n), share of faces", ylim=(0, 1))
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    return figure


def _age_error(document: dict[str, Any]) -> Any:
    """Error by true age."""
    own = [(label, result) for label, result in _labelled(document) if result.get("age_errors")]
    if not own:
        return None
    figure = _figure(9, 3.6)
    left, right = figure.subplots(1, 2)
    for label, result in own:
        bins = [found for found in result["age_errors"] if found["faces"] >= 5]
        middles = [(found["from_years"] + found["to_years"]) / 2 for found in bins]
        for axes, name in ((left, "mae"), (right, "bias")):
            axes.plot(middles, [found[name] for found in bins], "o-", markersize=3, label=label)
    left.set(xlabel="age, years", ylabel="mean absolute error, years", ylim=(0, None))
    right.set(xlabel="age, years", ylabel="mean error, years")
    right.axhline(0, color="black", linewidth=0.8)
    for axes in (left, right):
        axes.grid(alpha=0.3)
    left.legend(fontsize="small")
    return figure


def _reliability(document: dict[str, Any]) -> Any:
    """How often answers of a confidence are right."""
    own = list(_labelled(document))
    tasks = [t for t in ("age_group", "gender") if any(t in r["reliability"] for _, r in own)]
    if not tasks:
        return None
    figure = _figure(4 * len(tasks), 3.6)
    for axes, task in zip(np.atleast_1d(figure.subplots(1, len(tasks))), tasks, strict=True):
        axes.plot([0, 1], [0, 1], color="black", linewidth=0.8)
        for label, result in own:
            bins = result["reliability"].get(task, [])
            confidences = [found["confidence"] for found in bins]
            rights = [found["accuracy"] for found in bins]
            axes.plot(confidences, rights, "o-", markersize=3, label=label)
        axes.set(xlabel="confidence", ylabel="share right", title=CATALOGUE[task].title)
        axes.grid(alpha=0.3)
    figure.axes[0].legend(fontsize="small")
    return figure


def _confusion(document: dict[str, Any]) -> Any:
    """The age groups' confusion matrices, each row coloured by its share."""
    own = [result for result in _first_round(document) if "age_groups" in result]
    if not own:
        return None
    figure = _figure(5.2 * len(own), 4.8)
    for axes, result in zip(np.atleast_1d(figure.subplots(1, len(own))), own, strict=True):
        counts = np.array(result["age_groups"]["confusion"])
        labels = result["age_groups"]["labels"]
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        axes.set_xticks(range(len(labels)), labels, rotation=45, ha="right")
        axes.set_yticks(range(len(labels)), labels)
        axes.set(xlabel="predicted", ylabel="true", title=f"{result['model']}\n{heading(result)}")
        for row, column in np.argwhere(counts):
            count = counts[row, column]
            colour = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, str(count), ha="center", va="center", color=colour, fontsize=7)
    return figure


CHARTS = {
    "time_error": _time_error,
    "bars": _bars,
    "age_error": _age_error,
    "confusion": _confusion,
    "cs": _cs,
    "reliability": _reliability,
}
"""Every chart by name, with what draws it."""
