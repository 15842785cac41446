"""How a data set is built."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from edgeage.datasets.facelist import read_tests
from edgeage.datasets.importers.found import ImportOptions
from edgeage.datasets.records import RACES
from edgeage.errors import UsageError, did_you_mean
from edgeage.labels import MAX_AGE
from edgeage.paths import sha256_file
from edgeage.processor import usable_processors

__all__ = ["ENCODINGS", "BuildOptions"]

ENCODINGS = ("raw", "png")
"""How the pictures of an LMDB may be stored; Caffe reads both, to the same bytes."""


@dataclasses.dataclass(frozen=True)
class BuildOptions:
    """How a data set is built.

    Attributes:
        races: which faces are taken, of :data:`edgeage.datasets.records.RACES`.
        split: share of the faces that are for training, between 0 and 1.
        test_from: another data set's ``records.csv`` whose test faces are the test faces here too,
            or a list of them (:mod:`edgeage.datasets.facelist`), instead of ``split``.
        oversample: whether the training classes are balanced with changed copies.
        seed: decides the split, the order, the copies and their noise, and which faces are chosen.
        size: side in pixels of the stored pictures.
        workers: number of threads; does not change the result.
        ages: lowest and highest age in years that is taken.
        limit: how many faces are taken at most, chosen by the seed; None for all.
        balance: take equally many faces of each age group, as many as the smallest has or
            ``limit`` allows.
        own_split: the data set's own test faces are the test faces, instead of ``split``; where
            it has none, its validation faces.
        test_fold: the faces of this fold of the data set's own are the test faces.
        encoding: of :data:`ENCODINGS`.
        importing: what the data set's importer is told.

    Raises:
        UsageError: for an unknown race, a number out of range, or two ways to split.
        DatasetError: when ``test_from`` is no list of faces.
    """

    races: tuple[str, ...] = RACES
    split: float = 0.8
    test_from: Path | None = None
    oversample: bool = True
    seed: int = 230
    size: int = 227
    workers: int = dataclasses.field(default_factory=usable_processors)
    ages: tuple[int, int] = (0, MAX_AGE)
    limit: int | None = None
    balance: bool = False
    own_split: bool = False
    test_fold: int | None = None
    encoding: str = "raw"
    importing: ImportOptions = dataclasses.field(default_factory=ImportOptions)

    def __post_init__(self) -> None:
        for race in self.races:
            if race not in RACES:
                raise UsageError(f"unknown race «{race}»{did_you_mean(race, RACES)}")
        if not self.races:
            raise UsageError("expected at least one race")
        if self.encoding not in ENCODINGS:
            raise UsageError(
                f"unknown encoding «{self.encoding}», expected {' or '.join(ENCODINGS)}"
            )
        self._check_numbers()
        ways = (self.test_from is not None, self.own_split, self.test_fold is not None)
        if sum(ways) > 1:
            raise UsageError("expected one of test_from, own_split and test_fold, got several")
        if self.test_from is not None:
            read_tests(self.test_from)

    def _check_numbers(self) -> None:
        if not 0 < self.split < 1:
            raise UsageError(f"expected a split between 0 and 1, got {self.split:g}")
        if not 16 <= self.size <= 4096:
            raise UsageError(f"expected a size of 16 to 4096 pixels, got {self.size}")
        if self.workers < 1:
            raise UsageError(f"expected at least one worker, got {self.workers}")
        if not 0 <= self.ages[0] <= self.ages[1] <= MAX_AGE:
            raise UsageError(f"expected ages within 0 to {MAX_AGE}, got {self.ages}")
        if self.limit is not None and self.limit < 1:
            raise UsageError(f"expected a limit of at least one face, got {self.limit}")

    @property
    def takes_all_races(self) -> bool:
        """Whether no face is left out for its race."""
        return set(self.races) == set(RACES)

    def described(self) -> dict[str, Any]:
        """Return what the report says of the options; files by name and hash, not by place.

        Those that only some data sets need are left out where they are as by default, and so is
        the number of workers, which changes nothing.
        """
        path = self.test_from
        told: dict[str, Any] = {
            "races": list(self.races),
            "split": self.split,
            "test_from": path and {"name": path.name, "sha256": sha256_file(path)},
            "oversample": self.oversample,
            "seed": self.seed,
            "size": self.size,
        }
        default = _DEFAULTS
        for name in ("ages", "limit", "balance", "own_split", "test_fold", "encoding"):
            if getattr(self, name) != getattr(default, name):
                told[name] = getattr(self, name)
        if "ages" in told:
            told["ages"] = list(self.ages)
        for name in self.importing.given():
            told[name] = _without_places(getattr(self.importing, name))
        return told


_DEFAULTS = BuildOptions()


def _without_places(value: Any) -> Any:
    if isinstance(value, Path):
        return {"name": value.name, "sha256": sha256_file(value)} if value.is_file() else value.name
    if isinstance(value, tuple):
        return [_without_places(item) for item in value]
    return dict(value) if hasattr(value, "keys") else value
