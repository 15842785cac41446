"""Cross-validation: a training for each part of the faces that is held back in turn."""

from __future__ import annotations

import dataclasses
import json
import statistics
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeage.errors import TrainingError, UsageError
from edgeage.paths import sha256_file, write_json
from edgeage.training.zoo.recipe import ZooRecipe
from edgeage.training.zoo.run import kept_recipe, recipe_path, train_fold
from edgeage.zoo.networks import network_options

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edgeage.training.logs import Reporter
    from edgeage.training.zoo.run import ZooOptions

__all__ = ["FIGURES", "train_folds"]

FIGURES = ("mae_years", "age", "one_off", "balanced", "gender", "adult_gender")
"""What is averaged over the folds."""


def train_folds(
    options: ZooOptions,
    folds: int,
    reporters: Sequence[Reporter] = (),
    stop: Callable[[], bool] = lambda: False,
) -> dict[str, Any] | None:
    """Train a network once for each of several parts of the faces, held back in turn.

    Near-duplicates are in the same part, and every face is held back once. Each part's training
    has a folder of its own, ``fold_1`` and so on, as
    :func:`edgeage.training.zoo.run.train_zoo` leaves it. With ``resume`` those that are finished
    are left alone, one that was interrupted goes on, and the others begin.

    Args:
        options: what to train.
        folds: how many parts.
        reporters: as for :func:`edgeage.training.zoo.run.train_zoo`.
        stop: likewise.

    Returns:
        What ``out/NAME_folds.json`` says too: ``folds`` with each one's figures, ``mean`` and
        ``sd`` (of a sample) by figure; None when ``stop`` ended it.

    Raises:
        UsageError: for fewer than two parts, or another number than the training was begun with.
        TrainingError: and others, as :func:`edgeage.training.zoo.run.train_zoo`.
    """
    if folds < 2:
        raise UsageError(f"expected at least 2 folds, got {folds}")
    options, recipe = _begun(options, folds)
    for number in range(folds):
        part = _part(options, number)
        if train_fold(part, recipe, (number, folds), reporters, stop) is None:
            return None
    found = [json.loads(_part(options, n).file("validation.json").read_text("utf-8"))
             for n in range(folds)]  # fmt: skip
    summary: dict[str, Any] = {"folds": found, "mean": {}, "sd": {}}
    for figure in FIGURES:
        values = [fold[figure] for fold in found]
        if None not in values:
            summary["mean"][figure] = statistics.fmean(values)
            summary["sd"][figure] = statistics.stdev(values)
    write_json(options.file("folds.json"), summary)
    return summary


def _begun(options: ZooOptions, folds: int) -> tuple[ZooOptions, ZooRecipe]:
    """Return what the folds are trained with: as given, or as they were begun with."""
    path = options.file("recipe.json")
    if options.resume:
        recipe, kept = kept_recipe(options), json.loads(path.read_text("utf-8"))
        if kept.get("folds") != folds:
            raise UsageError(
                f"{options.out} was begun with {kept.get('folds') or 'no'} folds, not {folds}"
            )
        return dataclasses.replace(options, resume=False, start=_kept_start(kept)), recipe
    if path.exists():
        raise TrainingError(
            f"{options.out} holds a training of {options.name}; go on with --resume or choose "
            "another --out"
        )
    known = network_options(options.name)
    own = options.recipe or recipe_path(options.name)
    recipe = ZooRecipe.read(own, known).changed(options.overrides, known)
    fields = {"recipe": recipe.to_dict(), "run": "", "folds": folds, "start": None}
    if options.start:
        fields["start"] = [str(options.start.resolve()), sha256_file(options.start)]
    write_json(path, fields)
    return options, recipe


def _kept_start(kept: dict[str, Any]) -> Path | None:
    """Return the weights that folds yet to begin begin with, as the others did."""
    if kept.get("start") is None:
        return None
    path, digest = Path(kept["start"][0]), kept["start"][1]
    if not path.is_file() or sha256_file(path) != digest:
        raise TrainingError(
            f"{path} is missing or changed; the folds were begun with its weights, so put it back"
        )
    return path


def _part(options: ZooOptions, number: int) -> ZooOptions:
    """Return the options of one fold, which is resumed where it was begun."""
    part = dataclasses.replace(
        options, out=options.out / f"fold_{number + 1}", recipe=None, overrides=()
    )
    if part.file("state.npz").exists():
        return dataclasses.replace(part, resume=True, start=None)
    return part
