"""Measure cold starts: wall time and peak memory of fresh processes, edgeage beside OpenCV alone.

Run: python benchmarks/startup.py [--repeats N] [--json FILE].

Caches are warm: every program runs once before it is measured. A program's time is that of the
whole process, Python's own start included; of an import it is what the import adds to that. The
memory is the largest resident set the kernel counts of the process (Linux and macOS). All take
turns, and the figures are medians. This program itself stays small, for a child's memory is
counted from its parent's on.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

from document import write_document

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "examples" / "test_0.png"

_OPENCV = """
import sys
import cv2
import numpy as np

picture, mean, *networks = sys.argv[1:]
face = cv2.resize(cv2.imread(picture), (227, 227)).transpose(2, 0, 1)
pixels = (face - np.load(mean)).astype(np.float32)[None]
for prototxt, caffemodel in zip(networks[::2], networks[1::2]):
    net = cv2.dnn.readNetFromCaffe(prototxt, caffemodel)
    net.setInput(pixels)
    print(net.forward()[0].argmax())
"""
_IMPORTS = {
    "import edgeage": "import edgeage",
    "import edgeage.Predictor": "import edgeage; edgeage.Predictor",
    "import openvino": "import openvino",
    "import cv2": "import cv2",
}


def programs(folder: Path) -> dict[str, list[str]]:
    """Return the command line of everything that is measured."""
    infer = [sys.executable, "-m", "edgeage", "infer", "--device", "CPU", "--image", str(PICTURE)]
    imports = {name: [sys.executable, "-c", text] for name, text in _IMPORTS.items()}
    return {
        "python alone": [sys.executable, "-c", ""],
        **imports,
        "edgeage infer": infer,
        "edgeage infer, no detector": [*infer, "--detect", "never"],
        "OpenCV alone, no detector": _opencv_program(folder),
    }


def _opencv_program(folder: Path) -> list[str]:
    """Return the program that reads the picture and runs both caffemodels, as short as can be."""
    from edgeage.paths import data_dir

    networks, weights = data_dir("prototxt"), data_dir("caffe_models")
    files = [weights / "age_gender_mean.npy"]
    for name in ("agenet", "gendernet"):
        files += [networks / f"{name}_deploy.prototxt", weights / f"{name}.caffemodel"]
    if missing := [path.name for path in files if not path.is_file()]:
        sys.exit(f"the released models are needed; missing: {', '.join(missing)}")
    script = folder / "opencv_alone.py"
    script.write_text(_OPENCV, encoding="utf-8")
    return [sys.executable, str(script), str(PICTURE), *map(str, files)]


def run(words: list[str]) -> tuple[float, float]:
    """Run a program; return its seconds and the most memory it had, in MB."""
    started = time.perf_counter()
    process = os.posix_spawn(
        words[0],
        words,
        os.environ,
        file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)],
    )
    _, status, usage = os.wait4(process, 0)
    seconds = time.perf_counter() - started
    if status != 0:
        sys.exit(f"{' '.join(words)} failed with status {os.waitstatus_to_exitcode(status)}")
    bytes_each = 1 if sys.platform == "darwin" else 1024
    return seconds, usage.ru_maxrss * bytes_each / 1e6


def measure(commands: dict[str, list[str]], repeats: int) -> list[dict[str, object]]:
    """Let all take turns; return each one's medians."""
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for number in range(repeats + 1):
        for name, words in commands.items():
            taken = run(words)
            if number:
                runs[name].append(taken)
    alone = statistics.median(seconds for seconds, _ in runs["python alone"])
    rows = []
    for name, taken in runs.items():
        seconds, peak_mb = (statistics.median(values) for values in zip(*taken, strict=True))
        seconds -= alone if name in _IMPORTS else 0
        rows.append({"runner": name, "seconds": round(seconds, 3), "peak_mb": round(peak_mb, 1)})
    return rows


def main() -> None:
    """Measure, print a table and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        rows = measure(programs(Path(name)), options.repeats)
    for row in rows:
        print(f"{row['runner']:28}{row['seconds']:8.3f} s{row['peak_mb']:8.1f} MB")
    own_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    write_document(
        options.json,
        ("openvino", "opencv-python", "numpy"),
        repeats=options.repeats,
        own_peak_mb=round(own_mb, 1),
        rows=rows,
    )


if __name__ == "__main__":
    main()
