"""Finding picture files below folders and by patterns, one folder's names at a time, in order."""

from __future__ import annotations

import fnmatch
import functools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from edgeage.errors import ImageError, one_line

__all__ = ["IMAGE_SUFFIXES", "Found", "is_pattern", "matching", "pictures_below"]

_SUFFIXES = "avif bmp dib gif jfif jp2 jpe jpeg jpg mpo pbm pgm png pnm ppm tif tiff webp"
IMAGE_SUFFIXES = frozenset(f".{suffix}" for suffix in _SUFFIXES.split())
"""Suffixes (lower case) by which a picture is recognised inside a folder."""
_ENDINGS = tuple(IMAGE_SUFFIXES)

Found = tuple[Path, ImageError | None]
"""A file, or a folder and why it cannot be listed."""

_Entry = os.DirEntry[str]
_Part = Callable[[_Entry], bool] | None
"""What a path's next name must be; None stands for any number of folders, ``**``."""


def is_pattern(word: str) -> bool:
    """Tell whether a word has a character that stands for others: ``*``, ``?`` or ``[``.

    >>> is_pattern("photos/*.jpg"), is_pattern("photos/a.jpg")
    (True, False)
    """
    return any(character in word for character in "*?[")


def pictures_below(folder: Path) -> Iterator[Found]:
    """Find the files below a folder, at any depth, that end in one of :data:`IMAGE_SUFFIXES`.

    Hidden files and folders are left out and linked folders are not followed.

    Args:
        folder: where to look.

    Yields:
        The files, sorted by path; a folder that cannot be listed comes with its error in its
        place.
    """
    return _walk(folder, (None, _is_picture))


def matching(pattern: str) -> Iterator[Found]:
    """Find what a pattern stands for.

    Args:
        pattern: a path in which ``*``, ``?`` and ``[…]`` stand for characters of one name, and a
            whole name ``**`` for any number of folders, none included. Names that start with a
            dot are only matched by a dot. ``**`` does not follow linked folders.

    Yields:
        The files that match, whatever their names end in, sorted by path; for a folder that
        matches, the pictures below it.
    """
    names = Path(pattern).parts
    plain = next(place for place, name in enumerate(names) if is_pattern(name))
    parts = tuple(
        None if name == "**" else functools.partial(_has_name, pattern=name)
        for name in names[plain:]
    )
    return _walk(Path(*names[:plain]), parts)


def _walk(top: Path, parts: tuple[_Part, ...]) -> Iterator[Found]:
    """Follow a pattern down, with a bit set for every part that may come next."""
    end = 1 << len(parts)
    pending = [iter([(top, True, _reach(1, parts))])]
    while pending:
        path, is_folder, state = next(pending[-1], (None, False, 0))
        if path is None:
            pending.pop()
        elif not is_folder:
            yield path, None
        elif state & end:
            yield from pictures_below(path)
        else:
            try:
                pending.append(_below(path, state, parts))
            except OSError as error:
                yield path, ImageError(f"{path} cannot be listed: {one_line(error)}")


def _below(folder: Path, state: int, parts: tuple[_Part, ...]) -> Iterator[tuple[Path, bool, int]]:
    """List what of a folder matches so far: whole files, and folders that may lead to some."""
    kept = []
    with os.scandir(folder) as entries:
        for entry in entries:
            reached = _step(entry, state, parts)
            if reached and (reached >> len(parts) or entry.is_dir()):
                kept.append((entry.name, entry.is_dir(), reached))
    return ((folder / name, is_folder, reached) for name, is_folder, reached in sorted(kept))


def _step(entry: _Entry, state: int, parts: tuple[_Part, ...]) -> int:
    reached = 0
    for place, part in enumerate(parts):
        if state >> place & 1:
            if part is None:
                reached |= _is_open_folder(entry) << place
            else:
                reached |= part(entry) << place + 1
    return _reach(reached, parts)


def _reach(state: int, parts: tuple[_Part, ...]) -> int:
    """Add what follows each ``**``, which may stand for nothing."""
    for place, part in enumerate(parts):
        if part is None:
            state |= (state >> place & 1) << place + 1
    return state


def _is_open_folder(entry: _Entry) -> bool:
    return not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False)


def _is_picture(entry: _Entry) -> bool:
    named = entry.name.lower().endswith(_ENDINGS) and not entry.name.startswith(".")
    return named and not entry.is_dir()


def _has_name(entry: _Entry, pattern: str) -> bool:
    hidden = entry.name.startswith(".") and not pattern.startswith(".")
    return not hidden and fnmatch.fnmatch(entry.name, pattern)
