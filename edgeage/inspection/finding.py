"""What there is to say about a file, and how it reads on a terminal."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Finding", "Table", "format_finding", "format_table"]


@dataclasses.dataclass(frozen=True)
class Table:
    """A table of a finding.

    Attributes:
        title: what its rows are, for example ``"layers"``.
        columns: the names of its columns, words joined by ``_``.
        rows: JSON-ready values, one a column.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


@dataclasses.dataclass(frozen=True)
class Finding:
    """What a file is.

    Attributes:
        path: the file or folder.
        kind: ``"caffemodel"``, ``"ir"``, ``"blob"``, ``"manifest"``, ``"mean"``, ``"net"``,
            ``"solver"``, ``"solverstate"``, ``"lmdb"`` or ``"dataset"``.
        summary: one line.
        facts: JSON-ready values by name, words joined by ``_``.
        tables: tables of them.
        notes: what to watch out for, a line each.
    """

    path: Path
    kind: str
    summary: str
    facts: dict[str, Any]
    tables: tuple[Table, ...] = ()
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON-ready values; a table is a list of rows with named values."""
        return {
            "path": str(self.path),
            "kind": self.kind,
            "summary": self.summary,
            **self.facts,
            **{
                table.title: [dict(zip(table.columns, row, strict=True)) for row in table.rows]
                for table in self.tables
            },
            "notes": list(self.notes),
        }


def format_finding(finding: Finding) -> str:
    """Return a finding as a text for the terminal."""
    lines = [f"{finding.path}: {finding.summary}", ""]
    width = max((len(name) for name in finding.facts), default=0)
    for name, value in finding.facts.items():
        lines += _fact_lines(name.replace("_", " "), value, width)
    for table in finding.tables:
        lines += ["", f"{table.title}:", *format_table(table)]
    if finding.notes:
        lines += ["", *(f"Note: {note}" for note in finding.notes)]
    return "\n".join(lines)


def _fact_lines(name: str, value: Any, width: int) -> list[str]:
    """Write a fact on one line, or a dictionary on a line a key."""
    if not isinstance(value, dict) or not value:
        return [f"{name:<{width}}  {_text(value)}"]
    lines = [name]
    inner = max(width - 2, *(len(str(key)) for key in value))
    for key, item in value.items():
        lines += [f"  {line}" for line in _fact_lines(str(key), item, inner)]
    return lines


def format_table(table: Table) -> list[str]:
    """Return a table as aligned lines, numbers to the right, its head first.

    >>> format_table(Table("layers", ("name", "blob_size"), (("conv1", 1200), ("fc", None))))
    ['name   blob size', 'conv1      1,200', 'fc             –']
    """
    cells = [[name.replace("_", " ") for name in table.columns]]
    cells += [[_text(value) for value in row] for row in table.rows]
    right = [
        all(isinstance(row[place], int | float | None) for row in table.rows)
        for place in range(len(table.columns))
    ]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(map(_padded, row, widths, right)).rstrip() for row in cells]


def _padded(cell: str, width: int, right: bool) -> str:
    return cell.rjust(width) if right else cell.ljust(width)


def _text(value: Any) -> str:
    """Write a JSON-ready value for people.

    >>> [_text(value) for value in (None, True, 1234567, 0.5, [3, 7, 7], {"a": 1})]
    ['–', 'yes', '1,234,567', '0.5', '3, 7, 7', 'a 1']
    """
    if value is None or value in ([], {}, ()):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return f"{value:,}" if isinstance(value, int) else f"{value:.6g}"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_text(item)}" for name, item in value.items())
    return ", ".join(map(_text, value)) if isinstance(value, list | tuple) else str(value)
