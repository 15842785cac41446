"""The files real Caffe trains from: prototxts that lead it to data, mean and weights."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeage.caffe import (
    format_message,
    read_solverstate,
    read_weights,
    write_mean,
    write_solverstate,
)
from edgeage.errors import ModelError
from edgeage.training.transform import Transform

if TYPE_CHECKING:
    from edgeage.datasets.store import DatumReader

__all__ = ["PhaseData", "write_net", "write_snapshot_copy", "write_solver", "write_weights_archive"]

_NEVER = 2**31 - 1


@dataclasses.dataclass(frozen=True)
class PhaseData:
    """Where one phase's pictures come from.

    Attributes:
        layer: the phase's ``Data`` layer, a part of the network.
        reader: its opened LMDB.
        transform: its transformation.
    """

    layer: Any
    reader: DatumReader
    transform: Transform

    @classmethod
    def of(cls, layer: Any, reader: DatumReader, training: bool, folder: Path) -> PhaseData:
        """Check a data layer's mean and crop against its pictures.

        Raises:
            MeanError: when the mean does not fit the pictures.
            DatasetError: when the crop is larger than the pictures.
        """
        transform = Transform(layer.transform_param, reader.shape, training, folder)
        return cls(layer, reader, transform)

    @property
    def batch(self) -> int:
        """Pictures a batch."""
        return int(self.layer.data_param.batch_size)


def write_net(folder: Path, net: Any, phases: list[PhaseData]) -> str:
    """Write the network with data and mean in this folder; return its file's name.

    Args:
        folder: where Caffe works.
        net: the ``NetParameter`` of both phases; left as it is.
        phases: TRAIN and TEST.
    """
    copy = type(net)()
    copy.CopyFrom(net)
    for number, phase in enumerate(phases):
        lmdb = folder / f"lmdb_{number}"
        lmdb.mkdir()
        # Through a link, because Caffe's LMDB puts a lock file beside what it reads.
        (lmdb / "data.mdb").symlink_to((phase.reader.path / "data.mdb").resolve())
        mean = phase.transform.mean_chw
        if mean is not None and phase.layer.transform_param.mean_file:
            write_mean(folder / f"mean_{number}.binaryproto", mean)
        for layer in copy.layer:
            if layer == phase.layer:
                _lead(layer, number)
    (folder / "net.prototxt").write_text(format_message(copy), encoding="utf-8")
    return "net.prototxt"


def _lead(layer: Any, number: int) -> None:
    data, transform = layer.data_param, layer.transform_param
    data.source, data.backend = f"lmdb_{number}", type(data).LMDB
    if transform.mean_file:
        transform.mean_file = f"mean_{number}.binaryproto"


def write_solver(folder: Path, solver: Any, net: str, prefix: str, iteration: int) -> str:
    """Write the solver without tests and snapshots of its own; return its file's name.

    Args:
        folder: where Caffe works.
        solver: the ``SolverParameter``; left as it is.
        net: the network's file.
        prefix: of the snapshots Caffe is asked for.
        iteration: where the training starts or resumes.
    """
    copy = type(solver)()
    copy.CopyFrom(solver)
    copy.net, copy.snapshot_prefix = net, prefix
    copy.display = copy.snapshot = 0
    copy.snapshot_format = type(copy).BINARYPROTO
    copy.test_initialization = False
    del copy.test_iter[:]
    if copy.test_interval:
        # Without a test_iter Caffe builds no test net; it is us who ask for the tests.
        copy.test_iter.append(1)
        copy.test_interval = _NEVER
    if copy.random_seed >= 0:
        # A resumed training draws other numbers than the ones it began with.
        copy.random_seed += iteration
    (folder / "solver.prototxt").write_text(format_message(copy), encoding="utf-8")
    return "solver.prototxt"


def write_weights_archive(folder: Path, weights: Path) -> str:
    """Write a caffemodel's blobs as numpy's archive, ``LAYER/NN``; return its file's name.

    Raises:
        ModelError: when it cannot be read.
    """
    arrays: dict[str, Any] = {
        f"{name}/{index:02}": blob
        for name, blobs in read_weights(weights).items()
        for index, blob in enumerate(blobs)
    }
    np.savez(folder / "weights.npz", **arrays)
    return "weights.npz"


def write_snapshot_copy(folder: Path, state: Path) -> tuple[str, int, dict[str, list[int]]]:
    """Write a ``.solverstate`` that leads Caffe to its weights.

    Caffe looks for them where the state says, which may be another machine's path.

    Returns:
        The file's name, its iteration, and the sizes of its weights' blobs by layer.

    Raises:
        ModelError: when a file is missing or corrupt.
    """
    kept = read_solverstate(state)
    weights = state.parent / Path(kept.learned_net).name
    if not weights.is_file():
        raise ModelError(f"{weights} is missing; {state.name} names it as its weights")
    sizes = {name: [blob.size for blob in blobs] for name, blobs in read_weights(weights).items()}
    here = dataclasses.replace(kept, learned_net=str(weights.resolve()))
    write_solverstate(folder / "resume.solverstate", here)
    return "resume.solverstate", kept.iter, sizes
