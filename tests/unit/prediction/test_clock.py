"""Medians of what each step takes."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from edgeage.prediction.clock import StageClock


def test_the_median_of_each_stage():
    clock = StageClock()
    for value in (9.0, 1.0, 2.0):
        clock.add("a", value)
    clock.add("b", 4.0, count=2)
    assert clock.medians_ms == {"a": 2.0, "b": 4.0}
    assert (clock.count("a"), clock.count("b"), clock.count("c")) == (3, 2, 0)


def test_only_the_last_thousand_count():
    clock = StageClock()
    clock.add("a", 50.0, count=5000)
    clock.add("a", 1.0, count=501)
    assert (clock.count("a"), clock.medians_ms) == (1000, {"a": 1.0})


def test_what_is_done_together_shares_the_time():
    clock = StageClock()
    with clock.measure("a", 4):
        time.sleep(0.02)
    assert clock.count("a") == 4
    assert 5 <= clock.medians_ms["a"] < 500


def test_what_fails_or_is_nothing_is_not_counted():
    clock = StageClock()
    with pytest.raises(ValueError, match="no"), clock.measure("a"):
        raise ValueError("no")
    with clock.measure("b", 0):
        pass
    assert clock.medians_ms == {}


def test_threads_lose_nothing():
    clock = StageClock()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: (clock.add(str(n % 50), 1.0), clock.medians_ms), range(500)))
    assert sum(clock.count(str(n)) for n in range(50)) == 500
