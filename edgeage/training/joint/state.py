"""Checkpoints of a joint training: plain arrays, nothing pickled, whole or not at all."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import numpy as np

from edgeage.errors import TrainingError
from edgeage.paths import atomic_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["read_state", "write_state"]

_FORMAT = 1


def write_state(path: Path, iteration: int, arrays: Mapping[str, np.ndarray]) -> None:
    """Write everything a training goes on from.

    Args:
        path: a ``.npz`` file.
        iteration: how many updates are done.
        arrays: by name, of any kind of number.

    Raises:
        ValueError: for an array of objects, which only a pickle could hold.
    """
    head = np.array([_FORMAT, iteration], np.int64)
    # savez of older NumPy cannot be told not to pickle.
    with atomic_file(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, array in {"head": head, **arrays}.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, array, allow_pickle=False)


def read_state(path: Path) -> tuple[int, dict[str, np.ndarray]]:
    """Read what :func:`write_state` wrote.

    Raises:
        TrainingError: when it is missing, damaged or of another format.
    """
    try:
        # A path of our own opening: numpy leaves its own open when the file is no archive.
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        version, iteration = (int(value) for value in arrays.pop("head"))
    except (OSError, ValueError, KeyError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise TrainingError(
            f"{path} is no readable checkpoint ({error}); start anew in another folder"
        ) from None
    if version != _FORMAT:
        raise TrainingError(f"{path} is a checkpoint of format {version}, expected {_FORMAT}")
    return iteration, arrays
