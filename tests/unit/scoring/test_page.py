"""Every report tells the figures of the JSON document, the page also in a browser."""

from __future__ import annotations

import copy
import html.parser
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from edgeage.scoring import page as scoring_page
from edgeage.scoring.charts import CHARTS, charts_as_svg, learning_curve, write_charts
from edgeage.scoring.page import DATA_ID, html_evaluation
from edgeage.scoring.tables import report_tables
from edgeage.scoring.text import format_evaluation, markdown_evaluation

MOST_BYTES = 60_000


class _Page(html.parser.HTMLParser):
    """Collects the cells with figures, the document, and what would be loaded."""

    def __init__(self, text: str) -> None:
        super().__init__()
        # Where in the document a cell's figure stands, and its text; several tables may tell it.
        self.cells: list[tuple[str, str]] = []
        self.data, self.loads, self.drawings = "", [], 0
        self._cell, self._in_data = "", False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self._cell = given.get("data-figure") or ""
        if self._cell:
            self.cells.append((self._cell, ""))
        self._in_data = given.get("id") == DATA_ID
        self.drawings += tag == "svg"
        for name in ("src", "href", "xlink:href"):
            value = given.get(name)
            if value and not value.startswith(("#", "data:")):
                self.loads.append(value)

    def handle_endtag(self, tag: str) -> None:
        self._cell, self._in_data = "", False

    def handle_data(self, data: str) -> None:
        if self._cell:
            self.cells[-1] = self._cell, self.cells[-1][1] + data
        if self._in_data:
            self.data += data


def _at(document: Any, path: str) -> Any:
    """Return what stands at a path; keys such as «0-9» have no point in them."""
    for word in path.split("."):
        document = document[int(word)] if isinstance(document, list) else document[word]
    return document


def _first_number(text: str) -> float:
    match = re.match(r"−?[\d,]+(\.\d+)?(e-\d+)?", text)
    assert match, text
    return float(match[0].replace("−", "-").replace(",", ""))


def check_figures(text: str, document: dict[str, Any]) -> None:
    """Hold that a page's cells, read as numbers, are the document's."""
    page = _Page(text)
    assert json.loads(page.data) == json.loads(json.dumps(document))
    assert len(page.cells) > 100
    seen = set()
    for path, cell in page.cells:
        value = _at(document, path)
        if isinstance(value, dict):
            seen.add(path.rpartition(".")[2])
            numbers = re.findall(r"−?\d+\.\d+", cell)
            scale = 100 if "%" in cell else 1
            for number, key in zip(numbers, ("value", "low", "high"), strict=True):
                told = float(number.replace("−", "-"))
                assert told == pytest.approx(value[key] * scale, abs=0.051 if scale > 1 else 0.0051)
        elif path.endswith(".bytes"):
            assert _first_number(cell) == pytest.approx(value / 1e6, abs=0.051)
        elif path.endswith(".difference"):
            scale = 100 if "points" in cell else 1
            assert _first_number(cell) == pytest.approx(value * scale, abs=0.051)
        else:
            assert _first_number(cell) == pytest.approx(value, abs=0.0051, rel=0.06)
    assert seen >= {"age_mae", "age_group", "gender", "age_ece"}
    assert page.loads == []
    assert page.drawings >= 4


@pytest.fixture(scope="module")
def page(document: dict[str, Any]) -> str:
    """The page of the document; drawing it takes seconds."""
    return html_evaluation(document)


def test_the_page_tells_the_documents_figures(page, document) -> None:
    check_figures(page, document)


def test_a_figure_that_differs_is_noticed(page, document) -> None:
    other = json.loads(json.dumps(document))
    other["results"][0]["figures"]["age_mae"]["value"] += 1
    with pytest.raises(AssertionError):
        check_figures(page, other)


def test_the_page_tells_them_in_a_browser(page, document, tmp_path: Path) -> None:
    browser = os.environ.get("EDGEAGE_CHROMIUM") or shutil.which("chromium")
    if browser is None:
        pytest.skip("chromium is not installed; set EDGEAGE_CHROMIUM to its path")
    path = tmp_path / "report.html"
    path.write_text(page, encoding="utf-8")
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", path.as_uri()]
    done = subprocess.run(command, capture_output=True, timeout=120, check=True)
    check_figures(done.stdout.decode("utf-8"), document)


def test_no_name_in_the_document_ends_its_element(document, monkeypatch) -> None:
    other = json.loads(json.dumps(document))
    other["models"][0]["words"] = "</script><script src='x'>"
    # Undrawn: drawing takes seconds, and the words are not in the plots.
    monkeypatch.setattr(scoring_page, "charts_as_svg", lambda _document: {})
    page = _Page(html_evaluation(other))
    assert json.loads(page.data) == other
    assert page.loads == []


def test_terminal_and_markdown_tell_them_too(document) -> None:
    figure = document["results"][0]["figures"]["age_mae"]
    told = f"{figure['value']:.2f} ({figure['low']:.2f} to {figure['high']:.2f})"
    assert told in format_evaluation(document)
    text = markdown_evaluation(document)
    assert f"| age, mean absolute error, years | {told} |" in text
    for line in text.splitlines():
        assert line.startswith(("|", "#", "- ")) or not line
    assert "tells no persons" in text


def test_models_are_ranked_by_their_years_then_by_genders(document) -> None:
    """Of the same ages the one that tells genders too is first, until the other's are better."""

    def ranked(changed) -> list[str]:
        tables = {table.title: table for table in report_tables(changed)}
        (table,) = [
            found for title, found in tables.items() if title.endswith("tight crop: ranking")
        ]
        return [row[0].text for row in table.rows]

    both, alone = (model["name"] for model in document["models"])
    assert ranked(document) == [f"1. {both}", f"2. {alone}"]
    changed = copy.deepcopy(document)
    (result,) = [r for r in changed["results"] if (r["model"], r["crop"]) == (alone, "tight")]
    result["figures"]["age_mae"]["value"] -= 0.5
    assert ranked(changed) == [f"1. {alone}", f"2. {both}"]


def test_the_charts_are_small_and_the_same_every_time(document, tmp_path: Path) -> None:
    paths = write_charts(document, tmp_path)
    assert [path.stem for path in paths] == list(CHARTS)
    for path in paths:
        text = path.read_text(encoding="utf-8")
        assert text.startswith("<svg")
        assert len(text) < MOST_BYTES
    assert {path.stem: path.read_text("utf-8").rstrip() for path in paths} == charts_as_svg(
        document
    )


def test_what_was_not_scored_is_not_drawn(document) -> None:
    alone = json.loads(json.dumps(document))
    alone["models"][0]["time"] = alone["models"][1]["time"] = None
    for result in alone["results"]:
        del result["cs"]
    assert set(CHARTS) - set(charts_as_svg(alone)) == {"time_error", "cs"}


def test_a_long_training_makes_no_larger_curve() -> None:
    def row(number: int, phase: str) -> dict[str, str]:
        accuracy = "0.5" if phase == "test" else ""
        return {"iteration": str(number), "phase": phase, "loss": "1.5", "accuracy": accuracy}

    rows = [row(number, "train") for number in range(1, 20_000)]
    rows += [row(number, "test") for number in range(0, 20_000, 250)]
    svg = learning_curve(rows, "long")
    assert len(svg) < MOST_BYTES
    assert "accuracy, validation" in svg
