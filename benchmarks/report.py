"""Write the tables in README.md and the model cards from the figures in benchmarks/results/.

Run: python benchmarks/report.py [--check]. Each table stands between ``<!-- results: begin -->``
and ``<!-- results: end -->``; ``--check`` changes nothing and fails when one is out of date.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"


def load(name: str) -> Any:
    """Return one results file."""
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def percent(value: float | None) -> str:
    """Write a share of 0 to 1."""
    return "–" if value is None else f"{value:.1%}"


def accuracy_table() -> str:
    """Both released networks on the held-back faces."""
    lines = [
        "| | faces | accuracy | one-off accuracy | class-balanced recall |",
        "|---|---:|---:|---:|---:|",
    ]
    for name, title in (("agenet", "AgeNet, nine groups"), ("gendernet", "GenderNet")):
        score = load(name)
        shares = (score[key] for key in ("accuracy", "one_off_accuracy", "balanced_recall"))
        lines.append(f"| {title} | {score['images']} | {' | '.join(map(percent, shares))} |")
    return "\n".join(lines)


def group_table(name: str) -> str:
    """One network's figures, overall and per class."""
    score = load(name)
    summary = f"Accuracy {percent(score['accuracy'])} ({score['correct']} of {score['images']})"
    if score["one_off_accuracy"] is not None:
        summary += f", one-off accuracy {percent(score['one_off_accuracy'])}"
    summary += f", class-balanced recall {percent(score['balanced_recall'])}."
    lines = [summary, "", "| class | faces | recall | precision |", "|---|---:|---:|---:|"]
    for group in score["groups"]:
        recall, precision = percent(group["recall"]), percent(group["precision"])
        lines.append(f"| {group['label']} | {group['images']} | {recall} | {precision} |")
    return "\n".join(lines)


def speed_table() -> str:
    """What the benchmarks measured."""
    training, inference, dataset = load("training"), load("inference"), load("dataset_build")
    rates = training["images_per_second"]
    peer = "real Caffe, fp32" if "real Caffe, fp32" in rates else "plain torch modules, fp32"
    lines = ["| what | figure | against |", "|---|---:|---|"]
    for name, rate in rates.items():
        against = "" if name == peer else f"{rate / rates[peer]:.1f} × {peer}"
        lines.append(f"| training AgeNet, {name} | {rate:.0f} img/s | {against} |")
    for row in inference["rows"]:
        figure = f"{row['batch1_ms']:.1f} ms, {row['img_per_s']:.0f} img/s"
        name = f"{inference['network']}, {row['runner']}: batch 1, many"
        lines.append(f"| {name} | {figure} | {inference_ratios(row)} |")
    lines += photograph_lines() + startup_lines()
    for row in dataset["rows"]:
        rate, memory = row["stored"] / row["seconds"], row["peak_rss_mb"]
        workers = f"{row['workers']} worker" + "s" * (row["workers"] > 1)
        name = f"building {row['source']}, {row['stored']} pictures stored, {workers}"
        lines.append(f"| {name} | {rate:.0f} img/s, {memory:.0f} MB at most | |")
    return "\n".join([*lines, "", medians(training["machine"])])


def inference_ratios(row: dict[str, Any]) -> str:
    """Say how many times as fast as the others edgeage is, one by one and in a stream."""
    if not row["runner"].startswith("edgeage"):
        return ""
    return ", ".join(
        f"{row[f'speedup_batch1{key}']:.1f} × and {row[f'speedup_stream{key}']:.1f} × {peer}"
        for peer, key in (("cv2.dnn", ""), ("onnxruntime", "_onnxruntime"))
        if f"speedup_batch1{key}" in row
    )


def photograph_lines() -> list[str]:
    """Whole photographs, a line for each way of taking them, where they have been measured."""
    rows = load("pipeline")["rows"] if measured("pipeline") else []
    sets = list(dict.fromkeys(row["photographs"] for row in rows))
    lines = []
    for runner in dict.fromkeys(row["runner"] for row in rows):
        own = [row for row in rows if row["runner"] == runner]
        found = f"{sum(row['found'] for row in own)} of {sum(row['faces'] for row in own)} found"
        rates = ", ".join(f"{row['img_per_s']:.1f}" for row in own)
        ratios = [
            "/".join(f"{row['speedup'][peer]:.1f}" for row in own) + f" × {peer}"
            for peer in (own[0]["speedup"] if runner.startswith("edgeage") else ())
        ]
        name = f"photographs ({', '.join(sets)}), {runner}, {found}"
        lines.append(f"| {name} | {rates} img/s | {', '.join(ratios)} |")
    return lines


def startup_lines() -> list[str]:
    """Cold starts, where they have been measured."""
    return [
        f"| cold start, {row['runner']} | {row['seconds']:.2f} s, {row['peak_mb']:.0f} MB | |"
        for row in (load("startup")["rows"] if measured("startup") else ())
    ]


def measured(name: str) -> bool:
    """Say whether there is a results file."""
    return (RESULTS / f"{name}.json").is_file()


def movidius_table() -> str:
    """What the stick's side costs, measured without a stick."""
    worker, compiling = load("worker_overhead"), load("compile_time")
    rows = {row["runner"]: row for row in worker["rows"]}
    direct, ours = rows["direct"], rows["worker"]
    share = worker["overhead_share"]
    lines = [
        "| for the stick, without one | figure | against |",
        "|---|---:|---|",
        (
            f"| AgeNet to IR and blob, cold cache, {compiling['pictures']} pictures compared with "
            f"{compiling['reference'].title()} | {compiling['seconds']:.0f} s | |"
        ),
        (
            f"| a picture through the worker process, OpenVINO 2021.4's CPU plugin | "
            f"{ours['batch1_ms']:.1f} ms | {direct['batch1_ms']:.1f} ms without: "
            f"+{worker['overhead_ms']:.1f} ms, {share:.0%} |"
        ),
        (
            f"| many, {worker['in_flight']} under way | {ours['img_per_s']:.0f} img/s | "
            f"{direct['img_per_s']:.0f} img/s without |"
        ),
    ]
    return "\n".join([*lines, "", medians(worker["machine"])])


def medians(machine: dict[str, Any]) -> str:
    """Say where figures were measured."""
    where = f"{machine['cores']} cores of an {machine['cpu']} ({machine['instructions']})"
    return f"Medians on {where}, Python {machine['python']}."


def tables() -> dict[Path, str]:
    """Return what belongs into each file."""
    cards = ROOT / "caffe_models"
    return {
        ROOT / "README.md": "\n\n".join((accuracy_table(), speed_table(), movidius_table())),
        cards / "agenet.md": group_table("agenet"),
        cards / "gendernet.md": group_table("gendernet"),
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
