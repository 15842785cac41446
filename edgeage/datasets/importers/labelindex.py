"""Labels by picture, on disk, so that memory does not depend on how many there are."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from typing import TYPE_CHECKING, Any

from edgeage.closing import Closing
from edgeage.datasets.importers.found import FaceHint
from edgeage.datasets.records import FaceRecord
from edgeage.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Label", "LabelIndex"]

_CACHE_KIB = 16 << 10


@dataclasses.dataclass(frozen=True)
class Label:
    """What a table says of a picture.

    Attributes:
        path: the picture's path as the table has it.
        record: what it shows; None when it is to be left out, or only the hint is known.
        reason: why it is left out, or empty.
        hint: where the face is.
    """

    path: str
    record: FaceRecord | None = None
    reason: str = ""
    hint: FaceHint | None = None


class LabelIndex(Closing):
    """Labels in a working file, found by the end of a picture's path; a context manager.

    Args:
        path: the file to make.

    Attributes:
        count: how many labels it holds.
    """

    def __init__(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        self.count = 0
        self._database = sqlite3.connect(path, isolation_level=None)
        # A working file need not outlive a crash.
        for setting in ("journal_mode = OFF", "synchronous = OFF", f"cache_size = -{_CACHE_KIB}"):
            self._database.execute(f"PRAGMA {setting}")
        self._database.execute(
            "CREATE TABLE labels (path TEXT PRIMARY KEY, told TEXT, seen INTEGER) WITHOUT ROWID"
        )
        self._database.execute("BEGIN")

    def add(self, label: Label) -> bool:
        """Store a label; return False when the picture had one already, which stays."""
        told = json.dumps(
            [
                label.record and dataclasses.asdict(label.record),
                label.reason,
                label.hint and dataclasses.astuple(label.hint),
            ]
        )
        done = self._run("INSERT OR IGNORE INTO labels VALUES (?, ?, 0)", _key(label.path), told)
        self.count += done.rowcount
        return done.rowcount == 1

    def find(self, path: str) -> Label | None:
        """Return the label of a picture and mark it as seen.

        Args:
            path: of the picture in the source. The label's path may start further down: folders
                the archive puts around everything do not matter.
        """
        parts = _key(path).split("/")
        for start in range(len(parts)):
            key = "/".join(parts[start:])
            row = self._run("SELECT path, told FROM labels WHERE path = ?", key).fetchone()
            if row:
                self._run("UPDATE labels SET seen = 1 WHERE path = ?", key)
                return _label(*row)
        return None

    def unseen(self) -> Iterator[Label]:
        """Yield the labels whose picture was not looked for, in the order of their paths."""
        for row in self._run("SELECT path, told FROM labels WHERE seen = 0 ORDER BY path"):
            yield _label(*row)

    def _run(self, command: str, *values: str) -> sqlite3.Cursor:
        try:
            return self._database.execute(command, values)
        except sqlite3.Error as error:
            raise DatasetError(f"the labels cannot be stored: {error}; is the disk full?") from None

    def close(self) -> None:
        """Give the file back."""
        self._database.close()


def _key(path: str) -> str:
    r"""Return a path with one kind of separator and without what names no folder.

    >>> _key(r"./train\1.jpg")
    'train/1.jpg'
    """
    text = path.encode("utf-8", "replace").decode()
    return "/".join(part for part in text.replace("\\", "/").split("/") if part not in ("", "."))


def _label(path: str, told: str) -> Label:
    fields, reason, hint = json.loads(told)
    if fields and fields["age_range"]:
        fields["age_range"] = tuple(fields["age_range"])
    record = FaceRecord(**fields) if fields else None
    return Label(path, record, reason, FaceHint(*map(_tuples, hint)) if hint else None)


def _tuples(values: Any) -> Any:
    return tuple(map(_tuples, values)) if isinstance(values, list) else values
