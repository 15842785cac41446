"""What outputs are taught."""

import numpy as np
import pytest

from edgeage.outputs import Output
from edgeage.training.zoo.recipe import ZooRecipe
from edgeage.training.zoo.targets import targets

AGES, GENDERS = np.array([0, 13, 14, 40, 99]), np.array([0, 1, 0, 1, 0])
GROUPS = ("1-13", "14-23", "24-39", "40-55", "56-85")
PLAIN = ZooRecipe(1)


def taught(output, size, recipe=PLAIN):
    return targets(output, size, AGES, GENDERS, recipe)


def test_groups_take_the_ages_they_begin_at():
    rows = taught(Output("a", "age", "classes", GROUPS), 5)
    assert rows.argmax(1).tolist() == [0, 0, 1, 3, 4]
    assert rows.sum(1).tolist() == [1] * 5


def test_a_year_is_a_class_of_its_own():
    assert taught(Output("a", "age", "distribution"), 101).argmax(1).tolist() == AGES.tolist()


def test_a_spread_keeps_the_middle_and_the_sum():
    rows = taught(Output("a", "age", "distribution"), 101, ZooRecipe(1, age_spread=3.0))
    np.testing.assert_allclose(rows.sum(1), 1, atol=1e-5)
    assert rows[3] @ np.arange(101) == pytest.approx(40, abs=0.6)
    assert rows[3].max() < 0.2


def test_one_number_is_in_the_output_s_unit():
    rows = taught(Output("a", "age", "years", factor=100, offset=-1), 1)
    np.testing.assert_allclose(rows[:, 0], (AGES + 1) / 100)


@pytest.mark.parametrize(
    ("output", "first"),
    [
        (Output("g", "gender", "classes", ("Male", "Female")), [1, 0]),
        (Output("g", "gender", "classes", ("Female", "Male")), [0, 1]),
        (Output("g", "gender", "sigmoid", ("Male",)), [1]),
        (Output("g", "gender", "sigmoid", ("Female",)), [0]),
    ],
)
def test_genders_stand_in_the_output_s_order(output, first):
    rows = taught(output, len(first))
    assert rows[0].tolist() == first
    assert rows[1].tolist() == [1 - value for value in first]


def test_smoothing_takes_certainty():
    rows = taught(
        Output("g", "gender", "sigmoid", ("Male",)), 1, ZooRecipe(1, gender_smoothing=0.2)
    )
    np.testing.assert_allclose(rows[:2, 0], [0.9, 0.1], atol=1e-6)
