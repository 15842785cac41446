"""Where pictures come from: files, folders, patterns, web addresses, standard input, memory."""

from __future__ import annotations

import dataclasses
import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgeage.decoding import MAX_PIXELS, decode
from edgeage.errors import ImageError, one_line
from edgeage.fetching import FetchLimits, fetch, is_url, public_url
from edgeage.folders import IMAGE_SUFFIXES, is_pattern, matching, pictures_below
from edgeage.images import Picture, read_image

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from edgeage.folders import Found

__all__ = ["Source", "as_source", "find_sources"]

_STANDARD_INPUT = "<stdin>"
_SINGLE = (str, os.PathLike, bytes, bytearray, memoryview, np.ndarray)


@dataclasses.dataclass(frozen=True, eq=False)
class Source:
    """One picture that can be read when its turn comes, or the reason why it cannot.

    Attributes:
        name: what to call it: its path or address as given, without a password; ``"<bytes>"``,
            ``"<array>"`` or ``"<stdin>"`` for those.
        content: what :func:`edgeage.images.read_image` takes; None for an ``error``.
        error: why there is no picture, where that is known without reading.
        limits: of fetching an address.
    """

    name: str
    content: Picture | None = dataclasses.field(default=None, repr=False)
    error: ImageError | None = None
    limits: FetchLimits = dataclasses.field(default_factory=FetchLimits)

    def read(self, *, max_pixels: int = MAX_PIXELS) -> np.ndarray:
        """Read the picture.

        Returns:
            uint8 array of shape (height, width, 3), BGR.

        Raises:
            ImageError: when it cannot be read; no other exception leaves here.
        """
        if self.error is not None:
            raise self.error
        if isinstance(self.content, bytes):
            return decode(io.BytesIO(self.content), self.name, max_pixels)
        return read_image(self.content, max_pixels=max_pixels, limits=self.limits)  # type: ignore[arg-type]

    def held(self) -> Source:
        """Return a source that gives the same picture however often it is read.

        What is fetched or piped in is read now and kept, encoded; what fails becomes the
        source's error. Files and what is in memory already stay as they are.
        """
        if not (isinstance(self.content, str) and is_url(self.content)):
            return self
        return self._filled(lambda: fetch(str(self.content), self.limits))

    def _filled(self, read_bytes: Callable[[], bytes]) -> Source:
        try:
            return Source(self.name, read_bytes())
        except ImageError as error:
            return Source(self.name, error=error)


class _StandardInput(Source):
    """The one encoded picture that is piped in."""

    def read(self, *, max_pixels: int = MAX_PIXELS) -> np.ndarray:
        return self.held().read(max_pixels=max_pixels)

    def held(self) -> Source:
        return self._filled(self._read_bytes)

    def _read_bytes(self) -> bytes:
        if sys.stdin is None or sys.stdin.isatty():
            raise ImageError(f"{self.name} is no pipe; expected one picture: … < picture.jpg")
        try:
            data = sys.stdin.buffer.read(self.limits.max_bytes + 1)
        except OSError as error:
            raise ImageError(f"{self.name} cannot be read: {one_line(error)}") from error
        if len(data) > self.limits.max_bytes:
            raise ImageError(f"{self.name} holds more than {self.limits.max_bytes:,} bytes")
        return data


def as_source(picture: Picture | Source) -> Source:
    """Give one picture a name and a way to read it, without looking whether it is there.

    Args:
        picture: what :func:`edgeage.images.read_image` takes, or a source, which is returned.

    >>> as_source("photos/a.jpg").name, as_source(b"...").name
    ('photos/a.jpg', '<bytes>')
    """
    if isinstance(picture, Source):
        return picture
    if isinstance(picture, str):
        return Source(public_url(picture), picture)
    if isinstance(picture, os.PathLike):
        return Source(str(picture), Path(picture))
    if isinstance(picture, np.ndarray):
        return Source("<array>", picture)
    kind = type(picture).__name__
    return Source("<bytes>" if isinstance(picture, _SINGLE) else f"<{kind}>", picture)


def find_sources(
    words: Picture | Source | Iterable[Picture | Source], *, limits: FetchLimits | None = None
) -> Iterator[Source]:
    """Find the pictures that words stand for, one after the other as they are asked for.

    Args:
        words: one of these, or several:

            * a file's path, taken whatever its name;
            * a folder's path: the pictures below it, at any depth, by their suffix
              (:data:`edgeage.folders.IMAGE_SUFFIXES`), sorted by path; hidden files and folders
              are left out and linked folders are not followed;
            * a text with ``*``, ``?``, ``[…]`` or ``**`` that is no file's name: the files and
              folders that match, sorted by path;
            * an ``http://`` or ``https://`` address, as text;
            * ``"-"``: one encoded picture on standard input;
            * an encoded picture's bytes, an array, a :class:`Source`.
        limits: of fetching an address, and ``max_bytes`` of standard input; None for
            :class:`~edgeage.fetching.FetchLimits`' own.

    Yields:
        A source a picture. What stands for no picture is a source with its error, in its place.

    >>> [source.name for source in find_sources(["-", "https://example.org/a.jpg"])]
    ['<stdin>', 'https://example.org/a.jpg']
    """
    limits = limits or FetchLimits()
    for word in [words] if isinstance(words, (*_SINGLE, Source)) else words:
        if isinstance(word, str) and word == "-":
            yield _StandardInput(_STANDARD_INPUT, limits=limits)
        elif isinstance(word, str) and is_url(word):
            yield dataclasses.replace(as_source(word), limits=limits)
        elif isinstance(word, str | os.PathLike):
            yield from _of_path(word)
        else:
            yield as_source(word)


def _of_path(word: str | os.PathLike[str]) -> Iterator[Source]:
    path = Path(word)
    try:
        is_folder, exists = path.is_dir(), path.exists()
    except OSError as error:
        yield Source(str(word), error=ImageError(f"{path} cannot be read: {one_line(error)}"))
        return
    if is_folder:
        suffixes = ", ".join(sorted(IMAGE_SUFFIXES))
        nothing = f"{path} holds no picture; expected files ending in {suffixes}"
        yield from _of_files(str(word), pictures_below(path), nothing)
    elif exists:
        yield Source(str(word), path)
    elif isinstance(word, str) and is_pattern(word):
        yield from _of_files(word, matching(word), f"{word} matches no file")
    else:
        reason = f"{path} does not exist; expected a picture or a folder of pictures"
        yield Source(str(word), error=ImageError(reason))


def _of_files(word: str, found: Iterator[Found], nothing: str) -> Iterator[Source]:
    empty = True
    for path, error in found:
        empty = False
        yield Source(str(path), None if error else path, error)
    if empty:
        yield Source(word, error=ImageError(nothing))
