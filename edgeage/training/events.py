"""TensorBoard events, written with TensorBoard's own writer: no engine is needed for them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from edgeage.errors import require

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["EventWriter"]

_PURPOSE = "write training events"


class EventWriter:
    """Appends scalars to a TensorBoard folder.

    Args:
        folder: where the event files go.
        purge_step: what earlier files say of this step and later ones counts no longer; None
            for a new training.

    Raises:
        MissingDependencyError: without the package ``tensorboard``.
    """

    def __init__(self, folder: Path, purge_step: int | None = None) -> None:
        name = "tensorboard.summary.writer.event_file_writer"
        writer = require(name, extra="train", purpose=_PURPOSE)
        self._events: Any = require(
            "tensorboard.compat.proto.event_pb2", extra="train", purpose=_PURPOSE
        )
        self._summaries: Any = require(
            "tensorboard.compat.proto.summary_pb2", extra="train", purpose=_PURPOSE
        )
        self._writer: Any = writer.EventFileWriter(str(folder))
        if purge_step is not None:
            start = self._events.SessionLog(status=self._events.SessionLog.START)
            self._add(purge_step, session_log=start)

    def scalar(self, tag: str, value: float, step: int) -> None:
        """Append one number."""
        entry = self._summaries.Summary.Value(tag=tag, simple_value=value)
        self._add(step, summary=self._summaries.Summary(value=[entry]))

    def _add(self, step: int, **content: Any) -> None:
        self._writer.add_event(self._events.Event(step=step, wall_time=time.time(), **content))

    def flush(self) -> None:
        """Bring what was appended onto the disk."""
        self._writer.flush()

    def close(self) -> None:
        """Write what is left and close the file."""
        self._writer.close()
