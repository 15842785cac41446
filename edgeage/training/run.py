"""One training from its files: what ``edgeage train`` does, for programs."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeage.caffe import read_net, read_solver
from edgeage.datasets import read_report
from edgeage.errors import TrainingError, UsageError, did_you_mean
from edgeage.paths import data_dir
from edgeage.training.engine import ENGINES, open_trainer
from edgeage.training.logs import Reporter, TrainingLog
from edgeage.training.overrides import Overrides
from edgeage.training.product import NETWORKS, write_model
from edgeage.training.recipe import Recipe, read_recipe
from edgeage.training.snapshot import latest_snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["TrainOptions", "train"]


@dataclasses.dataclass(frozen=True)
class TrainOptions:
    """What to train, from what, into what.

    Attributes:
        name: ``agenet`` or ``gendernet``.
        data: folder of a built data set.
        out: folder of the snapshots, the log and the trained model.
        solver: solver prototxt; None for the network's own.
        max_iter: iterations; None for the solver's.
        resume: go on from the newest snapshot in ``out``.
        weights: caffemodel whose layers of the same names to start from.
        precision: ``auto``, ``fp32`` or ``bf16``; None for ``auto``, or the resumed training's.
        overrides: ``key=value`` words.
        engine: ``torch`` or ``caffe``; None for ``torch``, or the resumed training's.
        caffe_python: for ``caffe``, an interpreter that can ``import caffe``; None takes the
            Movidius toolchain's.

    Raises:
        UsageError: for an unknown network or engine, or ``resume`` together with ``weights``.
    """

    name: str
    data: Path
    out: Path
    solver: Path | None = None
    max_iter: int | None = None
    resume: bool = False
    weights: Path | None = None
    precision: str | None = None
    overrides: Sequence[str] = ()
    engine: str | None = None
    caffe_python: Path | None = None

    def __post_init__(self) -> None:
        if self.name not in NETWORKS:
            raise UsageError(
                f"unknown network «{self.name}»{did_you_mean(self.name, NETWORKS)}; expected one "
                f"of {', '.join(NETWORKS)}"
            )
        if self.engine not in (None, *ENGINES):
            raise UsageError(
                f"unknown engine «{self.engine}»{did_you_mean(str(self.engine), ENGINES)}; "
                f"expected {' or '.join(ENGINES)}"
            )
        if self.resume and self.weights:
            raise UsageError("--resume and --weights exclude each other: a snapshot has weights")


def train(
    options: TrainOptions,
    reporters: Sequence[Reporter] = (),
    stop: Callable[[], bool] = lambda: False,
) -> Path | None:
    """Train a network and write its model.

    ``out`` gets Caffe snapshots, ``NAME_log.csv``, TensorBoard events, the prototxts as they were
    used and, at the end, ``NAME.caffemodel`` with its manifest ``NAME.json`` and the mean.

    Args:
        options: what to train.
        reporters: told about every step, test and snapshot, besides the log.
        stop: asked before each iteration; True takes a snapshot and ends the training.

    Returns:
        The manifest's path, or None when ``stop`` ended it before ``max_iter``.

    Raises:
        UsageError: for ``caffe_python`` without the engine ``caffe``, or an unknown override.
        TrainingError: when ``out`` holds another training, or there is nothing to resume.
        DatasetError: when ``data`` is no finished data set.
        ModelError: for a prototxt or weights that cannot be used.

    Source:
        ``Solver::Solve`` in Caffe's ``solver.cpp`` and ``SGDSolver`` in its ``sgd_solver.cpp``.
        AgeNet and GenderNet: Levi and Hassner, «Age and Gender Classification using Convolutional
        Neural Networks», CVPR Workshops 2015.
    """
    state = _starting_point(options)
    report = read_report(options.data)
    resumed = read_recipe(options.out, options.name) if options.resume else None
    recipe = resumed or Recipe.of(options.weights)
    recipe = recipe.changed(options.precision, options.overrides, options.engine)
    solver, net = _read_networks(options, recipe)
    if options.caffe_python and recipe.engine != "caffe":
        raise UsageError("--caffe-python is for --engine caffe")
    with open_trainer(options, recipe, solver, net) as trainer:
        trainer.start(state, options.weights)
        recipe.write(options.out, options.name, solver, net)
        with TrainingLog(options.out, options.name, trainer.iteration) as log:
            trainer.reporters = [log, *reporters]
            if not trainer.train(stop):
                return None
        return write_model(trainer, recipe, report)


def _starting_point(options: TrainOptions) -> Path | None:
    state = latest_snapshot(options.out, options.name)
    if options.resume and state is None:
        raise TrainingError(
            f"{options.out} has no snapshot of {options.name} to resume; start without --resume"
        )
    if state is not None and not options.resume:
        raise TrainingError(
            f"{options.out} holds a training of {options.name} ({state.name}); go on with "
            f"--resume or choose another --out"
        )
    for leftover in options.out.glob(f".{options.name}*.part"):
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink()
    return state


def _read_networks(options: TrainOptions, recipe: Recipe) -> tuple[Any, Any]:
    name = f"{options.name}_solver.prototxt"
    used = options.out / name
    path = options.solver or (used if options.resume and used.exists() else None)
    path = path or data_dir("prototxt") / name
    solver = read_solver(path)
    if not solver.net:
        raise TrainingError(f'{path} names no net; expected net: "…_train_test.prototxt"')
    beside = path.parent / solver.net
    net = read_net(beside if beside.exists() else Path(solver.net))
    Overrides.parse(recipe.overrides).apply(solver, net)
    if options.max_iter is not None:
        solver.max_iter = options.max_iter
    if solver.max_iter < 1:
        raise TrainingError(f"{path}: expected max_iter above 0, found {solver.max_iter}")
    return solver, net
