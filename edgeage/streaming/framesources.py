"""Where frames come from: cameras, video files, folders of frames, network streams, memory."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from edgeage.errors import ImageError, UsageError, VideoError, one_line
from edgeage.fetching import is_url, public_url
from edgeage.folders import IMAGE_SUFFIXES, pictures_below

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy as np

    from edgeage.folders import Found

__all__ = ["ArraySource", "FrameReader", "FrameSource", "open_source"]

_LOG = logging.getLogger(__name__)
_SCHEMES = ("rtsp", "rtsps", "http", "https")
_DEVICE = re.compile(r"/dev/video(\d+)")
_TIMEOUT_MS = 10_000


class FrameReader(Protocol):
    """Reads one source from its beginning, in one thread.

    Attributes:
        fps: frames a second of the source, where it tells them.
        live: whether frames come when they come, and are lost if they are not taken.
    """

    fps: float | None
    live: bool

    def read(self) -> np.ndarray | None:
        """Return the next frame, uint8 of shape (height, width, 3), BGR; None at the end."""
        ...

    def skip(self) -> bool:
        """Pass one frame over.

        Returns:
            False at the end.
        """
        ...

    def close(self) -> None:
        """Give the source back."""
        ...


class FrameSource(Protocol):
    """Something frames can be read from, more than once if it is live.

    Attributes:
        name: what to call it, without a password.
    """

    name: str

    def open_frames(self) -> FrameReader:
        """Open it.

        Returns:
            What reads its frames.

        Raises:
            VideoError: when that fails.
        """
        ...


def open_source(word: str | int | os.PathLike[str] | FrameSource) -> FrameSource:
    """Tell what a word stands for, and look whether it may be there.

    Args:
        word: a camera's number (also as text), ``/dev/videoN``, a video file, a folder of
            pictures, an ``rtsp://``, ``rtsps://``, ``http://`` or ``https://`` address, or a
            source, which is returned.

    Returns:
        The source; it is not open yet.

    Raises:
        UsageError: for one picture, or an address of another kind.
        VideoError: when there is no such file, folder or camera.
    """
    if not isinstance(word, str | int | os.PathLike):
        return word
    text = os.fspath(word) if isinstance(word, os.PathLike) else str(word)
    if isinstance(word, str) and is_url(word):
        return _address(word)
    if isinstance(word, int) or (text.isdecimal() and not Path(text).exists()):
        return _camera(int(text))
    if device := _DEVICE.fullmatch(text):
        return _camera(int(device[1]))
    path = Path(text)
    if path.suffix.lower() in IMAGE_SUFFIXES and not path.is_dir():
        raise UsageError(f"expected several pictures, got one, {path}; use predict or infer for it")
    if not path.exists():
        raise VideoError(
            f"{path} does not exist; expected a camera's number, a video, a folder of frames or "
            f"an address"
        )
    return _FolderSource(path) if path.is_dir() else _VideoSource(str(path), str(path))


class ArraySource:
    """Frames that a program makes or has.

    Args:
        frames: uint8 arrays of shape (height, width, 3), BGR; read in a thread.
        fps: how many of them make a second, if that is known.
        live: whether frames are dropped rather than waited for.
        name: what to call them.
    """

    def __init__(
        self,
        frames: Iterable[np.ndarray],
        *,
        fps: float | None = None,
        live: bool = False,
        name: str = "<frames>",
    ) -> None:
        self.name, self._frames, self._fps, self._live = name, frames, fps, live

    def open_frames(self) -> FrameReader:
        """Begin with the frames; of an iterator, go on with them.

        Returns:
            What reads them.
        """
        return _IteratorReader(iter(self._frames), self._fps, live=self._live)


class _IteratorReader:
    def __init__(self, frames: Iterator[np.ndarray], fps: float | None, *, live: bool) -> None:
        self._frames, self.fps, self.live = frames, fps, live

    def read(self) -> np.ndarray | None:
        from edgeage.images import read_image

        frame = next(self._frames, None)
        return None if frame is None else read_image(frame)

    def skip(self) -> bool:
        return next(self._frames, None) is not None

    def close(self) -> None:
        close = getattr(self._frames, "close", None)
        if close is not None:
            with contextlib.suppress(ValueError):
                close()


class _FolderSource:
    """The pictures below a folder, by name."""

    def __init__(self, folder: Path) -> None:
        self.name, self._folder = str(folder), folder
        if next(pictures_below(folder), None) is None:
            suffixes = ", ".join(sorted(IMAGE_SUFFIXES))
            raise VideoError(f"{folder} holds no picture; expected files ending in {suffixes}")

    def open_frames(self) -> FrameReader:
        return _FolderReader(pictures_below(self._folder))


class _FolderReader:
    fps: float | None = None
    live = False

    def __init__(self, found: Iterator[Found]) -> None:
        self._found = found

    def read(self) -> np.ndarray | None:
        from edgeage.images import read_image

        for path, error in self._found:
            try:
                if error is not None:
                    raise error
                return read_image(path)
            except ImageError as problem:
                _LOG.warning("%s; it is left out", problem)
        return None

    def skip(self) -> bool:
        return next(self._found, None) is not None

    def close(self) -> None:
        pass


class _VideoSource:
    """What OpenCV opens: a file, a camera or an address.

    Args:
        name: what to call it.
        target: its path, number or address.
        live: None where the stream itself tells, by having an end.
        hint: what to look at when it cannot be opened.
    """

    def __init__(
        self, name: str, target: str | int, *, live: bool | None = False, hint: str = ""
    ) -> None:
        self.name, self._target, self._live = name, target, live
        self._hint = hint or "is it a video, whole, in a format FFmpeg knows?"

    def open_frames(self) -> FrameReader:
        import cv2

        options, backend = [], cv2.CAP_ANY
        if isinstance(self._target, str):
            backend = cv2.CAP_FFMPEG
            for name in ("CAP_PROP_OPEN_TIMEOUT_MSEC", "CAP_PROP_READ_TIMEOUT_MSEC"):
                options += [getattr(cv2, name), _TIMEOUT_MS]
        capture = cv2.VideoCapture()
        try:
            opened = capture.open(self._target, backend, options)
        except cv2.error:
            opened = False
        if not opened:
            capture.release()
            raise VideoError(f"{self.name} cannot be opened; {self._hint}")
        return _VideoReader(self.name, capture, self._live)


class _VideoReader:
    def __init__(self, name: str, capture: Any, live: bool | None) -> None:
        import cv2

        self._name, self._capture = name, capture
        fps, count = (capture.get(name) for name in (cv2.CAP_PROP_FPS, cv2.CAP_PROP_FRAME_COUNT))
        self.fps: float | None = fps if 0 < fps <= 1000 else None
        self.live = not count > 0 if live is None else live
        # A camera's own buffer would only make its frames older.
        if self.live:
            capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)

    def read(self) -> np.ndarray | None:
        import cv2

        try:
            _, frame = self._capture.read()
        except cv2.error as error:
            raise VideoError(f"{self._name}: a frame cannot be read: {one_line(error)}") from error
        return None if frame is None or not frame.size else frame

    def skip(self) -> bool:
        return bool(self._capture.grab())

    def close(self) -> None:
        self._capture.release()


def _address(url: str) -> _VideoSource:
    scheme = url.partition("://")[0].lower()
    if scheme not in _SCHEMES:
        expected = ", ".join(f"{known}://" for known in _SCHEMES)
        raise UsageError(f"{public_url(url)} is no address edgeage reads; expected {expected}")
    live = None if scheme.startswith("http") else True
    hint = "is the address right, the camera on, and its user name and password in the address?"
    return _VideoSource(public_url(url), url, live=live, hint=hint)


def _camera(number: int) -> _VideoSource:
    node = Path(f"/dev/video{number}")
    if sys.platform == "linux":
        _check_node(node)
    hint = "is another program using it? Is it one that takes pictures?"
    return _VideoSource(f"camera {number}", number, live=True, hint=hint)


def _check_node(node: Path) -> None:
    """Refuse a camera that is not there or not allowed, before OpenCV fails without a reason."""
    there = [str(other) for other in sorted(node.parent.glob("video[0-9]*"))]
    try:
        is_device = stat.S_ISCHR(node.stat().st_mode)
    except OSError:
        is_device = False
    if not is_device:
        known = f"there is {', '.join(there)}" if there else "no camera is there; is it plugged in?"
        raise VideoError(f"there is no camera {node}; {known}")
    if not os.access(node, os.R_OK | os.W_OK):
        raise VideoError(
            f"{node} may not be opened by this user; add the user to the group «video» and log in "
            f"again"
        )
