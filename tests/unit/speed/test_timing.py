"""Calls that take turns, on a clock that only the calls move."""

from __future__ import annotations

import gc

import pytest

from edgeage.errors import DeviceError
from edgeage.speed import Figures, take_turns


class Clock:
    """Stands still but for what the calls take."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def call(self, name, seconds, log):
        def run():
            log.append(name)
            self.now += seconds

        return run


def test_every_round_has_a_turn_of_each_call_and_the_warm_up_is_not_timed():
    clock, log = Clock(), []
    calls = [clock.call("a", 0.25, log), clock.call("b", 1.0, log)]
    laps = take_turns(calls, seconds=1.0, rounds=2, clock=clock)
    assert "".join(log) == "aabb" + "aab" * 2
    assert [lap.turns_ms for lap in laps] == [[[250, 250]] * 2, [[1000]] * 2]


def test_a_slow_spell_hits_all_calls():
    clock, log = Clock(), []
    calls = [clock.call(name, 0.5, log) for name in "ab"]

    def slow_down(done, total):
        assert total == 8
        clock.slow = done >= 4

    def disturbed(call):
        def run():
            call()
            clock.now += 0.5 * getattr(clock, "slow", False)

        return run

    laps = take_turns(
        [disturbed(call) for call in calls], seconds=1, rounds=3, clock=clock, on_turn=slow_down
    )
    assert laps[0].turns_ms == laps[1].turns_ms == [[500], [1000], [1000]]


def test_a_call_that_fails_leaves_the_others_alone():
    clock, log = Clock(), []
    faults = iter([None, None, None, DeviceError("unplugged")])

    def failing():
        clock.now += 1
        if fault := next(faults):
            raise fault

    broken, sound = take_turns([failing, clock.call("b", 1, log)], seconds=3, rounds=3, clock=clock)
    assert str(broken.error) == "unplugged"
    assert broken.turns_ms == [[1000]]
    assert sound.error is None
    assert sound.turns_ms == [[1000]] * 3


def test_other_exceptions_are_not_swallowed_and_the_collector_runs_again():
    seen = []

    def fault():
        seen.append(gc.isenabled())
        raise KeyError("ours")

    with pytest.raises(KeyError):
        take_turns([fault], seconds=1)
    assert seen == [False]
    assert gc.isenabled()


def test_figures_take_the_median_turn_and_interpolate():
    figures = Figures.of([[1.0] * 9 + [11.0], [2.0, 2.0], [4.0]], batch=4)
    assert (figures.runs, figures.p50_ms) == (13, 1.0)
    assert figures.p90_ms == pytest.approx(3.6)
    assert figures.p99_ms == pytest.approx(10.16)
    # 4 × 10 pictures in 20 ms, 8 in 4 ms, 4 in 4 ms.
    assert figures.img_per_s == 2000
    assert figures.to_dict()["p99_ms"] == 10.16
