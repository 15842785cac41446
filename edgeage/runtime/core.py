"""OpenVINO's core: one for the life of the process."""

from __future__ import annotations

import functools
import threading
from typing import Any

__all__ = ["openvino_core"]

_LOCK = threading.Lock()


def openvino_core() -> Any:
    """Return the process's ``openvino.Core``, made at the first call and never given up.

    A core unloads its plugins when it goes, and the CPU's, on machines with AMX, then frees the
    stack on which the thread that loaded it handles signals. Where another thread lets the core
    go, the next signal that Python handles, Ctrl-C or a child's end, ends the process. Nothing
    is set on this core: what a network is to be told goes with ``compile_model``.

    Raises:
        ImportError: when OpenVINO is not there or does not load.
        RuntimeError: OpenVINO's, when its list of plugins cannot be read.
    """
    with _LOCK:
        return _made()


@functools.cache
def _made() -> Any:
    import openvino as ov

    return ov.Core()
