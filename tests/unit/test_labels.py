"""Age groups, genders, and the expectation of the age."""

from __future__ import annotations

import numpy as np
import pytest

from edgeage.labels import (
    AGE_GROUPS,
    DEFAULT_GROUP_AGES,
    GENDERS,
    TASK_LABELS,
    age_group_index,
    expected_age,
)


def test_the_groups_are_the_nine_of_the_data_set() -> None:
    decades = ("0-9", "10-19", "20-29", "30-39", "40-49", "50-59", "60-69", "70-79")
    assert (*decades, "80-120") == AGE_GROUPS
    assert GENDERS == ("Male", "Female")
    assert TASK_LABELS == {"age": AGE_GROUPS, "gender": GENDERS}


@pytest.mark.parametrize("age", range(121))
def test_every_age_falls_into_the_group_that_names_it(age: int) -> None:
    low, high = AGE_GROUPS[age_group_index(age)].split("-")
    assert int(low) <= age <= int(high)


@pytest.mark.parametrize("age", [-1, 121])
def test_an_impossible_age_is_refused(age: int) -> None:
    with pytest.raises(ValueError, match=f"expected an age of 0 to 120 years, got {age}"):
        age_group_index(age)


def test_each_default_age_lies_in_its_group() -> None:
    assert [age_group_index(int(age)) for age in DEFAULT_GROUP_AGES] == list(range(9))
    assert DEFAULT_GROUP_AGES[0] == 4.5


def test_the_expectation_weighs_each_group() -> None:
    certain = np.eye(9, dtype=np.float32)
    np.testing.assert_allclose(expected_age(certain, DEFAULT_GROUP_AGES), DEFAULT_GROUP_AGES)
    mixed = np.zeros((2, 3, 9))
    mixed[..., 2], mixed[..., 3] = 0.25, 0.75
    np.testing.assert_allclose(expected_age(mixed, DEFAULT_GROUP_AGES), np.full((2, 3), 32.0))


def test_the_expectation_refuses_another_number_of_groups() -> None:
    with pytest.raises(ValueError, match="expected 9 group probabilities, got 2"):
        expected_age(np.array([0.5, 0.5]), DEFAULT_GROUP_AGES)
