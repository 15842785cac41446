"""Finding the trained network a compilation starts from."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeage.errors import ModelError, UsageError, did_you_mean
from edgeage.inputspec import InputSpec
from edgeage.labels import TASK_LABELS
from edgeage.manifest import Manifest
from edgeage.means import replaced_mean
from edgeage.paths import data_dir, sha256_file

if TYPE_CHECKING:
    import numpy as np

__all__ = ["RELEASED", "TrainedModel", "find_model", "released_path"]

RELEASED = ("agenet", "gendernet")
"""Names of the Caffe models that come with edgeage, one for each task."""


@dataclasses.dataclass(frozen=True)
class TrainedModel:
    """A trained network ready to be compiled.

    Attributes:
        manifest: what is known about it; its ``input`` agrees with ``mean``.
        caffemodel: path of its weights.
        prototxt: path of its deploy network.
        mean: float32 of the shape ``manifest.input.mean_shape``, BGR, or None without a mean.
    """

    manifest: Manifest
    caffemodel: Path
    prototxt: Path
    mean: np.ndarray | None


def find_model(
    model: str | Path,
    *,
    prototxt: Path | None = None,
    mean: Path | None = None,
    task: str | None = None,
) -> TrainedModel:
    """Find a trained network and check that its files belong together.

    Args:
        model: the name of a released model, or the path of a ``.caffemodel``.
        prototxt: its deploy network, where no manifest names it or another is wanted.
        mean: ``.npy`` or ``.binaryproto``, likewise.
        task: ``"age"`` or ``"gender"``, where there is no manifest.

    Returns:
        The network, its files checked against their hashes where a manifest has them.

    Raises:
        UsageError: for an unknown name, or when something that no manifest says is not given.
        ModelError: when a file is missing, changed or corrupt.
        MeanError: when the mean is missing, corrupt, or of the wrong shape or order.
    """
    path = _weights_path(model)
    manifest_path = path.with_suffix(".json")
    if manifest_path.is_file():
        return _with_manifest(Manifest.read(manifest_path), path, prototxt, mean)
    if not path.is_file():
        raise ModelError(f"{path} is missing; expected a trained network's weights there")
    return _without_manifest(path, prototxt, mean, task)


def released_path(name: str) -> Path:
    """Return the path of a released model's weights; its manifest is beside it.

    Raises:
        ModelError: when this installation does not have them.
    """
    path = data_dir("caffe_models") / f"{name}.caffemodel"
    if not path.with_suffix(".json").is_file():
        raise ModelError(
            f"the released weights of {name} are not in this installation; train them with "
            f"«edgeage train {name}» and give the path of the .caffemodel to «edgeage compile»"
        )
    return path


def _weights_path(model: str | Path) -> Path:
    path = Path(model)
    if isinstance(model, Path) or path.suffix == ".caffemodel" or path.name != model:
        if path.suffix != ".caffemodel":
            raise UsageError(f"{path} is not a .caffemodel; give the trained weights' file")
        return path
    if model not in RELEASED:
        raise UsageError(
            f"unknown model «{model}»; expected {', '.join(RELEASED)}, the path of a .caffemodel, "
            f"or an imported model's name or folder{did_you_mean(model, RELEASED)}"
        )
    return released_path(model)


def _with_manifest(
    manifest: Manifest, path: Path, prototxt: Path | None, mean: Path | None
) -> TrainedModel:
    caffemodel = manifest.file("caffemodel")
    if caffemodel.name != path.name:
        raise ModelError(f"{path.with_suffix('.json')} is the manifest of {caffemodel.name}")
    array = _own_mean(manifest)
    if mean is not None:
        array = replaced_mean(mean, manifest.input, reference=array)
    deploy = prototxt or manifest.file("prototxt")
    spec = _spec_with(manifest.input, array)
    return TrainedModel(dataclasses.replace(manifest, input=spec), caffemodel, deploy, array)


def _own_mean(manifest: Manifest) -> np.ndarray | None:
    if manifest.input.mean == "none":
        return None
    from edgeage import caffe

    path, shape = manifest.file("mean"), manifest.input.mean_shape
    array = caffe.read_mean(path)
    assert shape is not None
    # The model's own mean is right by definition: it is its own reference for the channel order.
    array = caffe.check_mean(array, shape, reference=array)
    if caffe.mean_sha256(array) != (manifest.input.mean_sha256 or caffe.mean_sha256(array)):
        raise ModelError(f"{path} is not the mean {manifest.name} was trained with")
    return array


def _without_manifest(
    path: Path, prototxt: Path | None, mean: Path | None, task: str | None
) -> TrainedModel:
    given = {"--prototxt": prototxt, "--mean": mean, "--task": task}
    if missing := [option for option, value in given.items() if value is None]:
        raise UsageError(
            f"{path} has no {path.with_suffix('.json').name} beside it that says how it was "
            f"trained; give {' and '.join(missing)} too"
        )
    assert prototxt is not None
    assert mean is not None
    assert task is not None
    if task not in TASK_LABELS:
        raise UsageError(f"unknown task «{task}»; expected {' or '.join(TASK_LABELS)}")
    net = _read_net(prototxt)
    from edgeage.compiler.graph import input_blob

    name, input_hw = input_blob(net)
    array, spec = _spec_from_mean(mean, input_hw)
    manifest = Manifest.classifier(
        name=path.stem,
        task=task,
        labels=TASK_LABELS[task],
        input=_spec_with(spec, array),
        input_name=name,
        output_name=net.layer[-1].top[0],
        source={"weights": {"name": path.name, "sha256": sha256_file(path)}},
        folder=path.parent,
    )
    return TrainedModel(manifest, path, prototxt, array)


def _read_net(prototxt: Path) -> Any:
    from edgeage import caffe

    return caffe.filter_net(caffe.read_net(prototxt), "TEST")


def _spec_from_mean(mean: Path, input_hw: tuple[int, int]) -> tuple[np.ndarray, InputSpec]:
    """Take the stored pictures' size from the mean image: Caffe cuts the input out of it."""
    from edgeage import caffe

    array = caffe.read_mean(mean)
    if array.size == 3:
        spec = InputSpec(resize_hw=input_hw, input_hw=input_hw, mean="channel")
        return caffe.check_mean(array.reshape(3), (3,)), spec
    sides = array.shape[-2:]
    larger = len(sides) == 2 and sides[0] >= input_hw[0] and sides[1] >= input_hw[1]
    resize_hw = (sides[0], sides[1]) if larger else input_hw
    spec = InputSpec(resize_hw=resize_hw, input_hw=input_hw)
    assert spec.mean_shape is not None
    return caffe.check_mean(array, spec.mean_shape), spec


def _spec_with(spec: InputSpec, mean: np.ndarray | None) -> InputSpec:
    from edgeage import caffe

    found = None if mean is None else caffe.mean_sha256(mean)
    return dataclasses.replace(spec, mean_sha256=found)
