"""Check that a compiled network answers as the trained one does, on the same pictures."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from edgeage.compiler.references import Reference, opencv_reference
from edgeage.errors import ParityError
from edgeage.paths import data_dir
from edgeage.runtime.devices import kind_of
from edgeage.runtime.openvino import available_devices

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from edgeage.compiler.profiles import Profile
    from edgeage.compiler.sources import TrainedModel
    from edgeage.inputspec import InputSpec

__all__ = [
    "MAX_PICTURES",
    "Pictures",
    "check_parity",
    "differences",
    "parity_device",
    "parity_pictures",
    "rounded",
]

MAX_PICTURES = 100
"""Most pictures a parity check looks at."""

_SAMPLE = "test_0.png"
_T = TypeVar("_T")


@dataclasses.dataclass(frozen=True)
class Pictures:
    """The inputs of a parity check.

    Attributes:
        batch: uint8 of shape (n, 3, height, width), BGR, as the network takes them.
        origin: where they come from, for the manifest.
    """

    batch: np.ndarray
    origin: str


def check_parity(
    trained: TrainedModel,
    infer: Callable[[np.ndarray], np.ndarray],
    pictures: Pictures,
    profile: Profile,
    reference: Reference | None = None,
) -> dict[str, object]:
    """Compare a compiled network with the trained one.

    Args:
        trained: the trained network.
        infer: the compiled one: uint8 (n, 3, height, width) → float32 (n, labels).
        pictures: what to compare them on.
        profile: its tolerances decide.
        reference: the trained network's answers; None asks OpenCV.

    Returns:
        The figures for the manifest: ``reference``, ``pictures``, ``origin``,
        ``max_difference``, ``mean_difference``, ``changed_decisions``, ``max_allowed`` and
        ``mean_allowed``.

    Raises:
        ModelError: when OpenCV cannot run the trained network, or the output is no probabilities.
        ParityError: when the difference is beyond the profile's tolerances.
    """
    name = trained.manifest.name
    reference = reference or opencv_reference(trained, pictures.batch)
    expected = reference.answers
    found = infer(pictures.batch)
    if found.shape != expected.shape:
        raise ParityError(
            f"{name}: the compiled network answers {found.shape[1]} values, the "
            f"trained one {expected.shape[1]}"
        )
    difference = np.abs(found.astype(np.float64) - expected)
    figures = {
        "reference": reference.engine,
        "pictures": len(pictures.batch),
        "origin": pictures.origin,
        **differences(expected, found),
        "max_allowed": profile.max_difference,
        "mean_allowed": profile.mean_difference,
    }
    # «not ≤» rather than «>» so that NaN fails.
    if not (
        difference.max() <= profile.max_difference and difference.mean() <= profile.mean_difference
    ):
        raise ParityError(
            f"{name} for {profile.target} in {profile.precision} differs from the trained network "
            f"by up to {difference.max():.2g} (mean {difference.mean():.2g}) on "
            f"{len(pictures.batch)} pictures; {profile.max_difference:g} (mean "
            f"{profile.mean_difference:g}) is allowed; nothing was written"
        )
    return figures


def parity_device(device: str) -> str:
    """Return the device a compiled model is proved on: the one it is for, or else the CPU."""
    return device if any(kind_of(name) == device for name in available_devices()) else "CPU"


def parity_pictures(data: Path | None, spec: InputSpec, task: str) -> Pictures:
    """Collect the pictures of a parity check.

    Args:
        data: a built data set (its test LMDB is used), an LMDB, a folder of pictures or one
            picture; None for edgeage's own sample picture, shifted, cropped and made darker and
            brighter.
        spec: how a picture becomes the network's input.
        task: which of a data set's test LMDBs.

    Raises:
        DatasetError: when the LMDB is missing, empty or corrupt.
        ImageError: when the folder holds no readable picture.
    """
    if data is None:
        return _sample_pictures(spec)
    for lmdb in (data / f"{task}_test_lmdb", data):
        if (lmdb / "data.mdb").is_file():
            return _stored_pictures(lmdb, spec)
    from edgeage.sources import find_sources

    sources = _spread(list(find_sources(data)))
    batch = np.stack([spec.prepare(source.read()) for source in sources])
    return Pictures(batch, f"{len(sources)} pictures of {data.name}")


def _stored_pictures(lmdb: Path, spec: InputSpec) -> Pictures:
    from edgeage.datasets.store import DatumReader

    with DatumReader(lmdb) as reader:
        places = _spread(range(len(reader)))
        stored = [reader.get(place)[0] for place in places]
    batch = np.stack([spec.prepare(np.ascontiguousarray(p.transpose(1, 2, 0))) for p in stored])
    return Pictures(batch, f"{len(places)} pictures of {lmdb.name}")


def _sample_pictures(spec: InputSpec) -> Pictures:
    from edgeage.images import read_image

    image = read_image(data_dir("examples") / _SAMPLE)
    batch = [spec.prepare(variant) for variant in _variants(image)]
    return Pictures(np.stack(batch), f"{len(batch)} variants of {_SAMPLE}")


def _variants(image: np.ndarray) -> list[np.ndarray]:
    """Crop and shift a picture four ways, each mirrored or not, at three brightnesses."""
    height, width = image.shape[:2]
    down = [(0.0, 1.0), (0.1, 0.9), (0.0, 0.9), (0.1, 1.0)]
    across = [(0.0, 1.0), (0.1, 0.9), (0.1, 1.0), (0.0, 0.9)]
    crops = [
        image[int(top * height) : int(bottom * height), int(left * width) : int(right * width)]
        for (top, bottom), (left, right) in zip(down, across, strict=True)
    ]
    both = [view for crop in crops for view in (crop, crop[:, ::-1])]
    return [
        np.clip(crop.astype(np.float32) * gain, 0, 255).astype(np.uint8)
        for crop in both
        for gain in (0.6, 1.0, 1.4)
    ]


def _spread(items: Sequence[_T]) -> list[_T]:
    """Take at most :data:`MAX_PICTURES`, evenly spread."""
    count = min(len(items), MAX_PICTURES)
    return [items[place * len(items) // count] for place in range(count)]


def differences(expected: np.ndarray, found: np.ndarray) -> dict[str, object]:
    """Return how far probabilities, (n, labels), are from what was expected, JSON-ready."""
    apart = np.abs(found.astype(np.float64) - expected)
    return {
        "max_difference": rounded(apart.max()),
        "mean_difference": rounded(apart.mean()),
        "changed_decisions": int((found.argmax(axis=1) != expected.argmax(axis=1)).sum()),
    }


def rounded(value: float) -> float:
    """Round a figure to the three digits that say something."""
    return float(f"{value:.3g}")
