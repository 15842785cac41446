"""What a training writes about itself: a CSV one can plot and TensorBoard events."""

from __future__ import annotations

import csv
import dataclasses
from typing import TYPE_CHECKING, Protocol

from edgeage.closing import Closing
from edgeage.errors import TrainingError
from edgeage.paths import atomic_file
from edgeage.training.events import EventWriter

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Reporter", "StepReport", "TestReport", "TrainingLog"]


@dataclasses.dataclass(frozen=True)
class StepReport:
    """One training iteration.

    Attributes:
        iteration: how many updates are done.
        max_iter: how many there will be.
        loss: training loss, averaged over the solver's ``average_loss`` iterations.
        learning_rate: rate of this update.
        images_per_second: pictures trained on per second since the last report.
    """

    iteration: int
    max_iter: int
    loss: float
    learning_rate: float
    images_per_second: float


@dataclasses.dataclass(frozen=True)
class TestReport:
    """One pass over the whole test set.

    Attributes:
        iteration: how many updates were done.
        loss: mean loss over the pictures.
        accuracy: share of correct pictures, 0 to 1.
        images: how many pictures were scored.
        mae_years: mean absolute error of the age; None where none is told.
        gender: share of correct genders, where the accuracy is of age groups; None otherwise.
    """

    __test__ = False

    iteration: int
    loss: float
    accuracy: float
    images: int
    mae_years: float | None = None
    gender: float | None = None


class Reporter(Protocol):
    """Something that is told what a training does."""

    def step(self, report: StepReport) -> None:
        """Take one iteration's figures.

        Args:
            report: the iteration.
        """

    def test(self, report: TestReport) -> None:
        """Take one test's figures.

        Args:
            report: the test.
        """

    def snapshot(self, path: Path) -> None:
        """Take the path of a snapshot that was written.

        Args:
            path: its ``.solverstate``.
        """


_COLUMNS = (
    "iteration", "phase", "loss", "accuracy", "learning_rate", "images_per_second", "mae_years",
    "gender",
)  # fmt: skip


class TrainingLog(Closing):
    """Appends to ``NAME_log.csv`` and to TensorBoard events under ``tensorboard/``.

    Args:
        folder: the training's output folder.
        name: the network's name.
        iteration: where the training starts or resumes; rows of later iterations, left by a run
            that was cut off, are dropped.

    Attributes:
        path: the CSV.

    Raises:
        TrainingError: when the CSV there is no training's log.
    """

    def __init__(self, folder: Path, name: str, iteration: int) -> None:
        self.path = folder / f"{name}_log.csv"
        rows = [row for row in _read(self.path) if int(row["iteration"]) <= iteration]
        if iteration == 0:
            rows = []
        with atomic_file(self.path) as temporary, temporary.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, _COLUMNS)
            writer.writeheader()
            writer.writerows(rows)
        self._stream = self.path.open("a", newline="")
        self._writer = csv.DictWriter(self._stream, _COLUMNS)
        self._board = EventWriter(folder / "tensorboard", iteration + 1 if iteration else None)

    def close(self) -> None:
        """Close the files; what is in them stays."""
        self._stream.close()
        self._board.close()

    def step(self, report: StepReport) -> None:
        """Write one iteration's figures.

        Args:
            report: the iteration.
        """
        self._row(
            iteration=report.iteration,
            phase="train",
            loss=f"{report.loss:.6g}",
            learning_rate=f"{report.learning_rate:.6g}",
            images_per_second=f"{report.images_per_second:.1f}",
        )
        for name in ("loss", "learning_rate", "images_per_second"):
            self._board.scalar(f"train/{name}", getattr(report, name), report.iteration)

    def test(self, report: TestReport) -> None:
        """Write one test's figures.

        Args:
            report: the test.
        """
        self._row(
            iteration=report.iteration,
            phase="test",
            loss=f"{report.loss:.6g}",
            accuracy=f"{report.accuracy:.6f}",
            mae_years="" if report.mae_years is None else f"{report.mae_years:.4f}",
            gender="" if report.gender is None else f"{report.gender:.6f}",
        )
        for name in ("loss", "accuracy", "mae_years", "gender"):
            if (value := getattr(report, name)) is not None:
                self._board.scalar(f"test/{name}", value, report.iteration)

    def snapshot(self, path: Path) -> None:
        """Bring everything on disk up to the snapshot.

        Args:
            path: its ``.solverstate``, which the log does not need.
        """
        del path
        self._stream.flush()
        self._board.flush()

    def _row(self, **values: object) -> None:
        self._writer.writerow(values)


def _read(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    try:
        with path.open(newline="") as stream:
            rows = list(csv.DictReader(stream))
        # A cut-off run may leave half a row at the end.
        return [row for row in rows if None not in row.values() and row["iteration"].isdigit()]
    except (OSError, KeyError, UnicodeDecodeError, csv.Error) as error:
        raise TrainingError(f"{path} is not a training log: {error}; move it away") from None
