"""Keras 3, opened the one way it is opened here: with torch behind it unless told otherwise."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from edgeage.errors import UsageError, did_you_mean, require

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["BACKENDS", "VARIABLE", "backend_tools", "open_keras"]

BACKENDS = {"torch": "zoo", "tensorflow": "tensorflow"}
"""What Keras may compute with, and the extra that installs it."""

VARIABLE = "KERAS_BACKEND"
"""The environment variable that chooses one of them, Keras's own."""

_PURPOSE = "build the zoo's networks"


def open_keras() -> ModuleType:
    """Return Keras; torch computes unless ``$KERAS_BACKEND`` or a loaded Keras says otherwise.

    Returns:
        The module ``keras``, of version 3, with pictures laid out (n, height, width, channels).

    Raises:
        MissingDependencyError: when Keras or its backend is not installed.
        UsageError: for a backend the zoo is not tested with.
    """
    if "keras" not in sys.modules:
        chosen = os.environ.setdefault(VARIABLE, "torch")
        _check(chosen)
        require(chosen, extra=BACKENDS[chosen], purpose=_PURPOSE)
        if chosen == "tensorflow":
            # Its greeting on stderr is no news to a user of edgeage.
            os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    keras = require("keras", extra="zoo", purpose=_PURPOSE)
    _check(keras.config.backend())
    if keras.config.image_data_format() != "channels_last":
        keras.config.set_image_data_format("channels_last")
    return keras


def backend_tools() -> dict[str, str]:
    """Return name and version of Keras and of what computes behind it."""
    keras = open_keras()
    name = keras.config.backend()
    backend = require(name, extra=BACKENDS[name], purpose=_PURPOSE)
    return {"keras": str(keras.__version__), name: str(backend.__version__)}


def _check(name: str) -> None:
    if name not in BACKENDS:
        raise UsageError(
            f"${VARIABLE} is «{name}»{did_you_mean(name, BACKENDS)}; expected "
            f"{' or '.join(BACKENDS)}"
        )
