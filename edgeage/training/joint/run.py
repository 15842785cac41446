"""One joint training from its files: what ``edgeage train joint`` does, for programs."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

from edgeage.caffe import read_net, write_weights
from edgeage.datasets import read_report
from edgeage.datasets.store import DatumReader
from edgeage.errors import TrainingError, UsageError, require
from edgeage.paths import atomic_file, data_dir
from edgeage.training.joint.faces import Faces, read_faces
from edgeage.training.joint.recipe import JointRecipe
from edgeage.training.logs import Reporter, TrainingLog
from edgeage.training.product import write_model
from edgeage.training.recipe import Recipe
from edgeage.training.transform import Transform

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from edgeage.training.joint.trainer import JointTrainer

__all__ = ["JointOptions", "train_joint"]

_NAME = "joint"
_NETWORKS = ("agenet", "gendernet")


@dataclasses.dataclass(frozen=True)
class JointOptions:
    """What to train with and into.

    Attributes:
        data: folder of a data set built with ``--no-oversample``.
        out: folder of the checkpoint, the log and the trained models.
        recipe: the recipe's file; None for the released networks' own.
        resume: go on from the checkpoint in ``out``, with the recipe kept there.
        overrides: ``key=value`` words that change the recipe; not with ``resume``.
        start: checkpoint of another joint training, whose weights this one begins with.
        bf16: compute in bfloat16.
        every: iterations between two checkpoints.
    """

    data: Path
    out: Path
    recipe: Path | None = None
    resume: bool = False
    overrides: Sequence[str] = ()
    start: Path | None = None
    bf16: bool = False
    every: int = 250


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


def train_joint(
    options: JointOptions,
    reporters: Sequence[Reporter] = (),
    stop: Callable[[], bool] = lambda: False,
) -> list[Path] | None:
    """Train AgeNet and GenderNet together and write both models.

    ``out`` gets ``joint_state.npz``, ``joint_log.csv``, TensorBoard events, ``joint_recipe.json``,
    ``joint_validation.json`` and, at the end, both caffemodels with their manifests and the mean.

    Args:
        options: what to train.
        reporters: told about every step, validation and checkpoint, besides the log.
        stop: asked before each iteration; True leaves a checkpoint and ends the training.

    Returns:
        The manifests' paths, or None when ``stop`` ended it.

    Raises:
        TrainingError: when ``out`` holds another training, or there is nothing to resume.
        DatasetError: when ``data`` is no finished data set, or an oversampled one.
    """
    require("torch", extra="train", purpose="train")
    state = options.out / f"{_NAME}_state.npz"
    _check_start(options, state)
    recipe = _kept_recipe(options.out) if options.resume else _recipe(options)
    report = read_report(options.data)
    with DatumReader(options.data / "age_train_lmdb") as reader:
        train, validation = _faces(options.data, reader, recipe)
        trainer = _trainer(options, recipe, train, validation, state)
        _describe(options, recipe, train, validation)
        if options.resume:
            trainer.resume()
        elif options.start:
            trainer.begin_with(options.start)
        with TrainingLog(options.out, _NAME, trainer.iteration) as log:
            trainer.reporters = [log, *reporters]
            if not trainer.train(stop):
                return None
            score = trainer.score or trainer.validate()
        _write_json(options.out / f"{_NAME}_validation.json", score.to_dict())
        return _products(options, recipe, trainer, validation.transform, report)


def _recipe(options: JointOptions) -> JointRecipe:
    path = options.recipe or data_dir("caffe_models") / f"{_NAME}.toml"
    return JointRecipe.read(path).changed(options.overrides)


def _kept_recipe(out: Path) -> JointRecipe:
    path = out / f"{_NAME}_recipe.json"
    try:
        return JointRecipe.from_dict(json.loads(path.read_text("utf-8"))["recipe"], str(path))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"{path} is no recipe of a joint training: {error}") from None


def _check_start(options: JointOptions, state: Path) -> None:
    if options.resume and (options.overrides or options.recipe or options.start):
        raise UsageError(
            "--resume goes on with its own recipe and weights; leave out --recipe, --weights and "
            "key=value"
        )
    if options.resume and not state.exists():
        raise TrainingError(f"{state} is missing; there is no training to resume there")
    if not options.resume and state.exists():
        raise TrainingError(
            f"{options.out} holds a joint training; go on with --resume or choose another --out"
        )
    options.out.mkdir(parents=True, exist_ok=True)


def _net(name: str) -> Any:
    return read_net(data_dir("prototxt") / f"{name}_train_test.prototxt")


def _faces(data: Path, reader: DatumReader, recipe: JointRecipe) -> tuple[Faces, Faces]:
    layers = [layer for layer in _net("agenet").layer if layer.type == "Data"]
    layers[0].transform_param.mirror = True
    train, test = (
        Transform(layer.transform_param, reader.shape, training, data)
        for layer, training in zip(layers, (True, False), strict=True)
    )
    return read_faces(data, reader, train, test, recipe)


def _trainer(
    options: JointOptions, recipe: JointRecipe, train: Faces, validation: Faces, state: Path
) -> JointTrainer:
    from edgeage.training.joint.network import JointNetwork
    from edgeage.training.joint.trainer import JointTrainer

    net = _net("agenet")
    _refill(net)
    network = JointNetwork(net, train.transform.output_shape, recipe.seed)
    return JointTrainer(
        network, recipe, train, validation, state, every=options.every, bf16=options.bf16
    )


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


def _describe(options: JointOptions, recipe: JointRecipe, train: Faces, validation: Faces) -> None:
    names = [item.record.name for item in validation.records]
    fields = {"recipe": recipe.to_dict(), "faces": len(train), "validation_faces": names}
    _write_json(options.out / f"{_NAME}_recipe.json", fields)


def _write_json(path: Path, fields: Mapping[str, Any]) -> None:
    with atomic_file(path) as temporary:
        temporary.write_text(json.dumps(fields, indent=1) + "\n", encoding="utf-8")


def _products(
    options: JointOptions,
    recipe: JointRecipe,
    trainer: JointTrainer,
    transform: Transform,
    report: Mapping[str, Any],
) -> list[Path]:
    import torch

    with trainer.averaged():
        parts = trainer.network.split(trainer.network.weights())
    words = tuple(f"{name}={value}" for name, value in recipe.to_dict().items())
    paths = []
    for name in _NETWORKS:
        net = _net(name)
        snapshot = options.out / f"{name}_iter_{trainer.iteration}.caffemodel"
        write_weights(snapshot, net, parts[name])
        finished = _Finished(
            name,
            options.out,
            net,
            transform,
            trainer.iteration,
            "bf16" if trainer.bf16 else "fp32",
            {"torch": str(torch.__version__)},
        )
        paths.append(write_model(finished, Recipe(overrides=words), report))
        snapshot.unlink()
    return paths
