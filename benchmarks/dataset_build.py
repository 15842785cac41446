"""How fast a data set is built, against a plain OpenCV loop, and how much memory that takes.

    python benchmarks/dataset_build.py [--source UTKFace.tar.gz] [--race asian] [--json FILE]

Without ``--source`` archives of synthetic 200 × 200 pictures are made, of 2,000 and of 20,000. Each
build runs in a process of its own, so its peak memory is its own; between the two sizes it may grow
by what is known of a face, and by none of its pixels, or the program fails.

The plain loop reads the same archive with tarfile, decodes each wanted picture, resizes it and
appends its bytes to a file, in one thread. It does what the build's stage of reading does, without
looking for near-duplicates, hashing, or checking anything.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from document import write_document

_PEAK = """
import re, resource
from pathlib import Path
def peak_mb():
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    # On Linux getrusage tells the peak of the process that started this one, where it was higher.
    return int(re.search(r"VmHWM:\\s*(\\d+) kB", status.read_text())[1]) / 1024
"""
_CHILD = """
import json, sys, time
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
    "peak_rss_mb": peak_mb(),
}))
"""

_PLAIN = """
import json, sys, tarfile, time
import cv2, numpy as np
source, output, race, size = sys.argv[1:4] + [227]
wanted = {"white": "0", "black": "1", "asian": "2", "indian": "3", "others": "4"}.get(race)
faces, start = 0, time.perf_counter()
with tarfile.open(source, "r|*") as archive, open(output, "wb") as pixels:
    for entry in archive:
        fields = entry.name.rpartition("/")[2].split("_")
        if len(fields) == 4 and wanted in (None, fields[2]):
            data = np.frombuffer(archive.extractfile(entry).read(), np.uint8)
            picture = cv2.imdecode(data, cv2.IMREAD_COLOR)
            pixels.write(cv2.resize(picture, (size, size)).tobytes())
            faces += 1
print(json.dumps({
    "faces": faces, "seconds": time.perf_counter() - start,
    "peak_rss_mb": peak_mb(),
}))
"""
MOST_KB_A_FACE = 8
"""What a face may add to the peak memory: its labels. Its pixels have 151."""


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


def run(code: str, *words: object) -> dict[str, Any]:
    """Run a program in another process and return the figures it prints."""
    command = [sys.executable, "-c", _PEAK + code, *map(str, words)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def measure_plain(source: Path, race: str, folder: Path) -> dict[str, Any]:
    """Run the plain loop in another process and return its figures."""
    figures = run(_PLAIN, source, folder / "pixels", race)
    rate = figures["faces"] / figures["seconds"]
    return {"source": source.name, "workers": "plain", **figures, "read_img_s": rate}


def growth_kb(rows: list[dict[str, Any]]) -> float:
    """Return by how much each face more raises the peak memory of a build, in the worst case."""
    found = [
        (more["peak_rss_mb"] - fewer["peak_rss_mb"]) * 1024 / (more["faces"] - fewer["faces"])
        for fewer in rows
        for more in rows
        if more["workers"] == fewer["workers"] != "plain" and more["faces"] > fewer["faces"]
    ]
    return max(found, default=0.0)


def measure(source: Path, race: str, workers: int, folder: Path) -> dict[str, Any]:
    """Build once in another process and return its figures."""
    output = folder / f"{source.stem}-{workers}"
    figures = run(_CHILD, source, output, race, workers)
    shutil.rmtree(output)
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
    parser.add_argument("--faces", type=int, nargs="+", default=[2000, 20_000], help="synthetic")
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
            row
            for source in sources
            for row in (
                measure_plain(source, options.race, folder),
                *(measure(source, options.race, count, folder) for count in options.workers),
            )
        ]
    growth = growth_kb(rows)
    write_document(options.json, ("opencv-python", "lmdb"), rows=rows, kb_a_face=growth)
    columns = ("source", "workers", "faces", "stored", "seconds", "read_img_s", "write_img_s",
               "peak_rss_mb")  # fmt: skip
    print("  ".join(f"{column:>12}" for column in columns))
    for row in rows:
        cells = (row.get(column, "") for column in columns)
        print(
            "  ".join(
                f"{cell:12.1f}" if isinstance(cell, float) else f"{cell:>12}" for cell in cells
            )
        )
    print(f"each face more raises the peak memory by {growth:.1f} kB at most")
    if growth > MOST_KB_A_FACE:
        raise SystemExit(f"expected at most {MOST_KB_A_FACE} kB: pixels are held in memory")


if __name__ == "__main__":
    main()
