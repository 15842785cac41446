"""Solver snapshots: ``.solverstate`` files, from which training goes on."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from edgeage.caffe import schema
from edgeage.caffe.blobs import array_to_blob, blob_to_array, read_message
from edgeage.errors import ModelError
from edgeage.paths import atomic_file

__all__ = ["SolverState", "read_solverstate", "write_solverstate"]


@dataclasses.dataclass(frozen=True, eq=False)
class SolverState:
    """Where a training stands.

    Attributes:
        iter: iterations done.
        learned_net: name of the ``.caffemodel`` of the same iteration, as written by the solver.
        history: float32 arrays, for SGD the momentum buffer of each learnable blob, of that blob's
            shape, in network order; solvers with more state store their further buffers behind.
        current_step: steps of the learning-rate policy passed (``step`` and ``multistep``).

    Source:
        ``message SolverState`` in BVLC Caffe 1.0's ``caffe.proto``.
    """

    iter: int
    learned_net: str = ""
    history: list[np.ndarray] = dataclasses.field(default_factory=list)
    current_step: int = 0


def read_solverstate(path: str | Path) -> SolverState:
    """Read a ``.solverstate``.

    Args:
        path: the file.

    Returns:
        What is in it, its arrays writable.

    Raises:
        ModelError: when the file is missing, empty, truncated, not a solverstate, or holds a
            blob whose data does not fit its shape.

    Source:
        ``SGDSolver::RestoreSolverStateFromBinaryProto`` in Caffe's ``sgd_solver.cpp``.
    """
    state = read_message(path, schema.SolverState(), expected="a binary .solverstate")
    if not state.HasField("iter") or state.iter < 0 or not isinstance(state.learned_net, str):
        raise ModelError(f"{path} is not a .solverstate: it names no iteration and network")
    history = [
        blob_to_array(blob, what=f"{path}: history blob {number}")
        for number, blob in enumerate(state.history)
    ]
    return SolverState(state.iter, state.learned_net, history, state.current_step)


def write_solverstate(path: str | Path, state: SolverState) -> None:
    """Write a ``.solverstate`` that Caffe reads; it appears whole or not at all.

    Args:
        path: the file to write.
        state: where the training stands.

    Source:
        ``SGDSolver::SnapshotSolverStateToBinaryProto`` in Caffe's ``sgd_solver.cpp``.
    """
    message = schema.SolverState(
        iter=state.iter,
        learned_net=state.learned_net,
        history=[array_to_blob(np.asarray(blob)) for blob in state.history],
        current_step=state.current_step,
    )
    with atomic_file(Path(path)) as temporary:
        temporary.write_bytes(message.SerializeToString())
