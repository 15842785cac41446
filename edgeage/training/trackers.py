"""Weights & Biases and MLflow as reporters, where they are installed and asked for."""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING, Any, Protocol

from edgeage.errors import UsageError, did_you_mean, require

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from edgeage.training.logs import Reporter, StepReport, TestReport

__all__ = ["TRACKERS", "check_trackers", "open_trackers"]

_PROJECT = "edgeage"
_EVERY = 10
"""Iterations between two that are sent."""

TRACKERS = ("wandb", "mlflow")
"""What can be asked for; both take their address and account from their own settings."""

_PURPOSE = {"wandb": "report to Weights & Biases", "mlflow": "report to MLflow"}


class _Sink(Protocol):
    def log(self, figures: Mapping[str, float], step: int) -> None: ...


def check_trackers(names: Sequence[str]) -> None:
    """Refuse unknown ones and those that are not installed.

    Raises:
        UsageError: for an unknown name.
        MissingDependencyError: for a package that is not there.
    """
    for name in names:
        if name not in TRACKERS:
            raise UsageError(
                f"unknown tracker «{name}»{did_you_mean(name, TRACKERS)}; expected "
                f"{' or '.join(TRACKERS)}"
            )
        require(name, extra=name, purpose=_PURPOSE[name])


@contextlib.contextmanager
def open_trackers(
    names: Sequence[str], run: str, run_id: str, settings: Mapping[str, Any], folder: Path
) -> Iterator[list[Reporter]]:
    """Yield a reporter for each tracker; its run ends with the block.

    Args:
        names: of :data:`TRACKERS`.
        run: the run's name.
        run_id: tells a training from every other; one that is resumed goes on in its run.
        settings: what the training was asked for.
        folder: where what has no server writes its files.

    Raises:
        UsageError: for an unknown name.
        MissingDependencyError: for a package that is not there.
    """
    check_trackers(names)
    opened = {"wandb": _wandb, "mlflow": _mlflow}
    with contextlib.ExitStack() as stack:
        yield [
            _Tracker(stack.enter_context(opened[name](run, run_id, settings, folder)))
            for name in names
        ]


class _Tracker:
    """Sends a training's figures, by the names they have in TensorBoard."""

    def __init__(self, sink: _Sink) -> None:
        self._sink = sink

    def step(self, report: StepReport) -> None:
        """Send one iteration in ten."""
        if report.iteration % _EVERY == 0 or report.iteration == report.max_iter:
            figures = ("loss", "learning_rate", "images_per_second")
            self._send("train", {name: getattr(report, name) for name in figures}, report.iteration)

    def test(self, report: TestReport) -> None:
        """Send a validation."""
        figures = ("loss", "accuracy", "mae_years", "gender")
        self._send("test", {name: getattr(report, name) for name in figures}, report.iteration)

    def snapshot(self, path: Path) -> None:
        """Checkpoints stay here."""
        del path

    def _send(self, phase: str, figures: Mapping[str, float | None], step: int) -> None:
        known = {name: value for name, value in figures.items() if value is not None}
        self._sink.log(
            {f"{phase}/{name}": v for name, v in known.items() if math.isfinite(v)}, step
        )


@contextlib.contextmanager
def _wandb(run: str, run_id: str, settings: Mapping[str, Any], folder: Path) -> Iterator[_Sink]:
    wandb = require("wandb", extra="wandb", purpose=_PURPOSE["wandb"])
    opened = wandb.init(
        project=_PROJECT, name=run, id=run_id, resume="allow", config=dict(settings),
        dir=str(folder), settings=wandb.Settings(silent=True),
    )  # fmt: skip
    try:
        yield opened
    finally:
        opened.finish()


class _MlflowRun:
    def __init__(self, client: Any, run_id: str) -> None:
        self._client, self._run_id = client, run_id

    def log(self, figures: Mapping[str, float], step: int) -> None:
        for name, value in figures.items():
            self._client.log_metric(self._run_id, name, value, step=step)


@contextlib.contextmanager
def _mlflow(run: str, run_id: str, settings: Mapping[str, Any], folder: Path) -> Iterator[_Sink]:
    del folder
    mlflow = require("mlflow", extra="mlflow", purpose=_PURPOSE["mlflow"])
    client = mlflow.MlflowClient()
    found = client.get_experiment_by_name(_PROJECT)
    place = found.experiment_id if found else client.create_experiment(_PROJECT)
    tag = "edgeage.training"
    earlier = client.search_runs([place], f"tags.`{tag}` = '{run_id}'")
    if earlier:
        number = earlier[0].info.run_id
        client.update_run(number, status="RUNNING")
    else:
        number = client.create_run(place, tags={tag: run_id}, run_name=run).info.run_id
        for name, value in settings.items():
            client.log_param(number, name, value)
    try:
        yield _MlflowRun(client, number)
    # Whatever ends the training, the run is told; what the telling raises must not hide that.
    except BaseException:
        with contextlib.suppress(Exception):
            client.set_terminated(number, "FAILED")
        raise
    client.set_terminated(number)
