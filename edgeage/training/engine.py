"""What every engine is to a training, and how one is opened."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Protocol

from edgeage.datasets.store import DatumReader
from edgeage.errors import TrainingError, UsageError, require
from edgeage.training.overrides import Overrides

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from edgeage.training.logs import Reporter
    from edgeage.training.recipe import Recipe
    from edgeage.training.run import TrainOptions
    from edgeage.training.transform import Transform

__all__ = ["ENGINES", "Trainer", "open_trainer"]

ENGINES = ("torch", "caffe")


class Trainer(Protocol):
    """One network in training.

    Attributes:
        name: the network's name.
        out: folder of the snapshots.
        net_param: the ``NetParameter`` of both phases.
        engine: one of :data:`ENGINES`.
        precision_used: ``"fp32"`` or ``"bf16"``.
        tools: name and version of what computes.
        transform: how a test picture becomes the network's input.
        iteration: how many updates are done.
        reporters: told about every step, test and snapshot.
    """

    name: str
    out: Path
    net_param: Any
    engine: str
    iteration: int
    reporters: Sequence[Reporter]

    @property
    def precision_used(self) -> str:
        """Return what it computes in."""

    @property
    def tools(self) -> dict[str, str]:
        """Return the tools' versions."""

    @property
    def transform(self) -> Transform:
        """Return the transformation of phase TEST."""

    def start(self, state: Path | None = None, weights: Path | None = None) -> None:
        """Get ready: from a snapshot's ``.solverstate``, from other weights, or from fillers."""

    def train(self, stop: Callable[[], bool]) -> bool:
        """Train up to ``max_iter``; return whether it was reached before ``stop`` said True."""


@contextlib.contextmanager
def open_trainer(options: TrainOptions, recipe: Recipe, solver: Any, net: Any) -> Iterator[Trainer]:
    """Open the data and the recipe's engine; everything is closed behind the block.

    Args:
        options: what to train.
        recipe: with which engine, precision and overrides.
        solver: the ``SolverParameter``.
        net: the ``NetParameter`` of both phases.

    Raises:
        UsageError: for a precision or an override the engine does not have.
        DatasetError: when an LMDB is missing or damaged.
    """
    layers = [_data_layer(net, number, phase) for number, phase in enumerate(("TRAIN", "TEST"))]
    with contextlib.ExitStack() as stack:
        readers = [
            stack.enter_context(DatumReader(options.data / layer.data_param.source))
            for layer in layers
        ]
        if recipe.engine == "caffe":
            yield stack.enter_context(_caffe(options, recipe, solver, net, layers, readers))
        else:
            yield _torch(options, recipe, solver, net, layers, readers)


def _data_layer(net: Any, number: int, phase: str) -> Any:
    for layer in net.layer:
        rules = [rule.phase for rule in layer.include]
        if layer.type == "Data" and (not rules or number in rules):
            return layer
    raise TrainingError(f"the network has no Data layer for phase {phase}")


def _torch(  # noqa: PLR0917 - both engines are opened alike
    options: TrainOptions, recipe: Recipe, solver: Any, net: Any, layers: Any, readers: Any
) -> Trainer:
    require("torch", extra="train", purpose="train")
    from edgeage.training.data import BatchSource
    from edgeage.training.trainer import TorchTrainer

    train, test = [
        BatchSource(
            layer,
            reader,
            options.data,
            training=number == 0,
            seed=max(int(solver.random_seed), 0),
            augment=Overrides.parse(recipe.overrides).augment,
        )
        for number, (layer, reader) in enumerate(zip(layers, readers, strict=True))
    ]
    return TorchTrainer(options.name, options.out, solver, net, train, test, recipe.precision)


def _caffe(  # noqa: PLR0917 - both engines are opened alike
    options: TrainOptions, recipe: Recipe, solver: Any, net: Any, layers: Any, readers: Any
) -> Any:
    from edgeage.training.caffe_files import PhaseData
    from edgeage.training.caffe_trainer import CaffeTrainer

    if options.precision == "bf16":
        raise UsageError("--precision bf16: real Caffe computes in fp32; leave it out")
    if Overrides.parse(recipe.overrides).augment:
        words = [word for word in recipe.overrides if word.startswith("augment.")]
        off = " ".join(sorted({f"{word.partition('=')[0]}=0" for word in words}))
        raise UsageError(
            f"{' '.join(words)}: real Caffe only crops and mirrors; leave it out, or, where the "
            f"training to resume has it, switch it off: {off}"
        )
    train, test = [
        PhaseData.of(layer, reader, number == 0, options.data)
        for number, (layer, reader) in enumerate(zip(layers, readers, strict=True))
    ]
    return CaffeTrainer(options.name, options.out, solver, net, train, test, options.caffe_python)
