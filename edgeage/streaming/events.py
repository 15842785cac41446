"""What is told of a stream, one JSON object an event; ``events.schema.json`` describes them.

``docs/streaming.md`` says what each field means.
"""

from __future__ import annotations

import collections
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgeage.streaming.capture import Lost
    from edgeage.streaming.facestream import FaceStream
    from edgeage.streaming.frame import TrackedFace, VideoFrame

__all__ = ["end_event", "frame_event", "lost_event", "start_event"]


def start_event(stream: FaceStream, frame: VideoFrame) -> dict[str, Any]:
    """Return the event that goes before the first frame's.

    Args:
        stream: the stream.
        frame: its first frame.
    """
    height, width = frame.picture.shape[:2]
    return {
        "type": "start",
        "timestamp": frame.timestamp,
        "source": stream.name,
        "live": bool(stream.live),
        "width": width,
        "height": height,
        "source_fps": stream.source_fps,
        "device": stream.device,
    }


def frame_event(frame: VideoFrame, *, aggregate: bool = False) -> dict[str, Any]:
    """Return the event of a frame.

    Args:
        frame: the frame.
        aggregate: tell only how many faces there are, by gender and age group: no box, no track.

    >>> import numpy as np
    >>> from edgeage.streaming.frame import VideoFrame
    >>> frame = VideoFrame(7, 1.5, np.zeros((8, 8, 3), np.uint8), fps=24.96)
    >>> frame_event(frame, aggregate=True)["counts"]
    {'faces': 0, 'genders': {}, 'age_groups': {}}
    """
    event = {
        "type": "frame",
        "timestamp": frame.timestamp,
        "frame": frame.number,
        "position_s": _rounded(frame.position_s, 3),
        "fps": round(frame.fps, 2),
        "latency_ms": round(frame.latency_ms, 1),
    }
    if aggregate:
        return {**event, "counts": _counts(frame)}
    return {**event, "faces": [_face(face) for face in frame.faces]}


def lost_event(lost: Lost) -> dict[str, Any]:
    """Return the event of a live source that is lost for now."""
    return {
        "type": "lost",
        "timestamp": lost.timestamp,
        "reason": lost.reason,
        "retry_s": lost.retry_s,
    }


def end_event(stream: FaceStream, reason: str, error: str | None = None) -> dict[str, Any]:
    """Return the last event, with the summary.

    Args:
        stream: the stream.
        reason: ``"end"`` of the source, ``"interrupted"``, or ``"error"``.
        error: what went wrong, in a line.
    """
    summary = stream.summary.to_dict()
    return {"type": "end", "timestamp": time.time(), "reason": reason, "error": error, **summary}


def _face(face: TrackedFace) -> dict[str, Any]:
    return {
        "track": face.track,
        "box": list(face.box),
        "age": _rounded(face.age, 1),
        "age_interval": face.age_interval and [round(end, 1) for end in face.age_interval],
        "age_group": face.age_group,
        "gender": face.gender,
        "gender_probability": _rounded(face.gender_probability, 4),
        "quality": round(face.quality, 3),
        "predicted": face.predicted,
        "device": face.device,
    }


def _counts(frame: VideoFrame) -> dict[str, Any]:
    genders = collections.Counter(face.gender or "unknown" for face in frame.faces)
    groups = collections.Counter(face.age_group or "unknown" for face in frame.faces)
    return {
        "faces": len(frame.faces),
        "genders": dict(sorted(genders.items())),
        "age_groups": dict(sorted(groups.items())),
    }


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
