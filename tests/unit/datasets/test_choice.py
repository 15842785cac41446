from __future__ import annotations

from collections import Counter

import pytest

from edgeage.datasets.choice import choose
from edgeage.datasets.importers.found import Candidate, Drop
from edgeage.datasets.options import BuildOptions
from edgeage.datasets.records import FaceRecord

# 60 children, 30 in their twenties, 10 old.
AGES = [5] * 60 + [25] * 30 + [85] * 10


def _found(order: int = 1) -> list[Candidate | Drop]:
    faces: list[Candidate | Drop] = [
        Candidate(FaceRecord(f"{n}.jpg", age, n % 2, ("asian", "white")[n % 2]), f"{n}.jpg", bytes)
        for n, age in enumerate(AGES)
    ]
    return [Drop("x.txt", "not a picture"), *faces[::order]]


def _taken(**options: object) -> list[FaceRecord]:
    choice = choose(_found(), BuildOptions(**options))  # type: ignore[arg-type]
    records = [item.record for item in _found() if isinstance(item, Candidate)]
    return [record for record in records if not choice.reason_against(record)]


def test_a_limit_is_kept_and_drawn_by_the_seed() -> None:
    first = _taken(limit=20, seed=1)
    assert len(first) == 20
    assert first == _taken(limit=20, seed=1)
    assert first != _taken(limit=20, seed=2)
    # Drawn from all, not from the front.
    assert len({record.age_group for record in first}) > 1
    assert len(_taken(limit=500)) == len(AGES)


def test_the_source_s_order_does_not_matter() -> None:
    options = BuildOptions(limit=20)
    one, other = choose(_found(), options), choose(_found(-1), options)
    records = [item.record for item in _found() if isinstance(item, Candidate)]
    assert [one.reason_against(record) for record in records] == [
        other.reason_against(record) for record in records
    ]


@pytest.mark.parametrize(
    ("limit", "counts"),
    [(None, [10, 10, 10]), (60, [25, 25, 10]), (6, [2, 2, 2]), (1000, [60, 30, 10])],
    ids=str,
)
def test_balance_gives_each_group_as_many(limit: int | None, counts: list[int]) -> None:
    taken = Counter(record.age_group for record in _taken(balance=True, limit=limit))
    assert [taken[group] for group in (0, 2, 8)] == counts


def test_ages_and_races_are_looked_at_first() -> None:
    taken = _taken(limit=12, ages=(20, 90), races=("white",))
    assert len(taken) == 12
    assert {record.race for record in taken} == {"white"}
    assert min(record.age for record in taken) == 25
    choice = choose(_found(), BuildOptions(limit=12, ages=(20, 90), races=("white",)))
    reasons = Counter(
        choice.reason_against(item.record) for item in _found() if isinstance(item, Candidate)
    )
    assert reasons == {"other_races": 50, "other_ages": 30, "not_chosen": 8, "": 12}


def test_a_name_that_stands_twice_counts_once() -> None:
    choice = choose([*_found(), *_found()], BuildOptions(limit=99))
    records = [item.record for item in _found() if isinstance(item, Candidate)]
    assert sum(not choice.reason_against(record) for record in records) == 99


def test_nothing_to_choose_from_is_no_error() -> None:
    assert choose([], BuildOptions(limit=3, balance=True)).reason_against is not None
