"""Where a stream's frames and events go: lines of JSON, a video, a window, a publisher."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from edgeage.errors import MissingDependencyError, UsageError, VideoError
from edgeage.paths import atomic_file, refuse_taken

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import numpy as np

__all__ = [
    "VIDEO_CODECS",
    "JsonLines",
    "Publisher",
    "PublisherSink",
    "Sink",
    "video_file",
    "window",
]

Event = dict[str, Any]

VIDEO_CODECS = {".mp4": "mp4v", ".avi": "MJPG", ".webm": "VP80"}
"""By suffix, what a video is written in: what OpenCV's wheels can write everywhere."""

_LIVE_FPS = 25.0
_MOST_REPEATS = 250


class Sink(Protocol):
    """Takes a stream's frames and events, in order, in one thread."""

    @property
    def wants_picture(self) -> bool:
        """Whether the next frame's picture is to be drawn for it."""
        ...

    @property
    def is_done(self) -> bool:
        """Whether it wants no more."""
        ...

    def take(self, event: Event, picture_bgr: np.ndarray | None) -> None:
        """Take an event; with a frame's its picture, as it is to be shown, where that is wanted.

        Args:
            event: a JSON-ready event, as ``events.schema.json`` describes it.
            picture_bgr: uint8 array of shape (height, width, 3), BGR, of a frame; else None.
        """
        ...


class Publisher(Protocol):
    """Shows a stream to others, for example a web page's hub."""

    @property
    def watched(self) -> bool:
        """Whether somebody sees the pictures; without, they are not drawn."""
        ...

    def publish(self, picture_bgr: np.ndarray | None, event: Mapping[str, Any]) -> None:
        """Show an event, and a frame's picture.

        Args:
            picture_bgr: uint8 array of shape (height, width, 3), BGR, of a frame; None for other
                events, and while nobody watches.
            event: the event, JSON-ready.
        """
        ...


class JsonLines:
    """Writes one event a line (jsonlines.org), each at once.

    Args:
        stream: text goes there.

    Attributes:
        wants_picture: False.
        is_done: False.
    """

    wants_picture = False
    is_done = False

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def take(self, event: Event, picture_bgr: np.ndarray | None) -> None:  # noqa: ARG002
        """Write an event.

        Args:
            event: a JSON-ready event, as ``events.schema.json`` describes it.
            picture_bgr: uint8 array of shape (height, width, 3), BGR, of a frame; else None.
        """
        self._stream.write(json.dumps(event, ensure_ascii=False, allow_nan=False) + "\n")
        self._stream.flush()


class PublisherSink:
    """Hands everything to a publisher, pictures while somebody watches.

    Args:
        publisher: who gets it.

    Attributes:
        is_done: False.
    """

    is_done = False

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    @property
    def wants_picture(self) -> bool:
        """Whether somebody watches."""
        return self._publisher.watched

    def take(self, event: Event, picture_bgr: np.ndarray | None) -> None:
        """Publish an event.

        Args:
            event: a JSON-ready event, as ``events.schema.json`` describes it.
            picture_bgr: uint8 array of shape (height, width, 3), BGR, of a frame; else None.
        """
        self._publisher.publish(picture_bgr, event)


class _VideoFile:
    """Writes a video; all frames are brought to the first one's size.

    A live source's frames stand for as long as they lasted, so that the video is as long as what
    it shows.
    """

    wants_picture = True
    is_done = False

    def __init__(self, path: Path, name: Path, fps: float | None) -> None:
        self._path, self._name, self._wanted_fps = path, name, fps
        self._writer: Any = None
        self._size_wh, self._fps, self._live = (0, 0), _LIVE_FPS, False
        self._began, self.frames = 0.0, 0

    def take(self, event: Event, picture_bgr: np.ndarray | None) -> None:
        """Write a frame's picture."""
        if event["type"] == "start":
            self._live = event["live"]
            self._fps = self._wanted_fps or event["source_fps"] or _LIVE_FPS
        if picture_bgr is None:
            return
        if self._writer is None:
            self._open(picture_bgr, event["timestamp"])
        picture = _fitted(picture_bgr, self._size_wh)
        due = round((event["timestamp"] - self._began) * self._fps) + 1
        times = min(max(due - self.frames, 0), _MOST_REPEATS) if self._live else 1
        for _ in range(times):
            self._writer.write(picture)
        self.frames += times

    def close(self) -> None:
        """Complete the file.

        Raises:
            VideoError: when nothing that can be played has come of it.
        """
        import cv2

        if self._writer is None:
            return
        self._writer.release()
        written = cv2.VideoCapture(str(self._path), cv2.CAP_FFMPEG)
        sound = written.isOpened() and written.grab()
        written.release()
        if not sound:
            raise VideoError(f"{self._name} cannot be written; is the disk full?")

    def _open(self, picture_bgr: np.ndarray, timestamp: float) -> None:
        import cv2

        height, width = picture_bgr.shape[:2]
        # Codecs want even sides.
        self._size_wh, self._began = (width + width % 2, height + height % 2), timestamp
        code = cv2.VideoWriter.fourcc(*VIDEO_CODECS[self._name.suffix.lower()])
        self._writer = cv2.VideoWriter(
            str(self._path), cv2.CAP_FFMPEG, code, self._fps, self._size_wh
        )
        if not self._writer.isOpened():
            raise VideoError(f"{self._name} cannot be written by this OpenCV; try another suffix")


@contextlib.contextmanager
def video_file(path: Path, *, fps: float | None = None, overwrite: bool = False) -> Iterator[Sink]:
    """Open a video, which appears when the block succeeds.

    Args:
        path: ends in one of :data:`VIDEO_CODECS`.
        fps: frames a second; None for the source's own.
        overwrite: whether a file that is there may be replaced.

    Yields:
        A sink that writes the pictures.

    Raises:
        UsageError: for another suffix, or when the file is there without ``overwrite``.
        VideoError: when it cannot be written, or no frame came.
    """
    suffix = path.suffix.lower()
    if suffix not in VIDEO_CODECS:
        raise UsageError(f"{path} is no video's name; expected {', '.join(VIDEO_CODECS)}")
    refuse_taken(path, overwrite=overwrite)
    with atomic_file(path, suffix=f".part{suffix}") as temporary:
        sink = _VideoFile(temporary, path, fps)
        try:
            yield sink
        finally:
            sink.close()
        if not sink.frames:
            raise VideoError(f"{path} is not written: no frame came")


class _Window:
    """Shows the pictures, until q or Esc is pressed or it is closed."""

    wants_picture = True

    def __init__(self, title: str) -> None:
        self._title, self.is_done, self._shown = title, False, False

    def take(self, event: Event, picture_bgr: np.ndarray | None) -> None:  # noqa: ARG002
        """Show a frame's picture."""
        import cv2

        if picture_bgr is None:
            return
        if self._shown and cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) < 1:
            self.is_done = True
            return
        cv2.imshow(self._title, picture_bgr)
        self._shown = True
        self.is_done = cv2.waitKey(1) & 0xFF in (27, ord("q"))


@contextlib.contextmanager
def window(title: str) -> Iterator[Sink]:
    """Open a window; use it in the main thread.

    Args:
        title: stands above it.

    Yields:
        A sink that shows the pictures; it is done when q or Esc is pressed or it is closed.

    Raises:
        UsageError: when there is no screen.
        MissingDependencyError: when the installed OpenCV has no windows.
    """
    import cv2

    # Qt ends the whole process where it finds no screen.
    if sys.platform == "linux" and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        raise UsageError("there is no screen for --show ($DISPLAY is not set); try --save out.mp4")
    try:
        cv2.namedWindow(title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)
    except cv2.error:
        raise MissingDependencyError(
            "this OpenCV has no windows (opencv-python-headless); install opencv-python instead"
        ) from None
    try:
        yield _Window(title)
    finally:
        with contextlib.suppress(cv2.error):
            cv2.destroyWindow(title)


def _fitted(picture_bgr: np.ndarray, size_wh: tuple[int, int]) -> np.ndarray:
    """Bring a picture to a size, with black beside it where its proportions differ."""
    import cv2

    height, width = picture_bgr.shape[:2]
    if (width, height) == size_wh:
        return picture_bgr
    scale = min(size_wh[0] / width, size_wh[1] / height)
    if scale < 1 or scale >= 1.1:
        width, height = max(1, int(width * scale)), max(1, int(height * scale))
        picture_bgr = cv2.resize(picture_bgr, (width, height), interpolation=cv2.INTER_AREA)
    right, below = size_wh[0] - width, size_wh[1] - height
    edges = (below // 2, below - below // 2, right // 2, right - right // 2)
    framed: np.ndarray = cv2.copyMakeBorder(picture_bgr, *edges, cv2.BORDER_CONSTANT)
    return framed
