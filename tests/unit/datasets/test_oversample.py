from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest

from edgeage.datasets.oversample import Copy, apply_change, plan
from edgeage.datasets.records import FaceRecord


def _faces(counts: dict[int, int]) -> list[FaceRecord]:
    """Faces by age; every third is female."""
    return [
        FaceRecord(f"{age}_{number}.jpg", age, int(number % 3 == 0), "asian")
        for age, count in counts.items()
        for number in range(count)
    ]


def _changes(copies: list[Copy], age: int) -> list[tuple[str, str, int]]:
    return [
        (copy.record.name, copy.change, copy.turn)
        for copy in copies
        if copy.record.age == age and copy.change
    ]


# A class of one, and odd and even classes with odd and even gaps: the original scripts divided by
# zero for the first and left the others one short.
@pytest.mark.parametrize("count", [1, 2, 3, 4, 7, 8, 9])
@pytest.mark.parametrize("largest", [9, 10])
def test_every_class_is_filled_exactly(count: int, largest: int) -> None:
    copies = plan(_faces({5: count, 25: largest}), "age", 230, balance=True)
    assert Counter(copy.record.age for copy in copies) == {5: largest, 25: largest}


@pytest.mark.parametrize("count", [3, 4])
def test_all_originals_are_used_before_one_repeats(count: int) -> None:
    # Five passes. The original scripts never changed the last picture of a class.
    copies = _changes(plan(_faces({5: count, 25: 6 * count}), "age", 230, balance=True), 5)
    originals = {face.name for face in _faces({5: count})}
    assert len(copies) == 5 * count
    for turn in range(5):
        assert {name for name, _, own in copies if own == turn} == originals
    for name in originals:
        changes = [change for own, change, _ in sorted(copies, key=lambda c: c[2]) if own == name]
        assert changes in (
            ["flip", "noise", "flip", "noise", "flip"],
            ["noise", "flip", "noise", "flip", "noise"],
        )


def test_flip_and_noise_take_turns() -> None:
    copies = _changes(plan(_faces({5: 20, 25: 31}), "age", 230, balance=True), 5)
    assert Counter(change for _, change, _ in copies) == {"flip": 6, "noise": 5}


def test_the_originals_that_are_copied_are_not_the_first_by_name() -> None:
    copies = _changes(plan(_faces({5: 50, 25: 60}), "age", 230, balance=True), 5)
    assert {name for name, _, _ in copies} != {f"5_{number}.jpg" for number in range(10)}


def test_names_are_unique_and_originals_all_there() -> None:
    faces = _faces({5: 2, 25: 40})
    copies = plan(faces, "age", 230, balance=True)
    names = [copy.name for copy in copies]
    assert len(set(names)) == len(names) == 80
    assert {face.name for face in faces} < set(names)


def test_an_empty_class_stays_empty() -> None:
    copies = plan(_faces({5: 2, 25: 4}), "age", 230, balance=True)
    assert {copy.record.age_group for copy in copies} == {0, 2}
    assert plan([], "age", 230, balance=True) == []


def test_gender_is_balanced_from_the_originals() -> None:
    # The original scripts took the gender list from the age-balanced pictures.
    faces = _faces({5: 4, 25: 40})
    copies = plan(faces, "gender", 230, balance=True)
    genders = Counter(face.gender for face in faces)
    assert Counter(copy.record.gender for copy in copies) == dict.fromkeys((0, 1), genders[0])
    assert not [copy for copy in copies if copy.change and copy.record.gender == 0]


def test_without_balance_there_are_only_originals() -> None:
    faces = _faces({5: 4, 25: 40})
    copies = plan(faces, "age", 230, balance=False)
    assert sorted(copy.record for copy in copies) == sorted(faces)
    assert not any(copy.change for copy in copies)


def test_the_order_is_shuffled_and_the_seeds() -> None:
    faces = _faces({5: 30, 25: 30})
    first = [copy.name for copy in plan(faces, "age", 1, balance=True)]
    assert first == [copy.name for copy in plan(faces, "age", 1, balance=True)]
    assert first != [copy.name for copy in plan(faces, "age", 2, balance=True)]
    ages = [name.split("_")[0] for name in first]
    assert 3 < sum(one != other for one, other in itertools.pairwise(ages)) < 57


PIXELS = np.random.default_rng(0).integers(60, 190, (3, 50, 40), dtype=np.uint8)
FACE = FaceRecord("a.jpg", 5, 0, "asian")


def test_a_flip_mirrors_left_and_right() -> None:
    flipped = apply_change(PIXELS, Copy(FACE, "flip"), 230)
    assert np.array_equal(flipped, PIXELS[:, :, ::-1])
    assert flipped.flags.c_contiguous


def test_an_original_is_untouched() -> None:
    assert np.array_equal(apply_change(PIXELS, Copy(FACE), 230), PIXELS)


def test_noise_is_gaussian_with_variance_of_a_hundredth() -> None:
    noisy = apply_change(PIXELS, Copy(FACE, "noise"), 230)
    difference = noisy.astype(float) - PIXELS
    assert noisy.dtype == np.uint8
    assert abs(difference.mean()) < 1.5
    assert 24 < difference.std() < 26.5  # 0.1 of 255, less what is clipped


def test_noise_depends_on_seed_and_name_alone() -> None:
    first = apply_change(PIXELS, Copy(FACE, "noise"), 230)
    assert np.array_equal(first, apply_change(PIXELS, Copy(FACE, "noise"), 230))
    assert not np.array_equal(first, apply_change(PIXELS, Copy(FACE, "noise", 1), 230))
    assert not np.array_equal(first, apply_change(PIXELS, Copy(FACE, "noise"), 231))
