"""Live video: frames with faces that are followed, and what is done with them.

Nothing is imported before it is asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgeage.streaming.capture import Lost
    from edgeage.streaming.facestream import FaceStream
    from edgeage.streaming.frame import TrackedFace, VideoFrame
    from edgeage.streaming.framesources import ArraySource, FrameReader, FrameSource, open_source
    from edgeage.streaming.options import StreamOptions
    from edgeage.streaming.summary import Summary

_HOMES = {
    "capture": ("Lost",),
    "facestream": ("FaceStream",),
    "frame": ("TrackedFace", "VideoFrame"),
    "framesources": ("ArraySource", "FrameReader", "FrameSource", "open_source"),
    "options": ("StreamOptions",),
    "summary": ("Summary",),
}

__all__ = [
    "ArraySource",
    "FaceStream",
    "FrameReader",
    "FrameSource",
    "Lost",
    "StreamOptions",
    "Summary",
    "TrackedFace",
    "VideoFrame",
    "open_source",
]

_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import what is asked for."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value
