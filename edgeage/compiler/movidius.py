"""What a model for a Myriad X gets besides its IR: the proof against Caffe, and the blob."""

from __future__ import annotations

import dataclasses
import logging
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeage.compiler.half import HALF_MAX, HalfNetwork, rounded_to_half
from edgeage.compiler.parity import check_parity, rounded
from edgeage.compiler.references import Reference, caffe_reference
from edgeage.movidius.blobs import compile_blob
from edgeage.movidius.networks import run_ir

if TYPE_CHECKING:
    from edgeage.compiler.parity import Pictures
    from edgeage.compiler.profiles import Profile
    from edgeage.compiler.sources import TrainedModel
    from edgeage.manifest import Manifest
    from edgeage.movidius.toolchain import Toolchain

__all__ = ["check_and_add_blob", "half_figures"]

_LOGGER = logging.getLogger(__name__)


def check_and_add_blob(
    trained: TrainedModel,
    compiled: Manifest,
    pictures: Pictures,
    profile: Profile,
    toolchain: Toolchain,
) -> Manifest:
    """Prove the IR of a compiled model against Caffe, and compile its blob beside it.

    Args:
        trained: the trained network.
        compiled: the compiled model so far, with its IR written.
        pictures: what to compare them on.
        profile: its tolerances decide, and how the blob is compiled.
        toolchain: the Movidius tools.

    Returns:
        The manifest with the blob, its header, the parity figures and the tools' versions.

    Raises:
        ParityError: when the IR differs by more than the profile allows.
        ToolchainError: when the tools do not work or cannot compile the network.
    """
    assert profile.blob is not None
    xml, weights = compiled.file("ir_xml"), compiled.file("ir_bin")
    _LOGGER.info("Comparing %s with Caffe on %s", compiled.name, pictures.origin)
    reference = caffe_reference(trained, pictures.batch, toolchain)
    answers, version = run_ir(toolchain, xml, weights, pictures.batch)
    figures = check_parity(trained, lambda _: answers, pictures, profile, reference)
    figures["engine"] = f"OpenVINO {version} on its CPU"
    figures["half"] = half_figures(trained, pictures, reference, lrn_scale=profile.lrn_scale)
    name = f"{compiled.name}.blob"
    info = compile_blob(toolchain, xml, weights, profile.blob, compiled.folder / name)
    files = {role: entry["name"] for role, entry in compiled.files.items()}
    return dataclasses.replace(
        compiled,
        parity=figures,
        blob={**info.to_dict(), "options": dataclasses.asdict(profile.blob)},
        tools={**compiled.tools, "movidius_openvino": version, "reference": reference.engine},
    ).with_files(compiled.folder, **files, blob=name)


def half_figures(
    trained: TrainedModel, pictures: Pictures, reference: Reference, *, lrn_scale: float = 1.0
) -> dict[str, object]:
    """Measure what half-precision arithmetic does to a network's answers.

    Args:
        trained: the trained network.
        pictures: what to measure it on.
        reference: the trained network's answers in single precision.
        lrn_scale: of the profile it is compiled by.

    Returns:
        ``simulated`` (what is), ``pictures``, ``changed_decisions``, ``max_difference``,
        ``mean_difference``, ``mean_rounding`` (largest change of the mean, in grey levels),
        ``limit`` (65,504), ``peak`` and ``peak_at`` (the largest number and the layer it is
        in), and ``overflows`` (every place beyond the limit, in words).
    """
    network = HalfNetwork(trained, lrn_scale=lrn_scale)
    output = trained.manifest.output_name
    answers = np.concatenate([made[output] for made in network.chunks(pictures.batch)])
    answers = answers.reshape(len(pictures.batch), -1)
    difference = np.abs(answers.astype(np.float64) - reference.answers)
    changed = answers.argmax(axis=1) != reference.answers.argmax(axis=1)
    return {
        "simulated": "weights, mean, every layer's result and every step of LRN rounded to half "
        "precision, other sums inside a layer in single",
        "pictures": len(pictures.batch),
        # An answer that is no number is no decision.
        "changed_decisions": int((changed | ~np.isfinite(answers).all(axis=1)).sum()),
        "max_difference": _finite(difference.max()),
        "mean_difference": _finite(difference.mean()),
        "mean_rounding": _mean_rounding(trained),
        **_peak(network.peaks),
    }


def _peak(peaks: dict[str, float]) -> dict[str, Any]:
    overflows = [name for name, peak in peaks.items() if not peak <= HALF_MAX]
    # The first place beyond the limit makes what follows it beyond it too.
    place = overflows[0] if overflows else max(peaks, key=lambda name: peaks[name])
    return {
        "limit": HALF_MAX,
        "peak": _finite(peaks[place]),
        "peak_at": place,
        "overflows": [f"{name} ({_finite(peaks[name])})" for name in overflows],
    }


def _mean_rounding(trained: TrainedModel) -> float:
    if trained.mean is None:
        return 0.0
    return rounded(float(np.abs(rounded_to_half(trained.mean) - trained.mean).max()))


def _finite(value: float) -> float | str:
    """Round a figure; JSON has no infinity and no NaN, so these become words."""
    return rounded(value) if np.isfinite(value) else str(float(value))
