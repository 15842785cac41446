"""What models answer for labelled faces, kept by the hashes of both so that it is asked once."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import zipfile
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeage.evaluation.crops import cropped
from edgeage.networks import load_networks
from edgeage.paths import atomic_file, cache_dir
from edgeage.prediction.clock import StageClock
from edgeage.runtime.devices import open_backend
from edgeage.runtime.options import RuntimeOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from edgeage.evaluation.faces import LabelledFaces
    from edgeage.manifest import Manifest
    from edgeage.networks import NetworkSet
    from edgeage.runtime import Backend

__all__ = ["RawAnswers", "answer_faces", "kept_answers"]

_CHUNK = 64

RawAnswers = dict[str, np.ndarray]
"""By task, float32 (faces, values): what the network's output for it held."""


def kept_answers(
    manifests: Sequence[Manifest],
    faces: LabelledFaces,
    *,
    crop: str = "tight",
    crops: int = 1,
    device: str = "CPU",
    backend: Backend | None = None,
    cache: bool = True,
    on_progress: Callable[[int, int | None], None] | None = None,
) -> RawAnswers:
    """Return what networks answer for faces, from an earlier run where nothing has changed.

    Args:
        manifests: compiled models, one a task.
        faces: what to answer for.
        crop: one of :data:`edgeage.evaluation.crops.CROPS`.
        crops: how many views of that are answered for and averaged, of
            :data:`edgeage.views.CROPS`.
        device: where to run them.
        backend: what runs them instead of the device's own runtime; nothing is kept then.
        cache: whether to keep the answers, and take kept ones.
        on_progress: told how many of how many faces are done.

    Raises:
        ModelError: when a model's file is missing or changed, or two answer the same task.
        DeviceError: when the device is not there or fails.
        DatasetError: when a picture is damaged.
        UsageError: for ``crops`` that there are not.
    """
    path = _place(manifests, faces, crop, crops, device)
    keep = cache and backend is None
    if keep and (found := _kept(path, len(faces))) is not None:
        return found
    backend = backend or open_backend(device, RuntimeOptions("throughput", cache=cache))
    with contextlib.closing(load_networks(manifests, backend, None, None, crops)) as networks:
        answers = answer_faces(networks, faces, crop=crop, on_progress=on_progress)
    if keep:
        # Answers that cannot be kept are only asked for again.
        with contextlib.suppress(OSError):
            _keep(path, answers)
    return answers


def answer_faces(
    networks: NetworkSet,
    faces: LabelledFaces,
    *,
    crop: str = "tight",
    on_progress: Callable[[int, int | None], None] | None = None,
) -> RawAnswers:
    """Run loaded networks on faces, in batches; see :func:`kept_answers`."""
    clock, parts = StageClock(), []
    names = faces.names
    chunk = max(1, _CHUNK // networks.crops)
    for start in range(0, len(faces), chunk):
        places = range(start, min(start + chunk, len(faces)))
        pictures = [cropped(faces.picture(place), names[place], crop) for place in places]
        batches = {spec: networks.prepare(spec, pictures) for spec in networks.inputs}
        answers = networks.infer(batches, clock)
        parts.append(
            {
                output.task: answers[output.task].outputs[output.name].astype(np.float32)
                for manifest in networks.manifests
                for output in manifest.outputs
            }
        )
        if on_progress is not None:
            on_progress(places.stop, len(faces))
    return {task: np.concatenate([part[task] for part in parts]) for task in parts[0]}


def _place(
    manifests: Sequence[Manifest], faces: LabelledFaces, crop: str, crops: int, device: str
) -> Path:
    """Name the file by all that an answer depends on; how it is decoded is not part of it."""
    described = [
        {
            "files": {role: _hash(manifest, role) for role in sorted(manifest.files)},
            "outputs": [(output.task, output.name) for output in manifest.outputs],
            "input": dataclasses.asdict(manifest.input),
            "network_input": manifest.network_input and dataclasses.asdict(manifest.network_input),
            "options": manifest.options,
        }
        for manifest in manifests
    ]
    fields: dict[str, Any] = {
        "models": described,
        "faces": faces.sha256,
        "crop": crop,
        "crops": crops,
        "device": device,
        "tools": [version(tool) for tool in ("edgeage", "openvino")],
    }
    text = json.dumps(fields, sort_keys=True)
    return cache_dir() / "answers" / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.npz"


def _hash(manifest: Manifest, role: str) -> str:
    from edgeage.paths import sha256_file

    return manifest.files[role].get("sha256") or sha256_file(manifest.file(role))


def _keep(path: Path, answers: RawAnswers) -> None:
    with atomic_file(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, **answers)  # type: ignore[arg-type]


def _kept(path: Path, count: int) -> RawAnswers | None:
    """Return kept answers, unless they are missing or damaged."""
    with contextlib.suppress(OSError, ValueError, KeyError, zipfile.BadZipFile):
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            found = {task: stored[task] for task in stored.files}
        if found and all(len(values) == count for values in found.values()):
            return found
    return None
