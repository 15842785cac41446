"""Write the tables in README.md, the manuals and the model cards from benchmarks/results/.

Those of accuracy come from caffe_models/scores.json, which «make models» writes.

Run: python benchmarks/report.py [--check]. Each table stands between ``<!-- results: begin -->``
and ``<!-- results: end -->``; ``--check`` changes nothing and fails when one is out of date.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from speed_tables import (
    load,
    measured,
    medians,
    movidius_table,
    percent,
    photograph_table,
    speed_table,
    streaming_table,
)

from edgeage.compiler.sources import RELEASED
from edgeage.evaluation.figures import CATALOGUE
from edgeage.manifest import Manifest
from edgeage.modelfiles import has_weights, ready_models
from edgeage.scoring.cards import model_manifest, results_of
from edgeage.scoring.tables import heading, with_interval

ROOT = Path(__file__).resolve().parent.parent
README_FIGURES = (
    "age_mae",
    "age_group",
    "age_one_off",
    "age_balanced",
    "interval_coverage",
    "gender",
    "gender_adult",
)
ZOO_COLUMNS = (
    "network",
    "input",
    "parameters",
    "MACs",
    "IR, MB: FP32, FP16, INT8",
    "CPU, ms: FP32, INT8",
    "blob: stages, MB",
    "Keras to ONNX",
    "ONNX to IR: FP32, FP16",
)
BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"


def scores() -> dict[str, Any]:
    """Return what «make models» scored the released models."""
    document: dict[str, Any] = json.loads(
        (ROOT / "caffe_models" / "scores.json").read_text(encoding="utf-8")
    )
    return document


def accuracy_table() -> str:
    """Every released model on every set of faces, with intervals."""
    document = scores()
    rounds = list(dict.fromkeys(heading(result) for result in document["results"]))
    columns = ["| | " + " | ".join(rounds) + " |", "|---|" + "---:|" * len(rounds)]
    lines = []
    for model in document["models"]:
        own = {heading(r): r for r in document["results"] if r["model"] == model["name"]}
        faces = [f"{own[name]['faces']:,}" if name in own else "–" for name in rounds]
        lines += [*columns, f"| {model['name']}: faces | {' | '.join(faces)} |"]
        for name in README_FIGURES:
            found = [own[p]["figures"].get(name) if p in own else None for p in rounds]
            if any(found):
                cells = " | ".join(figure_cell(name, figure) for figure in found)
                lines.append(f"| {CATALOGUE[name].title}{unit(name)} | {cells} |")
        lines.append("")
    resamples = document["options"]["resamples"]
    return "\n".join([*lines, f"In brackets: 95 % intervals by {resamples:,} resamples."])


def figure_cell(name: str, figure: dict[str, Any] | None) -> str:
    """Write a figure with its interval."""
    return "–" if figure is None else with_interval(name, figure["value"], figure)


def unit(name: str) -> str:
    """Say what a figure is in, unless it is a share."""
    return ", years" if CATALOGUE[name].unit == "years" else ""


def card_tables(name: str) -> str:
    """One network's figures: overall, by groups, by class, and where it is worse."""
    document = scores()
    manifest = model_manifest(name)
    results = list(results_of(manifest, document))
    figures = [n for n in CATALOGUE if any(n in result["figures"] for result in results)]
    head = " | ".join(f"{heading(result)} ({result['faces']:,} faces)" for result in results)
    lines = [f"| | {head} |", "|---|" + "---:|" * len(results)]
    for figure in figures:
        cells = " | ".join(figure_cell(figure, r["figures"].get(figure)) for r in results)
        lines.append(f"| {CATALOGUE[figure].title}{unit(figure)} | {cells} |")
    lines += ["", "In brackets: 95 % intervals, near-duplicates kept together.", ""]
    tight = [result for result in results if result["crop"] == "tight"]
    for task in manifest.tasks:
        for result in tight:
            lines += [*class_table(result, task), ""]
        lines += [*worse(tight, task), ""]
    return "\n".join(lines).rstrip()


def class_table(result: dict[str, Any], task: str) -> list[str]:
    """Return a table of recall and precision, a row a class."""
    score = result["age_groups" if task == "age" else "genders"]
    lines = [
        f"| {heading(result)} | faces | recall | precision |",
        "|---|---:|---:|---:|",
    ]
    for group in score["groups"]:
        recall, precision = percent(group["recall"]), percent(group["precision"])
        lines.append(f"| {group['label']} | {group['images']} | {recall} | {precision} |")
    return lines


def worse(results: list[dict[str, Any]], task: str) -> list[str]:
    """Say of which groups a network is right less often, beyond what chance explains."""
    figure = {"age": "age_group", "gender": "gender"}[task]
    what = {"age": "Age group", "gender": "Gender"}[task]
    lines = [f"{what}: right less often than over all, by more than both intervals:", ""]
    found = []
    for result in results:
        whole = result["figures"][figure]
        for kind, groups in result["by"].items():
            for label, group in groups.items():
                own = group.get(figure)
                if own and own["high"] < whole["low"]:
                    told = f"{kind.replace('_', ' ')} {label} {figure_cell(figure, own)}"
                    found.append(f"- {heading(result)}: {told}, over all {percent_of(whole)}")
    return lines + (found or ["- no group"])


def percent_of(figure: dict[str, Any]) -> str:
    """Write a figure's value as a share."""
    return percent(figure["value"]).replace("%", " %")


def engines_table() -> str:
    """AgeNet's and GenderNet's accuracy on the same faces in every engine."""
    rows = [row for row in load("engines")["rows"] if "missing" not in row]
    networks = list(dict.fromkeys(row["network"] for row in rows))
    lines = [f"| engine | {' | '.join(networks)} |", "|---|" + "---:|" * len(networks)]
    for engine in dict.fromkeys(row["engine"] for row in rows):
        own = {row["network"]: row for row in rows if row["engine"] == engine}
        cells = [
            f"{percent(row['accuracy']).replace('%', ' %')} ({row['right']} of {row['faces']}), "
            f"{row['changed']} decided otherwise"
            for row in (own[network] for network in networks)
        ]
        lines.append(f"| {engine} | {' | '.join(cells)} |")
    return "\n".join(lines)


def zoo_table() -> str:
    """Every network of the zoo that has been measured, and the published weights of SSR-Net."""
    if not measured("zoo"):
        return "Not measured yet: `python benchmarks/zoo.py --json benchmarks/results/zoo.json`."
    document = load("zoo")
    remark = (
        "Weights are random: a time and a size do not depend on them. A difference is the largest "
        "of any probability, or of an age in hundreds of years."
    )
    lines = [
        f"| {' | '.join(ZOO_COLUMNS)} |",
        "|---|---|" + "---:|" * (len(ZOO_COLUMNS) - 2),
        *map(zoo_line, document["rows"]),
        "",
        *timed_on(document["rows"]),
        "",
        remark,
    ]
    if document["published"]:
        lines += ["", *published_lines(document["published"])]
    if document["trained"]:
        lines += ["", *trained_lines(document["trained"])]
    return "\n".join(lines)


def timed_on(rows: list[dict[str, Any]]) -> list[str]:
    """Say on which machine which of them were timed."""
    names: dict[str, list[str]] = {}
    for row in rows:
        names.setdefault(medians(row["machine"]), []).append(f"`{row['network']}`")
    if len(names) == 1:
        return [*names]
    return [f"- {', '.join(timed)}: {where}" for where, timed in names.items()]


def zoo_line(row: dict[str, Any]) -> str:
    """Return one network's row."""
    sizes = ", ".join(f"{row['bytes'][key] / 1e6:.1f}" for key in row["bytes"])
    times = ", ".join("–" if ms is None else f"{ms:.1f}" for ms in row["ms"].values())
    blob = row["blob"]
    told = f"{blob['stages']}, {blob['bytes'] / 1e6:.1f}" if blob else "–"
    height, width = row["input_hw"]
    apart = ", ".join(f"{value:.1g}" for value in row["onnx_to_ir"].values())
    return (
        f"| `{row['network']}` | {height}×{width} | {row['parameters']:,} "
        f"| {row['macs'] / 1e6:,.0f} M | {sizes} | {times} | {told} "
        f"| {row['keras_to_onnx']:.1g} | {apart} |"
    )


def published_lines(scored: dict[str, Any]) -> list[str]:
    """Return what the published weights of SSR-Net reach."""
    faces = scored["set"]
    where = f"{faces['set']}, {faces['part']}, {faces['faces']:,} faces"
    lines = [
        f"SSR-Net's published weights on {where} with 40 % of repeated border around:",
        "",
        "| weights | mean absolute error, years | gender |",
        "|---|---:|---:|",
    ]
    for row in scored["rows"]:
        cells = " | ".join(figure_cell(name, row[name]) for name in ("age_mae", "gender"))
        lines.append(f"| `{row['weights']}.h5` | {cells} |")
    return lines


def trained_lines(scored: dict[str, Any]) -> list[str]:
    """Return what networks reached that were trained here for some epochs."""
    faces = scored["set"]
    where = f"{faces['set']}, {faces['part']}, {faces['faces']:,} test faces"
    lines = [
        f"Trained for as many epochs as said, a trial and no measure of the network; {where}:",
        "",
        "| network | input | begun with | faces | epochs | mean absolute error, years | gender |",
        "|---|---|---|---:|---:|---:|---:|",
    ]
    for row in scored["rows"]:
        height, width = row["input_hw"]
        start = {"none": "random weights", None: "random weights"}.get(row["started_from"])
        cells = " | ".join(figure_cell(name, row[name]) for name in ("age_mae", "gender"))
        lines.append(
            f"| `{row['weights']}` | {height}×{width} | {start or row['started_from']['name']} "
            f"| {row['faces']:,} | {row['epochs']} | {cells} |"
        )
    return lines


def tables() -> dict[Path, str]:
    """Return what belongs into each file."""
    own = {name: path for name, path in ready_models().items() if has_weights(Manifest.read(path))}
    cards = {name: ROOT / "caffe_models" / f"{name}.md" for name in RELEASED}
    cards |= {name: ROOT / "models" / f"{name}.md" for name in own}
    return {
        ROOT / "README.md": "\n\n".join(
            (accuracy_table(), speed_table(), photograph_table(whole=False), movidius_table())
        ),
        ROOT / "docs" / "bench.md": photograph_table(whole=True),
        ROOT / "docs" / "accuracy.md": engines_table(),
        ROOT / "docs" / "zoo.md": zoo_table(),
        ROOT / "docs" / "streaming.md": streaming_table(),
        **{path: card_tables(name) for name, path in cards.items()},
    }


def filled(text: str, table: str) -> str:
    """Return a file's text with a table between its markers."""
    head, rest = text.split(BEGIN)
    return f"{head}{BEGIN}\n{table}\n{END}{rest.split(END)[1]}"


def main() -> None:
    """Write the tables, or check them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, fail on a difference")
    options = parser.parse_args()
    stale = []
    for path, table in tables().items():
        text = path.read_text(encoding="utf-8")
        wanted = filled(text, table)
        if wanted == text:
            continue
        stale.append(path.name)
        if not options.check:
            path.write_text(wanted, encoding="utf-8")
    if options.check and stale:
        sys.exit(f"out of date: {', '.join(stale)}; run: python benchmarks/report.py")


if __name__ == "__main__":
    main()
