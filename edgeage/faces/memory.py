"""What a detector found, kept by the picture's content, so that it need not look again."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
from typing import TYPE_CHECKING

from edgeage.errors import EdgeageError
from edgeage.faces.detection import Detection

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["DetectionMemory"]

_WAIT_SECONDS = 60


class DetectionMemory:
    """A file of detections by SHA-256; safe for many threads, and for several processes.

    Each detection is kept at once: a process that is killed loses those it is working on alone.

    Args:
        path: the file; made with the folders above it when missing.

    Raises:
        EdgeageError: when it cannot be opened, or is no such file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._database = sqlite3.connect(
                path, timeout=_WAIT_SECONDS, isolation_level=None, check_same_thread=False
            )
            with contextlib.ExitStack() as damaged:
                damaged.callback(self._database.close)
                self._database.execute("PRAGMA journal_mode = WAL")
                self._database.execute("PRAGMA synchronous = NORMAL")
                self._database.execute(
                    "CREATE TABLE IF NOT EXISTS found (sha256 TEXT PRIMARY KEY, faces TEXT)"
                )
                damaged.pop_all()
        except sqlite3.Error as error:
            raise self._failed(error) from None

    def get(self, sha256: str) -> list[Detection] | None:
        """Return the faces of a picture, or None when it was never looked at."""
        with self._lock:
            try:
                row = self._database.execute(
                    "SELECT faces FROM found WHERE sha256 = ?", (sha256,)
                ).fetchone()
            except sqlite3.Error as error:
                raise self._failed(error) from None
        return [_detection(*fields) for fields in json.loads(row[0])] if row else None

    def put(self, sha256: str, faces: Sequence[Detection]) -> None:
        """Keep the faces of a picture."""
        told = json.dumps([[face.box, face.score, face.landmarks, face.detector] for face in faces])
        with self._lock:
            try:
                self._database.execute("INSERT OR REPLACE INTO found VALUES (?, ?)", (sha256, told))
            except sqlite3.Error as error:
                raise self._failed(error) from None

    def close(self) -> None:
        """Give the file back; closing twice is harmless."""
        with self._lock:
            self._database.close()

    def _failed(self, error: Exception) -> EdgeageError:
        return EdgeageError(
            f"{self.path}, where found faces are kept, cannot be used: {error}; delete it"
        )


def _detection(
    box: list[float], score: float, landmarks: list[list[float]], detector: str
) -> Detection:
    left, top, right, bottom = box
    points = tuple((x, y) for x, y in landmarks)
    return Detection((left, top, right, bottom), score, points, detector)
