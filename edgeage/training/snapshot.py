"""Snapshots: Caffe's ``.caffemodel`` and ``.solverstate``, whole or not at all."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeage.caffe import read_solverstate, read_weights, write_solverstate, write_weights
from edgeage.errors import ModelError, TrainingError

if TYPE_CHECKING:
    from edgeage.training.net import TorchNet
    from edgeage.training.solver import SgdSolver

__all__ = ["latest_snapshot", "restore_snapshot", "write_snapshot"]

_STATE_NAME = re.compile(r"(?P<prefix>.+)_iter_(?P<iteration>\d+)\.solverstate")


def write_snapshot(
    folder: Path,
    name: str,
    iteration: int,
    *,
    net: TorchNet,
    prototxt: Any,
    solver: SgdSolver,
) -> Path:
    """Write ``NAME_iter_N.caffemodel`` and ``.solverstate``; return the latter's path.

    The solver state is written last, so one that exists has its weights beside it.
    """
    weights = folder / f"{name}_iter_{iteration}.caffemodel"
    write_weights(weights, prototxt, net.weights())
    state = weights.with_suffix(".solverstate")
    write_solverstate(state, solver.state(iteration, weights.name))
    return state


def latest_snapshot(folder: Path, name: str) -> Path | None:
    """Return the newest ``.solverstate`` of a training, or None."""
    found = [
        (int(match["iteration"]), path)
        for path in folder.glob(f"{name}_iter_*.solverstate")
        if (match := _STATE_NAME.fullmatch(path.name)) and match["prefix"] == name
    ]
    return max(found)[1] if found else None


def restore_snapshot(path: Path, net: TorchNet, solver: SgdSolver) -> int:
    """Load a snapshot's weights and history; return the iteration it was taken at.

    Raises:
        TrainingError: when it belongs to another network.
        ModelError: when a file is missing or corrupt.
    """
    state = read_solverstate(path)
    weights = path.parent / Path(state.learned_net).name
    if not weights.is_file():
        raise ModelError(f"{weights} is missing; {path.name} names it as its weights")
    _, missing = net.load(read_weights(weights))
    if missing:
        raise TrainingError(
            f"{weights} belongs to another network: it has no layer {', '.join(missing)} of the "
            f"prototxt's sizes"
        )
    solver.restore(state, str(path))
    return state.iter
