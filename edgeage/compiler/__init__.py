"""From a trained network in Caffe's format to a compiled model that provably agrees with it."""

from edgeage.compiler.compile import compile_model
from edgeage.compiler.profiles import Profile, read_profile
from edgeage.compiler.released import released_models
from edgeage.compiler.sources import TrainedModel, find_model

__all__ = [
    "Profile",
    "TrainedModel",
    "compile_model",
    "find_model",
    "read_profile",
    "released_models",
]
