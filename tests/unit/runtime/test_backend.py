"""What stands beside one another in a network's one output."""

import dataclasses

import numpy as np

from edgeage.inputspec import InputSpec
from edgeage.labels import GENDERS
from edgeage.manifest import Manifest
from edgeage.outputs import Output
from edgeage.runtime.backend import parted, values_of

ONE = Manifest.classifier("gendernet", "gender", GENDERS, InputSpec())
BOTH = dataclasses.replace(
    ONE,
    outputs=(
        Output("age", "age", "distribution"),
        Output("gender", "gender", "classes", GENDERS),
    ),
    blob={"values": {"age": 3, "gender": 2}},
)


def test_a_classification_has_a_value_a_label():
    assert values_of(ONE) == {"prob": 2}
    rows = np.eye(2, dtype=np.float32)
    np.testing.assert_array_equal(parted(ONE, rows)["prob"], rows)


def test_two_answers_are_taken_apart_in_order():
    rows = np.arange(10, dtype=np.float32).reshape(2, 5)
    found = parted(BOTH, rows)
    assert found["age"].tolist() == [[0, 1, 2], [5, 6, 7]]
    assert found["gender"].tolist() == [[3, 4], [8, 9]]
