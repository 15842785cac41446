"""An evaluation as one HTML page: tables and plots inside it, nothing loaded from anywhere."""

from __future__ import annotations

import html
import json
from typing import TYPE_CHECKING, Any

from edgeage.scoring.charts import charts_as_svg
from edgeage.scoring.tables import report_tables
from edgeage.scoring.text import remarks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgeage.scoring.tables import Cell, ReportTable

__all__ = ["DATA_ID", "html_evaluation"]

DATA_ID = "evaluation"
"""The id of the element of the page that holds the JSON document."""

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem;
  color: #1a1a1a; background: #fff; }
h2 { margin-top: 2.2rem; font-size: 1.1rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.86rem; }
th, td { padding: 0.25rem 0.7rem; border-bottom: 1px solid #ddd; text-align: left; }
td + td, th + th { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
figure { margin: 1.5rem 0; }
figure svg { max-width: 100%; height: auto; }
.remarks { color: #555; font-size: 0.86rem; }
""".strip()

_TITLES = {
    "time_error": "Time against error",
    "bars": "The main figures",
    "age_error": "Error by age",
    "confusion": "Age groups: true against predicted",
    "cs": "CS(n)",
    "reliability": "Confidence against how often it is right",
}


def html_evaluation(document: dict[str, Any]) -> str:
    """Return an evaluation as a page of its own.

    Every cell with a figure has an attribute ``data-figure``: where in the JSON document, which
    the page holds too, that figure stands.

    Args:
        document: what :func:`edgeage.scoring.evaluate` returned.

    Raises:
        MissingDependencyError: without matplotlib.
    """
    names = ", ".join(model["name"] for model in document["models"])
    title = html.escape(f"Evaluation of {names}")
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{title}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{title}</h1>",
        *_remarks(document),
        *(_chart(name, svg) for name, svg in charts_as_svg(document).items()),
        *(line for table in report_tables(document) for line in _table(table)),
        f'<script type="application/json" id="{DATA_ID}">{_data(document)}</script>',
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def _remarks(document: dict[str, Any]) -> Iterator[str]:
    yield '<ul class="remarks">'
    yield from (f"<li>{html.escape(line)}</li>" for line in remarks(document))
    yield "</ul>"


def _chart(name: str, svg: str) -> str:
    # Names within the pictures are made unique, so that several can stand in one page.
    own = svg.replace('id="', f'id="{name}-').replace("url(#", f"url(#{name}-")
    own = own.replace('xlink:href="#', f'xlink:href="#{name}-')
    title = html.escape(_TITLES[name])
    return f'<h2>{title}</h2><figure role="img" aria-label="{title}">{own}</figure>'


def _table(table: ReportTable) -> Iterator[str]:
    yield f'<h2>{html.escape(table.title)}</h2><div class="wide"><table><thead><tr>'
    yield "".join(f"<th>{html.escape(column)}</th>" for column in table.columns)
    yield "</tr></thead><tbody>"
    for row in table.rows:
        yield f"<tr>{''.join(map(_cell, row))}</tr>"
    yield "</tbody></table></div>"


def _cell(cell: Cell) -> str:
    place = f' data-figure="{html.escape(cell.path)}"' if cell.path else ""
    return f"<td{place}>{html.escape(cell.text)}</td>"


def _data(document: dict[str, Any]) -> str:
    """Write the document so that no text in it can end the element."""
    return json.dumps(document, ensure_ascii=False).replace("<", "\\u003c")
