"""From a published archive to a finished data set: records, LMDBs, mean and report."""

from __future__ import annotations

import dataclasses
import itertools
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeage.caffe import encode_datum, mean_sha256, write_mean
from edgeage.datasets.duplicates import duplicate_groups, find_pairs
from edgeage.datasets.facelist import read_tests
from edgeage.datasets.locks import output_lock
from edgeage.datasets.mean import MeanSum
from edgeage.datasets.oversample import Copy, apply_change, plan
from edgeage.datasets.parallel import default_workers, ordered_map
from edgeage.datasets.records import RACES, FaceRecord, SplitRecord, write_records
from edgeage.datasets.report import make_report, read_report, write_report
from edgeage.datasets.scan import PixelFile, Scan, scan_source
from edgeage.datasets.splits import hold_out, split_faces
from edgeage.datasets.store import DatumWriter
from edgeage.datasets.utkface import parse_name
from edgeage.errors import DatasetError, UsageError, did_you_mean, require
from edgeage.paths import atomic_dir, sha256_file

if TYPE_CHECKING:
    import numpy as np

__all__ = ["BuildOptions", "build_utkface", "prepare_splits"]

_MEAN_OF = "age_train_lmdb"
_OnProgress = Callable[[str, int, "int | None"], None]


@dataclasses.dataclass(frozen=True)
class BuildOptions:
    """How a data set is built.

    Attributes:
        races: which faces are taken, of :data:`edgeage.datasets.records.RACES`.
        split: share of the faces that are for training, between 0 and 1.
        test_from: another data set's ``records.csv`` whose test faces are the test faces here too,
            or a list of them (:mod:`edgeage.datasets.facelist`), instead of ``split``.
        oversample: whether the training classes are balanced with changed copies.
        seed: decides the split, the order, the copies and their noise.
        size: side in pixels of the stored pictures.
        workers: number of threads; does not change the result.

    Raises:
        UsageError: for an unknown race, or a number out of range.
        DatasetError: when ``test_from`` is no list of faces.
    """

    races: tuple[str, ...] = RACES
    split: float = 0.8
    test_from: Path | None = None
    oversample: bool = True
    seed: int = 230
    size: int = 227
    workers: int = dataclasses.field(default_factory=default_workers)

    def __post_init__(self) -> None:
        for race in self.races:
            if race not in RACES:
                raise UsageError(f"unknown race «{race}»{did_you_mean(race, RACES)}")
        if not self.races:
            raise UsageError("expected at least one race")
        if not 0 < self.split < 1:
            raise UsageError(f"expected a split between 0 and 1, got {self.split:g}")
        if self.test_from is not None:
            read_tests(self.test_from)
        if not 16 <= self.size <= 4096:
            raise UsageError(f"expected a size of 16 to 4096 pixels, got {self.size}")
        if self.workers < 1:
            raise UsageError(f"expected at least one worker, got {self.workers}")


def build_utkface(
    source: str | Path,
    output: str | Path,
    options: BuildOptions | None = None,
    *,
    overwrite: bool = False,
    on_progress: _OnProgress | None = None,
) -> dict[str, Any]:
    """Build a data set from UTKFace: LMDBs for age and gender, their mean, records and a report.

    ``output`` gets ``{age,gender}_{train,test}_lmdb`` (Caffe ``Datum``, 3 × size × size, BGR),
    ``mean.binaryproto`` and ``age_gender_mean.npy`` (the mean of the age training LMDB, for both
    networks), ``records.csv`` and ``report.json``. It appears only when all of it is written.
    Pictures pass through a working file beside it, so memory does not grow with their number.

    Args:
        source: the archive (tar, tar.gz, zip), or a folder; only read.
        output: the folder to make.
        options: see :class:`BuildOptions`.
        overwrite: replace ``output`` when there is something in it.
        on_progress: called with ``"reading"``, ``"comparing"`` or ``"writing"``, how many
            pictures are done, and of how many or None.

    Returns:
        The report, as in ``report.json``.

    Raises:
        DatasetError: when the source is missing, damaged or has no usable face, when the output
            is being written by another process, or the disk is full.
        EdgeageError: when ``output`` is not empty and not to be overwritten.
        MissingDependencyError: without the packages of ``edgeage[data]``.

    Source:
        UTKFace: Zhang, Song and Qi, «Age Progression/Regression by Conditional Adversarial
        Autoencoder», CVPR 2017. LMDBs as of Caffe's ``tools/convert_imageset.cpp``, the mean as of
        its ``tools/compute_image_mean.cpp``.
    """
    options = options or BuildOptions()
    source, output = Path(source), Path(output).resolve()
    require("lmdb", extra="data", purpose="build a data set")
    if options.oversample:
        require("skimage", extra="data", purpose="oversample with noise")
    _check_output(source, output, overwrite)
    notify = on_progress or (lambda _stage, _done, _total: None)
    try:
        with output_lock(output), atomic_dir(output, overwrite=overwrite) as folder:
            return _build(source, folder, options, notify)
    except OSError as error:
        raise DatasetError(f"{output} cannot be built: {error}") from error


def _check_output(source: Path, output: Path, overwrite: bool) -> None:
    """Refuse what would harm the pictures or replace a folder that is no data set."""
    found = source.resolve()
    if output == found or output in found.parents or (found in output.parents and found.is_dir()):
        raise UsageError(f"{output} and the source {source} lie in one another; choose another -o")
    if overwrite and output.is_dir() and any(output.iterdir()):
        try:
            read_report(output)
        except DatasetError as error:
            raise DatasetError(
                f"{output} is not a data set, only those are overwritten; remove it or choose "
                f"another folder ({error})"
            ) from None


def _build(
    source: Path, folder: Path, options: BuildOptions, notify: _OnProgress
) -> dict[str, Any]:
    work = folder / "work"
    work.mkdir()
    shape = (3, options.size, options.size)
    with PixelFile(work / "pixels.u8", shape) as pixels:
        scan = scan_source(
            source,
            parse_name,
            frozenset(options.races),
            pixels,
            workers=options.workers,
            on_progress=lambda done, total: notify("reading", done, total),
        )
        notify("comparing", 0, len(scan.records))
        pairs = _pairs(scan, pixels, options.workers)
        notify("comparing", len(scan.records), len(scan.records))
        faces = prepare_splits(scan.records, pairs, options)
        plans = _plans(faces, options)
        stores, mean = _write_lmdbs(plans, folder, pixels, options, notify)
    shutil.rmtree(work)
    write_mean(folder / "mean.binaryproto", mean)
    write_mean(folder / "age_gender_mean.npy", mean)
    write_records(folder / "records.csv", faces)
    report = make_report(
        source, scan, pairs=pairs, faces=faces, plans=plans, options=_described(options)
    )
    report["lmdb"] = stores
    report["mean"] = {
        "sha256": mean_sha256(mean),
        "channels_bgr": [round(float(level), 3) for level in mean.mean(axis=(1, 2))],
    }
    report["input"]["mean_sha256"] = mean_sha256(mean)
    write_report(folder, report)
    return report


def _described(options: BuildOptions) -> dict[str, Any]:
    fields = dataclasses.asdict(options)
    path = options.test_from
    fields["test_from"] = path and {"name": path.name, "sha256": sha256_file(path)}
    return fields


def _pairs(scan: Scan, pixels: PixelFile, workers: int) -> list[tuple[int, int]]:
    slots = [record.slot for record in scan.records]
    found = find_pairs(scan.fingerprints, lambda row: pixels.read(slots[row]), workers)
    first_of: dict[str, int] = {}
    copies = [
        (first_of[record.sha256], row)
        for row, record in enumerate(scan.records)
        if first_of.setdefault(record.sha256, row) != row
    ]
    return sorted({*found, *copies})


def prepare_splits(
    records: Sequence[FaceRecord], pairs: Sequence[tuple[int, int]], options: BuildOptions
) -> list[SplitRecord]:
    """Group near-duplicates and put every face on its side.

    Args:
        records: the faces, sorted by name.
        pairs: numbers of faces that show the same photograph.
        options: the split and its seed, or the data set whose test faces to take.

    Returns:
        The faces in the same order; groups are numbered from 0 in that order.

    Raises:
        DatasetError: when there are too few faces, or those of ``test_from`` are not among them.
    """
    groups = duplicate_groups(len(records), pairs)
    if options.test_from is None:
        sides = split_faces(records, groups, options.split, options.seed)
    else:
        sides = hold_out(records, groups, read_tests(options.test_from))
    shared = sorted({root for row, root in enumerate(groups) if root != row})
    numbers = {root: number for number, root in enumerate(shared)}
    return [
        SplitRecord(record, side, numbers.get(root))
        for record, side, root in zip(records, sides, groups, strict=True)
    ]


def _plans(faces: Sequence[SplitRecord], options: BuildOptions) -> dict[str, list[Copy]]:
    """Choose what goes into each LMDB, by its name."""
    train = [face.record for face in faces if face.split == "train"]
    test = [Copy(face.record) for face in faces if face.split == "test"]
    plans: dict[str, list[Copy]] = {}
    for task in ("age", "gender"):
        plans[f"{task}_train_lmdb"] = plan(train, task, options.seed, balance=options.oversample)
        plans[f"{task}_test_lmdb"] = test
    return plans


def _write_lmdbs(
    plans: dict[str, list[Copy]],
    folder: Path,
    pixels: PixelFile,
    options: BuildOptions,
    notify: _OnProgress,
) -> tuple[dict[str, dict[str, Any]], np.ndarray]:
    """Write the LMDBs; return what is in them, and the mean of the age training set.

    Nothing is read back: a map that was read counts as this process's memory.
    """
    total = sum(map(len, plans.values()))
    counter = itertools.count(1)
    mean = MeanSum(pixels.shape)
    stores = {}
    for name, copies in plans.items():
        with DatumWriter(folder / name) as writer:
            for copy, changed, value in _encoded(copies, name.split("_")[0], pixels, options):
                writer.put_bytes(copy.name, value)
                if name == _MEAN_OF:
                    mean.add(changed)
                notify("writing", next(counter), total)
            stores[name] = {"records": writer.count, "sha256": writer.sha256()}
    return stores, mean.mean()


def _encoded(
    copies: Sequence[Copy], task: str, pixels: PixelFile, options: BuildOptions
) -> Iterator[tuple[Copy, np.ndarray, bytes]]:
    def encode(copy: Copy) -> tuple[Copy, np.ndarray, bytes]:
        changed = apply_change(pixels.read(copy.record.slot), copy, options.seed)
        return copy, changed, encode_datum(changed, copy.record.label(task))

    return ordered_map(encode, copies, options.workers)
