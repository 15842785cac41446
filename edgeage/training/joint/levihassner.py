"""AgeNet and GenderNet with one trunk, as a family of the training of both tasks."""

from __future__ import annotations

import dataclasses
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from edgeage.caffe import read_net, read_weights, write_weights
from edgeage.errors import ModelError, TrainingError
from edgeage.paths import data_dir
from edgeage.training.product import write_model
from edgeage.training.recipe import Recipe
from edgeage.training.transform import Transform

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from edgeage.training.joint.network import JointNetwork
    from edgeage.training.joint.recipe import JointRecipe
    from edgeage.training.joint.trainer import JointTrainer

__all__ = ["LeviHassner"]

_NETWORKS = ("agenet", "gendernet")


@dataclasses.dataclass(frozen=True)
class _Finished:
    """A finished training as :func:`edgeage.training.product.write_model` wants it."""

    name: str
    out: Path
    net_param: Any
    transform: Transform
    iteration: int
    precision_used: str
    tools: Mapping[str, str]
    engine: str = "torch"


class LeviHassner:
    """Levi and Hassner's network (CVPRW 2015), trained once for both tasks, written as two.

    Args:
        recipe: of the training.
    """

    def __init__(self, recipe: JointRecipe) -> None:
        self._recipe = recipe
        self._sides: tuple[Transform, Transform] | None = None
        self._network: JointNetwork | None = None
        self._start: Path | None = None

    @classmethod
    def recipe_path(cls) -> Path:
        """Return the released networks' own recipe."""
        return data_dir("caffe_models") / "joint.toml"

    def transforms(self, shape: tuple[int, ...], data: Path) -> tuple[Transform, Transform]:
        """Return how a face is seen in training, at times mirrored, and in validation."""
        layers = [layer for layer in _net("agenet").layer if layer.type == "Data"]
        layers[0].transform_param.mirror = True
        train, test = (
            Transform(layer.transform_param, shape, training, data)
            for layer, training in zip(layers, (True, False), strict=True)
        )
        self._sides = train, test
        return self._sides

    def network(self, input_shape: tuple[int, int, int], start: Path | None) -> JointNetwork:
        """Return the network: filled anew, or with the weights of a pair that was trained so."""
        from edgeage.training.joint.network import JointNetwork

        net = _net("agenet")
        _refill(net)
        self._network = JointNetwork(net, input_shape, self._recipe.seed)
        if start is not None:
            try:
                self._network.join(*_pair(start))
            except ModelError as error:
                raise TrainingError(f"{start}: {error}") from None
        self._start = start
        return self._network

    def write_models(
        self, trainer: JointTrainer, out: Path, report: Mapping[str, Any]
    ) -> list[Path]:
        """Write both caffemodels with their manifests and the mean."""
        import torch

        assert self._network is not None
        assert self._sides is not None
        parts = self._network.split(self._network.weights())
        words = tuple(f"{name}={value}" for name, value in self._recipe.to_dict().items())
        if teacher := trainer.origins.get("taught_by"):
            words += (f"teacher={PurePath(teacher).name}",)
        recipe = dataclasses.replace(Recipe.of(self._start), overrides=words)
        paths = []
        for name in _NETWORKS:
            net = _net(name)
            snapshot = out / f"{name}_iter_{trainer.iteration}.caffemodel"
            write_weights(snapshot, net, parts[name])
            finished = _Finished(
                name,
                out,
                net,
                self._sides[1],
                trainer.iteration,
                trainer.precision,
                {"torch": str(torch.__version__)},
            )
            manifest = write_model(finished, recipe, report)
            paths.append(manifest.with_suffix(".caffemodel"))
            snapshot.unlink()
        return paths


def _pair(agenet: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read AgeNet's weights, and GenderNet's beside it."""
    age, gender = (f"{name}.caffemodel" for name in _NETWORKS)
    if agenet.name != age or not agenet.with_name(gender).is_file():
        raise TrainingError(
            f"expected --weights as a joint_state.npz, or as {age} with {gender} beside it, got "
            f"{agenet}"
        )
    return read_weights(agenet), read_weights(agenet.with_name(gender))


def _net(name: str) -> Any:
    return read_net(data_dir("prototxt") / f"{name}_train_test.prototxt")


def _refill(net: Any) -> None:
    """Fill as He et al. do (ICCV 2015): AdamW's first steps drown Caffe's small weights.

    The first layer's is divided by the size of its input, bytes less their mean.
    """
    for layer in net.layer:
        for field in ("convolution_param", "inner_product_param"):
            if not layer.HasField(field) or layer.name == "fc8":
                continue
            settings = getattr(layer, field)
            settings.bias_filler.Clear()
            settings.weight_filler.Clear()
            settings.weight_filler.type = "msra"
            if layer.name == "conv1":
                settings.weight_filler.type, settings.weight_filler.std = "gaussian", 0.004
