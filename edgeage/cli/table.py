"""Text in aligned columns, for lines whose number is not known beforehand."""

from __future__ import annotations

import itertools
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgeage.faceresult import Face

__all__ = ["Table", "face_cells", "shown"]

_GAP = "  "


class Table:
    """Aligns rows in blocks; a column only ever grows wider.

    Args:
        block: how many rows are kept back to find a column's width.

    >>> table = Table(block=2)
    >>> table.add(["a.png", "9 years", "CPU"])
    ''
    >>> print(table.add(["bc.png", "34 years", "CPU"]), end="")
    a.png   9 years   CPU
    bc.png  34 years  CPU
    """

    def __init__(self, block: int = 32) -> None:
        self._block, self._widths = block, [0]
        self._rows: list[list[str]] = []

    def add(self, cells: Sequence[str]) -> str:
        """Take a row; return the lines that are ready, often none."""
        self._rows.append(list(cells))
        return self.flush() if len(self._rows) >= self._block else ""

    def flush(self) -> str:
        """Return the lines of all rows that were kept back."""
        widths = [[_width(cell) for cell in row] for row in self._rows]
        self._widths = [max(column) for column in _columns([self._widths, *widths])]
        lines = [self._line(row) for row in self._rows]
        self._rows = []
        return "".join(f"{line}\n" for line in lines)

    def _line(self, row: Sequence[str]) -> str:
        padded = [
            cell + " " * (width - _width(cell))
            for cell, width in zip(row, self._widths, strict=False)
        ]
        return _GAP.join(padded).rstrip()


def _columns(rows: Sequence[Sequence[int]]) -> list[tuple[int, ...]]:
    return list(itertools.zip_longest(*rows, fillvalue=0))


def _width(text: str) -> int:
    """Count a text's columns on a terminal, where East Asian characters take two (UAX #11)."""
    return sum(1 + (unicodedata.east_asian_width(character) in "WF") for character in text)


def shown(image: str) -> str:
    r"""Return a picture's file name without what would upset a line or a terminal.

    >>> shown("photos/a\n.png")
    'a\\n.png'
    """
    name = Path(image).name or image
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)


def face_cells(face: Face) -> list[str]:
    """Return what is known of a face, a cell a network, then the time and the device.

    >>> from edgeage.faceresult import Face
    >>> face_cells(Face((0, 0, 9, 9), gender="Female", gender_probability=0.973,
    ...                 device="CPU", latency_ms=4.06))
    ['Female (97.3 %)', '4.1 ms', 'CPU']
    """
    cells = []
    if face.age_group is not None:
        group = _with_percent(face.age_group, face.age_group_probability)
        cells.append(f"age group {group}, {face.age:.1f} years")
    if face.gender is not None:
        cells.append(_with_percent(face.gender, face.gender_probability))
    return [*cells, f"{face.latency_ms:.1f} ms", face.device]


def _with_percent(word: str, probability: float | None) -> str:
    return word if probability is None else f"{word} ({probability * 100:.1f} %)"
