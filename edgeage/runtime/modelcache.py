"""What a device's compiler made, kept in the user's cache so that the next start is quick.

OpenVINO writes and reads the files itself (its property ``CACHE_DIR``) and throws away one that is
cut off or of another version; it does not notice a changed weight. So an entry here is a folder
that appears whole, with the CRC-32 of each file, and one that does not match is made again. (The
networks' own files are checked by SHA-256 before; this is against accidents, at every start.)
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from edgeage.paths import cache_dir

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["LIMIT_BYTES", "ModelCache"]

LIMIT_BYTES = 512 << 20
"""How much is kept: some ten compilations of AgeNet; those used longest ago go first."""

_SUMS = "crc32.json"
_BLOCK = 1 << 20
_DAY_S = 24 * 3600


class ModelCache:
    """A folder of compilations; several processes may use it at once.

    Where it cannot be written nothing is kept, and nothing fails.

    Args:
        root: the folder; None for ``cache_dir() / "openvino"``.
        limit_bytes: how much is kept.
    """

    def __init__(self, root: Path | None = None, limit_bytes: int = LIMIT_BYTES) -> None:
        self._root = root or cache_dir() / "openvino"
        self._limit_bytes = limit_bytes

    @contextlib.contextmanager
    def folder(self, *what: str) -> Iterator[Path | None]:
        """Yield the folder to compile in, and keep what the block leaves there.

        Args:
            what: all that the compilation depends on.

        Returns:
            The folder of an earlier compilation, checked; an empty one; or None where none can be
            made.
        """
        place = self.place(*what)
        if _is_sound(place):
            with contextlib.suppress(OSError):
                os.utime(place / _SUMS)
            yield place
            return
        with contextlib.ExitStack() as stack:
            fresh = self._work_folder(stack)
            yield fresh
            if fresh is not None:
                with contextlib.suppress(OSError):
                    _put_in_place(fresh, place)
                    self._prune()

    def shared_folder(self, *what: str) -> Path | None:
        """Return a folder that OpenVINO may write to at any time, unchecked, or None.

        It is for lists of devices, some of which compile in the background.
        """
        place = self.place(*what)
        try:
            place.mkdir(parents=True, exist_ok=True)
            (place / _SUMS).touch()
            self._prune()
        except OSError:
            return None
        return place

    def place(self, *what: str) -> Path:
        """Return where a compilation is kept, there or not."""
        return self._root / hashlib.sha256("\n".join(what).encode()).hexdigest()[:32]

    def _work_folder(self, stack: contextlib.ExitStack) -> Path | None:
        """Return an empty folder inside the cache, so that a rename keeps it."""
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            folder = tempfile.TemporaryDirectory(
                dir=self._root, prefix=".", ignore_cleanup_errors=True
            )
            fresh = Path(stack.enter_context(folder)) / "entry"
            fresh.mkdir()
        except OSError:
            return None
        return fresh

    def _prune(self) -> None:
        """Remove what was used longest ago beyond the limit, and what a killed process left."""
        entries: list[tuple[float, int, Path]] = []
        for path in self._root.iterdir():
            with contextlib.suppress(OSError):
                if not path.name.startswith("."):
                    used_at = (path / _SUMS).stat().st_mtime
                    size = sum(file.stat().st_size for file in path.iterdir())
                    entries.append((used_at, size, path))
                elif time.time() - path.stat().st_mtime > _DAY_S:
                    shutil.rmtree(path, ignore_errors=True)
        left = sum(size for _, size, _ in entries)
        for _, size, path in sorted(entries)[:-1]:
            if left > self._limit_bytes:
                shutil.rmtree(path, ignore_errors=True)
                left -= size


def _is_sound(place: Path) -> bool:
    """Say whether an entry holds exactly the files it was kept with."""
    try:
        sums = json.loads((place / _SUMS).read_text(encoding="utf-8"))
        found = _sums(place)
    except (OSError, ValueError):
        return False
    return bool(found == sums)


def _put_in_place(fresh: Path, place: Path) -> None:
    (fresh / _SUMS).write_text(json.dumps(_sums(fresh)), encoding="utf-8")
    if place.exists():
        place.rename(fresh.with_name("replaced"))
    fresh.rename(place)


def _sums(folder: Path) -> dict[str, int]:
    return {path.name: _crc32(path) for path in folder.iterdir() if path.name != _SUMS}


def _crc32(path: Path) -> int:
    found = 0
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            found = zlib.crc32(block, found)
    return found
