"""Compare AgeNet compiled by edgeage with the same network in OpenCV, in one run.

Run: python benchmarks/inference.py [--json FILE] [--threads N]. Batch 1 in milliseconds and a
stream of pictures in pictures a second, FP32 and FP16 profiles; medians of alternating rounds
with the same number of threads. The released weights are used where they are installed, random
ones of the same network otherwise (speed does not depend on them).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from machine import machine

from edgeage.compiler import TrainedModel, compile_model, find_model
from edgeage.errors import ModelError
from edgeage.runtime.openvino import OpenVINOBackend
from edgeage.runtime.options import RuntimeOptions
from edgeage.testing import write_random_model

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgeage.runtime import Session

STREAM = 64


def trained_model(folder: Path) -> tuple[TrainedModel, str]:
    """Return the released AgeNet, or one with random weights, and which it is."""
    try:
        return find_model("agenet"), "released"
    except ModelError:
        return find_model(write_random_model(folder / "random", "age")), "random"


def opencv_runner(trained: TrainedModel) -> Callable[[np.ndarray], None]:
    """Return what runs uint8 (n, 3, H, W) pictures one by one in OpenCV, mean and all."""
    net = cv2.dnn.readNetFromCaffe(str(trained.prototxt), str(trained.caffemodel))

    def run(batch: np.ndarray) -> None:
        for pixels in batch:
            net.setInput((pixels - trained.mean)[None].astype(np.float32))
            net.forward()

    return run


def load(trained: TrainedModel, folder: Path, precision: str, threads: int) -> Session:
    """Compile and load the network with a fixed number of threads."""
    manifest = compile_model(trained, folder / precision, precision=precision)
    return OpenVINOBackend("CPU", RuntimeOptions(threads=threads, cache=False)).load(manifest)


def milliseconds(run: Callable[[np.ndarray], Any], batch: np.ndarray) -> float:
    """Return the time of one call."""
    started = time.perf_counter()
    run(batch)
    return 1000 * (time.perf_counter() - started)


def measure(runners: dict[str, Callable[[np.ndarray], Any]], rounds: int) -> list[dict[str, Any]]:
    """Run all in turn, round by round, so that a change of the machine's load hits all alike."""
    rng = np.random.default_rng(0)
    stream = rng.integers(0, 256, (STREAM, 3, 227, 227), dtype=np.uint8)
    single: dict[str, list[float]] = {name: [] for name in runners}
    many: dict[str, list[float]] = {name: [] for name in runners}
    for run in runners.values():
        run(stream[:9])
    for _ in range(rounds):
        for name, run in runners.items():
            single[name] += [milliseconds(run, stream[i : i + 1]) for i in range(10)]
            many[name].append(milliseconds(run, stream))
    rows = []
    for name in runners:
        batch1 = statistics.median(single[name])
        rate = 1000 * STREAM / statistics.median(many[name])
        rows.append({"runner": name, "batch1_ms": round(batch1, 2), "img_per_s": round(rate, 1)})
    for row in rows:
        row["speedup_batch1"] = round(rows[0]["batch1_ms"] / row["batch1_ms"], 2)
        row["speedup_stream"] = round(row["img_per_s"] / rows[0]["img_per_s"], 2)
    return rows


def main() -> None:
    """Measure, print a table and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    cv2.setNumThreads(options.threads)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        trained, weights = trained_model(folder)
        sessions = {p: load(trained, folder, p, options.threads) for p in ("FP32", "FP16")}
        runners: dict[str, Callable[[np.ndarray], Any]] = {"cv2.dnn": opencv_runner(trained)}
        runners |= {f"edgeage {p}": session.infer for p, session in sessions.items()}
        rows = measure(runners, options.rounds)
        for session in sessions.values():
            session.close()
    print(f"{'':16}{'batch 1':>12}{'×':>8}{'stream':>16}{'×':>8}")
    for row in rows:
        print(
            f"{row['runner']:16}{row['batch1_ms']:9.2f} ms{row['speedup_batch1']:8.2f}"
            f"{row['img_per_s']:10.1f} img/s{row['speedup_stream']:8.2f}"
        )
    document = {
        "network": "AgeNet",
        "weights": weights,
        "threads": options.threads,
        "machine": machine(),
        "versions": {tool: version(tool) for tool in ("openvino", "opencv-python", "numpy")},
        "rows": rows,
    }
    if options.json:
        options.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
