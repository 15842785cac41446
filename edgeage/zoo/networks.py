"""The zoo's networks by name."""

from __future__ import annotations

import importlib
import inspect
from typing import TYPE_CHECKING, Any

from edgeage.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edgeage.zoo.network import ZooNetwork

__all__ = ["NETWORKS", "build_network", "is_zoo_name", "network_options"]

_OWN = {
    "generation": ("generation", "generation"),
    "ssrnet": ("ssrnet", "ssrnet"),
    "ssrnet-gender": ("ssrnet", "ssrnet_gender"),
    "ssrnet-joint": ("ssrnet", "ssrnet_joint"),
    "wrn-16-8": ("wideresnet", "wide_resnet"),
}

_EFFICIENTNETS = tuple(f"efficientnetb{number}" for number in range(8))

NETWORKS = tuple(sorted((*_OWN, *_EFFICIENTNETS, "inceptionv3", "mobilenetv2")))
"""Names of the networks; whatever else ``keras.applications`` has goes by its own, lower case."""


def is_zoo_name(name: str) -> bool:
    """Return whether a network of the zoo has this name; Keras is opened for an unknown one."""
    if name in NETWORKS:
        return True
    from edgeage.zoo.applications import application_names

    return name in application_names()


def network_options(name: str) -> dict[str, Any]:
    """Return the options a network's builder takes, with their defaults.

    Raises:
        UsageError: for an unknown name.
    """
    parameters = inspect.signature(_builder(name)).parameters
    return {option: parameter.default for option, parameter in parameters.items()}


def build_network(name: str, options: Mapping[str, Any] | None = None) -> ZooNetwork:
    """Build a network.

    Args:
        name: one of :data:`NETWORKS`, or a builder of ``keras.applications`` in lower case.
        options: of that builder: ``head``, ``size`` and ``weights`` of a backbone.

    Returns:
        The network, its weights random or ImageNet's.

    Raises:
        UsageError: for an unknown name or option.
        ModelError: when ImageNet weights cannot be had.
        MissingDependencyError: without Keras or its backend.
    """
    builder, given = _builder(name), dict(options or {})
    known = tuple(inspect.signature(builder).parameters)
    for option in given:
        if option not in known:
            offered = ", ".join(known) or "none"
            raise UsageError(
                f"{name} has no option «{option}»{did_you_mean(option, known)}; it has {offered}"
            )
    built: ZooNetwork = builder(**given)
    return built


def _builder(name: str) -> Any:
    if name in _OWN:
        module, function = _OWN[name]
        return getattr(importlib.import_module(f"edgeage.zoo.{module}"), function)
    from edgeage.zoo.applications import application, application_names

    if name not in application_names():
        names = (*NETWORKS, *application_names())
        raise UsageError(
            f"unknown network «{name}»{did_you_mean(name, names)}; the zoo has "
            f"{', '.join(NETWORKS)} and keras.applications by name"
        )

    def build(
        *, head: str = "years", size: int | None = None, weights: str = "imagenet"
    ) -> ZooNetwork:
        return application(name, head=head, size=size, weights=weights)

    return build
