"""One training of both tasks from its files: what ``edgeage train joint`` does, for programs."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from typing import TYPE_CHECKING

from edgeage.datasets import read_report
from edgeage.datasets.store import DatumReader
from edgeage.errors import TrainingError, UsageError, require
from edgeage.paths import write_json
from edgeage.training.joint.compact import Compact, CompactXS
from edgeage.training.joint.faces import Faces, read_faces
from edgeage.training.joint.levihassner import LeviHassner
from edgeage.training.joint.recipe import JointRecipe
from edgeage.training.logs import Reporter, TrainingLog

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from edgeage.training.joint.family import Family
    from edgeage.training.joint.teacher import Teacher

__all__ = ["JOINT_NAMES", "JointOptions", "train_joint"]

_FAMILIES: dict[str, type[LeviHassner] | type[Compact]] = {
    "joint": LeviHassner,
    "edgeage-s": Compact,
    "edgeage-xs": CompactXS,
}

JOINT_NAMES = tuple(_FAMILIES)
"""What can be trained so: AgeNet and GenderNet together, and networks that answer both tasks."""


@dataclasses.dataclass(frozen=True)
class JointOptions:
    """What to train with and into.

    Attributes:
        name: one of :data:`JOINT_NAMES`.
        data: folder of a data set built with ``--no-oversample``.
        out: folder of the checkpoint, the log and the trained models.
        recipe: the recipe's file; None for the released networks' own.
        resume: go on from the checkpoint in ``out``, with the recipe kept there.
        overrides: ``key=value`` words that change the recipe; not with ``resume``.
        start: checkpoint of another joint training, or another network's weights that the family
            knows, to begin with.
        teacher: network whose answers this one is taught by ``teacher_weight``.
        precision: ``auto`` (bfloat16 where the CPU has it), ``fp32`` or ``bf16``; None for
            ``auto``, or the resumed training's.
        every: iterations between two checkpoints.
    """

    name: str
    data: Path
    out: Path
    recipe: Path | None = None
    resume: bool = False
    overrides: Sequence[str] = ()
    start: Path | None = None
    teacher: str | Path | None = None
    precision: str | None = None
    every: int = 250


def train_joint(
    options: JointOptions,
    reporters: Sequence[Reporter] = (),
    stop: Callable[[], bool] = lambda: False,
) -> list[Path] | None:
    """Train what answers both tasks and write its models.

    ``out`` gets ``NAME_state.npz``, ``NAME_log.csv``, TensorBoard events, ``NAME_recipe.json``,
    ``NAME_validation.json`` and, at the end, the models with their manifests: of ``joint`` both
    caffemodels and the mean, of others an ONNX file.

    Args:
        options: what to train.
        reporters: told about every step, validation and checkpoint, besides the log.
        stop: asked before each iteration; True leaves a checkpoint and ends the training.

    Returns:
        The models' paths, or None when ``stop`` ended it.

    Raises:
        TrainingError: when ``out`` holds another training, or there is nothing to resume.
        UsageError: for an unknown precision, a teacher without a weight or the other way round, or
            with ``resume`` what the kept recipe says.
        DatasetError: when ``data`` is no finished data set, or an oversampled one.
    """
    require("torch", extra="train", purpose="train")
    from edgeage.training.joint.trainer import JointTrainer
    from edgeage.training.precision import chosen_precision

    name = options.name
    state = options.out / f"{name}_state.npz"
    _check_start(options, state)
    if options.resume:
        recipe, origins, kept = _kept(options)
    else:
        recipe, origins, kept = _recipe(options), _origins(options), "auto"
    precision = chosen_precision(options.precision or kept)
    family: Family = _FAMILIES[name](recipe)
    report = read_report(options.data)
    with (
        DatumReader(options.data / "age_train_lmdb") as reader,
        _teacher(origins["taught_by"], recipe) as teacher,
    ):
        sides = family.transforms(reader.shape, options.data)
        train, validation = read_faces(options.data, reader, *sides, recipe)
        train.teacher = teacher
        other = options.start if options.start and options.start.suffix != ".npz" else None
        network = family.network(train.transform.output_shape, other)
        trainer = JointTrainer(
            network, recipe, train, validation, state, every=options.every, precision=precision,
        )  # fmt: skip
        trainer.origins = origins
        _describe(options, recipe, train, validation, {**origins, "precision": precision})
        if options.resume:
            trainer.resume()
        elif options.start and other is None:
            trainer.begin_with(options.start)
        with TrainingLog(options.out, name, trainer.iteration) as log:
            trainer.reporters = [log, *reporters]
            if not trainer.train(stop):
                return None
            score = trainer.score or trainer.validate()
        write_json(options.out / f"{name}_validation.json", score.to_dict())
        with trainer.averaged():
            return family.write_models(trainer, options.out, report)


def _recipe(options: JointOptions) -> JointRecipe:
    path = options.recipe or _FAMILIES[options.name].recipe_path()
    return JointRecipe.read(path).changed(options.overrides)


def _origins(options: JointOptions) -> dict[str, str | None]:
    """Return what else than faces the training learns from."""
    asked = {"started_from": options.start, "taught_by": options.teacher}
    return {name: None if value is None else str(value) for name, value in asked.items()}


def _kept(options: JointOptions) -> tuple[JointRecipe, dict[str, str | None], str]:
    """Return the recipe, the origins and the precision of the training to resume."""
    path = options.out / f"{options.name}_recipe.json"
    try:
        kept = json.loads(path.read_text("utf-8"))
        recipe = JointRecipe.from_dict(kept["recipe"], str(path))
        origins = {name: kept.get(name) for name in _origins(options)}
        # A recipe that does not tell is of a training in fp32, unless --precision says otherwise.
        precision = kept.get("precision", "fp32")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"{path} is no recipe of a joint training: {error}") from None
    return recipe, origins, precision


def _teacher(
    model: str | Path | None, recipe: JointRecipe
) -> contextlib.AbstractContextManager[Teacher | None]:
    from edgeage.training.joint.teacher import Teacher

    if (model is None) == (recipe.teacher_weight > 0):
        raise UsageError(
            f"teacher_weight is {recipe.teacher_weight:g}: name a --teacher and give it a weight, "
            "or neither"
        )
    return contextlib.nullcontext() if model is None else Teacher(model)


def _check_start(options: JointOptions, state: Path) -> None:
    if options.resume and any((options.overrides, options.recipe, options.start, options.teacher)):
        raise UsageError(
            "--resume goes on with its own recipe, weights and teacher; leave out --recipe, "
            "--weights, --teacher and key=value"
        )
    if options.resume and not state.exists():
        raise TrainingError(f"{state} is missing; there is no training to resume there")
    if not options.resume and state.exists():
        raise TrainingError(
            f"{options.out} holds a joint training; go on with --resume or choose another --out"
        )
    options.out.mkdir(parents=True, exist_ok=True)


def _describe(
    options: JointOptions,
    recipe: JointRecipe,
    train: Faces,
    validation: Faces,
    more: Mapping[str, str | None],
) -> None:
    fields = {
        "recipe": recipe.to_dict(),
        **more,
        "faces": len(train),
        "validation_faces": [item.record.name for item in validation.records],
    }
    write_json(options.out / f"{options.name}_recipe.json", fields)
