"""The trained model a finished training leaves: weights, deploy network, mean and manifest."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any, Protocol

from edgeage.caffe import format_message, mean_sha256, write_mean
from edgeage.inputspec import InputSpec
from edgeage.labels import TASK_LABELS
from edgeage.manifest import Manifest
from edgeage.paths import atomic_file
from edgeage.training.deploy import OUTPUT_NAME, deploy_net

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from edgeage.training.recipe import Recipe
    from edgeage.training.transform import Transform

__all__ = ["MEAN_NAME", "NETWORKS", "Trained", "write_model"]

NETWORKS = {"agenet": "age", "gendernet": "gender"}
"""Name of each network to the task it is trained for."""

MEAN_NAME = "age_gender_mean.npy"


class Trained(Protocol):
    """What a finished training says of itself; see :class:`edgeage.training.engine.Trainer`."""

    @property
    def name(self) -> str:
        """The network's name."""

    @property
    def out(self) -> Path:
        """Folder with the last snapshot, ``NAME_iter_N.caffemodel``."""

    @property
    def net_param(self) -> Any:
        """The ``NetParameter`` of both phases."""

    @property
    def engine(self) -> str:
        """What trained it."""

    @property
    def iteration(self) -> int:
        """How many updates it had."""

    @property
    def precision_used(self) -> str:
        """What it computed in."""

    @property
    def tools(self) -> Mapping[str, str]:
        """Name and version of what computed."""

    @property
    def transform(self) -> Transform:
        """How a test picture becomes the network's input."""


def write_model(trainer: Trained, recipe: Recipe, report: Mapping[str, Any]) -> Path:
    """Write ``NAME.caffemodel``, its deploy prototxt, its mean and, last, its manifest.

    Args:
        trainer: the finished training; its last snapshot is written already.
        recipe: how it was asked for.
        report: the data set's report.

    Returns:
        The manifest's path.
    """
    name, out = trainer.name, trainer.out
    transform = trainer.transform
    names = {"caffemodel": f"{name}.caffemodel", "prototxt": f"{name}_deploy.prototxt"}
    snapshot = out / f"{name}_iter_{trainer.iteration}.caffemodel"
    with atomic_file(out / names["caffemodel"]) as temporary:
        shutil.copyfile(snapshot, temporary)
    deploy = deploy_net(trainer.net_param, transform.output_shape)
    with atomic_file(out / names["prototxt"]) as temporary:
        temporary.write_text(format_message(deploy), encoding="utf-8")
    mean = transform.mean_chw
    if mean is not None:
        names["mean"] = MEAN_NAME
        write_mean(out / MEAN_NAME, mean)
    spec = InputSpec(
        resize_hw=(transform.shape[1], transform.shape[2]),
        input_hw=transform.output_shape[1:],
        scale=transform.scale,
        margin=report["input"]["margin"],
        landmarks=report["input"].get("landmarks"),
        mean="none" if mean is None else "image",
        mean_sha256=None if mean is None else mean_sha256(mean),
    )
    task = NETWORKS[name]
    manifest = Manifest.classifier(
        name=name,
        task=task,
        labels=TASK_LABELS[task],
        group_ages=tuple(report["group_ages"]) if task == "age" else (),
        input=spec,
        input_name=deploy.layer[0].top[0],
        output_name=OUTPUT_NAME,
        source={
            "dataset": report["dataset"],
            "engine": trainer.engine,
            "precision": trainer.precision_used,
            "iterations": trainer.iteration,
            "overrides": list(recipe.overrides),
            "started_from": recipe.started_from,
        },
        tools=dict(trainer.tools),
    )
    path = out / f"{name}.json"
    manifest.with_files(out, **names).write(path)
    return path
