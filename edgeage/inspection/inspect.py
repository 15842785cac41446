"""From a path to what there is to say about it."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from edgeage.errors import UsageError
from edgeage.inspection.sniff import recognise

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edgeage.inspection.finding import Finding

__all__ = ["inspect_file"]

_DESCRIBERS = {
    "blob": ("blobs", "describe_blob"),
    "caffemodel": ("weights", "describe_weights"),
    "dataset": ("stores", "describe_dataset"),
    "ir": ("ir", "describe_ir"),
    "lmdb": ("stores", "describe_lmdb"),
    "manifest": ("stores", "describe_manifest"),
    "mean": ("caffefiles", "describe_mean"),
    "prototxt": ("caffefiles", "describe_prototxt"),
    "solverstate": ("caffefiles", "describe_solverstate"),
}


def inspect_file(path: Path, *, prototxt: Path | None = None) -> Finding:
    """Recognise a file by its content and explain it.

    Args:
        path: a caffemodel, solverstate, prototxt, mean, IR's ``.xml``, MYRIAD blob (plain or as
            OpenVINO's cache keeps it), manifest, LMDB, or the folder of a compiled model or data
            set.
        prototxt: the deploy network of a caffemodel, to count its multiplications by.

    Returns:
        What it is.

    Raises:
        UsageError: for a prototxt with anything but a caffemodel.
        ModelError: when it is missing, damaged or of no known format; a damaged mean or data set
            raises MeanError or DatasetError.
    """
    kind = recognise(path)
    module, name = _DESCRIBERS[kind]
    describe: Callable[..., Finding] = getattr(
        importlib.import_module(f"edgeage.inspection.{module}"), name
    )
    if kind == "caffemodel":
        return describe(path, prototxt)
    if prototxt is not None:
        raise UsageError(f"--prototxt is for a caffemodel; {path} is of the kind «{kind}»")
    return describe(path)
