"""Score the released AgeNet and GenderNet in every engine there is, on the same test faces.

Run: python benchmarks/engines.py --data DIR [--json FILE]. DIR is a built data set. Real Caffe and
OpenVINO 2021.4 need the Movidius tools; an engine that is not here is named with its reason. INT8
is calibrated on faces of DIR's training LMDB.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from document import write_document

from edgeage.compiler import Int8Options, compile_model
from edgeage.compiler.sources import RELEASED
from edgeage.datasets import DatumReader
from edgeage.runtime.openvino import OpenVINOBackend
from edgeage.verification.engines import make_engines
from edgeage.verification.subject import find_subject

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgeage.verification.subject import Subject

KEYS = ("caffe", "torch", "openvino-fp32", "openvino-fp16", "openvino-2021.4")
BATCH = 50


def read_test_faces(subject: Subject, data: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return uint8 (n, 3, height, width), BGR, and the labels of the test LMDB."""
    manifest = subject.manifest
    with DatumReader(data / f"{manifest.task}_test_lmdb") as reader:
        records = [reader.get(place) for place in range(len(reader))]
    pictures = [manifest.input.prepare(pixels.transpose(1, 2, 0)) for pixels, _ in records]
    return np.stack(pictures), np.array([label for _, label in records])


def answered(
    subject: Subject, batch: np.ndarray, data: Path, folder: Path
) -> Iterator[tuple[str, np.ndarray | str]]:
    """Yield each engine's name with its probabilities (n, labels), or why there are none."""
    output = subject.manifest.output_name
    for engine in make_engines(subject, folder, KEYS):
        if (problem := engine.problem()) is not None:
            yield engine.name, problem
            continue
        parts = [
            engine.layers(batch[at : at + BATCH])[output] for at in range(0, len(batch), BATCH)
        ]
        yield engine.name, np.concatenate([part.reshape(len(part), -1) for part in parts])
    trained = subject.trained
    assert trained is not None
    options = Int8Options(max_drop=100)
    manifest = compile_model(trained, folder / "int8", precision="INT8", data=data, int8=options)
    with contextlib.closing(OpenVINOBackend("CPU").load(manifest)) as session:
        yield "OpenVINO INT8", session.infer(batch).probabilities


def measure(name: str, data: Path) -> list[dict[str, Any]]:
    """Return a row an engine."""
    subject = find_subject(name)
    batch, labels = read_test_faces(subject, data)
    rows, reference = [], None
    with tempfile.TemporaryDirectory() as folder:
        for engine, found in answered(subject, batch, data, Path(folder)):
            row: dict[str, Any] = {"network": name, "engine": engine, "faces": len(labels)}
            if isinstance(found, str):
                rows.append({**row, "missing": found})
                continue
            reference = found if reference is None else reference
            decided = found.argmax(axis=1)
            right = int((decided == labels).sum())
            changed = int((decided != reference.argmax(axis=1)).sum())
            rows.append(
                {**row, "right": right, "accuracy": right / len(labels), "changed": changed}
            )
    return rows


def main() -> None:
    """Measure, print a table and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="a built data set's folder")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    rows = [row for name in RELEASED for row in measure(name, options.data)]
    for row in rows:
        told = row.get("missing") or (
            f"{row['right']:5} of {row['faces']}{row['accuracy']:9.2%}, {row['changed']} changed"
        )
        print(f"{row['network']:10} {row['engine']:40} {told}")
    write_document(options.json, ("openvino", "torch", "nncf"), rows=rows)


if __name__ == "__main__":
    main()
