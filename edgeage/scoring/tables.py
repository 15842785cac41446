"""An evaluation as tables: the same ones on a terminal, in Markdown and in HTML.

A cell is a text with where in the JSON document its figure stands, so that no two reports can
tell different figures.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

from edgeage.evaluation.figures import CATALOGUE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Cell", "ReportTable", "heading", "report_tables", "shown", "with_interval"]

_RANKED = ("age_mae", "gender")
_BY = {"race": "race", "gender": "gender", "age_group": "age"}
_OF_GROUPS = ("age_mae", "age_group", "age_one_off", "interval_coverage", "gender", "gender_adult")


@dataclasses.dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes:
        text: what stands in it.
        path: where its figure is in the document, keys and places joined by ``.``; or nothing.
    """

    text: str
    path: str = ""


@dataclasses.dataclass(frozen=True)
class ReportTable:
    """A table.

    Attributes:
        title: above it.
        columns: the head.
        rows: of cells, the first of each names the row.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


def shown(name: str, value: float) -> str:
    """Write a figure's value as its kind is written.

    >>> shown("age_mae", 4.612), shown("gender", 0.9351), shown("age_bias", -0.5)
    ('4.61', '93.5 %', '−0.50')
    """
    if math.isnan(value):
        return "–"
    text = f"{value:.2f}" if CATALOGUE[name].unit == "years" else f"{value * 100:.1f} %"
    return text.replace("-", "−")


def with_interval(name: str, value: float, ends: dict[str, Any]) -> str:
    """Write a value with its interval in brackets.

    >>> with_interval("gender", 0.9351, {"low": 0.91, "high": 0.95})
    '93.5 % (91.0 to 95.0)'
    """
    low, high = (shown(name, ends[end]).removesuffix(" %") for end in ("low", "high"))
    return f"{shown(name, value)} ({low} to {high})"


def report_tables(document: dict[str, Any]) -> list[ReportTable]:
    """Return the tables of an evaluation.

    Args:
        document: what :func:`edgeage.scoring.evaluate` returned.
    """
    tables = [_models(document)]
    for head, places in _rounds(document).items():
        tables += [_ranking(document, head, places), _figures(document, head, places)]
        tables += _folds(document, head, places)
        tables += [_groups(document, head, place, kind) for place in places for kind in _BY]
    tables += _comparisons(document)
    return [table for table in tables if table.rows]


def _rounds(document: dict[str, Any]) -> dict[str, list[int]]:
    """Return the places of the results that are of the same faces, by what to call these."""
    found: dict[str, list[int]] = {}
    for place, result in enumerate(document["results"]):
        found.setdefault(heading(result), []).append(place)
    return found


def heading(result: dict[str, Any]) -> str:
    """Return what to call the faces of a result."""
    return f"{result['set']}, {result['part']}, {result['crop']} crop"


def _models(document: dict[str, Any]) -> ReportTable:
    rows = []
    for place, model in enumerate(document["models"]):
        rows.append(
            (
                Cell(model["name"]),
                Cell(model["words"]),
                Cell(" and ".join(model["tasks"])),
                *_cost(document, place),
                Cell("; ".join(model["licences"]) or "–"),
            )
        )
    columns = ("model", "asked for as", "answers", "size", "a face, median", "licence of its data")
    return ReportTable("Models", columns, tuple(rows))


def _ranking(document: dict[str, Any], head: str, places: Sequence[int]) -> ReportTable:
    """Put several models in order, by their error in years or else by their genders."""
    results, known = document["results"], {m["name"]: n for n, m in enumerate(document["models"])}

    def merit(place: int) -> tuple[float, float]:
        figures = results[place]["figures"]
        years, share = (figures.get(name, {}).get("value") for name in _RANKED)
        return (math.inf if years is None else years, 0.0 if share is None else -share)

    rows = []
    for rank, place in enumerate(sorted(places, key=merit), 1):
        result = results[place]
        figures = (
            _cell(name, result["figures"].get(name), f"results.{place}.figures.{name}")
            for name in _RANKED
        )
        model = known[result["model"]]
        rows.append((Cell(f"{rank}. {result['model']}"), *figures, *_cost(document, model)))
    columns = ("model", *(CATALOGUE[name].title for name in _RANKED), "size", "a face, median")
    return ReportTable(f"{head}: ranking", columns, tuple(rows) if len(rows) > 1 else ())


def _cost(document: dict[str, Any], place: int) -> tuple[Cell, Cell]:
    """Return what a model costs: size and time."""
    model = document["models"][place]
    time = model["time"]
    return (
        Cell(f"{model['bytes'] / 1e6:.1f} MB", f"models.{place}.bytes"),
        Cell(f"{time['p50_ms']:.2f} ms", f"models.{place}.time.p50_ms") if time else Cell("–"),
    )


def _figures(document: dict[str, Any], head: str, places: Sequence[int]) -> ReportTable:
    results = [document["results"][place] for place in places]
    rows = []
    for name, kind in CATALOGUE.items():
        if not any(name in result["figures"] for result in results):
            continue
        cells = (
            _cell(name, result["figures"].get(name), f"results.{place}.figures.{name}")
            for place, result in zip(places, results, strict=True)
        )
        unit = ", years" if kind.unit == "years" else ""
        rows.append((Cell(kind.title + unit), *cells))
    faces = results[0]["faces"]
    columns = ("figure", *(result["model"] for result in results))
    return ReportTable(f"{head}: {faces:,} faces", columns, tuple(rows))


def _cell(name: str, figure: dict[str, Any] | None, path: str) -> Cell:
    if figure is None:
        return Cell("–")
    return Cell(with_interval(name, figure["value"], figure), path)


def _folds(document: dict[str, Any], head: str, places: Sequence[int]) -> Iterator[ReportTable]:
    for place in places:
        result = document["results"][place]
        rows = []
        for name, fold in result.get("folds", {}).items():
            path = f"results.{place}.folds.{name}.mean"
            text = f"{shown(name, fold['mean'])} ± {shown(name, fold['sd'])}"
            each = ", ".join(shown(name, value) for value in fold["folds"].values())
            rows.append((Cell(CATALOGUE[name].title), Cell(text, path), Cell(each[:200])))
        columns = ("figure", "mean ± sd over folds", "each")
        yield ReportTable(f"{head}: {result['model']}, fold by fold", columns, tuple(rows))


def _groups(document: dict[str, Any], head: str, place: int, kind: str) -> ReportTable:
    result = document["results"][place]
    groups = result["by"].get(kind, {})
    names = [n for n in _OF_GROUPS if any(n in group for group in groups.values())]
    rows = []
    for label, group in groups.items():
        path = f"results.{place}.by.{kind}.{label}"
        cells = (_cell(name, group.get(name), f"{path}.{name}") for name in names)
        rows.append((Cell(label), Cell(f"{group['faces']:,}", f"{path}.faces"), *cells))
    columns = (_BY[kind], "faces", *(CATALOGUE[name].title for name in names))
    return ReportTable(f"{head}: {result['model']} by {_BY[kind]}", columns, tuple(rows))


def _comparisons(document: dict[str, Any]) -> Iterator[ReportTable]:
    """Yield a table for each two models on the same faces."""
    rows: dict[str, list[tuple[Cell, ...]]] = {}
    for place, line in enumerate(document["comparisons"]):
        name = line["figure"]
        title = f"{heading(line)}: {line['first']} less {line['second']}"
        cells = (
            Cell(CATALOGUE[name].title),
            Cell(_difference(name, line), f"comparisons.{place}.difference"),
            Cell(f"{line['p']:.2g}", f"comparisons.{place}.p"),
            Cell(line["test"]),
        )
        rows.setdefault(title, []).append(cells)
    columns = ("figure", "difference", "p", "test")
    for title, found in rows.items():
        yield ReportTable(title, columns, tuple(found))


def _difference(name: str, line: dict[str, Any]) -> str:
    unit = "years" if CATALOGUE[name].unit == "years" else "points"
    return with_interval(name, line["difference"], line).replace(" %", "") + f" {unit}"
