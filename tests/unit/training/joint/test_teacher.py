"""What a teacher says, beside what a face's label says."""

import numpy as np
import pytest

from edgeage.training.joint.teacher import mixed


def test_a_label_and_a_lesson_are_mixed_by_the_share():
    label, lesson = np.float32([[1, 0]]), np.float32([[0.2, 0.8]])
    found = mixed(label, lesson, 0.25)
    assert found.dtype == np.float32
    assert found[0].tolist() == pytest.approx([0.8, 0.2])
    np.testing.assert_array_equal(mixed(label, lesson, 0), label)


def test_years_are_summed_for_the_nine_groups():
    lesson = np.zeros((1, 101), np.float32)
    lesson[0, [9, 10, 19, 80, 100]] = 0.1, 0.2, 0.3, 0.15, 0.25
    found = mixed(np.zeros((1, 9), np.float32), lesson, 1)[0]
    assert found.tolist() == pytest.approx([0.1, 0.5, 0, 0, 0, 0, 0, 0, 0.4])
