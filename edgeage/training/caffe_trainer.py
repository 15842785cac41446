"""The engine that is BVLC Caffe itself, run in a Python that has it."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import math
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeage.caffe import read_solverstate, read_weights
from edgeage.closing import Closing
from edgeage.errors import ModelError, ToolchainError, TrainingError
from edgeage.movidius import find_toolchain
from edgeage.training import caffe_files
from edgeage.training.caffe_errors import HOW_TO_GET_CAFFE
from edgeage.training.caffe_process import CaffeProcess
from edgeage.training.logs import Reporter, StepReport, TestReport
from edgeage.training.schedule import learning_rate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edgeage.training.caffe_files import PhaseData
    from edgeage.training.transform import Transform

__all__ = ["CaffeTrainer"]


@dataclasses.dataclass
class CaffeTrainer(Closing):
    """Trains one network as its solver says, with real Caffe; a context manager.

    The prototxts go to Caffe as they are but for the paths of data and mean and for when to test
    and to take snapshots: that is asked for from here, so that a test looks at every picture
    once and a snapshot appears whole.

    Args:
        name: prefix of the snapshots.
        out: folder of the snapshots.
        solver_param: a ``SolverParameter`` of any type Caffe has.
        net_param: the ``NetParameter`` of both phases.
        train_data: pictures of phase TRAIN.
        test_data: pictures of phase TEST.
        python: an interpreter that can ``import caffe``; None takes the Movidius toolchain's.
        reporters: told about every step, test and snapshot.

    Attributes:
        iteration: how many updates are done.
        tools: Caffe's version, once started.
    """

    name: str
    out: Path
    solver_param: Any
    net_param: Any
    train_data: PhaseData
    test_data: PhaseData
    python: Path | None = None
    reporters: Sequence[Reporter] = ()

    engine = "caffe"
    precision_used = "fp32"

    def __post_init__(self) -> None:
        learning_rate(self.solver_param, 0)
        self.iteration = 0
        self.tools: dict[str, str] = {}
        self._passes = max(int(self.solver_param.iter_size), 1)
        self._images = self._passes * self.train_data.batch
        self._losses: collections.deque[float] = collections.deque(
            maxlen=max(int(self.solver_param.average_loss), 1)
        )
        self._open = contextlib.ExitStack()

    def close(self) -> None:
        """End what was opened; closing twice is harmless."""
        self._open.close()

    @property
    def transform(self) -> Transform:
        """How a test picture becomes the network's input."""
        return self.test_data.transform

    def start(self, state: Path | None = None, weights: Path | None = None) -> None:
        """Let Caffe build the net and take a snapshot's or other weights.

        Raises:
            TrainingError: when there is no Caffe, or it gives up; with its reason.
            ModelError: when a file is missing or corrupt.
        """
        python, environment = _interpreter(self.python)
        self._folder = self._make_folder()
        request = self._request(state, weights)
        self._process = self._open.enter_context(
            CaffeProcess(python, environment, self._folder, request)
        )
        for event in self._process.events():
            self.iteration = event["iteration"]
            self.tools = {"caffe": str(event["caffe"])}

    def _make_folder(self) -> Path:
        self.out.mkdir(parents=True, exist_ok=True)
        self._open.callback(_remove_if_empty, self.out)
        prefix = f".{self.name}.caffe-"
        folder = tempfile.mkdtemp(dir=self.out.resolve(), prefix=prefix, suffix=".part")
        self._open.callback(shutil.rmtree, folder, ignore_errors=True)
        return Path(folder)

    def _request(self, state: Path | None, weights: Path | None) -> dict[str, Any]:
        resumption = self._resumption(state) if state else None
        solver, folder = self.solver_param, self._folder
        net = caffe_files.write_net(folder, self.net_param, [self.train_data, self.test_data])
        gpu = solver.HasField("solver_mode") and solver.solver_mode == type(solver).GPU
        test = {
            "every": int(solver.test_interval),
            "images": len(self.test_data.reader),
            "initial": bool(solver.test_initialization),
        }
        return {
            "solver": caffe_files.write_solver(folder, solver, net, self.name, self.iteration),
            "gpu": int(solver.device_id) if gpu else None,
            "max_iter": int(solver.max_iter),
            "passes": self._passes,
            "snapshot": int(solver.snapshot),
            "test": test if test["every"] else None,
            "resume": resumption,
            "weights": caffe_files.write_weights_archive(folder, weights) if weights else None,
        }

    def _resumption(self, state: Path) -> dict[str, Any]:
        name, self.iteration, sizes = caffe_files.write_snapshot_copy(self._folder, state)
        seen = self.iteration * self._images % len(self.train_data.reader)
        # Caffe starts the LMDB anew; the batches trained on in its current round are skipped.
        return {"state": name, "sizes": sizes, "skip": seen // self.train_data.batch}

    def train(self, stop: Callable[[], bool] = lambda: False) -> bool:
        """Train up to ``max_iter``, testing and taking snapshots as the solver says.

        Args:
            stop: asked a few times a second; True ends the iteration, takes a snapshot and ends
                the training.

        Returns:
            Whether ``max_iter`` was reached.

        Raises:
            TrainingError: when the loss is no number, or Caffe gives up.
        """
        asked = False

        def meanwhile() -> None:
            nonlocal asked
            if not asked and stop():
                asked = True
                self._process.say("stop")

        tell = {"step": self._on_step, "test": self._on_test, "snapshot": self._on_snapshot}
        # Before «go», so that one who wants no iteration gets none.
        meanwhile()
        self._process.say("go")
        for event in self._process.events(meanwhile):
            if event["event"] in tell:
                tell[event["event"]](event)
        return self.iteration >= int(self.solver_param.max_iter)

    def _on_step(self, event: dict[str, Any]) -> None:
        self.iteration, loss = event["iteration"], float(event["loss"])
        if not math.isfinite(loss):
            raise TrainingError(
                f"the loss became {loss} at iteration {self.iteration}; lower base_lr (it was "
                f"{self.solver_param.base_lr:g}) or resume from an earlier snapshot"
            )
        self._losses.append(loss)
        report = StepReport(
            iteration=self.iteration,
            max_iter=int(self.solver_param.max_iter),
            loss=sum(self._losses) / len(self._losses),
            learning_rate=learning_rate(self.solver_param, self.iteration - 1),
            images_per_second=self._images / max(float(event["seconds"]), 1e-9),
        )
        for reporter in self.reporters:
            reporter.step(report)

    def _on_test(self, event: dict[str, Any]) -> None:
        images = len(self.test_data.reader)
        report = TestReport(event["iteration"], event["loss"], event["accuracy"], images)
        for reporter in self.reporters:
            reporter.test(report)

    def _on_snapshot(self, event: dict[str, Any]) -> None:
        stem = self._folder / f"{self.name}_iter_{event['iteration']}"
        weights, state = stem.with_suffix(".caffemodel"), stem.with_suffix(".solverstate")
        try:
            read_weights(weights)
            read_solverstate(state)
        except ModelError as error:
            raise TrainingError(
                f"Caffe's snapshot is damaged ({error}); is the disk full?"
            ) from None
        # The state last, so that one that is there has its weights beside it.
        for written in (weights, state):
            with written.open("rb+") as stream:
                os.fsync(stream.fileno())
            written.replace(self.out / written.name)
        for reporter in self.reporters:
            reporter.snapshot(self.out / state.name)


def _interpreter(python: Path | None) -> tuple[Path, dict[str, str]]:
    if python:
        found = shutil.which(python)
        if not found:
            raise TrainingError(f"{python} is no Python; {HOW_TO_GET_CAFFE}")
        # Its own environment, PYTHONPATH included, is how a Caffe built from source is found.
        return Path(found).absolute(), dict(os.environ)
    try:
        toolchain = find_toolchain()
    except ToolchainError as error:
        raise TrainingError(
            f"--engine caffe needs real Caffe: {error}; or name a Python that has it: "
            f"--caffe-python"
        ) from None
    return toolchain.python, toolchain.environment()


def _remove_if_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()
