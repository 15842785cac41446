"""What is known of the models that come with edgeage: manifest, card and stored scores."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeage.compiler.sources import RELEASED, released_path
from edgeage.errors import ModelError, UsageError, did_you_mean
from edgeage.evaluation.figures import CATALOGUE
from edgeage.manifest import Manifest
from edgeage.modelfiles import has_weights, imported_models, ready_models
from edgeage.paths import data_dir
from edgeage.scoring.tables import with_interval

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "SCORES",
    "accuracy_line",
    "card_text",
    "describe",
    "manifest_path",
    "model_manifest",
    "read_scores",
    "results_of",
]

SCORES = "scores.json"
"""File beside the released models with what «make models» scored them."""

_MAIN = {"age": ("age_mae", "age_group"), "gender": ("gender",)}


def model_manifest(name: str) -> Manifest:
    """Return the manifest of a model.

    Args:
        name: of a model that comes with edgeage or was imported, or the path of a manifest.

    Raises:
        UsageError: for neither.
        ModelError: when it is damaged.
    """
    return Manifest.read(manifest_path(name))


def manifest_path(name: str) -> Path:
    """Return where the manifest of a model is; see :func:`model_manifest`.

    Raises:
        UsageError: for neither a name nor a manifest's path.
    """
    named = {**ready_models(), **imported_models()}
    if name in RELEASED:
        return released_path(name).with_suffix(".json")
    if name in named:
        return named[name]
    path = Path(name)
    if path.is_dir():
        path /= "model.json"
    if path.suffix == ".json" and path.is_file():
        return path
    known = (*RELEASED, *named)
    raise UsageError(
        f"unknown model «{name}»; expected {', '.join(known)} or a manifest's path"
        f"{did_you_mean(name, known)}"
    )


def card_text(name: str) -> str | None:
    """Return the card of a released model, Markdown; None for one without."""
    for folder in ("caffe_models", "models"):
        path = data_dir(folder) / f"{name}.md"
        if path.is_file():
            return path.read_text(encoding="utf-8")
    return None


def read_scores() -> dict[str, Any] | None:
    """Return what the released models were scored, or None where it is not there.

    Returns:
        What :func:`edgeage.scoring.evaluate` returned.

    Raises:
        ModelError: when the file is damaged.
    """
    path = data_dir("caffe_models") / SCORES
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} is not readable: {error}") from None
    return document


def results_of(manifest: Manifest, document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the results of a network, with the figures of its own tasks only."""
    models = {model["name"]: model for model in document["models"]}
    own = [name for name in CATALOGUE if _task(name) in manifest.tasks]
    for result in document["results"]:
        if manifest.name in models[result["model"]]["networks"]:
            figures = {name: result["figures"][name] for name in own if name in result["figures"]}
            yield {**result, "figures": figures}


def describe(manifest: Manifest, document: dict[str, Any] | None) -> dict[str, Any]:
    """Say in short what a model is: JSON-ready values by what they are."""
    source = manifest.source
    data = source.get("dataset", {})
    results = list(results_of(manifest, document)) if document else []
    return {
        "name": manifest.name,
        "answers": list(manifest.tasks),
        "folder": str(manifest.folder),
        "data": data.get("name", source.get("trained_on", "")),
        "from": source.get("from", "edgeage"),
        "licence": data.get("licence", source.get("licence", "")),
        "precision": manifest.precision,
        "weights": has_weights(manifest),
        "calibrated": any(
            output.temperature != 1 or output.interval for output in manifest.outputs
        ),
        "scores": [
            {name: result[name] for name in ("set", "part", "crop", "faces", "figures")}
            for result in results
        ],
    }


def accuracy_line(fields: dict[str, Any]) -> str:
    """Say a described model's main figures on its first set of faces in a line."""
    if not fields["scores"]:
        return ""
    score = fields["scores"][0]
    told = [
        f"{CATALOGUE[name].title} {with_interval(name, figure['value'], figure)}"
        for task in fields["answers"]
        for name in _MAIN[task]
        if (figure := score["figures"].get(name))
    ]
    return f"{score['set']}, {score['part']}: " + ", ".join(told)


def _task(name: str) -> str:
    return "gender" if name.startswith("gender") else "age"
