"""One training of the zoo from its files: what ``edgeage train ssrnet`` does, for programs."""

from __future__ import annotations

import dataclasses
import json
import uuid
from typing import TYPE_CHECKING, Any

from edgeage.compiler.parity import parity_pictures
from edgeage.datasets import read_report
from edgeage.datasets.store import DatumReader
from edgeage.errors import ModelError, TrainingError, UsageError
from edgeage.paths import data_dir, sha256_file, write_json
from edgeage.training.joint.faces import Faces, read_faces
from edgeage.training.joint.resized import Resized
from edgeage.training.logs import Reporter, TrainingLog
from edgeage.training.trackers import check_trackers, open_trackers
from edgeage.training.zoo.recipe import ZooRecipe
from edgeage.zoo.backend import open_keras
from edgeage.zoo.networks import build_network, network_options

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from edgeage.training.zoo.score import ZooScore
    from edgeage.training.zoo.trainer import ZooTrainer
    from edgeage.zoo.network import ZooNetwork

__all__ = ["ZooOptions", "kept_recipe", "recipe_path", "train_fold", "train_zoo"]

_LMDB = "age_train_lmdb"


@dataclasses.dataclass(frozen=True)
class ZooOptions:
    """What to train with and into.

    Attributes:
        name: a network of the zoo.
        data: folder of a data set built with ``--no-oversample``.
        out: folder of the checkpoint, the log and the trained model.
        recipe: the recipe's file; None for the network's own.
        resume: go on from the checkpoint in ``out``, with the recipe kept there.
        overrides: ``key=value`` words that change the recipe; not with ``resume``.
        start: weights to begin with: ``.keras``, ``.weights.h5``, or Keras 2's ``.h5`` or
            ``.hdf5``.
        trackers: of :data:`edgeage.training.trackers.TRACKERS`.

    Raises:
        UsageError: for ``resume`` together with what it goes on with.
    """

    name: str
    data: Path
    out: Path
    recipe: Path | None = None
    resume: bool = False
    overrides: Sequence[str] = ()
    start: Path | None = None
    trackers: Sequence[str] = ()

    def __post_init__(self) -> None:
        if self.resume and (self.overrides or self.recipe or self.start):
            raise UsageError(
                "--resume goes on with its own recipe and weights; leave out --recipe, --weights "
                "and key=value"
            )

    def file(self, kind: str) -> Path:
        """Return the path of one of the training's files, as ``state.npz``."""
        return self.out / f"{self.name}_{kind}"


def recipe_path(name: str) -> Path:
    """Return a network's own recipe, or that of any backbone of ``keras.applications``."""
    folder = data_dir("models") / "recipes"
    own = folder / f"{name}.toml"
    return own if own.is_file() else folder / "backbone.toml"


def train_zoo(
    options: ZooOptions,
    reporters: Sequence[Reporter] = (),
    stop: Callable[[], bool] = lambda: False,
) -> Path | None:
    """Train a network and write its model.

    ``out`` gets ``NAME_state.npz``, ``NAME_best.keras``, ``NAME_log.csv``, TensorBoard events,
    ``NAME_recipe.json``, and at the end the folder ``model`` with an ONNX file and its manifest,
    and ``NAME_validation.json``.

    Args:
        options: what to train.
        reporters: told about every step, validation and checkpoint, besides the log.
        stop: asked before each iteration; True leaves a checkpoint and ends the training.

    Returns:
        The model's folder, or None when ``stop`` ended it.

    Raises:
        TrainingError: when ``out`` holds another training, or there is nothing to resume.
        DatasetError: when ``data`` is no finished data set, or an oversampled one.
        UsageError: for an unknown network, option or tracker.
        ModelError: when ImageNet's weights cannot be had, or ``start`` is of another network.
        ParityError: when OpenVINO's answers differ from Keras's.
    """
    known = network_options(options.name)
    if options.resume:
        recipe = kept_recipe(options)
    else:
        path = options.recipe or recipe_path(options.name)
        recipe = ZooRecipe.read(path, known).changed(options.overrides, known)
    return train_fold(options, recipe, None, reporters, stop)


def train_fold(
    options: ZooOptions,
    recipe: ZooRecipe,
    fold: tuple[int, int] | None,
    reporters: Sequence[Reporter],
    stop: Callable[[], bool],
) -> Path | None:
    """Train by a recipe, and hold back one of several parts where ``fold`` says so.

    Args:
        options: what to train; of its recipe and overrides nothing is read.
        recipe: how.
        fold: as for :func:`edgeage.training.joint.faces.read_faces`.
        reporters: as for :func:`train_zoo`.
        stop: likewise.

    Returns:
        As :func:`train_zoo`, which also says what is raised.
    """
    check_trackers(options.trackers)
    _check_start(options)
    folder, scored = options.out / "model", options.file("validation.json")
    if options.resume and scored.exists():
        return folder
    report = read_report(options.data)
    network = _network(options, recipe, report["input"])
    with DatumReader(options.data / _LMDB) as reader:
        seen, plain = (
            Resized(network.spec, network.takes, mirror=mirror)
            for mirror in (bool(recipe.flip), False)
        )
        genders = any(output.task == "gender" for output in network.outputs)
        faces = read_faces(options.data, reader, seen, plain, recipe, fold=fold, genders=genders)
        run_id = _describe(options, recipe, fold, *faces)
        trainer = _trainer(options, network, recipe, *faces)
        run = options.name if fold is None else f"{options.name} fold {fold[0] + 1}"
        with (
            TrainingLog(options.out, options.name, trainer.iteration) as log,
            open_trackers(options.trackers, run, run_id, recipe.to_dict(), options.out) as trackers,
        ):
            trainer.reporters = [log, *trackers, *reporters]
            if not trainer.train(stop):
                return None
        score = trainer.take_best()
    _write_model(options, trainer, score, report, folder)
    return folder


def kept_recipe(options: ZooOptions) -> ZooRecipe:
    """Return the recipe a training was begun with.

    Raises:
        TrainingError: when there is none, or it is damaged.
    """
    path = options.file("recipe.json")
    if not path.exists():
        raise TrainingError(f"{path} is missing; there is no training to resume there")
    return ZooRecipe.from_dict(_kept(options)["recipe"], network_options(options.name), str(path))


def _kept(options: ZooOptions) -> dict[str, Any]:
    path = options.file("recipe.json")
    try:
        fields: dict[str, Any] = json.loads(path.read_text("utf-8"))
        if not isinstance(fields["recipe"], dict) or not isinstance(fields["run"], str):
            raise ValueError("recipe or run is missing")
        return fields
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"{path} is no recipe of a training: {error}") from None


def _check_start(options: ZooOptions) -> None:
    state = options.file("state.npz")
    if options.resume and not state.exists():
        raise TrainingError(f"{state} is missing; there is no training to resume there")
    if not options.resume and state.exists():
        raise TrainingError(
            f"{options.out} holds a training of {options.name}; go on with --resume or choose "
            "another --out"
        )
    options.out.mkdir(parents=True, exist_ok=True)


def _network(options: ZooOptions, recipe: ZooRecipe, seen: Mapping[str, Any]) -> ZooNetwork:
    """Build the network with its first weights, for faces cut as the data set's are."""
    keras = open_keras()
    settings = dict(recipe.network)
    if (options.resume or options.start) and "weights" in network_options(options.name):
        settings["weights"] = "none"
    keras.utils.set_random_seed(recipe.seed)
    network = build_network(options.name, settings)
    if options.start:
        _load(network, options.start)
    landmarks = seen.get("landmarks")
    return dataclasses.replace(
        network,
        margin=seen["margin"],
        landmarks=landmarks and tuple((float(x), float(y)) for x, y in landmarks),
    )


def _load(network: ZooNetwork, path: Path) -> None:
    if not path.is_file():
        raise ModelError(f"{path} is missing; expected Keras weights there")
    if path.suffix != ".keras" and not path.name.endswith(".weights.h5"):
        from edgeage.zoo.h5weights import load_h5

        load_h5(network.model, path)
        return
    try:
        network.model.load_weights(path)
    # Keras raises what its readers do.
    except Exception as error:
        first = next(iter(str(error).splitlines()), type(error).__name__)
        raise ModelError(f"{path} holds no weights of {network.name}: {first}") from None


def _trainer(
    options: ZooOptions, network: ZooNetwork, recipe: ZooRecipe, train: Faces, validation: Faces
) -> ZooTrainer:
    from edgeage.training.zoo.trainer import ZooTrainer

    trainer = ZooTrainer(
        network, recipe, train, validation,
        state=options.file("state.npz"), best=options.file("best.keras"),
    )  # fmt: skip
    if options.resume:
        trainer.resume()
    return trainer


def _describe(
    options: ZooOptions,
    recipe: ZooRecipe,
    fold: tuple[int, int] | None,
    train: Faces,
    validation: Faces,
) -> str:
    """Keep what the training is begun with, or check that it is the same; return the run's id."""
    faces = {
        "faces": len(train),
        "validation_faces": [item.record.name for item in validation.records],
    }
    if options.resume:
        kept = _kept(options)
        if {name: kept.get(name) for name in faces} != faces:
            raise TrainingError(
                f"{options.data} does not have the faces that {options.out} was begun with; resume "
                "with that data set, or start anew in another --out"
            )
        return str(kept["run"])
    run = uuid.uuid4().hex
    start = recipe.network.get("weights", network_options(options.name).get("weights"))
    if options.start:
        start = {"name": options.start.name, "sha256": sha256_file(options.start)}
    fields = {"recipe": recipe.to_dict(), "run": run, "fold": fold, "started_from": start, **faces}
    write_json(options.file("recipe.json"), fields)
    return run


def _write_model(
    options: ZooOptions,
    trainer: ZooTrainer,
    score: ZooScore,
    report: Mapping[str, Any],
    folder: Path,
) -> None:
    from edgeage.zoo.product import write_product

    network, kept = trainer.network, _kept(options)
    pictures = parity_pictures(options.data / _LMDB, network.spec, network.outputs[0].task)
    figures = {"epochs": trainer.epoch, "best_epoch": trainer.best_epoch, **score.to_dict()}
    source = {
        "dataset": report["dataset"],
        "recipe": kept["recipe"],
        "started_from": kept["started_from"],
        "validation": figures,
    }
    write_product(network, folder, pictures.batch, pictures.origin, source=source, overwrite=True)
    write_json(options.file("validation.json"), figures)
