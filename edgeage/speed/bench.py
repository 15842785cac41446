"""The whole measurement: a row for every network, device, precision and batch, and the steps."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeage.errors import EdgeageError
from edgeage.runtime.devices import open_backend
from edgeage.runtime.options import RuntimeOptions
from edgeage.speed.grid import Entry, Grid, load_entries
from edgeage.speed.hardware import machine
from edgeage.speed.stages import StageCosts, time_stages
from edgeage.speed.timing import ROUNDS, Figures, Lap, take_turns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edgeage.manifest import Manifest
    from edgeage.runtime import Backend
    from edgeage.sources import Source

__all__ = ["Bench", "BenchOptions", "Row", "run_bench"]

_TOOLS = ("edgeage", "openvino", "opencv-python", "numpy")


@dataclasses.dataclass(frozen=True)
class BenchOptions:
    """How it is measured.

    Attributes:
        seconds: how long each row is timed; the steps of the picture get as much.
        rounds: in how many turns, all rows taking theirs before any takes the next.
        runtime: how the devices are used.
    """

    seconds: float = 2.0
    rounds: int = ROUNDS
    runtime: RuntimeOptions = dataclasses.field(default_factory=RuntimeOptions)


@dataclasses.dataclass(frozen=True)
class Row:
    """One network on one device with one size of batch.

    Attributes:
        model: the network's name.
        device: the device asked for.
        precision: the precision of the network; empty where its manifest does not say.
        batch: pictures a run takes.
        ran_on: the device that did the work.
        figures: what was measured; None where nothing was.
        reason: why nothing was measured; empty where something was.
    """

    model: str
    device: str
    precision: str
    batch: int
    ran_on: str = ""
    figures: Figures | None = None
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-ready values, the figures among them, or the reason."""
        names = ("model", "device", "precision", "batch")
        fields = {name: getattr(self, name) for name in names}
        if self.figures is None:
            return {**fields, "reason": self.reason}
        return {**fields, "ran_on": self.ran_on, **self.figures.to_dict()}


@dataclasses.dataclass(frozen=True)
class Bench:
    """All that was measured.

    Attributes:
        rows: one for every combination, in the order of devices, networks, precisions, batches.
        options: how it was measured.
        stages: the cost of a picture's steps; None where they were not asked for.
    """

    rows: tuple[Row, ...]
    options: BenchOptions
    stages: StageCosts | None = None

    @property
    def ran(self) -> list[Row]:
        """The rows that have figures."""
        return [row for row in self.rows if row.figures is not None]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON-ready values, with the machine and the tools' versions."""
        return {
            "machine": machine(),
            "versions": {tool: version(tool) for tool in _TOOLS},
            "options": dataclasses.asdict(self.options),
            "rows": [row.to_dict() for row in self.rows],
            "stages": self.stages.to_dict() if self.stages else None,
        }


def run_bench(
    grid: Grid,
    options: BenchOptions | None = None,
    *,
    picture: Source | None = None,
    opener: Callable[[str], Backend] | None = None,
    on_entry: Callable[[str], None] = lambda _: None,
    on_turn: Callable[[int, int], None] | None = None,
) -> Bench:
    """Measure everything; what is not there becomes a row with its reason.

    The pixels are noise: a network's speed does not depend on what it sees.

    Args:
        grid: what to measure.
        options: how; None for the defaults.
        picture: a picture whose steps are measured too, with the last precision of the first
            device; None to leave that out.
        opener: gives a device's backend by its name; None for the device's own runtime.
        on_entry: called before each network is prepared, with which it is.
        on_turn: called after every turn with how many are done and how many there are.

    Raises:
        UsageError: for an unknown device or the name of no network.
        ModelError: when a network's files are missing or damaged.
        ImageError: when the picture cannot be read.
    """
    options = options or BenchOptions()
    open_device = opener or functools.partial(open_backend, options=options.runtime)
    if picture is not None:
        picture.read()
    with contextlib.ExitStack() as outer:
        folder = outer.enter_context(tempfile.TemporaryDirectory(prefix="edgeage-bench-"))
        with contextlib.ExitStack() as stack:
            entries = load_entries(grid, open_device, Path(folder), stack, on_entry)
            rows = _timed(entries, grid.batches, options, on_turn)
        stages = _stages(entries, rows, picture, options) if picture is not None else None
    return Bench(tuple(rows), options, stages)


def _timed(
    entries: Sequence[Entry],
    batches: Sequence[int],
    options: BenchOptions,
    on_turn: Callable[[int, int], None] | None,
) -> list[Row]:
    cells = [(entry, batch) for entry in entries for batch in batches]
    calls = [_call(entry, batch) for entry, batch in cells if entry.session is not None]
    laps = iter(take_turns(calls, seconds=options.seconds, rounds=options.rounds, on_turn=on_turn))
    return [_row(entry, batch, next(laps) if entry.session else None) for entry, batch in cells]


def _call(entry: Entry, batch: int) -> Callable[[], object]:
    assert entry.manifest is not None
    assert entry.session is not None
    shape = (batch, 3, *entry.manifest.input.input_hw)
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    return functools.partial(entry.session.infer, pixels)


def _row(entry: Entry, batch: int, lap: Lap | None) -> Row:
    row = Row(entry.model, entry.device, entry.precision, batch, reason=entry.reason)
    if lap is None or entry.session is None:
        return row
    if lap.error is not None:
        return dataclasses.replace(row, reason=str(lap.error))
    figures = Figures.of(lap.turns_ms, batch)
    return dataclasses.replace(row, ran_on=entry.session.device, figures=figures)


def _stages(
    entries: Sequence[Entry], rows: Sequence[Row], picture: Source, options: BenchOptions
) -> StageCosts:
    from edgeage.predictor import Predictor

    ran = [row for row in rows if row.figures is not None]
    if not ran:
        return StageCosts(picture.name, reason="no network ran")
    device, runtime = ran[0].device, options.runtime
    precision = [row.precision for row in ran if row.device == device][-1]
    manifests = _one_a_task(
        [entry for entry in entries if (entry.device, entry.precision) == (device, precision)]
    )
    try:
        with Predictor(manifests, device, **dataclasses.asdict(runtime)) as predictor:
            return time_stages(predictor, picture, seconds=options.seconds)
    except EdgeageError as error:
        return StageCosts(picture.name, reason=str(error))


def _one_a_task(entries: Sequence[Entry]) -> list[Manifest]:
    """Return what a Predictor takes: the first network of every task."""
    found: list[Manifest] = []
    for entry in entries:
        taken = {task for manifest in found for task in manifest.tasks}
        if entry.session and entry.manifest and not taken & set(entry.manifest.tasks):
            found.append(entry.manifest)
    return found
