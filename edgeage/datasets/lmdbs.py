"""The LMDBs of a data set: what goes into each, and writing them."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from edgeage.caffe import encode_datum
from edgeage.datasets.mean import MeanSum
from edgeage.datasets.oversample import Copy, apply_change, plan
from edgeage.datasets.parallel import ordered_map
from edgeage.datasets.store import DatumWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np

    from edgeage.datasets.options import BuildOptions
    from edgeage.datasets.records import SplitRecord
    from edgeage.datasets.scan import PixelFile

__all__ = ["lmdb_plans", "write_lmdbs"]

_MEAN_OF = "age_train_lmdb"


def lmdb_plans(faces: Sequence[SplitRecord], options: BuildOptions) -> dict[str, list[Copy]]:
    """Choose what goes into each LMDB, by its name; none for a task without any label."""
    plans: dict[str, list[Copy]] = {}
    for task in ("age", "gender"):
        known = [face for face in faces if face.record.has(task)]
        if not known:
            continue
        train = [face.record for face in known if face.split == "train"]
        plans[f"{task}_train_lmdb"] = plan(train, task, options.seed, balance=options.oversample)
        plans[f"{task}_test_lmdb"] = [Copy(face.record) for face in known if face.split == "test"]
    return plans


def write_lmdbs(
    plans: Mapping[str, Sequence[Copy]],
    folder: Path,
    pixels: PixelFile,
    options: BuildOptions,
    on_progress: Callable[[int, int], None],
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
                on_progress(next(counter), total)
            stores[name] = {"records": writer.count, "sha256": writer.sha256()}
    return stores, mean.mean()


def _encoded(
    copies: Sequence[Copy], task: str, pixels: PixelFile, options: BuildOptions
) -> Iterator[tuple[Copy, np.ndarray, bytes]]:
    def encode(copy: Copy) -> tuple[Copy, np.ndarray, bytes]:
        changed = apply_change(pixels.read(copy.record.slot), copy, options.seed)
        value = encode_datum(changed, copy.record.label(task), options.encoding)
        return copy, changed, value

    return ordered_map(encode, copies, options.workers)
