"""Finding and reading the files that hold a data set's labels: CSV, tab-separated, plain lines."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

from edgeage.datasets.sources import members
from edgeage.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from edgeage.datasets.importers.found import ImportOptions

__all__ = ["read_rows", "table_files"]


def table_files(
    source: Path,
    options: ImportOptions,
    is_table: Callable[[str], bool],
    work: Path,
    *,
    expected: str,
) -> list[tuple[str, Path]]:
    """Find the files with the labels: where the options say, else in the source.

    Args:
        source: the pictures' archive or folder.
        options: of which ``labels`` counts.
        is_table: tells by its name whether a file holds labels.
        work: files of an archive are copied there.
        expected: what such files are called, for the message.

    Returns:
        Name and place of each, sorted by name.

    Raises:
        DatasetError: when there is none, or one cannot be read.
    """
    found = []
    for place in options.labels or (source,):
        if place.is_file() and place != source:
            found.append((place.name, place))
            continue
        for member in members(place):
            if is_table(member.name) and not member.name.startswith("."):
                copy = work / f"table{len(found)}{Path(member.name).suffix}"
                member.copy_to(copy)
                found.append((member.name, copy))
    if not found:
        raise DatasetError(
            f"{options.labels[0] if options.labels else source} has no file with labels, expected "
            f"{expected}; name it with --labels"
        )
    return sorted(found)


def read_rows(
    path: Path, name: str, columns: Sequence[str], delimiter: str = ","
) -> Iterator[dict[str, str]]:
    """Yield the rows of a table as column → text, one by one.

    A row that is too short has empty texts at its end.

    Args:
        path: the file, UTF-8.
        name: what the messages call it.
        columns: those it must have.
        delimiter: what stands between them.

    Raises:
        DatasetError: when it is no such table.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file, delimiter=delimiter, restval="")
            found = rows.fieldnames or []
            missing = [column for column in columns if column not in found]
            if missing:
                raise DatasetError(
                    f"{name} has the columns {', '.join(found)[:200] or 'of an empty file'}; "
                    f"expected also {', '.join(missing)}"
                )
            for row in rows:
                row.pop(None, None)
                yield row
    except (OSError, ValueError, csv.Error) as error:
        raise DatasetError(f"{name} is not a readable table of labels: {error}") from None
