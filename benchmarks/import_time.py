"""Measure how long ``import edgeage`` and a cold first prediction take.

Run: python benchmarks/import_time.py [--json FILE]. Each figure is the median of several fresh
processes, without Python's own start.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

from machine import machine

PROGRAMS = {
    "python alone": "",
    "import edgeage": "import edgeage",
    "import edgeage.Predictor": "import edgeage; edgeage.Predictor",
    "import openvino": "import openvino",
    "import cv2": "import cv2",
}


def seconds(program: str, repeats: int) -> float:
    """Return the median wall time of a fresh Python that runs a program."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", program], check=True)
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def main() -> None:
    """Measure, print a table and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    taken = {name: seconds(program, options.repeats) for name, program in PROGRAMS.items()}
    alone = taken.pop("python alone")
    rows = {name: round(1000 * (value - alone), 1) for name, value in taken.items()}
    for name, milliseconds in rows.items():
        print(f"{name:26}{milliseconds:8.1f} ms")
    document = {"machine": machine(), "ms": rows}
    if options.json:
        options.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
