"""Which of a source's faces are taken: by race, by age, and how many of them."""

from __future__ import annotations

from array import array
from collections import defaultdict
from typing import TYPE_CHECKING

from edgeage.datasets.importers.found import Candidate
from edgeage.datasets.seeds import integer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edgeage.datasets.importers.found import Drop
    from edgeage.datasets.options import BuildOptions
    from edgeage.datasets.records import FaceRecord

__all__ = ["Choice", "choose"]


class Choice:
    """Says why a face is not taken.

    Args:
        options: of the build.
        highest: age group → the highest number drawn for a face that is taken; None for all.
    """

    def __init__(self, options: BuildOptions, highest: dict[int, int] | None = None) -> None:
        self._all_races, self._races = options.takes_all_races, frozenset(options.races)
        self._ages, self._seed, self._highest = options.ages, options.seed, highest

    def reason_against(self, record: FaceRecord) -> str:
        """Return ``"other_races"``, ``"other_ages"``, ``"not_chosen"``, or an empty text."""
        if not self._all_races and record.race not in self._races:
            return "other_races"
        if not self._ages[0] <= record.age <= self._ages[1]:
            return "other_ages"
        if self._highest is not None and self.drawn(record) > self._highest[record.age_group]:
            return "not_chosen"
        return ""

    def drawn(self, record: FaceRecord) -> int:
        """Return the number drawn for a face: it depends on the seed and its name alone."""
        return integer(self._seed, "choice", record.name)


def choose(found: Iterable[Candidate | Drop], options: BuildOptions) -> Choice:
    """Draw the faces that are taken when not all are wanted.

    Labels decide, no picture is opened: one that turns out to be unreadable is not replaced. Of
    each face eight bytes are held.

    Args:
        found: all of the source.
        options: ``limit``, ``balance``, races, ages and seed.
    """
    choice = Choice(options)
    numbers: dict[int, array[int]] = defaultdict(lambda: array("Q"))
    names: set[int] = set()
    for item in found:
        if isinstance(item, Candidate) and not choice.reason_against(item.record):
            drawn = choice.drawn(item.record)
            if drawn not in names:
                names.add(drawn)
                numbers[item.record.age_group].append(drawn)
    ordered = {group: sorted(values) for group, values in numbers.items()}
    if options.balance:
        quota = _quota([len(values) for values in ordered.values()], options.limit)
        highest = {group: _highest(values, quota) for group, values in ordered.items()}
    else:
        merged = sorted(value for values in ordered.values() for value in values)
        everyone = _highest(merged, options.limit or len(merged))
        highest = dict.fromkeys(ordered, everyone)
    return Choice(options, highest)


def _highest(ordered: list[int], count: int) -> int:
    return ordered[min(count, len(ordered)) - 1] if ordered and count else -1


def _quota(counts: list[int], limit: int | None) -> int:
    """Return how many faces a group may have.

    Without a limit as many as the smallest group has; else the most with which all groups
    together, small ones whole, stay within it.

    >>> _quota([10, 100, 50], None), _quota([10, 100, 50], 90)
    (10, 40)
    """
    if limit is None:
        return min(counts, default=0)
    ordered, quota = sorted(counts), 0
    for place, count in enumerate(ordered):
        share = limit // (len(ordered) - place)
        if count > share:
            return share
        quota, limit = count, limit - count
    return quota
