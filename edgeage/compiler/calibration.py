"""The real faces that a quantisation is calibrated with and measured on, out of a data set."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from edgeage.datasets.seeds import shuffled
from edgeage.errors import UsageError
from edgeage.evaluation.score import check_labels

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edgeage.datasets.store import DatumReader
    from edgeage.manifest import Manifest

__all__ = [
    "CONTROL_FACES",
    "Faces",
    "Split",
    "calibration_places",
    "read_calibration",
    "read_split",
]

CONTROL_FACES = 1000
"""Most faces that NNCF's accuracy control compares its choices on."""

_SEED = 230
_CHOOSING_TASK = "age"


@dataclasses.dataclass(frozen=True)
class Faces:
    """Labelled faces as a network takes them.

    Attributes:
        batch: uint8 of shape (n, 3, height, width), BGR.
        labels: int64 of shape (n,).
    """

    batch: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.batch)


@dataclasses.dataclass(frozen=True)
class Split:
    """How a data set's faces are shared out.

    Attributes:
        calibration: training faces that set the ranges of the numbers.
        control: other training faces, of the network's own task, for accuracy control; empty
            without it.
        train_lmdb: the LMDB that those for calibration come from.
        test_lmdb: the LMDB all of whose faces the result is measured on.
    """

    calibration: Faces
    control: Faces
    train_lmdb: Path
    test_lmdb: Path


def calibration_places(labels: Sequence[int], names: Sequence[str], count: int) -> list[int]:
    """Choose faces to calibrate with, each class as often as the others as far as it reaches.

    A class with fewer faces than its share gives all it has, and the others share what is left.
    The choice depends on names and labels alone, not on their order.

    Args:
        labels: the class of every face.
        names: as many names, which decide who is chosen of a class.
        count: how many to choose; all of them when there are no more.

    Returns:
        Places in ``labels``, ascending.

    >>> calibration_places([0, 0, 0, 0, 1, 2, 2], list("abcdefg"), 5)[-3:]
    [4, 5, 6]
    """
    queues = []
    for label in sorted(set(labels)):
        places = [place for place, found in enumerate(labels) if found == label]
        queues.append(shuffled(places, _SEED, "calibration", lambda place: names[place]))
    # The first of every class, then the second of every class, and so on.
    turns = sorted(
        (turn, number, place)
        for number, queue in enumerate(queues)
        for turn, place in enumerate(queue)
    )
    return sorted(place for _, _, place in turns[:count])


def read_split(data: Path, manifest: Manifest, count: int, *, control: bool = False) -> Split:
    """Read the faces a quantisation needs out of a built data set.

    Every network is calibrated on the same faces, those of the age groups where the data set has
    them: layers that two networks share are then quantised alike, and can be run once for both.

    Args:
        data: its folder, with ``TASK_train_lmdb`` and ``TASK_test_lmdb``; calibration faces come
            from ``age_train_lmdb`` where that is there too.
        manifest: of the network: its task, its labels and its input.
        count: how many faces to calibrate with.
        control: read faces for accuracy control too: of those that are left, at most
            :data:`CONTROL_FACES`, in the classes' natural shares.

    Raises:
        DatasetError: when an LMDB is missing, empty, corrupt, or of another task.
        UsageError: when no face is left for accuracy control.
    """
    from edgeage.datasets.store import DatumReader

    train, test = (data / f"{manifest.task}_{side}_lmdb" for side in ("train", "test"))
    DatumReader(test).close()
    source = _source(data, manifest.task)
    with contextlib.ExitStack() as stack:
        reader = stack.enter_context(DatumReader(train))
        # LMDB opens a file once a process.
        others = reader if source == train else stack.enter_context(DatumReader(source))
        names, _ = _named(reader, manifest)
        known, labels = _named(others, manifest if source == train else None)
        chosen = calibration_places(labels, known, count)
        taken = {known[place] for place in chosen}
        rest = [place for place, name in enumerate(names) if name not in taken] if control else []
        if control and not rest:
            raise UsageError(
                f"accuracy control needs faces beside the {count} for calibration, and {train} "
                f"has {len(names)}; calibrate with fewer, for example --calibration "
                f"{max(1, len(names) // 2)}"
            )
        rest = shuffled(rest, _SEED, "control", lambda place: names[place])[:CONTROL_FACES]
        calibration = _read(others, chosen, manifest)
        return Split(calibration, _read(reader, sorted(rest), manifest), source, test)


def read_calibration(data: Path, manifest: Manifest, count: int) -> tuple[Faces, Path]:
    """Read the faces that an imported network is calibrated with, whatever it answers.

    Args:
        data: as for :func:`read_split`.
        manifest: of the network: its tasks and its input.
        count: how many.

    Returns:
        The faces, and the LMDB they come from.

    Raises:
        DatasetError: when the LMDB is missing, empty or corrupt.
    """
    from edgeage.datasets.store import DatumReader

    source = _source(data, manifest.tasks[0])
    with DatumReader(source) as reader:
        names, labels = _named(reader, None)
        return _read(reader, calibration_places(labels, names, count), manifest), source


def _source(data: Path, task: str) -> Path:
    shared = data / f"{_CHOOSING_TASK}_train_lmdb"
    return shared if shared.is_dir() else data / f"{task}_train_lmdb"


def _named(reader: DatumReader, manifest: Manifest | None) -> tuple[list[str], list[int]]:
    """Return every record's name and label, the labels checked where the network knows them."""
    labels = [reader.get(place)[1] for place in range(len(reader))]
    if manifest is not None:
        check_labels(np.array(labels), manifest, reader.path)
    return [reader.name(place) for place in range(len(reader))], labels


def _read(reader: DatumReader, places: Sequence[int], manifest: Manifest) -> Faces:
    records = [reader.get(place) for place in places]
    batch = np.empty((len(places), 3, *manifest.input.input_hw), np.uint8)
    for row, (pixels, _) in zip(batch, records, strict=True):
        row[...] = manifest.input.prepare(np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    return Faces(batch, np.array([label for _, label in records], np.int64))
