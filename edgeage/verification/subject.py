"""What is verified: a trained network, a compiled one, or both when they belong together."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgeage.compiler.profiles import read_profile
from edgeage.compiler.sources import RELEASED, TrainedModel, find_model
from edgeage.errors import EdgeageError, ModelError
from edgeage.inputspec import center_crop
from edgeage.manifest import Manifest
from edgeage.paths import sha256_file
from edgeage.verification.points import Point, find_points

if TYPE_CHECKING:
    from typing import Any

__all__ = ["Subject", "find_subject"]


@dataclasses.dataclass(frozen=True)
class Subject:
    """One network in the forms it is there.

    Attributes:
        manifest: of the compiled network if there is one, else of the trained one.
        trained: the trained network, or None when only a compiled one is there.
        compiled: the compiled network's manifest, or None.
        points: where engines are compared; only the output without the trained network.
    """

    manifest: Manifest
    trained: TrainedModel | None
    compiled: Manifest | None
    points: tuple[Point, ...]

    def normalised(self, batch: np.ndarray) -> np.ndarray:
        """Turn bytes into what Caffe's input blob holds, (pixel − mean) · scale.

        Args:
            batch: uint8 (n, 3, height, width), BGR.

        Returns:
            float32 of the same shape.
        """
        assert self.trained is not None
        spec = self.trained.manifest.input
        values = batch.astype(np.float32)
        if (mean := self.trained.mean) is not None:
            values -= center_crop(mean, spec.input_hw) if mean.ndim == 3 else mean.reshape(3, 1, 1)
        if spec.scale != 1:
            values *= np.float32(spec.scale)
        return values


def find_subject(model: str | Path, *, trained: str | Path | None = None, **given: Any) -> Subject:
    """Find what is to be verified.

    Args:
        model: a released name, a ``.caffemodel``, or a compiled model's folder.
        trained: for a compiled folder, the trained network it was made of, as a name or a
            ``.caffemodel``; a released network that fits is found without.
        **given: ``prototxt``, ``mean`` and ``task`` of a ``.caffemodel`` without a manifest; see
            :func:`edgeage.compiler.find_model`.

    Raises:
        UsageError: for an unknown name, or when something that no manifest says is not given.
        ModelError: when a file is missing, changed or corrupt, or ``trained`` is not what the
            folder was compiled from.
    """
    folder = Path(model)
    if not (folder / "model.json").is_file():
        found = find_model(model, **given)
        return Subject(found.manifest, found, None, _points(found))
    compiled = Manifest.read(folder / "model.json")
    origin = _origin(compiled, trained, given)
    points = _points(origin) if origin else (Point(compiled.output_name, "", "output"),)
    return Subject(compiled, origin, compiled, points)


def _points(trained: TrainedModel) -> tuple[Point, ...]:
    from edgeage import caffe

    net = caffe.filter_net(caffe.read_net(trained.prototxt), "TEST")
    # What half precision holds concerns a Myriad X, for which the normalisations are scaled.
    points = find_points(net, lrn_scale=read_profile("MYRIAD", "FP16").lrn_scale)
    names = [point.blob for point in points]
    if trained.manifest.output_name not in names:
        raise ModelError(
            f"{trained.prototxt} has no blob «{trained.manifest.output_name}», which "
            f"{trained.manifest.name}'s manifest names as its output"
        )
    return tuple(points)


def _origin(
    compiled: Manifest, trained: str | Path | None, given: dict[str, Any]
) -> TrainedModel | None:
    expected = compiled.source.get("compiled_from", {}).get("caffemodel_sha256")
    if trained is not None:
        found = find_model(trained, **given)
        if expected and sha256_file(found.caffemodel) != expected:
            raise ModelError(
                f"{compiled.folder} was not compiled from {found.caffemodel}; give the weights it "
                "was made of, or compile it again"
            )
        return found
    if compiled.name not in RELEASED:
        return None
    try:
        found = find_model(compiled.name)
    except EdgeageError:
        # An installation without the released weights.
        return None
    return found if sha256_file(found.caffemodel) == expected else None
