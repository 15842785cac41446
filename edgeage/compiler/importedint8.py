"""An imported network in INT8: calibrated on real faces, and refused when that costs accuracy."""

from __future__ import annotations

import contextlib
import dataclasses
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeage.answers import comparable
from edgeage.compiler.calibration import Faces, Split, read_calibration
from edgeage.compiler.int8 import (
    accuracy_figures,
    loss_problem,
    origins,
    quantise_graph,
    worst_layers,
)
from edgeage.compiler.parity import parity_device, rounded
from edgeage.errors import DatasetError, ParityError
from edgeage.evaluation.decoded import Decoded, decode_answers, nearest_groups
from edgeage.evaluation.faces import LabelledFaces, open_faces
from edgeage.evaluation.raw import RawAnswers, answer_faces
from edgeage.networks import load_networks
from edgeage.runtime.core import openvino_core
from edgeage.runtime.openvino import OpenVINOBackend
from edgeage.runtime.options import RuntimeOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from edgeage.compiler.int8 import Int8Options
    from edgeage.compiler.profiles import Profile
    from edgeage.manifest import Manifest

__all__ = ["quantise_imported"]

_LAYER_FACES = 50
"""Calibration faces that each layer's own error is measured on."""


def quantise_imported(
    exact: Manifest,
    described: Manifest,
    profile: Profile,
    data: Path,
    *,
    options: Int8Options,
    folder: Path,
) -> Manifest:
    """Quantise a network that is compiled in FP32, and measure both on the test faces.

    Genders are counted, and ages by the age group they fall into.

    Args:
        exact: the network compiled for the CPU in FP32.
        described: what its manifest in INT8 says, files and figures apart.
        profile: the target's, in INT8.
        data: a built data set.
        options: what the user chose.
        folder: where the files go.

    Raises:
        ModelError: when NNCF cannot quantise the network.
        DatasetError: when the data set is incomplete, or tells none of what the network answers.
        ParityError: when more accuracy is lost than allowed, with the worst layers.
    """
    import openvino as ov

    graph = openvino_core().read_model(exact.file("ir_xml"), exact.file("ir_bin"))
    faces, source = read_calibration(data, exact, options.calibration)
    nobody = Faces(faces.batch[:0], faces.labels[:0])
    split = Split(faces, nobody, source, data)
    probes = faces.batch[:_LAYER_FACES]
    made = quantise_graph(graph, split, profile, options, probes, correct_biases=True)
    name = described.name
    ov.save_model(made.graph, folder / f"{name}.xml", compress_to_fp16=False)
    compiled = dataclasses.replace(
        described.with_files(folder, ir_xml=f"{name}.xml", ir_bin=f"{name}.bin"),
        network_input=None,
    )
    device = parity_device(profile.device)
    with open_faces(data) as tested:
        expected = _answers(exact, "CPU", tested, options.stage("running FP32"))
        found = _answers(compiled, device, tested, options.stage("running INT8"))
        figures = _figures(exact, expected, found, tested, options.points(profile))
    for task, accuracy in figures["accuracy"].items():
        if problem := loss_problem(accuracy, accuracy["faces"], figures["origin"], f"its {task}s"):
            raise ParityError(
                f"{name} for {profile.target} in INT8 {problem}{worst_layers(made, 'other')}"
            )
    figures |= {"mean_allowed": profile.mean_difference, "max_allowed": profile.max_difference}
    if not figures["mean_difference"] <= profile.mean_difference:
        raise ParityError(
            f"{name} for {profile.target} in INT8 differs from FP32 by "
            f"{figures['mean_difference']:.2g} on average over {figures['origin']}, "
            f"{profile.mean_difference:g} is allowed{worst_layers(made, 'other')}"
        )
    return dataclasses.replace(
        compiled,
        parity={**figures, "device": device, **origins(made), "graph": exact.parity},
        tools={**compiled.tools, "nncf": version("nncf")},
    )


def _answers(
    manifest: Manifest,
    device: str,
    faces: LabelledFaces,
    on_progress: Callable[[int, int | None], None],
) -> RawAnswers:
    backend = OpenVINOBackend(device, RuntimeOptions("throughput", cache=False))
    with contextlib.closing(load_networks([manifest], backend, None, None)) as networks:
        return answer_faces(networks, faces, on_progress=on_progress)


def _figures(
    manifest: Manifest,
    expected: RawAnswers,
    found: RawAnswers,
    faces: LabelledFaces,
    points: float,
) -> dict[str, Any]:
    differences = [
        np.abs(comparable(output, found[output.task]) - comparable(output, expected[output.task]))
        for output in manifest.outputs
    ]
    before, after = (decode_answers([manifest], answers) for answers in (expected, found))
    accuracy, changed = {}, 0
    for task, truth, told in _decisions(faces, before, after):
        right = [int((rows == truth).sum()) for rows in told]
        changed += int((told[0] != told[1]).sum())
        accuracy[task] = {
            "faces": len(truth), **accuracy_figures(right[0], right[1], len(truth), points)
        }  # fmt: skip
    if not accuracy:
        raise DatasetError(f"{faces.folder} tells nothing of what {manifest.name} answers")
    if "age" in accuracy:
        accuracy["age"] |= _mean_errors(faces, before, after)
    return {
        "reference": f"the FP32 graph, OpenVINO {version('openvino')}",
        "pictures": len(faces),
        "origin": f"{len(faces)} faces of the {faces.part}",
        "max_difference": rounded(max(float(rows.max()) for rows in differences)),
        "mean_difference": rounded(max(float(rows.mean()) for rows in differences)),
        "changed_decisions": changed,
        "accuracy": accuracy,
    }


def _decisions(
    faces: LabelledFaces, before: Decoded, after: Decoded
) -> Iterator[tuple[str, np.ndarray, tuple[np.ndarray, np.ndarray]]]:
    """Yield a task, what is true of the faces it is known of, and what either network says."""
    truth = faces.truth
    known = np.isfinite(truth.ages)
    if before.ages is not None and after.ages is not None and known.any():
        told = before.ages.groups[known], after.ages.groups[known]
        yield "age", nearest_groups(truth.ages[known]), told
    known = truth.genders >= 0
    if before.genders is not None and after.genders is not None and known.any():
        told = before.genders.genders[known], after.genders.genders[known]
        yield "gender", truth.genders[known], told


def _mean_errors(faces: LabelledFaces, before: Decoded, after: Decoded) -> dict[str, float]:
    assert before.ages is not None
    assert after.ages is not None
    truth = faces.truth.ages
    return {
        f"mae_{name}": round(float(np.nanmean(np.abs(ages.years - truth))), 4)
        for name, ages in (("fp32", before.ages), ("int8", after.ages))
    }
