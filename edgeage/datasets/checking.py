"""Whether a built data set is whole: files, hashes, labels, and no photograph on both sides."""

from __future__ import annotations

import dataclasses
import hashlib
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeage.caffe import mean_sha256, read_mean
from edgeage.datasets.duplicates import FINGERPRINT_WORDS, find_pairs, fingerprint
from edgeage.datasets.parallel import ordered_map
from edgeage.datasets.reader import FaceReader
from edgeage.datasets.records import SplitRecord, read_records
from edgeage.datasets.report import content_hash, read_report
from edgeage.datasets.store import DatumReader
from edgeage.errors import DatasetError, MeanError
from edgeage.labels import TASK_LABELS
from edgeage.processor import usable_processors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["DatasetFinding", "check_dataset"]

_MOST_OF_A_KIND = 20


@dataclasses.dataclass(frozen=True)
class DatasetFinding:
    """Something that is wrong with a data set.

    Attributes:
        kind: ``"missing"``, ``"unreadable"``, ``"hash"``, ``"label"`` or ``"both sides"``.
        text: one line that says what and where.
    """

    kind: str
    text: str


def check_dataset(
    data: str | Path,
    *,
    workers: int | None = None,
    on_progress: Callable[[str, int, int], None] | None = None,
) -> list[DatasetFinding]:
    """Read all of a data set and compare it with its report and records.

    Every record of every LMDB is decoded, its label and side compared with ``records.csv`` and
    the whole with the report's hashes; so is the mean. Near-duplicates are then searched anew
    among the pictures: none may be on both sides.

    Args:
        data: the folder ``edgeage dataset build -o`` made.
        workers: number of threads; None for one a processor.
        on_progress: called with an LMDB's name or ``"comparing"``, how many pictures are done,
            and of how many.

    Returns:
        What is wrong; empty when nothing is. Of one kind at most 20 in each file.

    Raises:
        DatasetError: when there is no report or no list of faces to compare with.
    """
    data, notify = Path(data), on_progress or (lambda _what, _done, _total: None)
    report, items = read_report(data), read_records(data / "records.csv")
    findings = list(_lists(report, items))
    known = {item.record.name: item for item in items}
    sound = True
    for name, told in report["lmdb"].items():
        try:
            found = list(_lmdb(data / name, told, known, report, notify))
        except DatasetError as error:
            found, sound = [DatasetFinding("unreadable", str(error))], False
        findings += _shortened(found)
    findings += _mean(data, report)
    if sound:
        findings += _shortened(list(_both_sides(data, workers or usable_processors(), notify)))
    return findings


def _shortened(findings: list[DatasetFinding]) -> list[DatasetFinding]:
    kinds: dict[str, list[DatasetFinding]] = defaultdict(list)
    for finding in findings:
        kinds[finding.kind].append(finding)
    kept = []
    for kind, found in kinds.items():
        kept += found[:_MOST_OF_A_KIND]
        if len(found) > _MOST_OF_A_KIND:
            kept.append(DatasetFinding(kind, f"and {len(found) - _MOST_OF_A_KIND} more like this"))
    return kept


def _lists(report: Mapping[str, Any], items: list[SplitRecord]) -> Iterator[DatasetFinding]:
    if content_hash(items) != report["source"]["sha256"]:
        yield DatasetFinding("hash", "records.csv lists other faces than report.json was made of")
    sides: dict[object, set[str]] = defaultdict(set)
    for item in items:
        if item.duplicate_group is not None:
            sides[item.duplicate_group].add(item.split)
        if item.record.sha256:
            sides[item.record.sha256].add(item.split)
    for key, found in sides.items():
        if len(found) > 1:
            what = f"file {key}" if isinstance(key, str) else f"near-duplicates, group {key}"
            yield DatasetFinding("both sides", f"records.csv: {what} is to train and to test")


def _lmdb(
    path: Path,
    told: Mapping[str, Any],
    known: Mapping[str, SplitRecord],
    report: Mapping[str, Any],
    notify: Callable[[str, int, int], None],
) -> Iterator[DatasetFinding]:
    task, side = path.name.split("_")[:2]
    digest, missing = hashlib.sha256(), {n for n, i in known.items() if i.split == side}
    missing = {name for name in missing if known[name].record.has(task)}
    with DatumReader(path) as reader:
        wanted = (3, *report["input"]["resize_hw"])
        if reader.shape != wanted:
            yield DatasetFinding("label", f"{path.name} holds {reader.shape}, expected {wanted}")
        for index in range(len(reader)):
            key, value = reader.pair(index)
            for part in (key, value):
                digest.update(len(part).to_bytes(8, "little"))
                digest.update(part)
            name = reader.name(index)
            missing.discard(name)
            item = known.get(name) or known.get(name.rpartition("_")[0])
            yield from _record(reader, index, f"{path.name}: «{name}»", item, task)
            notify(path.name, index + 1, len(reader))
        count = len(reader)
    if count != told["records"] or digest.hexdigest() != told["sha256"]:
        yield DatasetFinding("hash", f"{path.name} is not what report.json says was written")
    for name in sorted(missing):
        yield DatasetFinding("missing", f"{path.name} lacks «{name}»")


def _record(
    reader: DatumReader, index: int, where: str, item: SplitRecord | None, task: str
) -> Iterator[DatasetFinding]:
    try:
        _, label = reader.get(index)
    except DatasetError as error:
        yield DatasetFinding("unreadable", str(error))
        return
    side = reader.path.name.split("_")[1]
    if label not in range(len(TASK_LABELS[task])):
        yield DatasetFinding("label", f"{where} has label {label}, {task} has none like it")
    elif item is None or item.split != side:
        yield DatasetFinding("label", f"{where} is no {side} face of records.csv")
    elif not item.record.has(task) or label != item.record.label(task):
        yield DatasetFinding("label", f"{where} has label {label}, records.csv says another")


def _mean(data: Path, report: Mapping[str, Any]) -> Iterator[DatasetFinding]:
    for name in ("mean.binaryproto", "age_gender_mean.npy"):
        try:
            if mean_sha256(read_mean(data / name)) != report["mean"]["sha256"]:
                yield DatasetFinding("hash", f"{name} is not the mean report.json says")
        except MeanError as error:
            yield DatasetFinding("unreadable", str(error))


def _both_sides(
    data: Path, workers: int, notify: Callable[[str, int, int], None]
) -> Iterator[DatasetFinding]:
    """Search near-duplicates among the stored faces as a build does among the source's."""
    try:
        readers = [FaceReader(data, side) for side in ("train", "test")]
    except DatasetError:
        return  # Faces are missing, which is found already.
    places = [(reader, index) for reader in readers for index in range(len(reader))]

    def pixels(row: int) -> np.ndarray:
        reader, index = places[row]
        return reader[index][0]

    prints = np.empty((len(places), FINGERPRINT_WORDS), np.uint64)
    found = ordered_map(lambda row: fingerprint(pixels(row)), range(len(places)), workers)
    try:
        for row, words in enumerate(found):
            prints[row] = words
            notify("comparing", row + 1, len(places))
        pairs = find_pairs(prints, pixels, workers)
    except DatasetError:
        return  # A picture is damaged, which is found already.
    finally:
        for reader in readers:
            reader.close()
    for pair in pairs:
        one, other = (places[row][0].record(places[row][1]) for row in pair)
        if one.split != other.split:
            yield DatasetFinding(
                "both sides",
                f"«{one.record.name}» ({one.split}) and «{other.record.name}» ({other.split}) "
                "show the same photograph",
            )
