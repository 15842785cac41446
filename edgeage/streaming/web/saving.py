"""Storing analysed pictures, where the server was told to."""

from __future__ import annotations

import datetime
import itertools
import json
import logging
from typing import TYPE_CHECKING

from edgeage.drawing import draw_faces, write_image
from edgeage.errors import EdgeageError
from edgeage.paths import atomic_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edgeage.faceresult import PictureResult

__all__ = ["MOST_SAVED", "Saver"]

MOST_SAVED = 10_000
"""Pictures a folder takes; then no more are stored, so that nobody can fill the disk."""

_log = logging.getLogger(__name__)


class Saver:
    """Stores each picture with its faces drawn, and beside it what was answered.

    Args:
        folder: where to; made when the first picture comes.
        most: pictures it may hold, those of earlier runs included.
        now: the time.
    """

    def __init__(
        self,
        folder: Path,
        most: int = MOST_SAVED,
        now: Callable[[], datetime.datetime] = datetime.datetime.now,
    ) -> None:
        self._folder, self._most, self._now = folder, most, now
        self._numbers = itertools.count(1)
        self._held = sum(1 for _ in folder.glob("*.jpg")) if folder.is_dir() else 0
        self._told = False

    def save(self, result: PictureResult) -> None:
        """Store one picture; what goes wrong is logged, once, and stops no answer."""
        if result.picture is None or not result.faces:
            return
        try:
            if self._held >= self._most:
                self._tell(f"{self._folder} holds {self._held} pictures; no more are stored")
                return
            name = f"{self._now():%Y%m%d-%H%M%S-%f}-{next(self._numbers)}"
            write_image(self._folder / f"{name}.jpg", draw_faces(result.picture, result.faces))
            with atomic_file(self._folder / f"{name}.json") as temporary:
                temporary.write_text(json.dumps(result.to_dict()), encoding="utf-8")
            self._held += 1
        except (EdgeageError, OSError) as error:
            self._tell(str(error))

    def _tell(self, what: str) -> None:
        if not self._told:
            self._told = True
            _log.warning("%s", what)
