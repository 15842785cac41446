"""Measure how long AgeNet takes to compile for a stick: graph, parity with Caffe, and blob.

Run: python benchmarks/compile_time.py [--data DIR] [--repeats N] [--json FILE]. Every run starts
with an empty cache in a fresh process; the figure is the median. Needs the Movidius tools.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from document import write_document

from edgeage.movidius import find_toolchain
from edgeage.movidius.toolchain import PYTHON_VARIABLE

PROGRAM = "import sys; from edgeage.cli.main import main; sys.exit(main(sys.argv[1:]))"


def run(python: Path, data: Path | None) -> tuple[float, dict[str, object]]:
    """Compile once and return the seconds and the model's manifest."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # The cache is empty, so the installed tools are named by their Python.
        variables = {"EDGEAGE_CACHE": str(folder / "cache"), PYTHON_VARIABLE: str(python)}
        words = ["compile", "agenet", "--target", "MYRIAD", "-o", str(folder / "out"), "--json"]
        if data is not None:
            words += ["--data", str(data)]
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, *words],
            env={**os.environ, **variables},
            stdout=subprocess.PIPE,
            check=True,
        )
        return time.perf_counter() - started, json.loads(done.stdout)["models"][0]


def main() -> None:
    """Measure, print a table and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="a built data set for the parity check")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    python = find_toolchain().python
    runs = [run(python, options.data) for _ in range(options.repeats)]
    seconds, model = statistics.median(taken for taken, _ in runs), runs[0][1]
    print(f"AgeNet for MYRIAD, cold cache: {seconds:.1f} s")
    parity = model["parity"]
    assert isinstance(parity, dict)
    write_document(
        options.json,
        ("openvino",),
        seconds=round(seconds, 2),
        repeats=options.repeats,
        pictures=parity["pictures"],
        reference=parity["reference"],
        tools=model["tools"],
        blob=model["blob"],
    )


if __name__ == "__main__":
    main()
