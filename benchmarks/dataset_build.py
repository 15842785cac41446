"""How fast a data set is built, and how much memory that takes.

    python benchmarks/dataset_build.py [--source UTKFace.tar.gz] [--race asian] [--json FILE]

Without ``--source`` an archive of synthetic 200 × 200 pictures is made. Each build runs in a
process of its own, so its peak memory is its own. The second, larger build of the synthetic
archive shows that memory does not grow with the number of pictures.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import numpy as np

from edgeage.speed import machine

_CHILD = """
import json, resource, sys, time
from edgeage.datasets import BuildOptions, build_utkface
from edgeage.datasets.records import RACES
source, output, race, workers = sys.argv[1:5]
options = BuildOptions(races=RACES if race == "all" else (race,), workers=int(workers))
marks = {}
def on_progress(stage, done, total):
    now = time.perf_counter()
    first = marks.setdefault(stage, [now, now, 0])
    first[1:] = [now, done]
start = time.perf_counter()
report = build_utkface(source, output, options, on_progress=on_progress)
seconds = time.perf_counter() - start
print(json.dumps({
    "faces": report["faces"],
    "stored": sum(store["records"] for store in report["lmdb"].values()),
    "seconds": seconds,
    "stages": {stage: {"seconds": end - begin, "pictures": done}
               for stage, (begin, end, done) in marks.items()},
    "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
}))
"""


def make_archive(path: Path, count: int) -> Path:
    """Write an archive of synthetic pictures with UTKFace's names."""
    import cv2

    rng = np.random.default_rng(0)
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        for number in range(count):
            coarse = rng.integers(0, 256, (12, 12, 3), dtype=np.uint8)
            picture = cv2.resize(coarse, (200, 200), interpolation=cv2.INTER_CUBIC)
            data = cv2.imencode(".jpg", picture)[1].tobytes()
            name = f"UTKFace/{number % 90}_{number % 2}_2_{number}.jpg.chip.jpg"
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return path


def measure(source: Path, race: str, workers: int, folder: Path) -> dict[str, object]:
    """Build once in another process and return its figures."""
    output = folder / f"{source.stem}-{workers}"
    command = [sys.executable, "-c", _CHILD, str(source), str(output), race, str(workers)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    figures = json.loads(done.stdout)
    stages = figures["stages"]
    return {
        "source": source.name,
        "workers": workers,
        **figures,
        "read_img_s": stages["reading"]["pictures"] / max(stages["reading"]["seconds"], 1e-9),
        "write_img_s": stages["writing"]["pictures"] / max(stages["writing"]["seconds"], 1e-9),
    }


def main() -> None:
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", type=Path, help="a UTKFace archive or folder")
    parser.add_argument("--race", default="asian")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, os.cpu_count() or 1])
    parser.add_argument("--faces", type=int, nargs="+", default=[500, 2000], help="synthetic")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sources = (
            [options.source]
            if options.source
            else [
                make_archive(folder / f"synthetic-{count}.tar.gz", count) for count in options.faces
            ]
        )
        rows = [
            measure(source, options.race, workers, folder)
            for source in sources
            for workers in options.workers
        ]
    if options.json:
        document = {"machine": machine(), "rows": rows}
        options.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    columns = ("source", "workers", "faces", "stored", "seconds", "read_img_s", "write_img_s",
               "peak_rss_mb")  # fmt: skip
    print("  ".join(f"{column:>12}" for column in columns))
    for row in rows:
        cells = (row[column] for column in columns)
        print(
            "  ".join(
                f"{cell:12.1f}" if isinstance(cell, float) else f"{cell:>12}" for cell in cells
            )
        )


if __name__ == "__main__":
    main()
