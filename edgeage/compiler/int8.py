"""What INT8 needs besides a graph: faces to calibrate with, and proof that accuracy is kept."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeage.compiler.graph import name_the_rest
from edgeage.compiler.layererrors import float_layers, layer_errors
from edgeage.compiler.parity import differences, parity_device, rounded
from edgeage.compiler.quantise import allowed_faces, quantise
from edgeage.errors import ParityError, UsageError
from edgeage.evaluation.score import check_labels, predict_probabilities
from edgeage.runtime.openvino import OpenVINOBackend
from edgeage.runtime.options import RuntimeOptions

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgeage.compiler.calibration import Split
    from edgeage.compiler.layererrors import LayerError
    from edgeage.compiler.profiles import Profile
    from edgeage.manifest import Manifest

__all__ = [
    "Int8Options",
    "Quantised",
    "accuracy_figures",
    "check_accuracy",
    "loss_problem",
    "origins",
    "quantise_graph",
    "worst_layers",
]

WORST = 3
"""How many layers a refusal names."""


def _silent(_stage: str, _done: int, _total: int | None) -> None:
    """Tell nobody."""


@dataclasses.dataclass(frozen=True)
class Int8Options:
    """What the user may choose of a quantisation.

    Attributes:
        calibration: faces to calibrate with.
        accuracy_control: put the layers that cost too much accuracy back to float.
        max_drop: percentage points of accuracy that may be lost; None for the profile's.
        on_progress: told what is going on and how many of how many faces are done.

    Raises:
        UsageError: for a number out of range.
    """

    calibration: int = 300
    accuracy_control: bool = False
    max_drop: float | None = None
    on_progress: Callable[[str, int, int | None], None] = dataclasses.field(
        default=_silent, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        if self.calibration < 1:
            raise UsageError(f"expected at least 1 face to calibrate with, got {self.calibration}")
        if self.max_drop is not None and not 0 <= self.max_drop <= 100:
            raise UsageError(f"expected max_drop of 0 to 100 points, got {self.max_drop:g}")

    def points(self, profile: Profile) -> float:
        """Return how many percentage points may be lost.

        Args:
            profile: the target's, which decides where the user does not.
        """
        drop = profile.max_accuracy_drop if self.max_drop is None else self.max_drop
        assert drop is not None
        return drop

    def stage(self, name: str) -> Callable[[int, int | None], None]:
        """Return what takes the progress of one stage.

        Args:
            name: the stage's name.
        """
        return lambda done, total: self.on_progress(name, done, total)


@dataclasses.dataclass(frozen=True)
class Quantised:
    """A quantised graph and what it was made with.

    Attributes:
        graph: ``openvino.Model`` with the input and output of the exact one.
        split: the faces.
        errors: of every quantised layer, the largest first.
        float_layers: the layers that accuracy control left in float.
    """

    graph: Any
    split: Split
    errors: list[LayerError]
    float_layers: list[str]


def quantise_graph(
    graph: Any,
    split: Split,
    profile: Profile,
    options: Int8Options,
    pictures: np.ndarray,
    *,
    correct_biases: bool = False,
) -> Quantised:
    """Quantise a graph and measure every layer's error.

    Args:
        graph: ``openvino.Model`` in single precision.
        split: the faces; those for control are used where there are any.
        profile: the target's, in INT8.
        options: what the user chose.
        pictures: what each layer's error is measured on: uint8 (n, 3, height, width), BGR.
        correct_biases: as for :func:`edgeage.compiler.quantise.quantise`.

    Raises:
        MissingDependencyError: when NNCF is not installed.
        ModelError: when NNCF cannot quantise the network.
        ParityError: when accuracy control leaves no layer in INT8.
    """
    made = quantise(
        graph,
        split,
        max_drop=options.points(profile),
        device=profile.device,
        correct_biases=correct_biases,
        on_progress=options.stage("calibrating"),
    )
    name_the_rest(made)
    errors = layer_errors(graph, made, pictures)
    if not errors:
        raise ParityError(
            f"every layer had to be left in float to lose no more than {options.points(profile):g} "
            "points of accuracy; nothing was written; compile with --precision FP16"
        )
    return Quantised(made, split, errors, float_layers(made))


def check_accuracy(
    exact: Manifest, compiled: Manifest, made: Quantised, profile: Profile, options: Int8Options
) -> dict[str, Any]:
    """Compare a quantised network with the exact one on every face of the test LMDB.

    Args:
        exact: the network compiled for the CPU in FP32.
        compiled: the same in INT8.
        made: what it was compiled from.
        profile: the target's, in INT8: where it runs and how far it may be off.
        options: what the user chose.

    Returns:
        The figures for the manifest: those of :func:`edgeage.compiler.parity.check_parity`, and
        ``device``, ``accuracy``, ``calibration``, ``layers``, ``float_layers`` and ``graph``,
        which docs/int8.md describes.

    Raises:
        ParityError: when more accuracy is lost than allowed, with the worst layers.
    """
    expected, labels = _answers(exact, "CPU", made.split, options.stage("running FP32"))
    device = parity_device(profile.device)
    found, _ = _answers(compiled, device, made.split, options.stage("running INT8"))
    accuracy = _accuracy(expected, found, labels, options.points(profile))
    difference = np.abs(found.astype(np.float64) - expected)
    figures = {
        "reference": f"the FP32 graph, OpenVINO {exact.tools['openvino']}",
        "pictures": len(labels),
        "origin": f"{len(labels)} faces of {made.split.test_lmdb.name}",
        **differences(expected, found),
        "max_allowed": profile.max_difference,
        "mean_allowed": profile.mean_difference,
        "device": device,
        "accuracy": accuracy,
        **origins(made),
        "graph": exact.parity,
    }
    if problem := _problem(figures, accuracy, difference.mean()):
        raise ParityError(
            f"{compiled.name} for {profile.target} in INT8 {problem}{worst_layers(made)}"
        )
    return figures


def _answers(
    manifest: Manifest, device: str, split: Split, on_progress: Callable[[int, int | None], None]
) -> tuple[np.ndarray, np.ndarray]:
    from edgeage.datasets.store import DatumReader

    backend = OpenVINOBackend(device, RuntimeOptions(cache=False))
    with (
        DatumReader(split.test_lmdb) as reader,
        contextlib.closing(backend.load(manifest)) as session,
    ):
        answers, labels = predict_probabilities(session, manifest, reader, on_progress)
    check_labels(labels, manifest, split.test_lmdb)
    return answers, labels


def _accuracy(
    expected: np.ndarray, found: np.ndarray, labels: np.ndarray, points: float
) -> dict[str, Any]:
    right = [int((answers.argmax(axis=1) == labels).sum()) for answers in (expected, found)]
    return accuracy_figures(right[0], right[1], len(labels), points)


def accuracy_figures(fp32: int, int8: int, faces: int, points: float) -> dict[str, Any]:
    """Return what the manifest says of how many faces are decided rightly.

    Args:
        fp32: how many by the exact network.
        int8: how many by the quantised one.
        faces: of how many.
        points: percentage points that may be lost.
    """
    return {
        "fp32": round(fp32 / faces, 5),
        "int8": round(int8 / faces, 5),
        "fp32_correct": fp32,
        "int8_correct": int8,
        "drop": round(100 * (fp32 - int8) / faces, 3),
        "max_drop": points,
    }


def origins(made: Quantised) -> dict[str, Any]:
    """Return what the manifest says of the calibration and of the layers."""
    split = made.split
    return {
        "calibration": {
            "origin": split.train_lmdb.name,
            "faces": len(split.calibration),
            "control_faces": len(split.control),
        },
        "layers": [
            {
                "layer": error.layer,
                "relative_error": rounded(error.relative_error),
                "sqnr_db": rounded(error.sqnr_db) if error.relative_error else None,
            }
            for error in made.errors
        ],
        "float_layers": made.float_layers,
    }


def _problem(figures: dict[str, Any], accuracy: dict[str, Any], mean: float) -> str:
    if lost := loss_problem(accuracy, figures["pictures"], figures["origin"]):
        return lost
    # «not ≤» rather than «>» so that NaN fails.
    if not mean <= figures["mean_allowed"]:
        return (
            f"differs from FP32 by {mean:.2g} on average over {figures['origin']}, "
            f"{figures['mean_allowed']:g} is allowed"
        )
    return ""


def loss_problem(accuracy: dict[str, Any], faces: int, origin: str, what: str = "accuracy") -> str:
    """Say that too much accuracy is lost; nothing where it is not.

    Args:
        accuracy: from :func:`accuracy_figures`.
        faces: on how many it was measured.
        origin: which these are.
        what: is lost.
    """
    lost = accuracy["fp32_correct"] - accuracy["int8_correct"]
    if lost <= allowed_faces(accuracy["max_drop"], faces):
        return ""
    return (
        f"loses {accuracy['drop']:.2f} points of {what} ({accuracy['fp32_correct']} of {origin} "
        f"right in FP32, {accuracy['int8_correct']} in INT8), {accuracy['max_drop']:g} are allowed"
    )


def worst_layers(made: Quantised, advice: str = "--accuracy-control, other") -> str:
    """Name the layers with the largest errors, for a refusal, and say what to try."""
    layers = ", ".join(str(error) for error in made.errors[:WORST])
    return (
        f"; worst layers by their own error: {layers}; nothing was written; try "
        f"{advice} --calibration faces, or FP16"
    )
