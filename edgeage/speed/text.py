"""A measurement as a text for the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeage.inspection.finding import Table, format_table
from edgeage.speed.hardware import machine

if TYPE_CHECKING:
    from edgeage.speed.bench import Bench, Row
    from edgeage.speed.stages import StageCosts

__all__ = ["format_bench", "where_measured"]

_COLUMNS = (
    "network",
    "device",
    "precision",
    "batch",
    "p50 ms",
    "p90 ms",
    "p99 ms",
    "img/s",
    "runs",
)


def format_bench(found: Bench) -> str:
    """Return the rows, why some have no figures, and the cost of the picture's steps."""
    parts = [[where_measured(found)], _rows(found), _missing(found)]
    if found.stages is not None:
        parts.append(_stages(found.stages))
    return "\n\n".join("\n".join(part) for part in parts if part)


def where_measured(found: Bench) -> str:
    """Say in a line on what machine and how it was measured."""
    here, runtime = machine(), found.options.runtime
    threads = f", {runtime.threads} threads" if runtime.threads else ""
    return (
        f"{here['cores']} cores of {here['cpu']}, {runtime.mode} mode{threads}, "
        f"{found.options.seconds:g} s a row in {found.options.rounds} turns"
    )


def _rows(found: Bench) -> list[str]:
    return format_table(Table("rows", _COLUMNS, tuple(map(_cells, found.ran)))) if found.ran else []


def _cells(row: Row) -> tuple[Any, ...]:
    assert row.figures is not None
    figures = row.figures
    times = (round(value, 2) for value in (figures.p50_ms, figures.p90_ms, figures.p99_ms))
    device = row.device if row.device == row.ran_on else f"{row.device} ({row.ran_on})"
    rate = round(figures.img_per_s, 1)
    return (row.model, device, row.precision or None, row.batch, *times, rate, figures.runs)


def _missing(found: Bench) -> list[str]:
    """Say once for all batches why a network did not run."""
    reasons = {
        f"  {row.model} in {row.precision} on {row.device}: {row.reason}": None
        for row in found.rows
        if row.figures is None
    }
    return ["Not measured:", *reasons] if reasons else []


def _stages(costs: StageCosts) -> list[str]:
    if costs.reason:
        return [f"The steps of {costs.picture} were not measured: {costs.reason}"]
    height, width = costs.size_hw
    name = Path(costs.picture).name
    faces = f"{costs.faces} face" + "s" * (costs.faces != 1)
    precision = f" in {costs.precision}" if costs.precision else ""
    title = (
        f"The steps of {name}, {width}×{height}, {faces}, on {costs.device}{precision}, median of "
        f"{costs.runs} runs:"
    )
    rows = [
        (stage, round(value, 2), f"a {costs.per(stage)}")
        for stage, value in costs.stages_ms.items()
    ]
    if costs.whole_ms is not None:
        rows.append(("all after decode", round(costs.whole_ms, 2), "a picture"))
    return [title, *format_table(Table("steps", ("step", "ms", "of"), tuple(rows)))]
