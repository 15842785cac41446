"""From a published archive to a finished data set: records, LMDBs, mean and report."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeage.caffe import mean_sha256, write_mean
from edgeage.datasets.choice import Choice, choose
from edgeage.datasets.duplicates import duplicate_groups, find_pairs
from edgeage.datasets.facelist import read_tests
from edgeage.datasets.importers import open_importer
from edgeage.datasets.journal import Journal
from edgeage.datasets.lmdbs import lmdb_plans, write_lmdbs
from edgeage.datasets.locks import output_lock, take_rescued
from edgeage.datasets.options import BuildOptions
from edgeage.datasets.records import FaceRecord, SplitRecord, write_records
from edgeage.datasets.report import make_report, read_report, write_report
from edgeage.datasets.scan import Cutter, PixelFile, Scan, nothing_found, scan_source
from edgeage.datasets.splits import hold_out, own_tests, same_people, split_faces
from edgeage.errors import DatasetError, UsageError, require
from edgeage.paths import atomic_dir

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgeage.datasets.importers.found import Candidate, Drop, Importer

__all__ = ["BuildOptions", "build_dataset", "build_utkface", "prepare_splits"]

_OnProgress = Callable[[str, int, "int | None"], None]


def build_utkface(
    source: str | Path,
    output: str | Path,
    options: BuildOptions | None = None,
    *,
    overwrite: bool = False,
    on_progress: _OnProgress | None = None,
) -> dict[str, Any]:
    """Build a data set from UTKFace; see :func:`build_dataset`.

    Args:
        source: the archive (tar, tar.gz, zip), or a folder; only read.
        output: the folder to make.
        options: see :class:`BuildOptions`.
        overwrite: replace ``output`` when there is something in it.
        on_progress: as for :func:`build_dataset`.

    Returns:
        The report, as in ``report.json``.

    Raises:
        EdgeageError: as :func:`build_dataset` does.

    Source:
        UTKFace: Zhang, Song and Qi, «Age Progression/Regression by Conditional Adversarial
        Autoencoder», CVPR 2017.
    """
    return build_dataset(
        "utkface", source, output, options, overwrite=overwrite, on_progress=on_progress
    )


def build_dataset(
    name: str,
    source: str | Path,
    output: str | Path,
    options: BuildOptions | None = None,
    *,
    cutter: Cutter | None = None,
    overwrite: bool = False,
    on_progress: _OnProgress | None = None,
) -> dict[str, Any]:
    """Build a data set: LMDBs for age and gender, their mean, records and a report.

    ``output`` gets ``{age,gender}_{train,test}_lmdb`` (Caffe ``Datum``, 3 × size × size, BGR; none
    for gender where the data set does not say it), ``mean.binaryproto`` and
    ``age_gender_mean.npy`` (the mean of the age training LMDB, for both networks),
    ``records.csv`` and ``report.json``. It appears only when all of it is written. Pictures pass
    through a working file beside it, so memory does not grow with their number. A build that was
    killed is taken up again by the next one with this ``output``: what it decoded, and is the same
    still, is not decoded again.

    Args:
        name: which data set, of :data:`edgeage.datasets.DATASETS`.
        source: the archive (tar, tar.gz, zip), or a folder; only read.
        output: the folder to make.
        options: see :class:`BuildOptions`.
        cutter: cuts the face out of each picture, :class:`edgeage.faces.FaceCutter` for example;
            None takes the pictures as they are.
        overwrite: replace ``output`` when there is something in it.
        on_progress: called with ``"choosing"``, ``"reading"``, ``"comparing"`` or ``"writing"``,
            how many pictures are done, and of how many or None.

    Returns:
        The report, as in ``report.json``.

    Raises:
        DatasetError: when the source is missing, damaged or has no usable face, when the output
            is being written by another process, or the disk is full.
        EdgeageError: when ``output`` is not empty and not to be overwritten.
        UsageError: when the data set has no use for an option.
        MissingDependencyError: without the packages of ``edgeage[data]``, or ``edgeage[mat]`` for
            MATLAB's files.

    Source:
        LMDBs as of Caffe's ``tools/convert_imageset.cpp``, the mean as of its
        ``tools/compute_image_mean.cpp``.
    """
    options = options or BuildOptions()
    source, output = Path(source), Path(output).resolve()
    importer = open_importer(name)
    importer.check(name, options.importing)
    if not importer.has_race and not options.takes_all_races:
        raise UsageError(f"{name} does not say which race a face is of; leave --race out")
    require("lmdb", extra="data", purpose="build a data set")
    if options.oversample:
        require("skimage", extra="data", purpose="oversample with noise")
    _check_output(source, output, overwrite)
    notify = on_progress or (lambda _stage, _done, _total: None)
    try:
        with output_lock(output), atomic_dir(output, overwrite=overwrite) as folder:
            work = take_rescued(output, folder)
            return _build(importer, source, work, options, cutter=cutter, notify=notify)
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
    importer: Importer,
    source: Path,
    work: Path,
    options: BuildOptions,
    *,
    cutter: Cutter | None,
    notify: _OnProgress,
) -> dict[str, Any]:
    folder = work.parent
    choice = Choice(options)
    if options.limit is not None or options.balance:
        choice = choose(_counted(_find(importer, source, options, work), notify), options)
    told = f"{options.size} {cutter.identity if cutter else 'whole'}"
    with (
        PixelFile(work / "pixels.u8", (3, options.size, options.size)) as pixels,
        Journal(work / "journal.sqlite", told) as journal,
    ):
        scan = scan_source(
            _find(importer, source, options, work),
            choice,
            pixels,
            workers=options.workers,
            cutter=cutter,
            journal=journal,
            on_progress=lambda done, total: notify("reading", done, total),
        )
        if not scan.records:
            raise nothing_found(source, options.races, scan)
        notify("comparing", 0, len(scan.records))
        pairs = _pairs(scan, pixels, options.workers)
        notify("comparing", len(scan.records), len(scan.records))
        faces = prepare_splits(scan.records, pairs, options)
        plans = lmdb_plans(faces, options)
        stores, mean = write_lmdbs(
            plans, folder, pixels, options, lambda done, total: notify("writing", done, total)
        )
    shutil.rmtree(work)
    write_mean(folder / "mean.binaryproto", mean)
    write_mean(folder / "age_gender_mean.npy", mean)
    write_records(folder / "records.csv", faces)
    report = make_report(
        importer,
        source,
        scan,
        pairs=pairs,
        faces=faces,
        plans=plans,
        options=options,
        margin=cutter.margin if cutter else None,
    )
    report["lmdb"] = stores
    report["mean"] = {
        "sha256": mean_sha256(mean),
        "channels_bgr": [round(float(level), 3) for level in mean.mean(axis=(1, 2))],
    }
    report["input"]["mean_sha256"] = mean_sha256(mean)
    write_report(folder, report)
    return report


def _find(
    importer: Importer, source: Path, options: BuildOptions, work: Path
) -> Iterator[Candidate | Drop]:
    """Go through the source in a working folder that is empty at the start."""
    labels = work / "labels"
    shutil.rmtree(labels, ignore_errors=True)
    labels.mkdir()
    return importer.find(source, options.importing, labels)


def _counted(found: Iterator[Candidate | Drop], notify: _OnProgress) -> Iterator[Candidate | Drop]:
    for number, item in enumerate(found, start=1):
        notify("choosing", number, None)
        yield item


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

    What shows one person, where the data set says so, is on one side too.

    Args:
        records: the faces, sorted by name.
        pairs: numbers of faces that show the same photograph.
        options: the split and its seed, or which faces are the test faces.

    Returns:
        The faces in the same order; groups are numbered from 0 in that order.

    Raises:
        DatasetError: when there are too few faces, or those of ``test_from`` are not among them.
    """
    groups = duplicate_groups(len(records), pairs)
    if options.test_from is not None:
        sides = hold_out(records, groups, read_tests(options.test_from))
    elif options.own_split or options.test_fold is not None:
        sides = hold_out(records, groups, own_tests(records, options.test_fold))
    else:
        units = duplicate_groups(len(records), [*pairs, *same_people(records)])
        sides = split_faces(records, units, options.split, options.seed)
    shared = sorted({root for row, root in enumerate(groups) if root != row})
    numbers = {root: number for number, root in enumerate(shared)}
    return [
        SplitRecord(record, side, numbers.get(root))
        for record, side, root in zip(records, sides, groups, strict=True)
    ]
