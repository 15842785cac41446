"""One training from its files: what ``edgeage train`` does, for programs."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeage.caffe import (
    format_message,
    mean_sha256,
    read_net,
    read_solver,
    write_mean,
)
from edgeage.datasets import read_report
from edgeage.datasets.store import DatumReader
from edgeage.errors import TrainingError, UsageError, did_you_mean
from edgeage.inputspec import InputSpec
from edgeage.labels import TASK_LABELS
from edgeage.manifest import Manifest
from edgeage.paths import atomic_file, data_dir, sha256_file
from edgeage.training.data import BatchSource
from edgeage.training.deploy import OUTPUT_NAME, deploy_net
from edgeage.training.logs import Reporter, TrainingLog
from edgeage.training.overrides import Overrides
from edgeage.training.snapshot import latest_snapshot
from edgeage.training.trainer import TorchTrainer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

__all__ = ["NETWORKS", "TrainOptions", "train"]

NETWORKS = {"agenet": "age", "gendernet": "gender"}
"""Name of each network to the task it is trained for."""

MEAN_NAME = "age_gender_mean.npy"


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
        precision: ``auto``, ``fp32`` or ``bf16``.
        overrides: ``key=value`` words.
    """

    name: str
    data: Path
    out: Path
    solver: Path | None = None
    max_iter: int | None = None
    resume: bool = False
    weights: Path | None = None
    precision: str = "auto"
    overrides: Sequence[str] = ()

    def __post_init__(self) -> None:
        if self.name not in NETWORKS:
            raise UsageError(
                f"unknown network «{self.name}»{did_you_mean(self.name, NETWORKS)}; expected one "
                f"of {', '.join(NETWORKS)}"
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
        TrainingError: when ``out`` holds another training, or there is nothing to resume.
        DatasetError: when ``data`` is no finished data set.
        ModelError: for a prototxt or weights that cannot be used.
    """
    state = _starting_point(options)
    report = read_report(options.data)
    solver, net = _read_networks(options)
    options.out.mkdir(parents=True, exist_ok=True)
    with _sources(options, net, solver) as (train_source, test_source):
        trainer = TorchTrainer(
            options.name, options.out, solver, net, train_source, test_source, options.precision
        )
        if state:
            trainer.resume(state)
        elif options.weights:
            trainer.load_weights(options.weights)
        _write_recipe(options, solver, net)
        with TrainingLog(options.out, options.name, trainer.iteration) as log:
            trainer.reporters = [log, *reporters]
            if not trainer.train(stop):
                return None
        return _write_model(options, trainer, report)


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
        leftover.unlink()
    return state


def _read_networks(options: TrainOptions) -> tuple[Any, Any]:
    path = options.solver or data_dir("prototxt") / f"{options.name}_solver.prototxt"
    solver = read_solver(path)
    if not solver.net:
        raise TrainingError(f'{path} names no net; expected net: "…_train_test.prototxt"')
    beside = path.parent / solver.net
    net = read_net(beside if beside.exists() else Path(solver.net))
    Overrides.parse(options.overrides).apply(solver, net)
    if options.max_iter is not None:
        solver.max_iter = options.max_iter
    if solver.max_iter < 1:
        raise TrainingError(f"{path}: expected max_iter above 0, found {solver.max_iter}")
    return solver, net


@contextlib.contextmanager
def _sources(
    options: TrainOptions, net: Any, solver: Any
) -> Iterator[tuple[BatchSource, BatchSource]]:
    augment = Overrides.parse(options.overrides).augment
    seed = max(int(solver.random_seed), 0)
    with contextlib.ExitStack() as stack:
        sources = []
        for number, phase in enumerate(("TRAIN", "TEST")):
            data = _data_layer(net, number, phase)
            reader = stack.enter_context(DatumReader(options.data / data.data_param.source))
            sources.append(
                BatchSource(
                    data,
                    reader,
                    options.data,
                    training=phase == "TRAIN",
                    seed=seed,
                    augment=augment,
                )
            )
        yield sources[0], sources[1]


def _data_layer(net: Any, number: int, phase: str) -> Any:
    for layer in net.layer:
        rules = [rule.phase for rule in layer.include]
        if layer.type == "Data" and (not rules or number in rules):
            return layer
    raise TrainingError(f"the network has no Data layer for phase {phase}")


def _write_recipe(options: TrainOptions, solver: Any, net: Any) -> None:
    """Leave the prototxts as they are used, overrides applied, beside the snapshots."""
    for kind, message in (("solver", solver), ("train_test", net)):
        path = options.out / f"{options.name}_{kind}.prototxt"
        with atomic_file(path) as temporary:
            temporary.write_text(format_message(message), encoding="utf-8")


def _write_model(options: TrainOptions, trainer: TorchTrainer, report: Mapping[str, Any]) -> Path:
    """Write ``NAME.caffemodel``, its deploy prototxt, its mean and, last, its manifest."""
    name, out = options.name, options.out
    transform = trainer.test_source.transform
    names = {"caffemodel": f"{name}.caffemodel", "prototxt": f"{name}_deploy.prototxt"}
    snapshot = out / f"{name}_iter_{trainer.iteration}.caffemodel"
    with atomic_file(out / names["caffemodel"]) as temporary:
        shutil.copyfile(snapshot, temporary)
    deploy = deploy_net(trainer.net_param, transform.output_shape)
    with atomic_file(out / names["prototxt"]) as temporary:
        temporary.write_text(format_message(deploy), encoding="utf-8")
    mean = transform.mean_chw
    if mean is not None:
        names["mean"] = MEAN_NAME
        write_mean(out / MEAN_NAME, mean)
    manifest = _manifest(options, trainer, report, deploy.layer[0].top[0])
    path = out / f"{name}.json"
    manifest.with_files(out, **names).write(path)
    return path


def _manifest(
    options: TrainOptions, trainer: TorchTrainer, report: Mapping[str, Any], input_name: str
) -> Manifest:
    task, transform = NETWORKS[options.name], trainer.test_source.transform
    mean = transform.mean_chw
    spec = InputSpec(
        resize_hw=(transform.shape[1], transform.shape[2]),
        input_hw=transform.output_shape[1:],
        scale=transform.scale,
        margin=report["input"]["margin"],
        mean="none" if mean is None else "image",
        mean_sha256=None if mean is None else mean_sha256(mean),
    )
    source = {
        "dataset": report["dataset"],
        "engine": "torch",
        "precision": "bf16" if trainer.bf16 else "fp32",
        "iterations": trainer.iteration,
        "overrides": list(options.overrides),
    }
    if options.weights:
        source["started_from"] = {
            "name": options.weights.name,
            "sha256": sha256_file(options.weights),
        }
    return Manifest(
        name=options.name,
        task=task,
        labels=TASK_LABELS[task],
        group_ages=tuple(report["group_ages"]) if task == "age" else (),
        input=spec,
        input_name=input_name,
        output_name=OUTPUT_NAME,
        source=source,
    )
