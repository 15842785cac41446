"""A data set's report as tables for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["format_report", "format_table"]


def format_table(rows: Sequence[Sequence[object]]) -> str:
    """Set rows in columns: the first to the left, the others to the right.

    >>> print(format_table([("class", "faces"), ("0-9", 12)]))
    class  faces
    0-9       12
    """
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = []
    for row in cells:
        padded = [row[0].ljust(widths[0])]
        padded += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def format_report(report: Mapping[str, Any]) -> str:
    """Return a report's tables: files left out, near-duplicates, class counts before and after."""
    parts = [_summary(report), _left_out(report["drops"]), _near(report["near_duplicates"])]
    parts += [_class_counts(task, counts) for task, counts in report["counts"].items()]
    return "\n\n".join(part for part in parts if part)


def _summary(report: Mapping[str, Any]) -> str:
    source = report["source"]
    dropped = sum(entry["count"] for entry in report["drops"].values())
    race = report["dataset"]["race"]
    parts = [f"{report['dataset']['name']}: {source['files']} files, {report['faces']} faces taken"]
    if race != "unstated":
        parts = [f"{parts[0]} ({race})", f"{source['other_races']} of other races"]
    if source.get("other_ages"):
        parts.append(f"{source['other_ages']} of other ages")
    if source.get("not_chosen"):
        parts.append(f"{source['not_chosen']} not chosen")
    return ", ".join([*parts, f"{dropped} left out"])


def _left_out(drops: Mapping[str, Any]) -> str:
    if not drops:
        return ""
    rows: list[tuple[object, ...]] = [("left out because", "files")]
    return format_table(rows + [(reason, entry["count"]) for reason, entry in drops.items()])


def _near(found: Mapping[str, Any]) -> str:
    rows = [("near-duplicates", "count")]
    return format_table(rows + [(name.replace("_", " "), found[name]) for name in found])


def _class_counts(task: str, counts: Mapping[str, Any]) -> str:
    train, stored, test = counts["train"], counts["train_stored"], counts["test"]
    rows: list[tuple[object, ...]] = [(task, "faces", "train before", "train after", "test")]
    for label, before, after, held in zip(counts["labels"], train, stored, test, strict=True):
        rows.append((label, before + held, before, after, held))
    rows.append(("total", sum(train) + sum(test), sum(train), sum(stored), sum(test)))
    table = format_table(rows)
    if counts["without_training_faces"]:
        table += "\nno training face: " + ", ".join(counts["without_training_faces"])
    return table
