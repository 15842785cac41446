"""From published archives of labelled faces to Caffe's LMDBs and their mean.

Everything public is importable from here and loaded on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgeage.datasets.build import build_dataset, build_utkface
    from edgeage.datasets.importers import DATASETS
    from edgeage.datasets.importers.found import ImportOptions
    from edgeage.datasets.mean import compute_mean
    from edgeage.datasets.options import BuildOptions
    from edgeage.datasets.records import FaceRecord, SplitRecord, read_records
    from edgeage.datasets.report import read_report
    from edgeage.datasets.store import DatumReader, DatumWriter

__all__ = [
    "DATASETS",
    "BuildOptions",
    "DatumReader",
    "DatumWriter",
    "FaceRecord",
    "ImportOptions",
    "SplitRecord",
    "build_dataset",
    "build_utkface",
    "compute_mean",
    "read_records",
    "read_report",
]

_HOME_OF = {
    "DATASETS": "importers",
    "BuildOptions": "options",
    "DatumReader": "store",
    "DatumWriter": "store",
    "FaceRecord": "records",
    "ImportOptions": "importers.found",
    "SplitRecord": "records",
    "build_dataset": "build",
    "build_utkface": "build",
    "compute_mean": "mean",
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
