"""Measure what another crop costs: accuracy by margin, shift, rotation and detector.

Run: python benchmarks/sensitivity.py --data DIR [--source UTKFace.tar.gz] [--limit N]
[--detectors NAME|FILE …] [--json FILE] [--plot FILE]. The commonest complaint about networks of
this kind is an age that never changes; its cause is a crop looser than the training's.

Pictures are DIR's test faces: the chips of the archive, or without it the stored pictures of the
test LMDB. A chip is the crop the networks were trained on; other squares are cut out of it as
``edgeage infer`` cuts a face out of a photograph. What a looser square needs beyond the chip is
its repeated edge, so of a larger margin this shows the smaller face and not the background. A
detector sees the chip in the middle of a canvas of its repeated edge and cuts by what it finds; a
face it does not find counts as wrong.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from document import write_document

from edgeage.compiler.released import released_models
from edgeage.compiler.sources import RELEASED
from edgeage.datasets.records import SplitRecord, read_records
from edgeage.datasets.sources import members
from edgeage.datasets.store import DatumReader
from edgeage.evaluation.metrics import Score
from edgeage.faces import FaceSquare, cut_face, open_detector
from edgeage.faces.crop import cut_square
from edgeage.images import read_image
from edgeage.manifest import Manifest
from edgeage.runtime.devices import open_backend

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edgeage.runtime import Session

MARGINS = (-0.2, -0.15, -0.1, -0.05, 0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.6)
SHIFTS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3)
ROTATIONS = (0.0, 5.0, 10.0, 20.0, 30.0, 45.0)
BATCH = 32

Cut = np.ndarray | None


def load(folder: Path | None) -> list[tuple[Manifest, Session]]:
    """Load the compiled models of a folder, or the released ones, the age's first."""
    backend = open_backend("CPU")
    if folder is not None:
        manifests = [Manifest.read(path) for path in folder.glob("*/model.json")]
        found = [(manifest, backend.load(manifest)) for manifest in manifests]
    else:
        with released_models(names=RELEASED) as released:
            found = [(manifest, backend.load(manifest)) for manifest in released]
    return sorted(found, key=lambda pair: pair[0].task)


def read_faces(
    data: Path, source: Path | None, limit: int | None
) -> list[tuple[np.ndarray, SplitRecord]]:
    """Return the test faces, uint8 (height, width, 3) BGR, with their labels."""
    records = {r.record.name: r for r in read_records(data / "records.csv") if r.split == "test"}
    if source is not None:
        named = ((member.name, member) for member in members(source))
        faces = [(read_image(m.read()), records[name]) for name, m in named if name in records]
    else:
        with DatumReader(data / "age_test_lmdb") as reader:
            stored = {reader.key(i).decode().split("_", 1)[1]: i for i in range(len(reader))}
            faces = [
                (np.ascontiguousarray(reader.get(stored[name])[0].transpose(1, 2, 0)), record)
                for name, record in records.items()
                if name in stored
            ]
    faces.sort(key=lambda face: face[1].record.name)
    step = max(1, len(faces) // limit) if limit else 1
    return faces[::step][:limit]


def squares(
    pictures: Sequence[np.ndarray], margin: float = 0.0, shift: float = 0.0, angle: float = 0.0
) -> list[Cut]:
    """Cut another square out of every chip; shifts and turns go both ways by turns."""
    cuts: list[Cut] = []
    for number, picture in enumerate(pictures):
        side = picture.shape[0]
        way = np.exp(2j * np.pi * number * 0.381966)
        middle = (side / 2 + shift * side * way.real, side / 2 + shift * side * way.imag)
        turn = angle if number % 2 else -angle
        square = FaceSquare(middle, side * (1 + 2 * margin), turn)
        cuts.append(cut_square(picture, square, picture.shape[:2]))
    return cuts


def detected(
    name: str, pictures: Sequence[np.ndarray], manifest: Manifest, align: bool
) -> list[Cut]:
    """Cut out what a detector finds; None where it finds nothing."""
    detector = open_detector(name)
    cuts: list[Cut] = []
    for start in range(0, len(pictures), BATCH):
        canvases = [
            cv2.copyMakeBorder(picture, *[len(picture) // 2] * 4, cv2.BORDER_REPLICATE)
            for picture in pictures[start : start + BATCH]
        ]
        for canvas, faces in zip(canvases, detector.detect(canvases), strict=True):
            face = max(faces, key=lambda f: f.width * f.height, default=None)
            cuts.append(face and cut_face(canvas, face, manifest.input, align=align))
    detector.close()
    return cuts


def score(
    networks: Sequence[tuple[Manifest, Session]],
    cuts: Sequence[Cut],
    records: Sequence[SplitRecord],
) -> dict[str, Any]:
    """Return the accuracies; a missing cut is answered wrongly by everyone."""
    there = [(cut, record) for cut, record in zip(cuts, records, strict=True) if cut is not None]
    figures: dict[str, Any] = {"found": len(there)}
    share = len(there) / len(cuts)
    for manifest, session in networks:
        found = Score.of(
            np.array([record.record.label(manifest.task) for _, record in there]),
            answered(manifest, session, [cut for cut, _ in there]),
            manifest.labels,
            ordered=manifest.task == "age",
        )
        figures[manifest.task] = round(found.accuracy * share, 4)
        if found.one_off_accuracy is not None:
            largest = found.confusion.sum(axis=0).max() / found.images
            figures["one_off"] = round(found.one_off_accuracy * share, 4)
            figures["answers_in_largest_group"] = round(float(largest), 4)
    return figures


def answered(manifest: Manifest, session: Session, cuts: Sequence[np.ndarray]) -> np.ndarray:
    """Return the class a network gives each face."""
    labels = []
    for start in range(0, len(cuts), BATCH):
        batch = np.stack([manifest.input.prepare(cut) for cut in cuts[start : start + BATCH]])
        labels.append(session.infer(batch).probabilities.argmax(axis=1))
    return np.concatenate(labels)


def sweep(
    networks: Sequence[tuple[Manifest, Session]],
    faces: Sequence[tuple[np.ndarray, SplitRecord]],
    detectors: Sequence[str],
) -> list[dict[str, Any]]:
    """Measure every crop, printing as it goes."""
    pictures, records = [picture for picture, _ in faces], [record for _, record in faces]
    age = networks[0][0]
    jobs: list[tuple[str, Any, Callable[[], list[Cut]]]] = []
    jobs += [("margin", m, lambda m=m: squares(pictures, margin=m)) for m in MARGINS]
    jobs += [("shift", s, lambda s=s: squares(pictures, shift=s)) for s in SHIFTS]
    jobs += [("rotation", r, lambda r=r: squares(pictures, angle=r)) for r in ROTATIONS]
    for name in detectors:
        label = Path(name).stem
        jobs.append(("detector", label, lambda n=name: detected(n, pictures, age, align=True)))
        unturned = f"{label}, not aligned"
        jobs.append(("detector", unturned, lambda n=name: detected(n, pictures, age, align=False)))
    rows = []
    print(f"{'crop':36}{'found':>6}{'age':>8}{'one off':>9}{'gender':>8}{'largest group':>15}")
    for kind, value, make in jobs:
        row = {"kind": kind, "value": value, **score(networks, make(), records)}
        rows.append(row)
        print(
            f"{f'{kind} {value}':36}{row['found']:6}{row['age']:8.1%}{row['one_off']:9.1%}"
            f"{row['gender']:8.1%}{row['answers_in_largest_group']:15.1%}",
            flush=True,
        )
    return rows


def plot(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Draw accuracy against margin, shift and rotation."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.6), layout="constrained")
    labels = {
        "margin": "margin, of the face square",
        "shift": "shift, of the chip's side",
        "rotation": "rotation, degrees",
    }
    lines = {"age": "age group", "one_off": "age group, one off", "gender": "gender"}
    for axes, (kind, label) in zip(figure.subplots(1, 3, sharey=True), labels.items(), strict=True):
        own = [row for row in rows if row["kind"] == kind]
        for name, title in lines.items():
            axes.plot([r["value"] for r in own], [r[name] for r in own], marker="o", label=title)
        axes.set(xlabel=label, ylim=(0, 1))
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel("accuracy")
    figure.axes[0].legend(loc="lower left")
    figure.savefig(path, dpi=150)


def main() -> None:
    """Measure, print, write and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="a built data set")
    parser.add_argument("--source", type=Path, help="UTKFace.tar.gz; default: the test LMDB")
    parser.add_argument("--limit", type=int, help="number of faces; default: all test faces")
    parser.add_argument(
        "--models", type=Path, help="a compiled models' folder; default: the released ones"
    )
    parser.add_argument("--detectors", nargs="*", default=["mtcnn", "haar"])
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--plot", type=Path, help="draw them here (.png, .svg or .pdf)")
    options = parser.parse_args()
    faces = read_faces(options.data, options.source, options.limit)
    networks = load(options.models)
    rows = sweep(networks, faces, options.detectors)
    for _, session in networks:
        session.close()
    write_document(options.json, ("openvino", "opencv-python"), faces=len(faces), rows=rows)
    if options.plot:
        plot(rows, options.plot)


if __name__ == "__main__":
    main()
