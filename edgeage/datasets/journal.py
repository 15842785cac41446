"""Which faces a build has decoded already, so that one that was killed goes on where it was."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import zlib
from typing import TYPE_CHECKING

import numpy as np

from edgeage.closing import Closing
from edgeage.errors import DatasetError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Journal"]

# To be raised when what is decoded, cut or compared changes: old journals then start anew.
_VERSION = 2


class Journal(Closing):
    """A list of decoded faces in a build's working folder; a context manager, safe for threads.

    It outlives the process, not the machine: after a crash of that, pixels that were not written
    are noticed by their checksum.

    Args:
        path: the file, made when missing; one that is damaged or of other work starts anew.
        work: words that tell the work: the same words, the same pixels for the same picture.

    Attributes:
        slots: how many pictures there is place for so far.

    Raises:
        DatasetError: when it cannot be written.
    """

    def __init__(self, path: Path, work: str) -> None:
        self.path, self._lock = path, threading.Lock()
        try:
            self._open(f"{_VERSION} {work}")
        except sqlite3.Error:
            for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
                path.with_name(name).unlink(missing_ok=True)
            try:
                self._open(f"{_VERSION} {work}")
            except sqlite3.Error as error:
                raise self._failed(error) from None

    def _open(self, work: str) -> None:
        self._database = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        with contextlib.ExitStack() as damaged:
            damaged.callback(self._database.close)
            self._prepare(work)
            damaged.pop_all()

    def _prepare(self, work: str) -> None:
        run = self._database.execute
        run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = OFF")
        run("CREATE TABLE IF NOT EXISTS work (told TEXT)")
        run(
            "CREATE TABLE IF NOT EXISTS faces "
            "(face TEXT PRIMARY KEY, slot INTEGER, print BLOB, checksum INTEGER)"
        )
        if run("SELECT told FROM work").fetchone() != (work,):
            run("DELETE FROM work")
            run("DELETE FROM faces")
            run("INSERT INTO work VALUES (?)", (work,))
        highest = run("SELECT max(slot) FROM faces").fetchone()[0]
        self.slots = 0 if highest is None else highest + 1

    def find(self, face: str) -> tuple[int, np.ndarray, int] | None:
        """Return a face's slot, its fingerprint and its pixels' checksum, if it is decoded.

        Args:
            face: words that tell the picture, its content and what is cut out of it.
        """
        with self._lock:
            row = self._database.execute(
                "SELECT slot, print, checksum FROM faces WHERE face = ?", (face,)
            ).fetchone()
        return (row[0], np.frombuffer(row[1], np.uint64), row[2]) if row else None

    def add(self, face: str, slot: int, fingerprint: np.ndarray, pixels: np.ndarray) -> None:
        """Note a face whose pixels are written.

        Raises:
            DatasetError: when the disk is full.
        """
        told = (face, slot, fingerprint.tobytes(), checksum(pixels))
        try:
            with self._lock:
                self._database.execute("INSERT OR REPLACE INTO faces VALUES (?, ?, ?, ?)", told)
        except sqlite3.Error as error:
            raise self._failed(error) from None

    def _failed(self, error: Exception) -> DatasetError:
        return DatasetError(f"{self.path} cannot be written: {error}; is the disk full?")

    def close(self) -> None:
        """Give the file back."""
        self._database.close()


def checksum(pixels: np.ndarray) -> int:
    """Return the CRC-32 of a picture's bytes."""
    return zlib.crc32(np.ascontiguousarray(pixels).data)
