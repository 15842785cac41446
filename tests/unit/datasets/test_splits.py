from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgeage.datasets.records import FaceRecord
from edgeage.datasets.splits import hold_out, split_faces
from edgeage.errors import DatasetError


def _faces(count: int, ages: tuple[int, ...] = (5, 25, 25, 25, 45, 85)) -> list[FaceRecord]:
    return [
        FaceRecord(f"{number:05d}.jpg", ages[number % len(ages)], number % 2, "asian")
        for number in range(count)
    ]


def test_classes_keep_their_share() -> None:
    faces = _faces(1200)
    sides = split_faces(faces, range(len(faces)), 0.8, seed=1)
    assert Counter(sides) == {"train": 960, "test": 240}
    tests = Counter(
        (face.age_group, face.gender)
        for face, side in zip(faces, sides, strict=True)
        if side == "test"
    )
    everyone = Counter((face.age_group, face.gender) for face in faces)
    assert all(abs(tests[label] - everyone[label] * 0.2) <= 1 for label in everyone)


def test_the_first_names_are_not_favoured() -> None:
    faces = _faces(1000)
    sides = split_faces(faces, range(1000), 0.8, seed=1)
    assert 0.7 < sides[:500].count("train") / 500 < 0.9


def test_seed_decides_and_nothing_else() -> None:
    faces = _faces(200)
    first = split_faces(faces, range(200), 0.8, seed=1)
    assert first == split_faces(faces, range(200), 0.8, seed=1)
    assert first != split_faces(faces, range(200), 0.8, seed=2)


def test_the_split_is_the_same_on_every_machine() -> None:
    sides = split_faces(_faces(24), range(24), 0.75, seed=230)
    assert "".join("x" if side == "test" else "." for side in sides) == "......x...xx..xx.....x.."


def test_rare_classes_reach_the_test_set_sometimes() -> None:
    # One face a class: always training it would leave the class untested for every seed.
    faces = _faces(100, ages=(25,) * 99 + (85,))
    sides = [split_faces(faces, range(100), 0.8, seed)[99] for seed in range(60)]
    assert 2 <= sides.count("test") <= 25


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.integers(0, 15), min_size=8, max_size=80),
    st.floats(0.3, 0.9),
    st.integers(0, 2**32),
)
def test_a_group_is_never_on_both_sides(labels: list[int], share: float, seed: int) -> None:
    first = {label: index for index, label in reversed(list(enumerate(labels)))}
    groups = [first[label] for label in labels]
    try:
        sides = split_faces(_faces(len(labels)), groups, share, seed)
    except DatasetError:
        assert len(set(groups)) < 3 or max(Counter(groups).values()) > len(labels) * 0.2
        return
    for group in set(groups):
        assert len({side for side, own in zip(sides, groups, strict=True) if own == group}) == 1
    largest = max(Counter(groups).values())
    assert abs(sides.count("train") - share * len(labels)) <= largest / 2 + 1e-9


@pytest.mark.parametrize("groups", [[0], [0, 0, 0]], ids=["one face", "one photograph"])
def test_too_few_photographs_are_refused(groups: list[int]) -> None:
    with pytest.raises(DatasetError, match="cannot be split into 0.8"):
        split_faces(_faces(len(groups)), groups, 0.8, seed=1)


def test_held_out_faces_take_their_near_duplicates_along() -> None:
    faces = _faces(6)
    sides = hold_out(faces, [0, 1, 2, 1, 4, 5], [faces[3], faces[5]])
    assert sides == ["train", "test", "train", "test", "train", "test"]


def test_a_held_out_face_under_another_name_is_known_by_its_content() -> None:
    faces = [FaceRecord(f"{n}.jpg", 25, 0, "asian", sha256=f"{n:064x}") for n in range(1, 4)]
    copy = FaceRecord("copy.jpg", 25, 0, "white", sha256=faces[0].sha256)
    assert hold_out([*faces, copy], range(4), faces[:1]) == ["test", "train", "train", "test"]


@pytest.mark.parametrize(
    ("tests", "reason"),
    [
        ([], "has no test faces"),
        ([FaceRecord("other.jpg", 25, 0, "asian")], "has 1 of its 1 test faces"),
        (_faces(3), "none is left to train"),
    ],
    ids=["none", "from another source", "all"],
)
def test_faces_that_cannot_be_held_out_are_refused(tests: list[FaceRecord], reason: str) -> None:
    with pytest.raises(DatasetError, match=reason):
        hold_out(_faces(3), range(3), tests)
