"""A stream from its first frame to its summary, given to all who want it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgeage.drawing import draw_faces
from edgeage.errors import EdgeageError
from edgeage.streaming.anonymise import blur_faces
from edgeage.streaming.events import end_event, frame_event, lost_event, start_event

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from edgeage.streaming.capture import Lost
    from edgeage.streaming.facestream import FaceStream
    from edgeage.streaming.frame import VideoFrame
    from edgeage.streaming.sinks import Sink

__all__ = ["Play", "shown_picture"]


def shown_picture(frame: VideoFrame, *, blur: bool = False, aggregate: bool = False) -> np.ndarray:
    """Return a frame's picture as it is shown: its faces blurred if wanted, and labelled.

    Args:
        frame: the frame; its picture is left as it is.
        blur: make its faces unrecognisable, also those out of sight and not yet believed.
        aggregate: draw no box and no label.

    Returns:
        uint8 array of shape (height, width, 3), BGR; larger than the frame where that is small.
    """
    picture = frame.picture
    if blur:
        picture = blur_faces(picture, [*(face.box for face in frame.faces), *frame.hidden])
    if aggregate:
        return picture
    return draw_faces(picture, frame.faces, numbers=[face.track for face in frame.faces])


class Play:
    """Plays a stream to its end.

    Args:
        stream: the stream.
        sinks: who wants its frames and events.
        blur: make the faces in the pictures unrecognisable.
        aggregate: tell counts only.

    Attributes:
        error: what ended the stream before its end, or None; the sinks have been told.
    """

    def __init__(
        self,
        stream: FaceStream,
        sinks: Sequence[Sink],
        *,
        blur: bool = False,
        aggregate: bool = False,
    ) -> None:
        self._stream, self._sinks = stream, sinks
        self._blur, self._aggregate = blur, aggregate
        self._interrupted = False
        self.error: EdgeageError | None = None
        stream.on_lost = self._lost

    def interrupt(self) -> None:
        """Let it end after the frames under way; may be called in a signal's handler."""
        self._interrupted = True
        self._stream.end()

    def run(self) -> dict[str, Any]:
        """Play it.

        Returns:
            The ``end`` event, which the sinks have got too.
        """
        began = False
        try:
            for frame in self._stream:
                if not began:
                    self._tell(start_event(self._stream, frame))
                    began = True
                self._show(frame)
                if any(sink.is_done for sink in self._sinks):
                    self._stream.end()
        except EdgeageError as error:
            self.error = error
        finally:
            self._stream.close()
        reason = "error" if self.error else "interrupted" if self._interrupted else "end"
        event = end_event(self._stream, reason, str(self.error) if self.error else None)
        self._tell(event)
        return event

    def _show(self, frame: VideoFrame) -> None:
        event = frame_event(frame, aggregate=self._aggregate)
        picture = None
        # Asked once: somebody may begin to watch meanwhile.
        wanting = [sink.wants_picture for sink in self._sinks]
        if any(wanting):
            picture = shown_picture(frame, blur=self._blur, aggregate=self._aggregate)
        for sink, wants in zip(self._sinks, wanting, strict=True):
            sink.take(event, picture if wants else None)

    def _tell(self, event: dict[str, Any]) -> None:
        for sink in self._sinks:
            sink.take(event, None)

    def _lost(self, lost: Lost) -> None:
        self._tell(lost_event(lost))
