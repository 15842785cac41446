"""The zoo: networks of the Keras age and gender projects, built, loaded and written as ONNX.

Keras 3 is opened only when a network is built.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeage.lazy import lazy_names

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

_HOMES = {
    "export": ("write_onnx",),
    "h5weights": ("load_h5",),
    "importing": ("FORMS", "import_model"),
    "network": ("ZooNetwork",),
    "networks": ("NETWORKS", "build_network"),
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
