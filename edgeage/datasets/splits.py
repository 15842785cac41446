"""Splitting faces into training and test so that no photograph is on both sides."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from edgeage.datasets.seeds import fraction, shuffled
from edgeage.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgeage.datasets.records import FaceRecord

__all__ = ["split_faces"]

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


def _positions(
    records: Sequence[FaceRecord], groups: Sequence[int], seed: int
) -> list[tuple[float, str, _Unit]]:
    units: dict[int, _Unit] = defaultdict(list)
    for index, group in enumerate(groups):
        units[group].append(index)
    classes: dict[tuple[int, int], list[_Unit]] = defaultdict(list)
    for unit in units.values():
        first = records[unit[0]]
        classes[first.age_group, first.gender].append(unit)
    placed = []
    for label, members in sorted(classes.items()):
        passed, faces = 0, sum(map(len, members))
        offset = fraction(seed, "split", *label)
        for unit in shuffled(members, seed, "split", lambda unit: records[unit[0]].name):
            placed.append(((passed + offset * len(unit)) / faces, records[unit[0]].name, unit))
            passed += len(unit)
    return placed
