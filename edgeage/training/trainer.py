"""The torch engine's training loop."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import time
from typing import TYPE_CHECKING, Any

import torch

from edgeage.caffe import read_weights
from edgeage.errors import TrainingError
from edgeage.training.logs import Reporter, StepReport, TestReport
from edgeage.training.net import TorchNet
from edgeage.training.precision import autocast, chosen_precision
from edgeage.training.prefetch import prefetch
from edgeage.training.snapshot import restore_snapshot, write_snapshot
from edgeage.training.solver import SgdSolver

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence
    from pathlib import Path

    from edgeage.training.data import Batch, BatchSource
    from edgeage.training.transform import Transform

__all__ = ["TorchTrainer"]


@dataclasses.dataclass
class TorchTrainer:
    """Trains one network as its solver says.

    Args:
        name: prefix of the snapshots.
        out: folder of the snapshots.
        solver_param: a ``SolverParameter``.
        net_param: the ``NetParameter`` of both phases.
        train_source: batches of phase TRAIN.
        test_source: pictures of phase TEST.
        precision: ``auto`` (bfloat16 where the CPU has it), ``fp32`` or ``bf16``.
        reporters: told about every step, test and snapshot.
    """

    name: str
    out: Path
    solver_param: Any
    net_param: Any
    train_source: BatchSource
    test_source: BatchSource
    precision: str = "auto"
    reporters: Sequence[Reporter] = ()

    engine = "torch"

    def __post_init__(self) -> None:
        self.precision_used = chosen_precision(self.precision)
        self.seed = max(int(self.solver_param.random_seed), 0)
        shape = self.train_source.transform.output_shape
        self.net = TorchNet(self.net_param, shape, self.seed)
        self.solver = SgdSolver(self.solver_param, self.net.parameters)
        self.iteration = 0
        self._losses: collections.deque[float] = collections.deque(
            maxlen=max(int(self.solver_param.average_loss), 1)
        )

    @property
    def tools(self) -> dict[str, str]:
        """What computes, and its version."""
        return {"torch": str(torch.__version__)}

    @property
    def transform(self) -> Transform:
        """How a test picture becomes the network's input."""
        return self.test_source.transform

    def start(self, state: Path | None = None, weights: Path | None = None) -> None:
        """Get ready: from a snapshot's ``.solverstate``, from other weights, or from fillers."""
        if state:
            self.resume(state)
        elif weights:
            self.load_weights(weights)

    def resume(self, state: Path) -> None:
        """Go on from a ``.solverstate``."""
        self.iteration = restore_snapshot(state, self.net, self.solver)

    def load_weights(self, path: Path) -> tuple[list[str], list[str]]:
        """Start from another model's weights in the layers of the same names and sizes.

        Returns:
            The names of the layers that took weights, and of those that keep their fillers'.

        Raises:
            TrainingError: when no layer took any.
        """
        taken, left = self.net.load(read_weights(path))
        if not taken:
            raise TrainingError(f"{path} has no layer of this network; nothing to start from")
        return taken, left

    def train(self, stop: Callable[[], bool] = lambda: False) -> bool:
        """Train up to ``max_iter``, testing and taking snapshots as the solver says.

        Args:
            stop: asked before each iteration; True takes a snapshot and ends the training.

        Returns:
            Whether ``max_iter`` was reached.
        """
        last = int(self.solver_param.max_iter)
        saved = self.iteration
        # The seeds of dropout stay ours; a caller's random numbers stay theirs.
        with torch.random.fork_rng(devices=[]), contextlib.closing(self._batches(last)) as batches:
            if self.iteration == 0 and self.solver_param.test_initialization:
                self._test_if_due()
            while self.iteration < last and not stop():
                self._iterate(batches)
                self._test_if_due()
                every = int(self.solver_param.snapshot)
                if every and self.iteration % every == 0:
                    self.snapshot()
                    saved = self.iteration
        if saved != self.iteration:
            self.snapshot()
        return self.iteration >= last

    def _batches(self, last: int) -> Generator[Batch]:
        passes = int(self.solver_param.iter_size)
        numbers = range(self.iteration * passes, last * passes)
        yield from prefetch(self.train_source.batch(number) for number in numbers)

    def _iterate(self, batches: Iterator[Batch]) -> None:
        started = time.perf_counter()
        passes = int(self.solver_param.iter_size)
        torch.manual_seed((self.seed << 32) + self.iteration)
        total, images = 0.0, 0
        for _ in range(passes):
            pixels, labels = next(batches)
            loss = self._loss(pixels, labels)
            loss.backward()
            total += loss.item() / passes
            images += len(labels)
        rate = self.solver.step(self.iteration)
        self.iteration += 1
        self._check_finite(total)
        self._losses.append(total)
        report = StepReport(
            iteration=self.iteration,
            max_iter=int(self.solver_param.max_iter),
            loss=sum(self._losses) / len(self._losses),
            learning_rate=rate,
            images_per_second=images / (time.perf_counter() - started),
        )
        for reporter in self.reporters:
            reporter.step(report)

    def _check_finite(self, loss: float) -> None:
        if not loss < float("inf"):
            raise TrainingError(
                f"the loss became {loss} at iteration {self.iteration}; lower base_lr (it was "
                f"{self.solver_param.base_lr:g}) or resume from an earlier snapshot"
            )

    def _loss(self, pixels: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        with autocast(self.precision_used):
            return self.net.loss("TRAIN", self.net.forward("TRAIN", pixels, labels))

    def _test_if_due(self) -> None:
        every = int(self.solver_param.test_interval)
        if every and self.iteration % every == 0:
            self.test()

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def test(self) -> TestReport:
        """Score every picture of the test set once and report it."""
        loss = correct = count = 0.0
        with contextlib.closing(prefetch(self.test_source.whole_set())) as batches:
            for pixels, labels in batches:
                with autocast(self.precision_used):
                    blobs = self.net.forward("TEST", pixels, labels)
                    loss += self.net.loss("TEST", blobs).item() * len(labels)
                correct += self._accuracy(blobs) * len(labels)
                count += len(labels)
        report = TestReport(self.iteration, loss / count, correct / count, int(count))
        for reporter in self.reporters:
            reporter.test(report)
        return report

    def _accuracy(self, blobs: dict[str, torch.Tensor]) -> float:
        for name, kind in self.net.layer_types("TEST").items():
            if kind == "Accuracy":
                return float(blobs[name])
        raise TrainingError("the network has no Accuracy layer in phase TEST")

    def snapshot(self) -> Path:
        """Write a snapshot of this moment and return its ``.solverstate``."""
        state = write_snapshot(
            self.out,
            self.name,
            self.iteration,
            net=self.net,
            prototxt=self.net_param,
            solver=self.solver,
        )
        for reporter in self.reporters:
            reporter.snapshot(state)
        return state
