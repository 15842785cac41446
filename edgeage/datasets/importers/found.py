"""What an importer says of a picture, and what it is told."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING

from edgeage.errors import UsageError, did_you_mean
from edgeage.labels import GENDERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    import numpy as np

    from edgeage.datasets.records import FaceRecord

__all__ = ["Candidate", "Drop", "FaceHint", "ImportOptions", "Importer", "is_picture"]

_SUFFIXES = re.compile(r".+\.(?:jpe?g|png|bmp|webp|gif|tiff?)", re.IGNORECASE)

COLUMNS = (
    *("file", "age", "gender", "race", "person", "fold", "apparent_age", "split"),
    *("face_score", "second_face_score"),
)
"""What a table of labels may say of a picture."""


@dataclasses.dataclass(frozen=True)
class FaceHint:
    """Where a data set says the face is, in pixels of the picture as it lies in the file.

    Attributes:
        box: left, top, right and bottom edge.
        landmarks: x and y of the two eyes, the tip of the nose and the two corners of the mouth,
            left to right as one sees them; empty where they are not known.
    """

    box: tuple[float, float, float, float]
    landmarks: tuple[tuple[float, float], ...] = ()


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A picture with its labels.

    Attributes:
        record: what it shows, without hash.
        path: where it is in the source; only for messages.
        read: returns the encoded picture, or its pixels as uint8 of shape (height, width, 3) BGR,
            before the next candidate is asked for; raises
            :class:`edgeage.datasets.sources.UnreadableError`.
        hint: where the face is, when it has to be cut out.
    """

    record: FaceRecord
    path: str
    read: Callable[[], bytes | np.ndarray]
    hint: FaceHint | None = None


@dataclasses.dataclass(frozen=True)
class Drop:
    """A picture that is left out.

    Attributes:
        path: where it is in the source, or where its label says it were.
        reason: a few words that such pictures are counted by.
        is_file: whether the source holds it at all.
    """

    path: str
    reason: str
    is_file: bool = True


@dataclasses.dataclass(frozen=True)
class ImportOptions:
    """What importers are told; each knows only some of it, see :attr:`Importer.options`.

    Attributes:
        labels: files with the labels, or folders of such, instead of those in the source.
        columns: what a table's columns are called: of :data:`COLUMNS` → the table's own word.
        genders: what the table's words for a gender mean: word → index into
            :data:`edgeage.labels.GENDERS`.
        min_score: the least score of a face by the detector that made the data set.
        form: which of the published forms of the pictures to take; empty for the usual one.
        ignore: a file with names of pictures to leave out, one a line.

    Raises:
        UsageError: for an unknown column or gender.
    """

    labels: tuple[Path, ...] = ()
    columns: Mapping[str, str] = dataclasses.field(default_factory=dict)
    genders: Mapping[str, int] = dataclasses.field(default_factory=dict)
    min_score: float = 1.0
    form: str = ""
    ignore: Path | None = None

    def __post_init__(self) -> None:
        for name in self.columns:
            if name not in COLUMNS:
                raise UsageError(
                    f"unknown column «{name}», expected {', '.join(COLUMNS)}"
                    f"{did_you_mean(name, COLUMNS)}"
                )
        for word, gender in self.genders.items():
            if gender not in range(len(GENDERS)):
                raise UsageError(f"expected gender 0 to {len(GENDERS) - 1} for «{word}»")

    def given(self) -> list[str]:
        """Return the names of the fields that are not as they are by default."""
        return [
            field.name
            for field in dataclasses.fields(self)
            if getattr(self, field.name) != getattr(_DEFAULTS, field.name)
        ]


_DEFAULTS = ImportOptions()


def _no_hints(_options: ImportOptions) -> bool:
    return False


@dataclasses.dataclass(frozen=True)
class Importer:
    """A data set's importer.

    Attributes:
        card: the data set's card, a file of the folder ``datasets``.
        find: goes through a source; takes it, the options and an empty folder for working files.
        options: the fields of :class:`ImportOptions` it knows.
        has_race: whether it says races.
        forms: the published forms of its pictures, the usual one first.
        gives_hints: tells whether its pictures are to be cut out where a hint says.
    """

    card: str
    find: Callable[[Path, ImportOptions, Path], Iterator[Candidate | Drop]]
    options: frozenset[str] = frozenset()
    has_race: bool = False
    forms: tuple[str, ...] = ()
    gives_hints: Callable[[ImportOptions], bool] = _no_hints

    def check(self, name: str, options: ImportOptions) -> None:
        """Refuse options this data set has no use for.

        Raises:
            UsageError: naming the first of them.
        """
        for field in options.given():
            if field not in self.options:
                known = ", ".join(sorted(self.options)) or "none of these options"
                raise UsageError(f"{name} has no use for {_option(field)}; it takes {known}")
        if options.form and options.form not in self.forms:
            raise UsageError(
                f"{name} has no form «{options.form}», expected {' or '.join(self.forms)}"
            )


def _option(field: str) -> str:
    return "--" + {"columns": "column"}.get(field, field).replace("_", "-")


def is_picture(name: str) -> bool:
    """Tell by its name whether a file is a picture.

    >>> is_picture("011A14.JPG"), is_picture(".a.jpg"), is_picture("imdb.mat")
    (True, False, False)
    """
    return not name.startswith(".") and bool(_SUFFIXES.fullmatch(name))
