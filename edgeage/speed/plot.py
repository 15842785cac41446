"""A measurement as bars: how long a run takes, and how many pictures a second that is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeage.evaluation.plots import check_plot_path
from edgeage.paths import atomic_file
from edgeage.speed.text import where_measured

if TYPE_CHECKING:
    from pathlib import Path

    from edgeage.speed.bench import Bench, Row

__all__ = ["plot_bench"]


def plot_bench(found: Bench, path: Path) -> None:
    """Draw two bars a row, its latency and its throughput, coloured by precision.

    The latency's bar ends at the median, a whisker at the 99th percentile.

    Args:
        found: what was measured; a row without figures is left out.
        path: ``.png``, ``.svg`` or ``.pdf``; written whole or not at all.

    Raises:
        UsageError: for another suffix.
        MissingDependencyError: without matplotlib.
    """
    check_plot_path(path)
    from matplotlib.figure import Figure

    rows = found.ran
    figure = Figure(figsize=(11, 1.6 + 0.36 * max(len(rows), 2)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    places = range(len(rows))
    colours = _colours(rows)
    medians = [row.figures.p50_ms for row in rows if row.figures]
    tails = [row.figures.p99_ms - row.figures.p50_ms for row in rows if row.figures]
    rates = [row.figures.img_per_s for row in rows if row.figures]
    bars = left.barh(places, medians, color=colours, xerr=[[0] * len(rows), tails], capsize=3)
    left.bar_label(bars, [f"{value:.1f}" for value in medians], padding=3)
    bars = right.barh(places, rates, color=colours)
    right.bar_label(bars, [f"{value:.0f}" for value in rates], padding=3)
    left.set_yticks(places, [_title(row) for row in rows])
    left.invert_yaxis()
    left.set(xlabel="ms a run: median, and 99th percentile", title="latency")
    right.set(xlabel="pictures a second", title="throughput")
    for axes in (left, right):
        axes.margins(x=0.12)
    figure.suptitle(where_measured(found))
    with atomic_file(path) as temporary:
        figure.savefig(temporary, format=path.suffix[1:].lower(), dpi=150)


def _title(row: Row) -> str:
    return f"{row.model} {row.device} {row.precision} × {row.batch}"


def _colours(rows: list[Row]) -> list[str]:
    known = {name: f"C{place}" for place, name in enumerate(("FP32", "FP16", "INT8"))}
    return [known.get(row.precision, "C3") for row in rows]
