"""The zoo: networks of the Keras age and gender projects, built, loaded and written as ONNX.

Keras 3 is opened only when a network is built.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgeage.zoo.export import write_onnx
    from edgeage.zoo.h5weights import load_h5
    from edgeage.zoo.importing import FORMS, import_model
    from edgeage.zoo.network import ZooNetwork
    from edgeage.zoo.networks import NETWORKS, build_network

__all__ = [
    "FORMS",
    "NETWORKS",
    "ZooNetwork",
    "build_network",
    "import_model",
    "load_h5",
    "write_onnx",
]

_HOME_OF = {
    "FORMS": "importing",
    "NETWORKS": "networks",
    "ZooNetwork": "network",
    "build_network": "networks",
    "import_model": "importing",
    "load_h5": "h5weights",
    "write_onnx": "export",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for: nothing here needs Keras to be known by name."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value
