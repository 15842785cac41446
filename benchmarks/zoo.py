"""Measure every network of the zoo: size, arithmetic, speed, and how alike its forms answer.

Run: python benchmarks/zoo.py [--networks NAME …] [--data DIR] [--trained DIR …] [--quick]
         [--json FILE].

Weights are random, which neither size nor speed depends on, with batch normalisation's statistics
of noise so that the answers differ from picture to picture. With a built data set (--data) the
errors of SSR-Net's published weights (--published) are scored too, and those of networks that
«edgeage train» left (--trained runs/NAME/model). What FILE holds of other networks stays. The blob
needs the Movidius tools, INT8 NNCF; what is missing is left out. «--networks» without names scores
alone.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import importlib.util
import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import openvino as ov
import torch
from document import write_document

from edgeage.compiler.calibration import Faces, Split
from edgeage.compiler.imported import compile_imported
from edgeage.compiler.parity import parity_pictures
from edgeage.compiler.profiles import read_profile
from edgeage.compiler.quantise import quantise
from edgeage.errors import EdgeageError
from edgeage.modelfiles import read_models
from edgeage.runtime.core import openvino_core
from edgeage.runtime.openvino import OpenVINOBackend
from edgeage.runtime.options import RuntimeOptions
from edgeage.scoring import EvaluateOptions, evaluate
from edgeage.speed import Figures, machine, take_turns
from edgeage.zoo import NETWORKS, build_network, import_model
from edgeage.zoo.product import write_product

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgeage.manifest import Manifest
    from edgeage.zoo import ZooNetwork

QUICK = ("ssrnet-joint", "mobilenetv2")
PUBLISHED = Path(__file__).resolve().parents[2] / "shared" / "models" / "ssrnet"
TOOLS = ("edgeage", "keras", "openvino", "onnx", "numpy")


def stirred(name: str) -> ZooNetwork:
    """Build a network whose answers depend on the picture."""
    alone = name.startswith(("ssrnet", "wrn"))
    network = build_network(name, {} if alone else {"weights": "none"})
    for layer in network.model.layers:
        if type(layer).__name__ == "BatchNormalization":
            layer.momentum = 0.02
        # Random stretches saturate at -1, where a stage's width is infinite.
        if "delta_s" in layer.name and "local" not in layer.name:
            layer.kernel.assign(layer.get_weights()[0] * 1e-4)
    pictures = parity_pictures(None, network.spec, "age").batch[:2]
    # Keras keeps what every layer answers: of EfficientNet-B7 over 2 GB a picture.
    with torch.no_grad():
        network.model(network.prepared(pictures), training=True)
    return network


def macs(model: Any) -> int:
    """Count the multiply-accumulates of one picture in convolutions and inner products."""
    total = 0
    for node in model.get_ordered_ops():
        kind, made = node.get_type_name(), int(np.prod(node.output(0).get_shape()))
        if kind == "Convolution":
            total += made * int(np.prod(node.input_value(1).get_shape()[1:]))
        elif kind == "GroupConvolution":
            total += made * int(np.prod(node.input_value(1).get_shape()[2:]))
        elif kind == "MatMul":
            total += made * int(node.input_value(0).get_shape()[-1])
    return total


def size(manifest: Manifest) -> int:
    """Return the size of an IR in bytes."""
    return sum(manifest.file(role).stat().st_size for role in ("ir_xml", "ir_bin"))


def attempt(what: str, run: Any) -> Any:
    """Return what ``run`` returns, or None after saying why there is nothing."""
    try:
        return run()
    except EdgeageError as error:
        print(f"{what} is left out: {error}", file=sys.stderr)
        return None


def in_int8(exact: Manifest, folder: Path) -> Manifest:
    """Quantise a compiled network; its accuracy, of random weights, is not measured."""
    pictures = parity_pictures(None, exact.input, "age").batch
    faces = Faces(pictures, np.zeros(len(pictures), np.int64))
    nobody = Faces(pictures[:0], faces.labels[:0])
    graph = openvino_core().read_model(exact.file("ir_xml"), exact.file("ir_bin"))
    split = Split(faces, nobody, folder, folder)
    made = quantise(graph, split, max_drop=100.0, correct_biases=True)
    ov.save_model(made, folder / "int8.xml", compress_to_fp16=False)
    options = dict(read_profile("CPU", "INT8").options)
    compiled = dataclasses.replace(exact, precision="INT8", options=options)
    return compiled.with_files(folder, ir_xml="int8.xml", ir_bin="int8.bin")


def times(manifests: list[Manifest], seconds: float, rounds: int) -> list[float | None]:
    """Return the median milliseconds of one picture, all networks in turn."""
    with contextlib.ExitStack() as stack:
        calls = []
        for manifest in manifests:
            backend = OpenVINOBackend("CPU", RuntimeOptions("latency", cache=False))
            session = stack.enter_context(contextlib.closing(backend.load(manifest)))
            batch = np.random.default_rng(0).integers(
                0, 256, (1, 3, *manifest.input.input_hw), np.uint8
            )
            calls.append(lambda s=session, b=batch: s.infer(b))
        laps = take_turns(calls, seconds=seconds, rounds=rounds)
    return [Figures.of(lap.turns_ms).p50_ms if lap.error is None else None for lap in laps]


def read_by_depthai(blob: Path) -> bool | None:
    """Say whether depthai reads a blob; None where it is not installed."""
    if importlib.util.find_spec("depthai") is None:
        return None
    import depthai

    return bool(depthai.OpenVINO.Blob(blob).networkOutputs)


def measure(name: str, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Return one network's row."""
    network = stirred(name)
    pictures = parity_pictures(None, network.spec, "age")
    made = write_product(network, folder / "onnx", pictures.batch, pictures.origin, source={})
    forms = {
        precision: compile_imported(made, folder / precision, precision=precision)
        for precision in ("FP32", "FP16")
    }
    exact = forms["FP32"]
    if importlib.util.find_spec("nncf") is not None:
        quantised = attempt(f"{name} in INT8", lambda: in_int8(exact, folder))
        forms |= {} if quantised is None else {"INT8": quantised}
    chosen = {key: forms[key] for key in ("FP32", "INT8") if key in forms}
    timed = times(list(chosen.values()), options.seconds, options.rounds)
    blob = None
    if options.blobs:
        blob = attempt(
            f"{name}'s blob", lambda: compile_imported(made, folder / "blob", target="MYRIAD")
        )
    graph = openvino_core().read_model(exact.file("ir_xml"))
    return {
        "network": name,
        "machine": machine(),
        "input_hw": list(network.input_hw),
        "parameters": int(network.model.count_params()),
        "macs": macs(graph),
        "bytes": {precision: size(manifest) for precision, manifest in forms.items()},
        "ms": dict(zip(chosen, timed, strict=True)),
        "keras_to_onnx": made.parity["max_difference"],
        "onnx_to_ir": {key: forms[key].parity["max_difference"] for key in ("FP32", "FP16")},
        "blob": blob
        and {
            "stages": blob.blob["stages"],
            "bytes": blob.blob["size"],
            "max_difference": blob.parity["max_difference"],
            "depthai": read_by_depthai(blob.file("blob")),
        },
    }


def published(weights: Path, data: Path, faces: str | None, folder: Path) -> dict[str, Any]:
    """Score the published weights, with the border around a face that they were trained with."""
    models = []
    for path in sorted(weights.glob("*.h5")):
        form = "ssrnet-gender" if "gender" in path.stem else "ssrnet"
        network = dataclasses.replace(import_model(path, form), name=path.stem)
        pictures = parity_pictures(None, network.spec, "age")
        write_product(network, folder / path.stem, pictures.batch, pictures.origin, source={})
        models.append(folder / path.stem)
    return scored(models, data, faces, "wide")


def trained(models: Sequence[Path], data: Path, faces: str | None) -> dict[str, Any]:
    """Score what «edgeage train» left, and say how long each was trained."""
    told = {}
    for model, (manifest,) in zip(models, map(read_models, models), strict=True):
        source = manifest.source
        recipe = model.parent / f"{manifest.name}_recipe.json"
        told[manifest.name] = {
            "input_hw": list(manifest.input.input_hw),
            "started_from": source["started_from"],
            "faces": json.loads(recipe.read_text(encoding="utf-8"))["faces"],
            **{key: source["validation"][key] for key in ("epochs", "best_epoch")},
        }
    document = scored(models, data, faces, "tight")
    rows = [{**row, **told[row["weights"]]} for row in document["rows"]]
    return {**document, "rows": rows}


def scored(models: Sequence[Path], data: Path, faces: str | None, crop: str) -> dict[str, Any]:
    """Score networks on the same faces of a data set."""
    lists = () if faces is None else (faces,)
    options = EvaluateOptions(lists=lists, crop=(crop,), seconds=0, resamples=1000)
    document = evaluate([str(model) for model in models], [data], options)
    return {
        "set": {key: document["sets"][0][key] for key in ("set", "part", "faces")},
        "rows": [
            {
                "weights": result["model"].removesuffix(" FP32"),
                **{key: result["figures"].get(key) for key in ("age_mae", "gender")},
            }
            for result in document["results"]
        ],
    }


def printed(row: dict[str, Any]) -> str:
    """Return a row for the terminal."""
    ms = "  ".join(f"{key} {value:.2f} ms" for key, value in row["ms"].items() if value)
    stages = row["blob"]["stages"] if row["blob"] else "–"
    return (
        f"{row['network']:16}{row['parameters']:>12,}{row['macs'] / 1e6:>9.1f} MMAC  {ms}  "
        f"{stages} stages  {row['keras_to_onnx']:.1e}  {row['onnx_to_ir']['FP16']:.1e}"
    )


def joined(old: dict[str, Any] | None, made: dict[str, Any]) -> dict[str, Any]:
    """Return the scores of networks trained before, those scored anew in their place.

    Scores of other faces are not kept beside these.
    """
    rows = [*(old["rows"] if old and old["set"] == made["set"] else ()), *made["rows"]]
    kept = {row["weights"]: row for row in rows}
    return {**made, "rows": [kept[name] for name in sorted(kept)]}


def earlier(path: Path | None) -> dict[str, Any]:
    """Return what a results file holds already."""
    if path is None or not path.is_file():
        return {"rows": [], "published": None, "trained": None}
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def main() -> None:
    """Measure, print and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", nargs="*", default=NETWORKS, help="names; all unless given")
    parser.add_argument("--published", type=Path, default=PUBLISHED, help="SSR-Net's .h5 files")
    parser.add_argument("--data", type=Path, help="a built data set to score those on")
    parser.add_argument("--faces", help="a list of its faces; its test split unless given")
    parser.add_argument("--trained", type=Path, nargs="*", help="models of «edgeage train»")
    parser.add_argument("--seconds", type=float, default=2.0, help="a network and precision")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--no-blobs", dest="blobs", action="store_false")
    parser.add_argument("--quick", action="store_true", help="two networks, hardly timed, no blob")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    if options.quick:
        options.networks, options.blobs = QUICK, False
        options.seconds, options.rounds = 0.05, 1
    rows = []
    for name in options.networks:
        with tempfile.TemporaryDirectory() as folder:
            row = attempt(name, lambda n=name, f=folder: measure(n, Path(f), options))
        if row is not None:
            rows.append(row)
            print(printed(row), flush=True)
    old = earlier(options.json)
    found = {"published": old["published"], "trained": old["trained"]}
    if options.data is not None and options.published.is_dir():
        with tempfile.TemporaryDirectory() as folder:
            found["published"] = published(
                options.published, options.data, options.faces, Path(folder)
            )
    if options.data is not None and options.trained:
        made = trained(options.trained, options.data, options.faces)
        found["trained"] = joined(old["trained"], made)
    print(json.dumps(found, indent=1))
    known = {row["network"]: row for row in (*old["rows"], *rows)}
    write_document(options.json, TOOLS, rows=[known[name] for name in sorted(known)], **found)


if __name__ == "__main__":
    main()
