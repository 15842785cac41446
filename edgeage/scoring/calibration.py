"""Temperature and interval of a model, fitted on faces it was not trained on.

The temperature is the one of the least negative log-likelihood of the right classes (C. Guo et
al.: On Calibration of Modern Neural Networks, ICML 2017). The interval is a conformal one (J. Lei
et al.: Distribution-Free Predictive Inference for Regression, JASA 113, 2018): half its width, in
standard deviations of the age, is what four of five faces stay below.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeage.answers import age_spread, probabilities
from edgeage.datasets.seeds import fraction
from edgeage.errors import DatasetError
from edgeage.evaluation.bootstrap import Resampler
from edgeage.evaluation.decoded import decode_answers, nearest_groups
from edgeage.evaluation.figures import statistics
from edgeage.labels import GENDERS, MAX_AGE

if TYPE_CHECKING:
    from edgeage.evaluation.faces import LabelledFaces, Truth
    from edgeage.evaluation.raw import RawAnswers
    from edgeage.manifest import Manifest
    from edgeage.outputs import Output

__all__ = ["COVERAGE", "Calibration", "calibrate", "fit_output"]

COVERAGE = 0.8
"""Share of the faces whose age is to lie within its interval."""

_LEAST_FACES = 50
_PARTS = 5
_LOWEST, _HIGHEST = 0.1, 10.0
_STEPS = 60
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
        DatasetError: when fewer than fifty faces have a label of a task.
        DeviceError: when an answer is not a number.
    """
    plain = _with_outputs(manifest, [_plain(output) for output in manifest.outputs])
    truth = faces.truth
    parts = np.array([int(fraction(_SEED, "part", unit) * _PARTS) for unit in truth.units])
    everyone = np.ones(len(faces), bool)
    fitted = [fit_output(output, answers[output.task], truth, everyone) for output in plain.outputs]
    decoded = []
    for part in range(_PARTS):
        others = [
            fit_output(output, answers[output.task], truth, parts != part)
            for output in plain.outputs
        ]
        decoded.append(_figures(_with_outputs(plain, others), answers, truth, parts == part))
    before = _figures(plain, answers, truth, everyone)
    after = {name: _joined([part[name] for part in decoded if name in part]) for name in decoded[0]}
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


def fit_output(output: Output, rows: np.ndarray, truth: Truth, chosen: np.ndarray) -> Output:
    """Fit one output's temperature and interval.

    Args:
        output: what it means.
        rows: float (n, values), what it held for each face.
        truth: the faces' labels.
        chosen: bool (n,), which faces to fit on.

    Raises:
        DatasetError: when fewer than fifty of them have a label.
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

    def loss(logarithm: float) -> float:
        warm = dataclasses.replace(output, temperature=math.exp(logarithm))
        return float(-np.log(np.maximum(_likelihoods(warm, rows, labels), 1e-12)).mean())

    low, high = math.log(_LOWEST), math.log(_HIGHEST)
    ratio = (math.sqrt(5) - 1) / 2
    for _ in range(_STEPS):
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        low, high = (low, right) if loss(left) < loss(right) else (left, high)
    return round(math.exp((low + high) / 2), 4)


def _likelihoods(output: Output, rows: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the probability of each face's right class, float64 (n,)."""
    if output.kind == "sigmoid":
        right = np.array([GENDERS.index(output.labels[0]) == int(label) for label in labels])
        values = rows[:, 0].astype(np.float64)
        if not output.logits:
            values = np.clip(values, 1e-12, 1 - 1e-12)
            values = np.log(values / (1 - values))
        powers: np.ndarray = 1 / (
            1 + np.exp(-np.where(right, values, -values) / output.temperature)
        )
        return powers
    found = probabilities(output, rows)
    return found[np.arange(len(rows)), _classes(output, found.shape[1], labels)]


def _classes(output: Output, count: int, labels: np.ndarray) -> np.ndarray:
    """Return which of an output's values stands for each face."""
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
    found = statistics(truth, decode_answers([manifest], answers))
    return {name: found[name].of(chosen) for name in _SHOWN if name in found}


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
