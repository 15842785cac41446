"""Live video: frames with faces that are followed, and what is done with them.

Nothing is imported before it is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeage.lazy import lazy_names

if TYPE_CHECKING:
    from edgeage.streaming.anonymise import blur_faces
    from edgeage.streaming.capture import Lost
    from edgeage.streaming.facestream import FaceStream
    from edgeage.streaming.frame import TrackedFace, VideoFrame
    from edgeage.streaming.framesources import ArraySource, FrameReader, FrameSource, open_source
    from edgeage.streaming.options import StreamOptions
    from edgeage.streaming.play import Play, shown_picture
    from edgeage.streaming.sinks import (
        VIDEO_CODECS,
        JsonLines,
        Publisher,
        PublisherSink,
        Sink,
        video_file,
        window,
    )
    from edgeage.streaming.summary import Summary

_HOMES = {
    "anonymise": ("blur_faces",),
    "capture": ("Lost",),
    "facestream": ("FaceStream",),
    "frame": ("TrackedFace", "VideoFrame"),
    "framesources": ("ArraySource", "FrameReader", "FrameSource", "open_source"),
    "options": ("StreamOptions",),
    "play": ("Play", "shown_picture"),
    "sinks": (
        "VIDEO_CODECS",
        "JsonLines",
        "Publisher",
        "PublisherSink",
        "Sink",
        "video_file",
        "window",
    ),
    "summary": ("Summary",),
}

__all__ = [
    "VIDEO_CODECS",
    "ArraySource",
    "FaceStream",
    "FrameReader",
    "FrameSource",
    "JsonLines",
    "Lost",
    "Play",
    "Publisher",
    "PublisherSink",
    "Sink",
    "StreamOptions",
    "Summary",
    "TrackedFace",
    "VideoFrame",
    "blur_faces",
    "open_source",
    "shown_picture",
    "video_file",
    "window",
]

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
