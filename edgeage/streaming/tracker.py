"""Which face of a frame is which of the frames before: SORT, with a short memory.

A. Bewley et al., «Simple Online and Realtime Tracking», ICIP 2016: every track's box is moved on by
a Kalman filter and matched with the detections by the most overlap in all. Three things are added.
Between two searches each face is looked for where it should be, or moved on by its pixels
(:mod:`edgeage.streaming.flow`). What is left over is matched once more with both boxes enlarged
(F. Yang et al., «Hard to Track Objects with Irregular Motions and Similar Appearances? Make It
Easier by Buffering the Matching Space», WACV 2023), which keeps a small face that moves by its own
width. And a face that comes back soon, near where it was lost, in about the same size and colours,
has its number again.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

import numpy as np

from edgeage.faces.boxes import overlap
from edgeage.streaming.assignment import assign
from edgeage.streaming.boxfilter import Box, BoxFilter
from edgeage.streaming.flow import Flow
from edgeage.streaming.looks import likeness

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edgeage.prediction.finder import FoundFace
    from edgeage.streaming.looks import Look

__all__ = ["Memory", "Track", "Tracker"]

_LEAST_OVERLAP = 0.3
_BUFFER, _LEAST_BUFFERED = 0.5, 0.15
_SURE = 2
"""Detections after which a track is believed, and gets its number."""
# Of 200 faces seen twice, in other light and focus, 99 % are above the one; of different people
# 28 % are above the other.
_STRANGE, _ALIKE = 0.75, 0.8
_NEAR, _SPEED = 2.0, 0.12
_SIZE_RATIO = 2.0
_COLOUR_SHARE = 0.2
_SAME = 0.7
"""Overlap, in parts of the smaller box, from which two boxes are one face, as in MTCNN."""


@dataclasses.dataclass(frozen=True)
class Memory:
    """How long a track outlives its last detection, in frames of the source.

    Attributes:
        coast: how long it goes on along its way and takes up a face that turns up there.
        remember: how long, from then on, a face that turns up near by may be it.
    """

    coast: int = 20
    remember: int = 90


class Track:
    """One face on its way through the frames.

    Attributes:
        number: the track's, from 1 on; 0 until it is believed.
        face: what the detector last said of it.
        look: its look then, with the colours of the last detections mixed.
        filter: where it is going.
        before: its box in the frame before.
        seen: number of the frame of its last detection.
        hits: how often it was detected.
        missed: how many looks have not found it since.
    """

    def __init__(self, face: FoundFace, look: Look, frame: int) -> None:
        self.number, self.hits, self.missed = 0, 1, 0
        self.face, self.look, self.seen = face, look, frame
        self.filter = BoxFilter(_box(face))
        self.before = self.filter.box

    @property
    def is_shown(self) -> bool:
        """Whether it is believed, and was found by the last look."""
        return self.number > 0 and not self.missed

    def seen_again(self, face: FoundFace, frame: int) -> None:
        """Take in that it was found where it was expected, without a search."""
        self.filter.update(_box(face))
        self.face, self.seen, self.missed = face, frame, 0
        self.hits += 1

    def found(self, face: FoundFace, look: Look, frame: int) -> None:
        """Take a detection in."""
        self.filter.update(_box(face))
        mixed = dataclasses.replace(self.look.blended(look, _COLOUR_SHARE), quality=look.quality)
        self.face, self.look, self.seen = face, mixed, frame
        self.hits, self.missed = self.hits + 1, 0


class Tracker:
    """Follows the faces of one source.

    Args:
        memory: how long a track outlives its last detection.

    Attributes:
        tracks: those that are followed now, also those not believed yet or out of sight.
        count: how many faces have had a number so far.
    """

    def __init__(self, memory: Memory | None = None) -> None:
        self._memory = memory or Memory()
        self.tracks: list[Track] = []
        self._gone: list[Track] = []
        self._flow = Flow()
        self._frame: int | None = None
        self._searches = 0
        self.count = 0

    def move(
        self, frame: int, picture_bgr: np.ndarray | None = None, *, follow: bool = True
    ) -> None:
        """Move all tracks on to a frame.

        Args:
            frame: its number in the source.
            picture_bgr: uint8 array of shape (height, width, 3), BGR; not to be changed. None
                where it is not known.
            follow: move those in sight as far as their pixels did, else along their way.
        """
        frames = frame - (frame if self._frame is None else self._frame)
        self._frame = frame
        seen = [track for track in self.tracks if not track.missed]
        moved: dict[int, tuple[float, float] | None] = {}
        if picture_bgr is not None:
            self._flow.take(picture_bgr)
        if picture_bgr is not None and follow:
            steps = self._flow.moved([track.filter.box for track in seen])
            moved = {id(track): step for track, step in zip(seen, steps, strict=True)}
        for track in self.tracks:
            track.before = track.filter.box
            track.filter.predict(frames, moved.get(id(track)))

    def update(self, faces: Sequence[FoundFace], looks: Sequence[Look]) -> None:
        """Take in what a search found in the frame last moved to.

        Args:
            faces: all faces of the frame.
            looks: what each looks like.
        """
        frame = self._frame or 0
        self._searches += 1
        left_tracks, left_faces = list(self.tracks), list(range(len(faces)))
        for buffer, least in ((0.0, _LEAST_OVERLAP), (_BUFFER, _LEAST_BUFFERED)):
            there = [faces[n] for n in left_faces], [looks[n] for n in left_faces]
            pairs = _matched(left_tracks, *there, buffer, least)
            for track, place in [(left_tracks[a], left_faces[b]) for a, b in pairs]:
                track.found(faces[place], looks[place], frame)
                left_tracks.remove(track)
                left_faces.remove(place)
        for track in left_tracks:
            track.missed += 1
        self.tracks += [Track(faces[n], looks[n], frame) for n in left_faces]
        self._number_new()
        self._forget(frame)

    def check(
        self,
        find: Callable[[list[Box]], list[FoundFace | None]],
        look: Callable[[FoundFace], Look],
    ) -> None:
        """Look for every face where it is expected, in the frame last moved to.

        Who is in sight and not there is looked for once more where the pixels went.

        Of two tracks that come upon one face, the one in sight has it before the one that was out
        of sight, and the nearer before the other. Who was out of sight has to have its colours.

        Args:
            find: finds the faces about boxes, for each the face there or None.
            look: tells what one looks like.
        """
        faces = find([track.filter.box for track in self.tracks])
        lost = [n for n, face in enumerate(faces) if face is None and not self.tracks[n].missed]
        steps = self._flow.moved([self.tracks[n].before for n in lost])
        again = {
            n: _shifted(self.tracks[n].before, step)
            for n, step in zip(lost, steps, strict=True)
            if step is not None
        }
        for n, face in zip(again, find(list(again.values())), strict=True):
            faces[n] = face
        frame = self._frame or 0
        there = [(t, face) for t, face in zip(self.tracks, faces, strict=True) if face is not None]
        ways = np.array([track.filter.box for track, _ in there]).reshape(-1, 4)
        found = np.array([_box(face) for _, face in there]).reshape(-1, 4)
        near = overlap(ways, found, of_smaller=False).diagonal()
        same = overlap(found, found, of_smaller=True) > _SAME
        hidden = np.array([track.missed > 0 for track, _ in there], bool)
        taken: list[int] = []
        for row in np.lexsort((-near, hidden)):
            track, face = there[row]
            if same[row, taken].any():
                continue
            if hidden[row] and likeness([look(face)], [track.look])[0, 0] < _STRANGE:
                continue
            track.seen_again(face, frame)
            taken.append(int(row))
        for track in self.tracks:
            track.missed += track.seen != frame
        self._number_new()
        self._forget(frame)

    @property
    def is_unsure(self) -> bool:
        """Whether a face is so new that this frame had better be searched."""
        return any(not track.missed and track.hits < _SURE for track in self.tracks)

    def is_known(self, number: int) -> bool:
        """Tell whether a track of this number is there, or may come back."""
        return any(track.number == number for track in (*self.tracks, *self._gone))

    def _number_new(self) -> None:
        """Give the tracks that are believed now their number, a known one where they had one.

        As in SORT, the faces of the first searches are believed at once.
        """
        sure = min(_SURE, self._searches)
        fresh = [t for t in self.tracks if not t.number and not t.missed and t.hits >= sure]
        for place, former in self._recognised(fresh):
            fresh[place].number = former.number
            self._gone.remove(former)
        for track in fresh:
            if not track.number:
                self.count += 1
                track.number = self.count

    def _forget(self, frame: int) -> None:
        """End the tracks that have been out of sight too long."""
        coast, remember = self._memory.coast, self._memory.remember
        kept = []
        for track in self.tracks:
            unseen = frame - track.seen
            if unseen <= coast and (track.number or not track.missed):
                kept.append(track)
            elif track.number:
                self._gone.append(track)
        self.tracks = kept
        self._gone = [t for t in self._gone if frame - t.seen <= coast + remember]

    def _recognised(self, fresh: Sequence[Track]) -> list[tuple[int, Track]]:
        """Match new tracks with those out of sight: by place, size and colours."""
        # Out of sight also is one that still coasts, but along another way.
        former = self._gone + [t for t in self.tracks if t.number and t.missed]
        if not fresh or not former:
            return []
        alike = likeness([track.look for track in fresh], [track.look for track in former])
        alike[~np.array([[_is_near(new, old) for old in former] for new in fresh])] = 0
        pairs = [pair for pair in assign(1 - alike) if alike[pair] >= _ALIKE]
        for _, column in pairs:
            if former[column] in self.tracks:
                self.tracks.remove(former[column])
                self._gone.append(former[column])
        return [(row, former[column]) for row, column in pairs]


def _matched(
    tracks: Sequence[Track],
    faces: Sequence[FoundFace],
    looks: Sequence[Look],
    buffer: float,
    least: float,
) -> list[tuple[int, int]]:
    """Match tracks with faces by the most overlap in all, colours deciding between equals.

    Each overlap has to be enough, and the colours not be another face's altogether.
    """
    if not tracks or not faces:
        return []
    ways = _enlarged(np.array([track.filter.box for track in tracks]), buffer)
    found = _enlarged(np.array([_box(face) for face in faces]), buffer)
    shared = overlap(ways, found, of_smaller=False)
    alike = likeness([track.look for track in tracks], looks)
    # Light that goes on changes all colours at once, where nobody was out of sight.
    hidden = np.array([track.missed > 0 for track in tracks])[:, None]
    shared[(shared < least) | (hidden & (alike < _STRANGE))] = 0
    shared *= 0.2 + 0.8 * alike**2
    return [(row, column) for row, column in assign(-shared) if shared[row, column] > 0]


def _shifted(box: Box, step: tuple[float, float]) -> Box:
    (left, top, right, bottom), (x, y) = box, step
    return left + x, top + y, right + x, bottom + y


def _enlarged(boxes_xyxy: np.ndarray, buffer: float) -> np.ndarray:
    size = np.tile(boxes_xyxy[:, 2:] - boxes_xyxy[:, :2], 2)
    grown: np.ndarray = boxes_xyxy + size * np.array([-buffer, -buffer, buffer, buffer])
    return grown


def _is_near(new: Track, old: Track) -> bool:
    """Tell whether a face can have come here since it was last seen, and has about its size."""
    (x, y), (left, top, right, bottom) = new.filter.centre, _box(old.face)
    side, former = new.filter.side, math.sqrt((right - left) * (bottom - top))
    if not 1 / _SIZE_RATIO < side / former < _SIZE_RATIO:
        return False
    reach = (_NEAR + _SPEED * (new.seen - old.seen)) * max(side, former)
    return math.hypot(x - (left + right) / 2, y - (top + bottom) / 2) < reach


def _box(face: FoundFace) -> tuple[float, float, float, float]:
    return face.detection.box if face.detection else face.box
