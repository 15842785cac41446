"""A measurement as text."""

from __future__ import annotations

from edgeage.speed.bench import Bench, BenchOptions, Row
from edgeage.speed.stages import StageCosts
from edgeage.speed.text import format_bench
from edgeage.speed.timing import Figures

FIGURES = Figures(250, 5.0, 6.25, 7.126, 1600.04)
GONE = [Row("agenet", "GPU", "FP16", batch, reason="it is not here") for batch in (1, 8)]


def test_rows_reasons_and_steps():
    ran = Row("agenet", "AUTO", "FP16", 8, "CPU", FIGURES)
    costs = StageCosts(
        "photos/a.png", (480, 640), "CPU", "FP16", 2, 9, {"decode": 3, "age": 5.006}, 30.0
    )
    text = format_bench(Bench((ran, *GONE), BenchOptions(), costs))
    first, *rest = text.splitlines()
    assert first.endswith("latency mode, 2 s a row in 5 turns")
    assert "\n".join(rest).strip() == (
        "network  device      precision  batch  p50 ms  p90 ms  p99 ms  img/s  runs\n"
        "agenet   AUTO (CPU)  FP16           8       5    6.25    7.13   1600   250\n"
        "\n"
        "Not measured:\n"
        "  agenet in FP16 on GPU: it is not here\n"
        "\n"
        "The steps of a.png, 640×480, 2 faces, on CPU in FP16, median of 9 runs:\n"
        "step                ms  of\n"
        "decode               3  a picture\n"
        "age               5.01  a face\n"
        "all after decode    30  a picture"
    )


def test_nothing_ran():
    costs = StageCosts("a.png", reason="no network ran")
    text = format_bench(Bench(tuple(GONE), BenchOptions(), costs))
    assert "p50" not in text
    assert text.endswith("The steps of a.png were not measured: no network ran")
