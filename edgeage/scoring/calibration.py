"""Temperature and interval of a model, fitted on faces it was not trained on.

The temperature is the one of the least negative log-likelihood of the right classes (C. Guo et
al.: On Calibration of Modern Neural Networks, ICML 2017). The interval is a conformal one (J. Lei
et al.: Distribution-Free Predictive Inference for Regression, JASA 113, 2018): half its width, in
standard deviations of the age, is what four of five faces stay below.
"""

from __future__ import annotations

import dataclasses
import math
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeage.answers import age_spread, probabilities
from edgeage.compiler.sources import RELEASED, released_path
from edgeage.datasets.seeds import fraction
from edgeage.errors import DatasetError
from edgeage.evaluation.bootstrap import Resampler
from edgeage.evaluation.decoded import decode_answers, nearest_groups
from edgeage.evaluation.faces import open_faces
from edgeage.evaluation.figures import statistics
from edgeage.evaluation.raw import kept_answers
from edgeage.labels import GENDERS, MAX_AGE
from edgeage.manifest import Manifest
from edgeage.modelfiles import ready_models
from edgeage.scoring.candidates import Finder

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgeage.evaluation.bootstrap import Statistic
    from edgeage.evaluation.faces import LabelledFaces, Truth
    from edgeage.evaluation.raw import RawAnswers
    from edgeage.outputs import Output

__all__ = ["COVERAGE", "Calibration", "calibrate", "calibrate_model", "fit_output"]

COVERAGE = 0.8
"""Share of the faces whose age is to lie within its interval."""

_LEAST_FACES = 30
_PARTS = 5
_LOWEST, _HIGHEST = 0.1, 10.0
_STEPS = 30
_SEED = 230
_SHOWN = ("age_mae", "age_ece", "gender_ece", "interval_coverage", "interval_width")


@dataclasses.dataclass(frozen=True)
class Calibration:
    """What a calibration came to.

    Attributes:
        outputs: the model's outputs, with temperature and interval put in.
        figures: JSON-ready: the faces it was fitted on, and the figures ``before`` and ``after``,
            each with its interval. Those after are of faces that had no part in the fit they are
            scored with: a fifth at a time.
    """

    outputs: tuple[Output, ...]
    figures: dict[str, Any]


def calibrate(manifest: Manifest, answers: RawAnswers, faces: LabelledFaces) -> Calibration:
    """Fit temperature and interval of each of a model's outputs.

    Args:
        manifest: the model's; what it was calibrated to before does not matter.
        answers: by task, what it answers for the faces.
        faces: faces it was neither trained on nor is tested on.

    Raises:
        DatasetError: when fewer than thirty faces have a label of a task.
        DeviceError: when an answer is not a number.
    """
    plain = _with_outputs(manifest, [_plain(output) for output in manifest.outputs])
    truth = faces.truth
    parts = np.array([int(fraction(_SEED, "part", unit) * _PARTS) for unit in truth.units])
    everyone = np.ones(len(faces), bool)
    fitted = [fit_output(output, answers[output.task], truth, everyone) for output in plain.outputs]
    decoded = []
    for part in np.unique(parts):
        others = [
            fit_output(output, answers[output.task], truth, parts != part)
            for output in plain.outputs
        ]
        decoded.append(_figures(_with_outputs(plain, others), answers, truth, parts == part))
    before = _figures(plain, answers, truth, everyone)
    after = {
        name: _joined([part[name] for part in decoded if name in part])
        for name in _SHOWN
        if any(name in part for part in decoded)
    }
    resampler = Resampler(truth.units)
    figures = {
        "set": faces.name,
        "part": faces.part,
        "faces": len(faces),
        "sha256": faces.sha256,
        "before": _told(resampler, before),
        "after": _told(resampler, after),
    }
    return Calibration(tuple(fitted), figures)


def calibrate_model(
    name: str,
    data: str | Path,
    faces: str | Path,
    *,
    device: str = "CPU",
    write: bool = True,
    on_progress: Callable[[int, int | None], None] | None = None,
) -> dict[str, Any]:
    """Calibrate a model from its files, and write what was fitted into its manifest.

    Args:
        name: a released model's name, a ``.caffemodel`` with its manifest, a compiled model's
            folder or its manifest.
        data: a folder made by ``edgeage dataset build``.
        faces: the list of faces to fit on, by name or path.
        device: where the model runs.
        write: whether the manifest is written.
        on_progress: told how many of how many faces are done.

    Returns:
        JSON-ready: the ``outputs``, the figures of :class:`Calibration`, the ``manifest``'s path
        and whether it was ``written``.

    Raises:
        UsageError: for an unknown model.
        ModelError: when its files are missing or damaged.
        DatasetError: when the data set lacks a listed face, or too few have labels.
        DeviceError: when the device fails.
    """
    path = _manifest_path(name)
    manifest = Manifest.read(path)
    with (
        tempfile.TemporaryDirectory(prefix="edgeage-calibrate-") as folder,
        open_faces(data, faces=faces) as labelled,
    ):
        trained = "caffemodel" in manifest.files
        words = str(manifest.file("caffemodel")) if trained else str(path)
        compiled = Finder(Path(folder), device=device).find(words).manifests
        answers = kept_answers(compiled, labelled, device=device, on_progress=on_progress)
    found = calibrate(manifest, answers, labelled)
    if write:
        source = {**manifest.source, "calibration": found.figures}
        dataclasses.replace(manifest, outputs=found.outputs, source=source).write(path)
    outputs = [
        {"name": o.name, "task": o.task, "temperature": o.temperature, "interval": o.interval}
        for o in found.outputs
    ]
    return {"outputs": outputs, **found.figures, "manifest": str(path), "written": write}


def _manifest_path(name: str) -> Path:
    path = released_path(name) if name in RELEASED else ready_models().get(name, Path(name))
    if path.is_dir():
        return path / "model.json"
    return path.with_suffix(".json")


def fit_output(output: Output, rows: np.ndarray, truth: Truth, chosen: np.ndarray) -> Output:
    """Fit one output's temperature and interval.

    Args:
        output: what it means.
        rows: float (n, values), what it held for each face.
        truth: the faces' labels.
        chosen: bool (n,), which faces to fit on.

    Raises:
        DatasetError: when fewer than thirty of them have a label.
    """
    labels = truth.ages if output.task == "age" else truth.genders.astype(np.float64)
    kept = chosen & np.isfinite(labels) & (labels >= 0)
    if kept.sum() < _LEAST_FACES:
        raise DatasetError(
            f"expected at least {_LEAST_FACES} faces with a label of {output.task} to calibrate "
            f"«{output.name}», got {int(kept.sum())}"
        )
    rows, labels = rows[kept], labels[kept]
    if output.kind != "years":
        output = dataclasses.replace(output, temperature=_temperature(output, rows, labels))
    if output.task == "age":
        output = dataclasses.replace(output, interval=_half_width(output, rows, labels))
    return output


def _temperature(output: Output, rows: np.ndarray, labels: np.ndarray) -> float:
    """Look for the temperature of the least negative log-likelihood by golden sections."""
    classes = _right(output, rows.shape[1], labels)

    def loss(logarithm: float) -> float:
        warm = dataclasses.replace(output, temperature=math.exp(logarithm))
        return float(-np.log(np.maximum(_likelihoods(warm, rows, classes), 1e-12)).mean())

    low, high = math.log(_LOWEST), math.log(_HIGHEST)
    ratio = (math.sqrt(5) - 1) / 2
    for _ in range(_STEPS):
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        low, high = (low, right) if loss(left) < loss(right) else (left, high)
    return round(math.exp((low + high) / 2), 4)


def _likelihoods(output: Output, rows: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return the probability of each face's right class, as :func:`_right` has it; float64 (n,)."""
    if output.kind == "sigmoid":
        values = rows[:, 0].astype(np.float64)
        if not output.logits:
            values = np.clip(values, 1e-12, 1 - 1e-12)
            values = np.log(values / (1 - values))
        signed = np.where(right, values, -values) / output.temperature
        likely: np.ndarray = 1 / (1 + np.exp(-signed))
        return likely
    found = probabilities(output, rows)
    return np.take_along_axis(found, right[:, None], axis=1)[:, 0]


def _right(output: Output, count: int, labels: np.ndarray) -> np.ndarray:
    """Return which of an output's values stands for each face; of one alone whether it does."""
    if output.kind == "sigmoid":
        own: np.ndarray = labels == GENDERS.index(output.labels[0])
        return own
    if output.task == "gender":
        order = [output.labels.index(name) for name in GENDERS]
        return np.array([order[int(label)] for label in labels])
    ages = np.array(output.group_ages) if output.kind == "classes" else _years(output, count)
    if output.kind == "classes" and len(set(nearest_groups(ages))) == count:
        groups = list(nearest_groups(ages))
        return np.array([groups.index(group) for group in nearest_groups(labels)])
    nearest: np.ndarray = np.abs(labels[:, None] - ages).argmin(axis=1)
    return nearest


def _years(output: Output, count: int) -> np.ndarray:
    ages: np.ndarray = np.clip(np.arange(count) * output.factor + output.offset, 0, MAX_AGE)
    return ages


def _half_width(output: Output, rows: np.ndarray, labels: np.ndarray) -> float:
    """Return what so many faces' errors stay below, in units of their spread."""
    if output.kind == "years":
        ages = np.clip(rows[:, 0] * output.factor + output.offset, 0, MAX_AGE)
        spreads = np.ones(len(rows))
    else:
        found = probabilities(output, rows).astype(np.float64)
        of_class = (
            np.array(output.group_ages)
            if output.kind == "classes"
            else _years(output, found.shape[1])
        )
        ages, spreads = found @ of_class, age_spread(found, of_class)
    errors = np.sort(np.abs(labels - ages) / np.maximum(spreads, 1e-6))
    rank = min(math.ceil((len(errors) + 1) * COVERAGE), len(errors)) - 1
    return round(float(errors[rank]), 4)


def _plain(output: Output) -> Output:
    return dataclasses.replace(output, temperature=1.0, interval=0.0)


def _with_outputs(manifest: Manifest, outputs: list[Output]) -> Manifest:
    return dataclasses.replace(manifest, outputs=tuple(outputs))


def _figures(
    manifest: Manifest, answers: RawAnswers, truth: Truth, chosen: np.ndarray
) -> dict[str, Any]:
    """Score the chosen faces; each keeps its place among all."""
    told = {task: rows[chosen] for task, rows in answers.items()}
    found = statistics(truth.only(chosen), decode_answers([manifest], told))
    return {name: _placed(found[name], chosen) for name in _SHOWN if name in found}


def _placed(statistic: Statistic, chosen: np.ndarray) -> Statistic:
    columns = np.zeros((len(chosen), statistic.columns.shape[1]))
    scored = np.zeros(len(chosen), bool)
    columns[chosen], scored[chosen] = statistic.columns, statistic.scored
    return dataclasses.replace(statistic, columns=columns, scored=scored)


def _joined(parts: list[Any]) -> Any:
    """Put the statistics of separate faces together."""
    return dataclasses.replace(
        parts[0],
        columns=np.sum([part.columns for part in parts], axis=0),
        scored=np.any([part.scored for part in parts], axis=0),
    )


def _told(resampler: Resampler, found: dict[str, Any]) -> dict[str, Any]:
    figures, _ = resampler.figures(found)
    return {name: figure.to_dict() for name, figure in figures.items()}
