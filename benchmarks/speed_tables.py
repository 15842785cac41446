"""Tables of what the benchmarks measured, from benchmarks/results/."""

from __future__ import annotations

import collections
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "load",
    "measured",
    "medians",
    "movidius_table",
    "percent",
    "photograph_table",
    "speed_table",
    "streaming_table",
]

RESULTS = Path(__file__).resolve().parent / "results"


def load(name: str) -> Any:
    """Return one results file."""
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def measured(name: str) -> bool:
    """Say whether there is a results file."""
    return (RESULTS / f"{name}.json").is_file()


def medians(machine: dict[str, Any]) -> str:
    """Say where figures were measured."""
    where = f"{machine['cores']} cores of an {machine['cpu']} ({machine['instructions']})"
    return f"Medians on {where}, Python {machine['python']}."


def percent(value: float | None) -> str:
    """Write a share of 0 to 1."""
    return "–" if value is None else f"{value:.1%}"


def speed_table() -> str:
    """What the benchmarks measured: a table for each machine they ran on."""
    parts = {
        "training": training_lines(),
        "inference": inference_lines(),
        "startup": startup_lines(),
        "dataset_build": dataset_lines(),
    }
    by_machine: dict[str, list[str]] = {}
    for name, lines in parts.items():
        if lines:
            by_machine.setdefault(medians(load(name)["machine"]), []).extend(lines)
    head = ["| what | figure | against |", "|---|---:|---|"]
    return "\n\n".join(
        "\n".join([*head, *lines, "", machine]) for machine, lines in by_machine.items()
    )


def training_lines() -> list[str]:
    """Training AgeNet, by each engine."""
    rates = load("training")["images_per_second"]
    peer = "real Caffe, fp32" if "real Caffe, fp32" in rates else "plain torch modules, fp32"
    lines = []
    for name, rate in rates.items():
        against = "" if name == peer else f"{rate / rates[peer]:.1f} × {peer}"
        lines.append(f"| training AgeNet, {name} | {rate:.0f} img/s | {against} |")
    return lines


def inference_lines() -> list[str]:
    """Faces, a line for each runtime and network."""
    inference = load("inference")
    lines = []
    for row in inference["rows"]:
        figure = f"{row['batch1_ms']:.2f} ms, {row['img_per_s']:.0f} img/s"
        # Only the pair's own rows were held against its FP32 answers.
        pair = "difference" in row
        network = f"{inference['network']}, {row['runner']}" if pair else row["runner"]
        lines.append(f"| {network}: batch 1, many | {figure} | {inference_ratios(row)} |")
    return lines


def dataset_lines() -> list[str]:
    """Building a data set, by each number of workers."""
    lines = []
    for row in load("dataset_build")["rows"]:
        if row["workers"] == "plain":
            rate = f"{row['read_img_s']:.0f} img/s read"
            lines.append(f"| reading {row['source']} in a plain OpenCV loop | {rate} | |")
            continue
        rate, memory = row["stored"] / row["seconds"], row["peak_rss_mb"]
        workers = f"{row['workers']} worker" + "s" * (row["workers"] > 1)
        name = f"building {row['source']}, {row['stored']} pictures stored, {workers}"
        lines.append(f"| {name} | {rate:.0f} img/s, {memory:.0f} MB at most | |")
    return lines


def inference_ratios(row: dict[str, Any]) -> str:
    """Say how many times as fast as the others edgeage is, one by one and in a stream."""
    if not row["runner"].startswith("edgeage"):
        return ""
    return ", ".join(
        f"{ratio['batch1']:.1f} × and {ratio['stream']:.1f} × {peer}"
        for peer, ratio in row["speedup"].items()
    )


def photograph_table(*, whole: bool) -> str:
    """Whole photographs: a row for each way of taking them, a column for each kind.

    Args:
        whole: every way that was measured; otherwise the others' and edgeage's fast ones.
    """
    document = load("pipeline")
    rows = document["rows"]
    sets = list(dict.fromkeys(row["photographs"] for row in rows))
    peers = [peer for peer in rows[0]["speedup"] if "pixels" not in peer]
    lines = [f"| photographs a second | {' | '.join(sets)} |", "|---|" + "---:|" * len(sets)]
    for runner in dict.fromkeys(row["runner"] for row in rows):
        ours = runner.startswith("edgeage")
        if whole or not ours or ("FP16, many" in runner and "from 20" not in runner):
            own = {row["photographs"]: row for row in rows if row["runner"] == runner}
            cells = [_photograph_cell(own[name], peers if ours else ()) for name in sets]
            name = f"AgeNet + GenderNet, {runner}" if runner.startswith("edgeage ") else runner
            lines.append(f"| {name} | {' | '.join(cells)} |")
    found = collections.Counter[str]()
    for row in rows:
        found[row["runner"]] += row["found"]
    least, most = min(found.values()), max(found.values())
    faces = sum({row["photographs"]: row["faces"] for row in rows}.values())
    told = f"{least}" if least == most else f"{least} to {most}"
    remark = (
        f"In brackets: how many times as many as {' and as '.join(peers)}. Each finds {told} of "
        f"the {faces} faces. {medians(document['machine'])}"
    )
    return "\n".join([*lines, "", remark])


def _photograph_cell(row: dict[str, Any], peers: Iterable[str]) -> str:
    ratios = ", ".join(f"{row['speedup'][peer]:.1f} ×" for peer in peers)
    return f"{row['img_per_s']:.1f}" + (f" ({ratios})" if ratios else "")


def startup_lines() -> list[str]:
    """Cold starts, where they have been measured."""
    return [
        f"| cold start, {row['runner']} | {row['seconds']:.2f} s, {row['peak_mb']:.0f} MB | |"
        for row in (load("startup")["rows"] if measured("startup") else ())
    ]


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


def streaming_table() -> str:
    """How fast faces are followed, and how well, against looking at every one in every frame."""
    document = load("streaming")
    lines = [
        "| faces | way | frames a second | found | switches | age off, years | age flickers by |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for row in document["rows"]:
        faces = f"{row['faces']}{', fast' * (row['pace'] > 1)}"
        alone = row["way"] == document["rows"][0]["way"]
        rate = f"{row['fps']:.0f}" + ("" if alone else f" ({row['speedup']:.1f} ×)")
        error = "–" if row["age_error"] is None else f"{row['age_error']:.1f}"
        lines.append(
            f"| {faces} | {row['way']} | {rate} | {percent(row['found'])} | "
            f"{'–' if alone else row['switches']} | {error} | {row['age_flicker']:.2f} |"
        )
    return "\n".join([*lines, "", medians(document["machine"])])
