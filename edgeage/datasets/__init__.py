"""From published archives of labelled faces to Caffe's LMDBs and their mean.

Everything public is importable from here and loaded on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeage.lazy import lazy_names

if TYPE_CHECKING:
    from edgeage.datasets.build import build_dataset, build_utkface
    from edgeage.datasets.checking import DatasetFinding, check_dataset
    from edgeage.datasets.importers import DATASETS
    from edgeage.datasets.importers.found import ImportOptions
    from edgeage.datasets.mean import compute_mean
    from edgeage.datasets.options import BuildOptions
    from edgeage.datasets.reader import FaceReader
    from edgeage.datasets.records import FaceRecord, SplitRecord, read_records
    from edgeage.datasets.report import read_report
    from edgeage.datasets.statistics import dataset_stats
    from edgeage.datasets.store import DatumReader, DatumWriter

__all__ = [
    "DATASETS",
    "BuildOptions",
    "DatasetFinding",
    "DatumReader",
    "DatumWriter",
    "FaceReader",
    "FaceRecord",
    "ImportOptions",
    "SplitRecord",
    "build_dataset",
    "build_utkface",
    "check_dataset",
    "compute_mean",
    "dataset_stats",
    "read_records",
    "read_report",
]

_HOMES = {
    "build": ("build_dataset", "build_utkface"),
    "checking": ("DatasetFinding", "check_dataset"),
    "importers": ("DATASETS",),
    "importers.found": ("ImportOptions",),
    "mean": ("compute_mean",),
    "options": ("BuildOptions",),
    "reader": ("FaceReader",),
    "records": ("FaceRecord", "SplitRecord", "read_records"),
    "report": ("read_report",),
    "statistics": ("dataset_stats",),
    "store": ("DatumReader", "DatumWriter"),
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
