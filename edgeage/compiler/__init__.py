"""From a trained network in Caffe's format to a compiled model that provably agrees with it."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

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

_HOME_OF = {
    "Int8Options": "int8",
    "Profile": "profiles",
    "TrainedModel": "sources",
    "compile_model": "compile",
    "find_model": "sources",
    "read_profile": "profiles",
    "released_models": "released",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for: who only runs released models does not wait for the compiler."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value
