"""Compare what AgeNet and GenderNet decide in FP32, FP16 and INT8 on real faces.

Run: python benchmarks/precision.py --data DIR [--json FILE]. DIR is a built data set. All faces of
its test LMDBs are used and, up to --faces, as many of the training LMDBs as are needed that INT8
was not calibrated with; the networks were trained on those, so each part has a row of its own.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from document import write_document

from edgeage.compiler import Int8Options, compile_model, find_model
from edgeage.compiler.calibration import read_split
from edgeage.compiler.sources import RELEASED
from edgeage.datasets import DatumReader
from edgeage.runtime.openvino import OpenVINOBackend

if TYPE_CHECKING:
    from edgeage.compiler import TrainedModel
    from edgeage.manifest import Manifest

PRECISIONS = ("FP32", "FP16", "INT8")


def faces_of(
    trained: TrainedModel, data: Path, wanted: int, calibration: int
) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Return (where from, uint8 (n, 3, H, W) BGR, labels) of the test and the training faces."""
    manifest = trained.manifest
    split = read_split(data, manifest, calibration, control=True)
    with DatumReader(split.test_lmdb) as reader:
        records = [reader.get(place) for place in range(len(reader))]
    batch = np.stack([manifest.input.prepare(p.transpose(1, 2, 0)) for p, _ in records])
    parts = [("test", batch, np.array([label for _, label in records]))]
    if (more := wanted - len(batch)) > 0:
        parts.append(("training", split.control.batch[:more], split.control.labels[:more]))
    return parts


def compiled(trained: TrainedModel, data: Path, folder: Path, calibration: int) -> list[Manifest]:
    """Compile a network in every precision, for the CPU."""
    options = {"INT8": Int8Options(calibration=calibration, max_drop=100)}
    return [
        compile_model(trained, folder / name, precision=name, data=data, int8=options.get(name))
        for name in PRECISIONS
    ]


def answers(manifest: Manifest, batch: np.ndarray) -> np.ndarray:
    """Return float32 probabilities of shape (n, labels)."""
    with contextlib.closing(OpenVINOBackend("CPU").load(manifest)) as session:
        return session.infer(batch).probabilities


def row(found: np.ndarray, exact: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """Compare one precision's probabilities with single precision's."""
    difference = np.abs(found.astype(np.float64) - exact)
    right = int((found.argmax(axis=1) == labels).sum())
    return {
        "faces": len(labels),
        "correct": right,
        "accuracy": round(right / len(labels), 5),
        "changed_decisions": int((found.argmax(axis=1) != exact.argmax(axis=1)).sum()),
        "mean_difference": float(f"{difference.mean():.3g}"),
        "max_difference": float(f"{difference.max():.3g}"),
    }


def measure(name: str, data: Path, wanted: int, calibration: int) -> list[dict[str, Any]]:
    """Return a row a precision and part of the faces, and one for all of them."""
    trained = find_model(name)
    parts = faces_of(trained, data, wanted, calibration)
    labels = [part[2] for part in parts]
    rows, exact = [], []
    with tempfile.TemporaryDirectory() as folder:
        for manifest in compiled(trained, data, Path(folder), calibration):
            found = [answers(manifest, batch) for _, batch, _ in parts]
            exact = exact or found
            size = manifest.file("ir_bin").stat().st_size
            head = {"network": manifest.name, "precision": manifest.precision, "bytes": size}
            compared = zip(parts, found, exact, strict=True)
            rows += [{**head, "part": p[0], **row(f, e, p[2])} for p, f, e in compared]
            everything = row(*(np.concatenate(values) for values in (found, exact, labels)))
            rows.append({**head, "part": "all", **everything})
    return rows


def main() -> None:
    """Measure, print a table and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="a built data set's folder")
    parser.add_argument("--models", nargs="+", default=RELEASED, help="other .caffemodel files")
    parser.add_argument("--faces", type=int, default=1000, help="at least this many a network")
    parser.add_argument(
        "--calibration", type=int, default=300, help="faces INT8 is calibrated with"
    )
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    rows = [
        line
        for name in options.models
        for line in measure(name, options.data, options.faces, options.calibration)
    ]
    print(f"{'':28}{'faces':>6}{'right':>7}{'accuracy':>10}{'changed':>9}{'mean':>10}{'most':>9}")
    for line in rows:
        print(
            f"{line['network']:10}{line['precision']:6}{line['part']:12}{line['faces']:6}"
            f"{line['correct']:7}{line['accuracy']:10.2%}{line['changed_decisions']:9}"
            f"{line['mean_difference']:10.5f}{line['max_difference']:9.4f}"
        )
    tools = ("openvino", "nncf", "numpy")
    write_document(options.json, tools, calibration_faces=options.calibration, rows=rows)


if __name__ == "__main__":
    main()
