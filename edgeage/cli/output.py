"""Results as a command prints them: a table, JSON, JSON lines or CSV, each picture as it comes.

None of the four keeps the results: what they use does not grow with the number of pictures.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import sys
import textwrap
from typing import TYPE_CHECKING, Any, TextIO

import click

from edgeage.cli.table import Table, face_cells, shown
from edgeage.paths import atomic_file, refuse_taken

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edgeage.faceresult import Face, PictureResult, Timing

__all__ = ["CSV_COLUMNS", "FORMATS", "Report", "open_report", "open_text", "reader_gone"]

_FACE_COLUMNS = (
    "age", "age_group", "age_group_probability", "gender", "gender_probability", "device",
    "latency_ms", "score", "detected",
)  # fmt: skip
_BOX_COLUMNS = ("left", "top", "right", "bottom")
CSV_COLUMNS = ("image", "face", *_BOX_COLUMNS, *_FACE_COLUMNS, "error")
"""The header of ``--format csv``."""


class Report:
    """Prints results; one subclass a format.

    Args:
        stream: text goes there and is flushed with every picture.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, result: PictureResult) -> None:
        """Print one picture's result."""
        raise NotImplementedError

    def finish(self, timing: Timing | None) -> None:
        """Print what stands behind the last picture."""

    def abort(self, reason: str) -> None:
        """Leave what was printed so far in good form, as the work ends before its end."""

    def _print(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except BrokenPipeError:
            raise reader_gone() from None


class _TextReport(Report):
    """One line a face, aligned."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._table = Table()

    def write(self, result: PictureResult) -> None:
        for cells in _result_cells(result):
            if lines := self._table.add(cells):
                self._print(lines)
        if result.error is not None:
            self.finish(None)

    def finish(self, timing: Timing | None) -> None:
        self._print(self._table.flush())

    def abort(self, reason: str) -> None:
        self.finish(None)


class _JsonReport(Report):
    """One document, ``{"results": […], "timing": {…}}``; with an ``"error"`` when cut short."""

    _begun = False

    def write(self, result: PictureResult) -> None:
        document = json.dumps(result.to_dict(), indent=2, ensure_ascii=False)
        opening = ",\n" if self._begun else '{\n  "results": [\n'
        self._begun = True
        self._print(opening + textwrap.indent(document, "    "))

    def finish(self, timing: Timing | None) -> None:
        self._close("timing", timing.to_dict() if timing else None)

    def abort(self, reason: str) -> None:
        if self._begun:
            self._close("error", reason)

    def _close(self, name: str, value: Any) -> None:
        closing = "\n  ],\n" if self._begun else '{\n  "results": [],\n'
        text = json.dumps({name: value}, indent=2, ensure_ascii=False)
        self._print(closing + text.removeprefix("{\n") + "\n")


class _JsonLinesReport(Report):
    """One document a line, one line a picture (jsonlines.org)."""

    def write(self, result: PictureResult) -> None:
        self._print(json.dumps(result.to_dict(), ensure_ascii=False) + "\n")


class _CsvReport(Report):
    """One row a face (RFC 4180); a picture without one, or with an error, has a row too."""

    _begun = False

    def write(self, result: PictureResult) -> None:
        rows = [_face_row(number, face) for number, face in enumerate(result.faces, 1)] or [{}]
        error = {} if result.error is None else {"error": str(result.error)}
        self._print(self._rows([{"image": result.image, **row, **error} for row in rows]))

    def finish(self, timing: Timing | None) -> None:
        self._print(self._rows([]))

    def _rows(self, rows: list[dict[str, Any]]) -> str:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, CSV_COLUMNS)
        if not self._begun:
            writer.writeheader()
        self._begun = True
        writer.writerows(rows)
        return text.getvalue()


FORMATS: dict[str, type[Report]] = {
    "table": _TextReport,
    "json": _JsonReport,
    "jsonl": _JsonLinesReport,
    "csv": _CsvReport,
}
"""The formats by name."""


@contextlib.contextmanager
def open_report(form: str, path: Path | None, *, overwrite: bool = False) -> Iterator[Report]:
    """Open a report on a file, or on standard output.

    Args:
        form: one of :data:`FORMATS`.
        path: the file, which appears when the block succeeds; None for standard output.
        overwrite: whether a file that is there may be replaced.

    Raises:
        UsageError: when the file is there without ``overwrite``.
    """
    with open_text(path, overwrite=overwrite) as stream:
        report = FORMATS[form](stream)
        try:
            yield report
        except click.exceptions.Exit:
            raise
        # However it ends, also by Ctrl-C, the report says so and is no half of one.
        except BaseException as error:
            report.abort(" ".join(str(error).split()) or type(error).__name__)
            raise


@contextlib.contextmanager
def open_text(path: Path | None, *, overwrite: bool = False) -> Iterator[TextIO]:
    r"""Open what a command's results are written to, as UTF-8 without changed line ends.

    A file name that is no text comes out as ``\udcff``, which JSON reads back.

    Args:
        path: the file, which appears when the block succeeds; None for standard output.
        overwrite: whether a file that is there may be replaced.

    Raises:
        UsageError: when the file is there without ``overwrite``.
    """
    form: dict[str, Any] = {"encoding": "utf-8", "errors": "backslashreplace", "newline": ""}
    if path is not None:
        refuse_taken(path, overwrite=overwrite)
        with atomic_file(path) as temporary, temporary.open("w", **form) as stream:
            yield stream
        return
    text = io.TextIOWrapper(sys.stdout.buffer, **form)
    try:
        yield text
    finally:
        text.detach()


def reader_gone() -> click.exceptions.Exit:
    """Return what ends a command whose output nobody reads any more, «head» for example."""
    # Python would complain at its exit.
    with contextlib.suppress(OSError), open(os.devnull, "wb") as nowhere:  # noqa: PTH123
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
    return click.exceptions.Exit(1)


def _face_row(number: int, face: Face) -> dict[str, Any]:
    fields = face.to_dict()
    values = {name: fields[name] for name in _FACE_COLUMNS}
    rounded = {k: round(v, 6) if isinstance(v, float) else v for k, v in values.items()}
    return {"face": number, **dict(zip(_BOX_COLUMNS, face.box, strict=True)), **rounded}


def _result_cells(result: PictureResult) -> list[list[str]]:
    if result.error is not None:
        return []
    if not result.faces:
        return [[shown(result.image), "no face"]]
    several = len(result.faces) > 1
    return [
        [
            shown(result.image) + (f" #{number}" if several else ""),
            *face_cells(face),
            *(["whole picture"] if result.note else []),
        ]
        for number, face in enumerate(result.faces, 1)
    ]
