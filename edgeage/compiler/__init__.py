"""From a trained network in Caffe's format to a compiled model that provably agrees with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeage.lazy import lazy_names

if TYPE_CHECKING:
    from edgeage.compiler.compile import compile_model
    from edgeage.compiler.int8 import Int8Options
    from edgeage.compiler.profiles import Profile, read_profile
    from edgeage.compiler.released import released_models
    from edgeage.compiler.sources import TrainedModel, find_model

__all__ = [
    "Int8Options",
    "Profile",
    "TrainedModel",
    "compile_model",
    "find_model",
    "read_profile",
    "released_models",
]

_HOMES = {
    "compile": ("compile_model",),
    "int8": ("Int8Options",),
    "profiles": ("Profile", "read_profile"),
    "released": ("released_models",),
    "sources": ("TrainedModel", "find_model"),
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
