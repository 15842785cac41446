"""Compare AgeNet and GenderNet compiled by edgeage with OpenCV's and onnxruntime's, in one run.

Run: python benchmarks/inference.py [--data DIR] [--other FILE] [--threads N] [--seconds S]
         [--json FILE].

A face goes through both networks: one at a time in milliseconds (edgeage in latency mode), many
in faces a second (edgeage in throughput mode, the others in the batch that suits them best). All
have the same number of threads, get the same pixels and take turns. Before anything is timed
their answers are held against edgeage's in FP32. ``--data``, a built data set, brings real faces
and INT8, which is calibrated on them; ``--other`` another network of both tasks, such as Open
Model Zoo's ``age-gender-recognition-retail-0013.xml``, run as it is. The released weights are used
where they are installed, random ones of the same networks otherwise.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from document import write_document
from peers import COMPACT, compact, onnx_peer, opencv_peer, trained_models

from edgeage.compiler import compile_model
from edgeage.compiler.sources import RELEASED
from edgeage.modelfiles import read_models
from edgeage.networks import NetworkSet
from edgeage.prediction.clock import StageClock
from edgeage.runtime.openvino import OpenVINOBackend
from edgeage.runtime.options import RuntimeOptions
from edgeage.speed import Figures, take_turns
from edgeage.verification.pictures import read_pictures

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edgeage.compiler import TrainedModel
    from edgeage.manifest import Manifest

    Runner = Callable[[np.ndarray], np.ndarray]

PEERS = ("cv2.dnn", "onnxruntime")
TOLERANCE = 1e-4
TOOLS = ("openvino", "opencv-python", "onnxruntime", "numpy")


def faces(data: Path | None, model: TrainedModel, count: int) -> np.ndarray:
    """Return uint8 (count, 3, height, width), BGR: of the data set, or noise without one."""
    if data is not None:
        return read_pictures(data, model.manifest, count).batch
    shape = (count, 3, *model.manifest.input.input_hw)
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def edgeage_runner(
    manifests: Sequence[Manifest], mode: str, threads: int, stack: contextlib.ExitStack
) -> Runner:
    """Load both networks as the Predictor does, and return what runs them."""
    networks = NetworkSet(
        manifests, OpenVINOBackend("CPU", RuntimeOptions(mode, threads, cache=False))
    )
    stack.callback(networks.close)

    def run(batch: np.ndarray) -> np.ndarray:
        answers = networks.infer(dict.fromkeys(networks.inputs, batch), StageClock())
        outputs = [array for answer in answers.values() for array in answer.outputs.values()]
        return np.hstack(outputs)

    return run


def compact_runner(
    manifests: Sequence[Manifest],
    batch: np.ndarray,
    mode: str,
    threads: int,
    stack: contextlib.ExitStack,
) -> Runner:
    """Return what runs a network of both tasks on as many of the same faces, in its own size."""
    run = edgeage_runner(manifests, mode, threads, stack)
    spec = manifests[0].input
    own = np.stack([spec.prepare(face.transpose(1, 2, 0)) for face in batch])
    return lambda faces: run(own[: len(faces)])


def compiled(
    models: Sequence[TrainedModel], precision: str, folder: Path, data: Path | None
) -> list[Manifest]:
    """Compile both networks for the CPU."""
    place = folder / precision
    return [compile_model(model, place, precision=precision, data=data) for model in models]


def differences(runners: dict[str, Runner], batch: np.ndarray) -> dict[str, float]:
    """Return how far each is from edgeage's FP32; leave when one is no such network."""
    wanted = runners["edgeage FP32"](batch)
    found = {name: float(np.abs(run(batch) - wanted).max()) for name, run in runners.items()}
    for name in PEERS:
        if name in found and found[name] > TOLERANCE:
            sys.exit(f"{name} answers otherwise than edgeage FP32: {found[name]:.2g} apart")
    return found


def measure(
    single: dict[str, Runner], many: dict[str, Runner], batch: np.ndarray, options: Any
) -> list[dict[str, Any]]:
    """Time all of them in turn."""
    calls = [lambda run=run: run(batch[:1]) for run in single.values()]
    calls += [lambda run=run: run(batch) for run in many.values()]
    laps = take_turns(calls, seconds=options.seconds, rounds=options.rounds)
    rows = []
    for place, name in enumerate(single):
        alone = Figures.of(laps[place].turns_ms)
        stream = Figures.of(laps[place + len(single)].turns_ms, len(batch))
        rate = round(stream.img_per_s, 1)
        rows.append({"runner": name, "batch1_ms": round(alone.p50_ms, 3), "img_per_s": rate})
    return rows


def speedups(
    row: dict[str, Any], rows: Sequence[dict[str, Any]], peers: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Return how many times as fast as each peer a row is, one by one and in a stream."""
    known = {other["runner"]: other for other in rows}
    return {
        peer: {
            "batch1": round(known[peer]["batch1_ms"] / row["batch1_ms"], 2),
            "stream": round(row["img_per_s"] / known[peer]["img_per_s"], 2),
        }
        for peer in peers
        if peer in known
    }


def compare(
    folder: Path, options: Any, stack: contextlib.ExitStack
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Make all runners, check their answers and measure them."""
    models, weights = trained_models(options.models, folder)
    batch = faces(options.data, models[0], options.faces)
    peers = {"cv2.dnn": opencv_peer(models)}
    try:
        peers["onnxruntime"] = onnx_peer(models, folder, options.threads)
    except ModuleNotFoundError as error:
        print(f"onnxruntime is left out: {error.name} is not installed", file=sys.stderr)
    single: dict[str, Runner] = dict(peers)
    many: dict[str, Runner] = dict(peers)
    precisions = ("FP32", "FP16", "INT8") if options.data else ("FP32", "FP16")
    for precision in precisions:
        manifests = compiled(models, precision, folder, options.data)
        name = f"edgeage {precision}"
        single[name] = edgeage_runner(manifests, "latency", options.threads, stack)
        many[name] = edgeage_runner(manifests, "throughput", options.threads, stack)
    apart = {**differences(many, batch), **differences(single, batch[:1])}
    chunks = {name: peer.tune(batch, options.seconds / 4).chunk for name, peer in peers.items()}
    both = {Path(path).stem: read_models(path) for path in options.other}
    for name in COMPACT if weights == "released" else ():
        for precision in precisions:
            if (place := compact(name, folder, precision, options.data)) is not None:
                both[f"{name} {precision}"] = read_models(place)
    for name, own in both.items():
        single[name] = compact_runner(own, batch, "latency", options.threads, stack)
        many[name] = compact_runner(own, batch, "throughput", options.threads, stack)
    rows = measure(single, many, batch, options)
    others = [Path(path).stem for path in options.other]
    for row in rows:
        peers_of_row = [*PEERS, *others] if row["runner"] in both else PEERS
        row["speedup"] = speedups(row, rows, peers_of_row)
        if row["runner"] in apart:
            row["difference"] = float(f"{apart[row['runner']]:.2g}")
    return rows, {"weights": weights, "faces": len(batch), "chunks": chunks}


def show(rows: Sequence[dict[str, Any]]) -> None:
    """Print the table."""
    print(f"{'both networks':36}{'one face':>12}{'many':>17}   × others")
    for row in rows:
        ratios = [
            f"{ratio['batch1']}, {ratio['stream']} {peer}" for peer, ratio in row["speedup"].items()
        ]
        figures = f"{row['batch1_ms']:9.2f} ms{row['img_per_s']:9.1f} faces/s"
        print(f"{row['runner']:36}{figures}   {'; '.join(ratios)}")


def main() -> None:
    """Measure, print a table and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs=2, default=RELEASED, help="other .caffemodel files")
    parser.add_argument("--data", type=Path, help="a built data set: real faces, and INT8")
    parser.add_argument(
        "--other", nargs="*", default=(), help="another network of both tasks, .xml or .onnx"
    )
    parser.add_argument("--seconds", type=float, default=6, help="how long each row is timed")
    parser.add_argument("--rounds", type=int, default=9, help="in how many turns")
    parser.add_argument("--faces", type=int, default=64, help="how many faces are many")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    cv2.setNumThreads(options.threads)
    if options.data is None:
        print("INT8 is left out: it is calibrated on real faces; give --data", file=sys.stderr)
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        rows, facts = compare(Path(name), options, stack)
    show(rows)
    tools = [tool for tool in TOOLS if tool != "onnxruntime" or "onnxruntime" in facts["chunks"]]
    write_document(
        options.json,
        tools,
        network="AgeNet + GenderNet",
        threads=options.threads,
        **facts,
        rows=rows,
    )


if __name__ == "__main__":
    main()
