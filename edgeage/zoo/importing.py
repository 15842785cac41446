"""Published Keras weights as networks of the zoo."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING, Any

from edgeage.errors import ModelError, UsageError, did_you_mean
from edgeage.manifestfile import read_fields
from edgeage.networkinput import NetworkInput, input_from_dict
from edgeage.outputs import outputs_from_fields
from edgeage.paths import sha256_file
from edgeage.zoo.backend import open_keras
from edgeage.zoo.h5weights import load_h5
from edgeage.zoo.network import ZooNetwork
from edgeage.zoo.networks import build_network

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FORMS", "import_model", "import_source"]

FORMS = {
    "ssrnet": "SSR-Net's age weights, .h5 (Yang et al.)",
    "ssrnet-gender": "SSR-Net's gender weights, .h5 (SSR_net_general)",
    "efficientnetb3": "EfficientNetB3_224_weights.*.hdf5 of yu4u's age-gender-estimation",
    "wrn-16-8": "weights.*.hdf5 of that project's earlier wide residual network",
    "keras": "a whole model, .keras, with a model.json that says what it takes and answers",
}
"""What can be imported, by the word for it."""


def import_model(path: Path, form: str, description: Path | None = None) -> ZooNetwork:
    """Load published weights into the network they are of.

    Args:
        path: the weights.
        form: one of :data:`FORMS`.
        description: for ``"keras"``, a ``model.json`` with ``input`` and ``outputs`` as
            docs/models.md describes them; None for the one beside ``path``.

    Returns:
        The network with those weights.

    Raises:
        UsageError: for an unknown form, or a description of one that needs none.
        ModelError: when the file cannot be read or is of another network.
        MissingDependencyError: without Keras, its backend or h5py.
    """
    if form not in FORMS:
        raise UsageError(
            f"unknown form «{form}»{did_you_mean(form, FORMS)}; expected one of {', '.join(FORMS)}"
        )
    if form == "keras":
        return _whole_model(path, description or path.parent / "model.json")
    if description is not None:
        raise UsageError(f"what {form} takes and answers is known; leave the description out")
    if not path.is_file():
        raise ModelError(f"{path} is missing; expected Keras weights there")
    network = _built(form)
    load_h5(network.model, path)
    return network


def import_source(path: Path, form: str) -> dict[str, Any]:
    """Return what a manifest says of where imported weights come from."""
    return {"imported": path.name, "sha256": sha256_file(path), "as": form}


def _built(form: str) -> ZooNetwork:
    if form != "efficientnetb3":
        return build_network(form)
    # That project trains on 224 pixels, and hands OpenCV's BGR to Keras as it is.
    made = build_network(form, {"size": 224, "weights": "none"})
    return ZooNetwork(form, made.model, NetworkInput("BGR"), made.outputs, margin=0.4)


def _whole_model(path: Path, description: Path) -> ZooNetwork:
    model = _loaded(path)
    fields = read_fields(description)
    try:
        spec, takes = input_from_dict(fields.get("input", {}))
        outputs = outputs_from_fields({k: v for k, v in fields.items() if k in _MEANING})
    except ModelError as error:
        raise ModelError(f"{description}: {error}") from None
    if takes is None:
        raise ModelError(f'{description}: expected input to have a size, as "size": [64, 64]')
    names = list(model.output_names)
    wanted = [output.name for output in outputs]
    if sorted(names) != sorted(wanted):
        raise ModelError(
            f"{description}: expected outputs {', '.join(names)} of {path.name}, got "
            f"{', '.join(wanted)}"
        )
    ordered = tuple(outputs[wanted.index(name)] for name in names)
    network = ZooNetwork(str(fields.get("name", path.stem)), model, takes, ordered, spec.margin)
    if network.input_hw != spec.input_hw:
        raise ModelError(
            f"{description}: {path.name} takes pictures of {network.input_hw}, the description "
            f"says {spec.input_hw}"
        )
    return network


_MEANING = ("outputs", "task", "labels", "group_ages", "output_name")


def _loaded(path: Path) -> Any:
    """Load a .keras file, which is refused where it holds code."""
    keras = open_keras()
    from edgeage.zoo import layers  # noqa: F401 - registers the zoo's own layers

    if path.suffix != ".keras":
        raise UsageError(f"{path} is no .keras file; save it as one with Keras 3")
    if not path.is_file():
        raise ModelError(f"{path} is missing; expected a Keras model there")
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except (OSError, ValueError, TypeError, KeyError, zipfile.BadZipFile) as error:
        first = next(iter(str(error).splitlines()), type(error).__name__)
        raise ModelError(f"{path} is no Keras 3 model edgeage can load: {first}") from None
