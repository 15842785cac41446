"""Splitting faces into training and test so that no photograph is on both sides."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from edgeage.datasets.seeds import fraction, shuffled
from edgeage.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgeage.datasets.facelist import ListedFace
    from edgeage.datasets.records import FaceRecord

__all__ = ["hold_out", "own_tests", "same_people", "split_faces"]

_Unit = list[int]


def split_faces(
    records: Sequence[FaceRecord], groups: Sequence[int], train_fraction: float, seed: int
) -> list[str]:
    """Split faces, near-duplicates together, keeping each class's share on both sides.

    The units are groups of near-duplicates. Those of one age group and gender (their first
    face's) are shuffled and laid evenly over the line from 0 to 1; a random offset for each such
    class makes rare ones fair. All classes share the line, and the units up to the cut that
    brings the number of training faces nearest to the wanted one are for training.

    Args:
        records: the faces, sorted by name.
        groups: for each face the number of its group.
        train_fraction: wanted share of training faces, between 0 and 1.
        seed: the same seed gives the same split of the same names.

    Returns:
        ``"train"`` or ``"test"`` for each face.

    Raises:
        DatasetError: when there are too few separate photographs to have both sides.
    """
    line = sorted(_positions(records, groups, seed))
    wanted = train_fraction * len(records)
    totals = [0]
    for _, _, unit in line:
        totals.append(totals[-1] + len(unit))
    cut = min(range(len(totals)), key=lambda units: abs(totals[units] - wanted))
    if not 0 < cut < len(line):
        raise DatasetError(
            f"{len(records)} faces of {len(line)} separate photographs cannot be split into "
            f"{train_fraction:g} for training and the rest for test; more faces are needed"
        )
    sides = ["test"] * len(records)
    for _, _, unit in line[:cut]:
        for index in unit:
            sides[index] = "train"
    return sides


def hold_out(
    records: Sequence[FaceRecord],
    groups: Sequence[int],
    tests: Sequence[FaceRecord | ListedFace],
) -> list[str]:
    """Split faces so that the test side is a given one, with whatever near-duplicates it has.

    Args:
        records: the faces.
        groups: for each face the number of its group of near-duplicates.
        tests: the test faces of another data set; a face is known by its name or its content.

    Returns:
        ``"train"`` or ``"test"`` for each face.

    Raises:
        DatasetError: when a test face is not among the faces, or nothing is left for training.
    """
    names = {face.name for face in tests}
    contents = {face.sha256 for face in tests} - {""}
    known = [face.name in names or face.sha256 in contents for face in records]
    missing = names - {face.name for face in records}
    if missing or not names:
        what = f"has {len(missing)} of its {len(names)}" if names else "has no"
        where = " that are not in this source" if names else ""
        raise DatasetError(
            f"the data set to take the test faces from {what} test faces{where}; "
            "build both from the same source, this one with the same races or more"
        )
    held = {group for group, is_test in zip(groups, known, strict=True) if is_test}
    if held >= set(groups):
        raise DatasetError("every face is a test face of the other data set; none is left to train")
    return ["test" if group in held else "train" for group in groups]


def own_tests(records: Sequence[FaceRecord], fold: int | None) -> list[FaceRecord]:
    """Return the faces that the data set itself sets apart for testing.

    Args:
        records: the faces.
        fold: those of this fold; None for those of the data set's test side or, where it has
            none, of its validation side.

    Raises:
        DatasetError: when there are none.
    """
    if fold is not None:
        tests = [face for face in records if face.fold == fold]
        folds = sorted({face.fold for face in records if face.fold is not None})
        if not tests:
            known = ", ".join(map(str, folds)) if folds else "none"
            raise DatasetError(f"no face is of fold {fold}; the data set's folds: {known}")
        return tests
    for side in ("test", "valid"):
        if tests := [face for face in records if face.own_split == side]:
            return tests
    raise DatasetError("the data set has no test side of its own; leave the own split out")


def same_people(records: Sequence[FaceRecord]) -> list[tuple[int, int]]:
    """Return pairs of faces that join all faces of each person, where persons are known."""
    first: dict[str, int] = {}
    return [
        (first[face.person], number)
        for number, face in enumerate(records)
        if face.person and first.setdefault(face.person, number) != number
    ]


def _positions(
    records: Sequence[FaceRecord], groups: Sequence[int], seed: int
) -> list[tuple[float, str, _Unit]]:
    units: dict[int, _Unit] = defaultdict(list)
    for index, group in enumerate(groups):
        units[group].append(index)
    classes: dict[tuple[int, int], list[_Unit]] = defaultdict(list)
    for unit in units.values():
        first = records[unit[0]]
        gender = -1 if first.gender is None else first.gender
        classes[first.age_group, gender].append(unit)
    placed = []
    for label, members in sorted(classes.items()):
        passed, faces = 0, sum(map(len, members))
        offset = fraction(seed, "split", *label)
        for unit in shuffled(members, seed, "split", lambda unit: records[unit[0]].name):
            placed.append(((passed + offset * len(unit)) / faces, records[unit[0]].name, unit))
            passed += len(unit)
    return placed
