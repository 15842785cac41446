"""What a face is taught as."""

import math

import numpy as np
import pytest

from edgeage.labels import AGE_GROUPS
from edgeage.training.joint.targets import age_targets, gender_targets


def _normal_share(low, high, age, spread):
    def below(edge):
        return 0.5 * (1 + math.erf((edge - age) / (spread * math.sqrt(2))))

    return below(high) - below(low)


def test_an_age_is_spread_as_a_normal_distribution_around_the_middle_of_its_year():
    shares = age_targets(np.array([29]), 3.0)[0]
    assert shares.sum() == pytest.approx(1, abs=1e-6)
    assert shares[2] == pytest.approx(_normal_share(20, 30, 29.5, 3.0), abs=1e-6)
    assert shares[3] == pytest.approx(_normal_share(30, 40, 29.5, 3.0), abs=1e-6)


@pytest.mark.parametrize(("age", "group"), [(0, 0), (9, 0), (10, 1), (79, 7), (80, 8), (116, 8)])
def test_the_own_group_has_the_largest_share(age, group):
    shares = age_targets(np.array([age]), 2.0)
    assert shares.shape == (1, len(AGE_GROUPS))
    assert shares.argmax() == group


def test_nothing_is_lost_at_the_ends():
    assert age_targets(np.array([0, 120]), 5.0).sum(1) == pytest.approx([1, 1], abs=1e-6)


def test_gender_smoothing_takes_evenly():
    shares = gender_targets(np.array([1, 0]), 0.1)
    np.testing.assert_allclose(shares, [[0.05, 0.95], [0.95, 0.05]], atol=1e-7)


def test_a_class_a_year_peaks_at_the_age():
    shares = age_targets(np.array([40]), 2.0, range(101))[0]
    assert (shares.argmax(), shares.size) == (40, 101)
    assert shares.sum() == pytest.approx(1, abs=1e-6)
    assert shares[39] == pytest.approx(shares[41], abs=1e-6)
