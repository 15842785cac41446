"""What ``--save`` draws: which picture goes to which file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edgeage.errors import ImageError, UsageError
from edgeage.fetching import is_url
from edgeage.paths import refuse_taken

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from edgeage.faceresult import PictureResult
    from edgeage.sources import Source

__all__ = ["Drawings"]


class Drawings:
    """The drawn pictures of one command.

    Args:
        save: a picture's name, a folder for one PNG a picture, or None for no drawing.
        words: what :func:`edgeage.sources.find_sources` will be given.
        overwrite: whether files that are there may be replaced.

    Raises:
        UsageError: when ``save`` is one picture for several, or files are there already; before
            any picture is read.
    """

    def __init__(self, save: Path | None, words: Sequence[str], *, overwrite: bool) -> None:
        from edgeage.drawing import DRAWN_SUFFIXES

        self._save = save
        self._is_file = (
            save is not None and save.suffix.lower() in DRAWN_SUFFIXES and not save.is_dir()
        )
        if self._is_file or (save is not None and save.is_dir() and not overwrite):
            self._check(words, overwrite=overwrite)
        self._names = _Names()

    def hold(self, sources: Iterable[Source]) -> Iterator[Source]:
        """Have the sources give the same picture to the Predictor and to the drawing."""
        return (source if self._save is None else source.held() for source in sources)

    def draw(self, source: Source, result: PictureResult) -> ImageError | None:
        """Draw a result if that is wanted; return why it could not be."""
        from edgeage.drawing import draw_faces, write_image

        if self._save is None:
            return None
        try:
            write_image(self._target(source), draw_faces(source.read(), result.faces))
        except ImageError as error:
            return error
        return None

    def _check(self, words: Sequence[str], *, overwrite: bool) -> None:
        from edgeage.sources import find_sources

        self._names = _Names()
        for number, source in enumerate(find_sources(words)):
            if self._is_file and number:
                raise UsageError(f"--save {self._save} is one picture for several; name a folder")
            target = self._target(source)
            if source.error is None:
                refuse_taken(target, overwrite=overwrite)

    def _target(self, source: Source) -> Path:
        folder = self._save or Path()
        return folder if self._is_file else folder / f"{self._names.next(source.name)}.png"


class _Names:
    """File names of pictures, numbered where two have the same; keeps every name it gave."""

    def __init__(self) -> None:
        self._next: dict[str, int] = {}

    def next(self, picture: str) -> str:
        """Return a name without suffix for the file drawn of a picture's path or address."""
        plain = picture.partition("?")[0] if is_url(picture) else picture
        stem = Path(plain).stem.strip("<>") or "picture"
        name, number = stem, self._next.get(stem, 1)
        while name in self._next:
            number += 1
            name = f"{stem}_{number}"
        self._next[stem] = number
        self._next.setdefault(name, 1)
        return name
