"""Run every engine over the same pictures and gather what they differ by."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgeage.errors import EdgeageError, ModelError, ToolchainError, UsageError
from edgeage.verification.engines import Engine, make_engines
from edgeage.verification.report import EngineReport, LayerReport, PairReport, Verification
from edgeage.verification.statistics import ErrorSum, RangeSum

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from edgeage.verification.pictures import LabelledPictures
    from edgeage.verification.subject import Subject

__all__ = ["verify"]

CHUNK = 50
"""Pictures that go through all engines together: two engines' blobs of them are held, 3 MB a
picture of AgeNet each, and a foreign engine starts anew for every chunk."""

_NOT_HERE = frozenset({"no-caffe", "no-openvino"})


def verify(
    subject: Subject,
    pictures: LabelledPictures,
    *,
    engines: Sequence[str] | None = None,
    on_progress: Callable[[int, int | None], None] | None = None,
) -> Verification:
    """Run a network in several engines and compare them.

    Args:
        subject: the network.
        pictures: what to run it on.
        engines: keys of :data:`edgeage.verification.ENGINES`; all that concern it by default.
        on_progress: told how many of how many pictures are done, all engines counted.

    Returns:
        What was found; whether it is good is for the caller to ask (:attr:`Verification.beyond`).

    Raises:
        UsageError: for an unknown engine, or fewer than two.
        ModelError: when fewer than two can run here.
    """
    if engines is not None and len(set(engines)) < 2:
        raise UsageError(f"expected at least two engines to compare, got {len(set(engines))}")
    with tempfile.TemporaryDirectory(prefix="edgeage-verify-") as folder:
        made = make_engines(subject, Path(folder), engines)
        run = _Run(subject, made)
        run.drop_missing()
        _run_all(run, pictures.batch, on_progress)
    return run.report(pictures)


def _run_all(
    run: _Run, batch: np.ndarray, on_progress: Callable[[int, int | None], None] | None
) -> None:
    done = 0
    for start in range(0, len(batch), CHUNK):
        rows = batch[start : start + CHUNK]
        for _ in run.chunk(rows):
            done += len(rows)
            if on_progress:
                on_progress(done, len(batch) * len(run.running))


class _Run:
    """The engines at work and the sums so far."""

    def __init__(self, subject: Subject, engines: list[Engine]) -> None:
        self.subject, self.engines = subject, engines
        self.running = list(engines)
        self.reasons: dict[str, tuple[str, bool]] = {}
        self._answers: dict[str, list[np.ndarray]] = {engine.key: [] for engine in engines}
        self._ranges = {point.blob: RangeSum() for point in subject.points}
        self._errors: dict[str, dict[str, ErrorSum]] = {engine.key: {} for engine in engines}

    def drop_missing(self) -> None:
        """Leave out the engines that are not here.

        Raises:
            ModelError: when fewer than two are.
        """
        for engine in self.engines:
            if (reason := engine.problem()) is not None:
                self._drop(engine, reason, failed=False)
        self._need_two()

    def chunk(self, rows: np.ndarray) -> Iterator[Engine]:
        """Run all engines over some pictures, the reference first; yield after each."""
        reference: dict[str, np.ndarray] = {}
        for engine in list(self.running):
            blobs = self._layers(engine, rows)
            if blobs is not None:
                self._answers[engine.key].append(self._answer(blobs))
                if not reference:
                    reference = blobs
                    self._add_ranges(blobs)
                self._add_errors(engine, blobs, reference)
            yield engine
        self._need_two()

    def _layers(self, engine: Engine, rows: np.ndarray) -> dict[str, np.ndarray] | None:
        """Run one engine; one that fails is left out from there on, and its reason kept."""
        try:
            return engine.layers(rows)
        except EdgeageError as error:
            missing = isinstance(error, ToolchainError) and error.kind in _NOT_HERE
            if self._answers[self.running[0].key] and engine is self.running[0]:
                # Half the sums are against this reference: there is nothing to go on with.
                raise
            self._drop(engine, str(error), failed=not missing)
            return None

    def _drop(self, engine: Engine, reason: str, *, failed: bool) -> None:
        self.running.remove(engine)
        self.reasons[engine.key] = (reason, failed)
        self._answers[engine.key] = []
        self._errors[engine.key] = {}

    def _need_two(self) -> None:
        if len(self.running) < 2:
            reasons = "; ".join(f"{key}: {reason}" for key, (reason, _) in self.reasons.items())
            raise ModelError(
                f"only {len(self.running)} of the engines run here, two are needed ({reasons})"
            )

    def _answer(self, blobs: dict[str, np.ndarray]) -> np.ndarray:
        answer = blobs[self.subject.manifest.output_name]
        return answer.reshape(len(answer), -1)

    def _add_ranges(self, blobs: dict[str, np.ndarray]) -> None:
        for point in self.subject.points:
            if point.blob in blobs:
                self._ranges[point.blob].add(point, blobs)

    def _add_errors(
        self, engine: Engine, found: dict[str, np.ndarray], expected: dict[str, np.ndarray]
    ) -> None:
        for blob, values in found.items():
            if blob not in expected:
                continue
            if values.size != expected[blob].size:
                raise ModelError(
                    f"{engine.name} makes blob «{blob}» of shape {values.shape}, "
                    f"{self.running[0].name} of shape {expected[blob].shape}"
                )
            self._errors[engine.key].setdefault(blob, ErrorSum()).add(values, expected[blob])

    def report(self, pictures: LabelledPictures) -> Verification:
        """Put everything together."""
        manifest = self.subject.manifest
        answers = {engine.key: np.concatenate(self._answers[engine.key]) for engine in self.running}
        reference = self.running[0].key
        pairs = [
            PairReport(first, second, *_agreement(answers[first], answers[second])[::2])
            for first, second in itertools.combinations(answers, 2)
        ]
        return Verification(
            model=manifest.name,
            task=manifest.task,
            pictures=len(pictures.batch),
            origin=pictures.origin,
            labelled=pictures.labels is not None,
            reference=reference,
            engines=tuple(
                self._engine_report(engine, answers, pictures) for engine in self.engines
            ),
            pairs=tuple(pairs),
            layers=tuple(self._layer_reports(reference)),
        )

    def _engine_report(
        self, engine: Engine, answers: dict[str, np.ndarray], pictures: LabelledPictures
    ) -> EngineReport:
        if engine.key not in answers:
            return EngineReport(engine.key, engine.name, *self.reasons[engine.key])
        found = answers[engine.key]
        largest, mean, changed = _agreement(found, answers[self.running[0].key])
        accuracy = None
        if pictures.labels is not None:
            accuracy = float((found.argmax(axis=1) == pictures.labels).mean())
        return EngineReport(
            key=engine.key,
            name=engine.name,
            max_difference=largest,
            mean_difference=mean,
            changed=changed,
            max_allowed=engine.profile.max_difference,
            mean_allowed=engine.profile.mean_difference,
            accuracy=accuracy,
        )

    def _layer_reports(self, reference: str) -> list[LayerReport]:
        reports = []
        for point in self.subject.points:
            seen = self._ranges[point.blob]
            errors = {
                key: sums[point.blob]
                for key, sums in self._errors.items()
                if key != reference and point.blob in sums
            }
            reports.append(
                LayerReport(
                    blob=point.blob,
                    layer=point.layer,
                    layer_type=point.layer_type,
                    largest=seen.largest,
                    inner=seen.inner,
                    inner_scale=point.squares.scale if point.squares else None,
                    small_share=seen.small / seen.nonzero if seen.nonzero else 0.0,
                    max_error={key: error.largest for key, error in errors.items()},
                    relative_error={key: error.relative for key, error in errors.items()},
                )
            )
        return reports


def _agreement(found: np.ndarray, expected: np.ndarray) -> tuple[float, float, int]:
    """Return the largest and mean difference and how many rows have another largest place."""
    difference = np.abs(found.astype(np.float64) - expected)
    changed = int((found.argmax(axis=1) != expected.argmax(axis=1)).sum())
    return float(difference.max()), float(difference.mean()), changed
