"""Finding the manifests of compiled models and of other people's, by path or by name."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from edgeage.errors import ModelError, did_you_mean
from edgeage.manifest import Manifest
from edgeage.paths import data_dir, models_dir

__all__ = [
    "NETWORK_SUFFIXES",
    "has_weights",
    "imported_models",
    "read_models",
    "ready_manifest",
    "ready_models",
]

NETWORK_SUFFIXES = (".xml", ".onnx")
"""Suffixes of a network that needs a manifest, if only a ready one."""


def read_models(models: str | Path) -> list[Manifest]:
    """Read the manifests of the models at a place.

    Args:
        models: one of

            - a folder made by ``edgeage compile``, of one model or of several;
            - a ``model.json`` or its folder;
            - the ``.xml`` or ``.onnx`` of a network with a manifest beside it, or one that
              edgeage has a ready manifest for by its name (:func:`ready_models`);
            - a folder with one such file;
            - the name of a model that «edgeage models import» made
              (:func:`edgeage.paths.models_dir`), or of one that comes with edgeage with its
              weights, such as ``edgeage-s``.

    Raises:
        ModelError: when there is none; for a network without a manifest, the one to write.
    """
    path = Path(models)
    if path.is_dir():
        return _in_folder(path)
    if path.suffix == ".json":
        return [Manifest.read(path)]
    if path.is_file():
        return [_of_network(path)]
    if (named := imported_models().get(str(models))) is not None:
        return [Manifest.read(named)]
    ready = ready_models()
    if str(models) in ready:
        manifest = Manifest.read(ready[str(models)])
        if has_weights(manifest):
            return [manifest]
        raise ModelError(
            f"the manifest of {models} comes with edgeage, its weights do not; give the path of "
            f"{models}.xml, with its .bin beside it"
        )
    hint = did_you_mean(str(models), [*ready, *imported_models()])
    raise ModelError(
        f"{path} is not there; expected a folder made by «edgeage compile», a model.json, or an "
        f".xml or .onnx{hint}"
    )


def has_weights(manifest: Manifest) -> bool:
    """Return whether every file a manifest names is beside it, but for a prototxt."""
    names = [entry["name"] for role, entry in manifest.files.items() if role != "prototxt"]
    return all((manifest.folder / name).is_file() for name in names)


def ready_models() -> dict[str, Path]:
    """Return the manifests that come with edgeage beside AgeNet's and GenderNet's, by name.

    They are of networks that answer both tasks: edgeage's own, with their weights, and other
    people's, without.
    """
    return {path.stem: path for path in sorted(data_dir("models").glob("*.json"))}


def imported_models() -> dict[str, Path]:
    """Return the manifests of what «edgeage models import» made, by name."""
    return {path.parent.name: path for path in sorted(models_dir().glob("*/model.json"))}


def ready_manifest(network: Path) -> Manifest | None:
    """Return the ready manifest for a network's file, by the file's name, or None."""
    path = ready_models().get(network.stem)
    if path is None:
        return None
    manifest = dataclasses.replace(Manifest.read(path), folder=network.parent)
    return manifest if _names(manifest, network) else None


def _in_folder(folder: Path) -> list[Manifest]:
    if (folder / "model.json").is_file():
        return [Manifest.read(folder / "model.json")]
    if paths := sorted(folder.glob("*/model.json")):
        return [Manifest.read(path) for path in paths]
    networks = [path for path in sorted(folder.iterdir()) if path.suffix in NETWORK_SUFFIXES]
    if len(networks) == 1:
        return [_of_network(networks[0])]
    if networks:
        names = ", ".join(path.name for path in networks)
        raise ModelError(f"{folder} holds several networks ({names}); name one of them")
    raise ModelError(f"{folder} holds no compiled model; make one with «edgeage compile»")


def _of_network(network: Path) -> Manifest:
    """Return the manifest beside a network or the ready one for it."""
    if network.suffix not in NETWORK_SUFFIXES:
        raise ModelError(
            f"{network} is not a model; expected a folder made by «edgeage compile», or a file "
            f"ending in .json, {' or '.join(NETWORK_SUFFIXES)}"
        )
    for path in (network.with_suffix(".json"), network.parent / "model.json"):
        if path.is_file() and _names(manifest := Manifest.read(path), network):
            return manifest
    if (ready := ready_manifest(network)) is not None:
        return ready
    from edgeage.runtime.template import manifest_template

    raise ModelError(
        f"{network} has no manifest that says what it takes and answers; write model.json beside "
        f"it, put right: {manifest_template(network)}"
    )


def _names(manifest: Manifest, network: Path) -> bool:
    return any(entry["name"] == network.name for entry in manifest.files.values())
