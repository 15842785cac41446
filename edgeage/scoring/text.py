"""An evaluation as text: for the terminal, and as Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgeage.inspection.finding import Table, format_table
from edgeage.scoring.tables import report_tables

if TYPE_CHECKING:
    from edgeage.scoring.tables import ReportTable

__all__ = ["format_evaluation", "markdown_evaluation", "markdown_table", "remarks"]


def remarks(document: dict[str, Any]) -> list[str]:
    """Return what is to be said of an evaluation besides its tables, a line each."""
    here = document["machine"]
    resamples = document["options"]["resamples"]
    lines = [
        f"In brackets: 95 % intervals by {resamples:,} resamples; near-duplicates stay together."
    ]
    if any(model["time"] for model in document["models"]):
        lines.append(
            f"Times are of one face at a time, ready cut, on {document['options']['device']}, "
            f"{here['cores']} cores of {here['cpu']}, all models in turn."
        )
    if (crops := document["options"]["crops"]) > 1:
        lines.append(f"Every answer is the mean of {crops} views of the face.")
    ignored = [f"{s['ignored']} of {s['set']}" for s in document["sets"] if s["ignored"]]
    if ignored:
        lines.append(f"Left out, as their authors ask: {', '.join(ignored)}.")
    return [*lines, *document["not_scored"]]


def format_evaluation(document: dict[str, Any]) -> str:
    """Return an evaluation as aligned tables."""
    parts = [_aligned(table) for table in report_tables(document)]
    return "\n\n".join([*parts, "\n".join(remarks(document))])


def markdown_evaluation(document: dict[str, Any]) -> str:
    """Return an evaluation as Markdown."""
    parts = ["# Evaluation"]
    for table in report_tables(document):
        parts += [f"## {table.title}", markdown_table(table)]
    return "\n\n".join([*parts, "\n".join(f"- {line}" for line in remarks(document))]) + "\n"


def markdown_table(table: ReportTable) -> str:
    """Return one table as Markdown, its figures to the right."""
    rules = ["---", *("---:" for _ in table.columns[1:])]
    rows = [table.columns, rules, *([cell.text for cell in row] for row in table.rows)]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows)


def _aligned(table: ReportTable) -> str:
    rows = tuple(tuple(cell.text for cell in row) for row in table.rows)
    return "\n".join([table.title, *format_table(Table(table.title, table.columns, rows))])
