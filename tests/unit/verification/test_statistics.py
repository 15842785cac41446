"""Figures that come together a few pictures at a time."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edgeage.verification.points import Point
from edgeage.verification.statistics import HALF_LARGEST, HALF_SMALLEST, ErrorSum, RangeSum

POINT = Point("a", "a", "Convolution")


def test_the_limits_are_half_precisions():
    assert HALF_LARGEST == 65504
    assert HALF_SMALLEST == 2**-14
    with np.errstate(over="ignore"):
        assert np.isinf(np.float16(HALF_LARGEST + 16))


def test_ranges():
    seen = RangeSum()
    seen.add(POINT, {"a": np.array([[0, 3, -7], [1e-5, 0, 6.2e-5]], np.float32)})
    seen.add(POINT, {"a": np.array([[-6e-5]], np.float32)})
    assert seen.largest == 7
    assert (seen.small, seen.nonzero) == (2, 5)
    seen.add(POINT, {"a": np.array([[np.nan]], np.float32)})
    seen.add(POINT, {"a": np.array([[9]], np.float32)})
    assert math.isnan(seen.largest)


def test_errors_are_the_same_in_parts_and_at_once():
    rng = np.random.default_rng(0)
    found, expected = rng.normal(size=(2, 8, 3, 4)).astype(np.float32)
    whole, parts = ErrorSum(), ErrorSum()
    whole.add(found, expected)
    parts.add(found[:3], expected[:3])
    parts.add(found[3:].reshape(5, 12), expected[3:])
    assert parts.largest == whole.largest == np.abs(found.astype(float) - expected).max()
    assert parts.relative == pytest.approx(whole.relative)
    by_hand = np.linalg.norm(found - expected) / np.linalg.norm(expected)
    assert whole.relative == pytest.approx(by_hand, rel=1e-5)


def test_infinity_and_noughts():
    error = ErrorSum()
    assert error.relative == 0
    error.add(np.array([1.0]), np.array([0.0]))
    assert error.relative == math.inf
    error.add(np.array([np.inf]), np.array([np.inf]))
    assert math.isnan(error.largest)
