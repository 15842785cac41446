"""From published archives of labelled faces to Caffe's LMDBs and their mean.

Everything public is importable from here and loaded on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

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

_HOME_OF = {
    "DATASETS": "importers",
    "BuildOptions": "options",
    "DatasetFinding": "checking",
    "DatumReader": "store",
    "DatumWriter": "store",
    "FaceReader": "reader",
    "FaceRecord": "records",
    "ImportOptions": "importers.found",
    "SplitRecord": "records",
    "build_dataset": "build",
    "build_utkface": "build",
    "check_dataset": "checking",
    "compute_mean": "mean",
    "dataset_stats": "statistics",
    "read_records": "records",
    "read_report": "report",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
