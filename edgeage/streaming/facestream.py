"""From a source's frames to their faces with track, age and gender, in threads.

::

    capture ──> follow ──> estimate ──> frames, in the source's order

Each step has a thread of its own and works on the next frame while the following step is at this
one; between two of them only a few frames wait.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import time
from typing import TYPE_CHECKING

from edgeage.closing import Closing
from edgeage.prediction.pipeline import Pipeline, Stage
from edgeage.prediction.steps import PictureWork
from edgeage.sources import Source
from edgeage.streaming.capture import Capture, Captured, Lost
from edgeage.streaming.frame import TrackedFace, VideoFrame
from edgeage.streaming.framesources import open_source
from edgeage.streaming.looks import look_at
from edgeage.streaming.options import StreamOptions
from edgeage.streaming.smoothing import Schedule, Smoother
from edgeage.streaming.summary import Rate, Summary
from edgeage.streaming.tracker import Memory, Tracker

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Generator, Sequence

    import numpy as np

    from edgeage.prediction.finder import FoundFace
    from edgeage.prediction.steps import PictureSteps
    from edgeage.streaming.framesources import FrameSource
    from edgeage.streaming.tracker import Track

__all__ = ["FaceStream"]

_AHEAD = 4
_ESTIMATED_TOGETHER = 32
_FRAME = Source("<frame>")

Box = tuple[int, int, int, int]


@dataclasses.dataclass
class _Seen:
    """A track as it is in one frame."""

    number: int
    box: Box
    face: FoundFace
    quality: float
    predicted: bool
    wanted: bool = False


@dataclasses.dataclass
class _Work:
    """A frame on its way, or the news that the source is lost."""

    taken: Captured | Lost
    seen: list[_Seen] = dataclasses.field(default_factory=list)
    hidden: list[Box] = dataclasses.field(default_factory=list)
    forgotten: list[int] = dataclasses.field(default_factory=list)
    faces: list[TrackedFace] = dataclasses.field(default_factory=list)


class FaceStream(Closing):
    """An iterator over a source's frames with their faces; made by ``Predictor.stream``.

    It starts with the first frame asked for. Leaving the loop does not end it: close it, use it
    in a ``with`` statement, or close the Predictor.

    Args:
        steps: the Predictor's steps.
        source: what :func:`edgeage.streaming.open_source` takes.
        options: how the faces are followed; None for the defaults.

    Attributes:
        name: what the source is called.
        options: how the faces are followed.
        on_lost: called with the :class:`edgeage.streaming.Lost` each time a live source is lost,
            in the thread that asks for frames; None for nothing.

    Raises:
        UsageError: for an address of another kind, or a single picture.
        VideoError: when there is no such file, folder or camera.
    """

    def __init__(
        self,
        steps: PictureSteps,
        source: str | int | os.PathLike[str] | FrameSource,
        options: StreamOptions | None = None,
    ) -> None:
        self._steps, self.options = steps, options or StreamOptions()
        opened = open_source(source)
        self.name = opened.name
        self.on_lost: Callable[[Lost], None] | None = None
        self._capture = Capture(opened, self.options)
        self._pipeline = Pipeline(
            (_Work(taken) for taken in self._capture),
            [
                Stage("follow", self._follow),
                Stage("estimate", self._estimate, _faces, _ESTIMATED_TOGETHER),
            ],
            ahead=_AHEAD,
        )
        span = 2 * self.options.every * self.options.detect_every
        self._tracker = Tracker(Memory(max(self.options.coast, span), self.options.remember))
        self._schedules: dict[int, Schedule] = {}
        self._smoothers: dict[int, Smoother] = {}
        self._passed = self._searched = self._estimates = 0
        self._rate = Rate()
        self._frames: Generator[_Work, None, None] | None = None

    @property
    def live(self) -> bool | None:
        """Whether the source drops frames rather than wait; None before the first frame."""
        return self._capture.live

    @property
    def source_fps(self) -> float | None:
        """Frames a second of the source; None where it does not tell, or before the first."""
        return self._capture.fps

    @property
    def device(self) -> str:
        """Where the networks run."""
        return self._steps.device

    @property
    def summary(self) -> Summary:
        """What it came to so far."""
        counts = self._capture.counts
        return Summary(
            **self._rate.fields,
            dropped=counts.dropped,
            skipped=counts.skipped,
            searched=self._searched,
            estimates=self._estimates,
            tracks=self._tracker.count,
            reconnects=counts.reconnects,
        )

    def __iter__(self) -> FaceStream:
        return self

    def __next__(self) -> VideoFrame:
        """Return the next frame.

        Raises:
            VideoError: when the source cannot be opened, or is lost for good.
            DeviceError: when the device fails.
            ModelError: when the detector's network is missing or damaged.
            UsageError: when the Predictor is closed meanwhile.
        """
        if self._frames is None:
            self._frames = iter(self._pipeline)
        for work in self._frames:
            if isinstance(work.taken, Captured):
                return self._result(work, work.taken)
            if self.on_lost is not None:
                self.on_lost(work.taken)
        raise StopIteration

    def end(self) -> None:
        """Let the source end here; the frames under way still come. For a signal's handler."""
        self._capture.end()

    def stop(self, reason: BaseException | None = None) -> None:
        """End the threads now; stopping twice is harmless.

        Args:
            reason: what asking for the next frame raises.
        """
        self._capture.end()
        self._pipeline.stop(reason)

    def close(self) -> None:
        """End it; closing twice is harmless."""
        if self._frames is not None:
            self._frames.close()
        self.stop()

    def _follow(self, works: Sequence[_Work]) -> None:
        """Tell whose faces there are and whose age and gender are to be estimated."""
        for work in works:
            if isinstance(taken := work.taken, Captured):
                looks = self._steps.looks_again
                self._tracker.move(taken.number, taken.picture, follow=not looks)
                self._passed += 1
                if searched := self._is_due(looks=looks):
                    self._search(work, taken)
                elif looks:
                    self._tracker.check(
                        functools.partial(self._steps.look_again, taken.picture),
                        functools.partial(look_at, taken.picture),
                    )
                self._look(work, taken, seen=searched or looks)

    def _is_due(self, *, looks: bool) -> bool:
        """Tell whether to search the frame for faces.

        Args:
            looks: whether a face that is new can be looked for alone.
        """
        due = not self._searched or self._passed >= self.options.detect_every
        return due or (not looks and self._tracker.is_unsure)

    def _search(self, work: _Work, taken: Captured) -> None:
        self._passed, self._searched = 0, self._searched + 1
        (found,) = self._steps.find([taken.picture])
        self._tracker.update(found, [look_at(taken.picture, face) for face in found])
        work.forgotten = [n for n in self._schedules if not self._tracker.is_known(n)]
        for number in work.forgotten:
            del self._schedules[number]

    def _look(self, work: _Work, taken: Captured, *, seen: bool) -> None:
        for track in self._tracker.tracks:
            box = _inside(track, taken.picture, predicted=not seen or track.missed > 0)
            if box is None:
                continue
            if not track.is_shown:
                work.hidden.append(box)
                continue
            quality = track.look.quality
            schedule = self._schedules.setdefault(track.number, Schedule(self.options.refresh))
            wanted = seen and schedule.is_due(taken.number, quality)
            work.seen.append(_Seen(track.number, box, track.face, quality, not seen, wanted))
        work.seen.sort(key=lambda seen: seen.number)

    def _estimate(self, works: Sequence[_Work]) -> None:
        """Have the networks look at the faces that are to be looked at, and average."""
        asked = []
        for work in works:
            wanted = [seen for seen in work.seen if seen.wanted]
            if wanted and isinstance(work.taken, Captured):
                faces = [seen.face for seen in wanted]
                picture = PictureWork(_FRAME, picture=work.taken.picture, faces=faces)
                picture.decoded_s = work.taken.read_s
                asked.append((picture, wanted))
        pictures = [picture for picture, _ in asked]
        self._steps.align(pictures)
        self._steps.infer(pictures)
        answers = {
            id(seen): face
            for picture, wanted in asked
            for seen, face in zip(wanted, self._steps.faces(picture), strict=True)
        }
        self._estimates += len(answers)
        for work in works:
            for seen in work.seen:
                smoother = self._smoothers.setdefault(seen.number, Smoother(self._steps.age_labels))
                if seen.wanted:
                    smoother.add(answers[id(seen)], seen.quality)
                work.faces.append(self._face(seen, smoother))
            for number in work.forgotten:
                self._smoothers.pop(number, None)

    def _face(self, seen: _Seen, smoother: Smoother) -> TrackedFace:
        detection = seen.face.detection
        face = TrackedFace(
            seen.box,
            score=detection.score if detection else None,
            landmarks=detection.landmarks if detection and not seen.predicted else (),
            detected=not seen.face.is_whole,
            track=seen.number,
            quality=round(seen.quality, 4),
            predicted=seen.predicted,
            **smoother.fields,
        )
        named = self._steps.named(face)
        assert isinstance(named, TrackedFace)
        return named

    def _result(self, work: _Work, taken: Captured) -> VideoFrame:
        late_ms = self._rate.add(taken.read_s, time.perf_counter())
        return VideoFrame(
            taken.number,
            taken.timestamp,
            taken.picture,
            tuple(dataclasses.replace(face, latency_ms=late_ms) for face in work.faces),
            taken.position_s,
            self._rate.recent_fps,
            late_ms,
            tuple(work.hidden),
        )


def _faces(work: _Work) -> int:
    return sum(seen.wanted for seen in work.seen)


def _inside(track: Track, picture: np.ndarray, *, predicted: bool) -> Box | None:
    """Return a track's box in whole pixels of the picture; None where it has left it."""
    if not predicted:
        return track.face.box
    height, width = picture.shape[:2]
    left, top, right, bottom = track.filter.box
    box = (
        max(0, math.floor(left)),
        max(0, math.floor(top)),
        min(width, math.ceil(right)),
        min(height, math.ceil(bottom)),
    )
    return box if box[0] < box[2] and box[1] < box[3] else None
