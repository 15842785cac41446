"""Measure what face crop UTKFace's chips are, and how the detectors' boxes stand to it.

Run: python benchmarks/crop_geometry.py --source UTKFace.tar.gz --data DIR [--limit N]
[--detectors NAME|FILE …] [--json FILE]. Chips that are not among DIR's test faces are laid in the
middle of a canvas twice as large, and every detector looks for the face. Printed are MTCNN's
median landmarks as fractions of the chip (``[crop]`` of ``datasets/utkface.toml``), for every
detector the square that its box stands for (the table of ``edgeage/faces/crop.py``), and how well
the square that edgeage cuts out falls on the chip.
"""

from __future__ import annotations

import argparse
import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from document import write_document

from edgeage.datasets.records import read_records
from edgeage.datasets.sources import members
from edgeage.errors import ImageError
from edgeage.faces import DETECTORS, Detection, face_square, open_detector
from edgeage.images import read_image
from edgeage.inputspec import InputSpec
from edgeage.paths import data_dir
from edgeage.tomlfile import read_toml

if TYPE_CHECKING:
    from collections.abc import Iterator

CHIP = 200
BORDER = CHIP // 2
BATCH = 32


def read_chips(source: Path, data: Path, limit: int) -> list[np.ndarray]:
    """Return chips, spread evenly over the archive, none of them a test face."""
    tested = {
        item.record.name for item in read_records(data / "records.csv") if item.split == "test"
    }
    usable = (member for member in members(source) if member.name not in tested)
    step = max(1, 20_000 // limit)
    return list(itertools.islice(decoded(itertools.islice(usable, 0, None, step)), limit))


def decoded(found: Iterator[Any]) -> Iterator[np.ndarray]:
    """Decode what is a chip."""
    for member in found:
        try:
            picture = read_image(member.read())
        except ImageError:
            continue
        if picture.shape == (CHIP, CHIP, 3):
            yield picture


def find(name: str, chips: list[np.ndarray]) -> tuple[str, list[Detection]]:
    """Return a detector's name and the face it finds on each chip, its place in chips' sides."""
    detector = open_detector(name)
    faces: list[Detection] = []
    for start in range(0, len(chips), BATCH):
        canvases = [
            cv2.copyMakeBorder(chip, *[BORDER] * 4, cv2.BORDER_REPLICATE)
            for chip in chips[start : start + BATCH]
        ]
        for found in detector.detect(canvases):
            own = [face for face in map(on_chip, found) if in_middle(face)]
            faces += [max(own, key=lambda face: face.width * face.height)] if own else []
    detector.close()
    return detector.name, faces


def on_chip(face: Detection) -> Detection:
    """Turn pixels of the canvas into fractions of the chip."""
    box = tuple((edge - BORDER) / CHIP for edge in face.box)
    points = tuple(((x - BORDER) / CHIP, (y - BORDER) / CHIP) for x, y in face.landmarks)
    return Detection(box, face.score, points, face.detector)


def in_middle(face: Detection) -> bool:
    """Tell whether a face is the chip's own and not something beside it."""
    left, top, right, bottom = face.box
    return abs(left + right - 1) < 0.6 and abs(top + bottom - 1) < 0.6


def template(faces: list[Detection]) -> list[list[float]]:
    """Return the median landmarks."""
    points = np.median([face.landmarks for face in faces], axis=0)
    return [[round(float(x), 3), round(float(y), 3)] for x, y in points]


def box_fit(faces: list[Detection]) -> dict[str, float]:
    """Return the chip's side and the way to its centre, in roots of the box's area."""
    boxes = np.array([face.box for face in faces])
    size = np.sqrt((boxes[:, 2:] - boxes[:, :2]).prod(axis=1))
    way = (0.5 - (boxes[:, :2] + boxes[:, 2:]) / 2) / size[:, None]
    right, down = np.median(way, axis=0)
    figures = {"side": np.median(1 / size), "right": right, "down": down}
    return {name: round(float(value), 3) for name, value in figures.items()}


def agreement(faces: list[Detection], spec: InputSpec) -> dict[str, float]:
    """Return the IoU of the squares that are cut out with the chip: median and lowest tenth."""
    shares = []
    for face in faces:
        square = face_square(face, spec, align=False)
        low = [max(0.0, middle - square.side / 2) for middle in square.center]
        high = [min(1.0, middle + square.side / 2) for middle in square.center]
        shared = max(0.0, high[0] - low[0]) * max(0.0, high[1] - low[1])
        shares.append(shared / (1 + square.side**2 - shared))
    return {
        "iou_median": round(float(np.median(shares)), 3),
        "iou_tenth": round(float(np.quantile(shares, 0.1)), 3),
    }


def main() -> None:
    """Measure, print and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", type=Path, required=True, help="UTKFace.tar.gz")
    parser.add_argument("--data", type=Path, required=True, help="a built data set, for its split")
    parser.add_argument("--limit", type=int, default=3000, help="number of chips")
    parser.add_argument("--detectors", nargs="+", default=[n for n in DETECTORS if n != "yunet"])
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    chips = read_chips(options.source, options.data, options.limit)
    crop = read_toml(data_dir("datasets") / "utkface.toml")["crop"]
    by_points, by_box = InputSpec(**crop), InputSpec(margin=crop["margin"])
    rows: dict[str, Any] = {}
    print(f"{len(chips)} chips; square: side, right, down in roots of the box's area")
    for detector in options.detectors:
        name, faces = find(detector, chips)
        row: dict[str, Any] = {"found": len(faces), **box_fit(faces)}
        row["box"] = agreement(faces, by_box)
        if all(face.landmarks for face in faces):
            row |= {"landmarks": template(faces), "aligned": agreement(faces, by_points)}
        rows[name] = row
        print(name, json.dumps(row))
    write_document(options.json, ("opencv-python", "numpy"), chips=len(chips), detectors=rows)


if __name__ == "__main__":
    main()
