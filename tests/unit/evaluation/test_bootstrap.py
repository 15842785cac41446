"""Intervals by resampling, against what theory and counting say."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from edgeage.evaluation.bootstrap import Resampler, Statistic, mcnemar, share_below

RNG = np.random.default_rng(0)


def test_the_interval_of_a_mean_is_that_of_theory() -> None:
    values = RNG.normal(5, 2, 900)
    mean = Statistic.mean(values, np.ones(900, bool))
    figure = Resampler(np.arange(900), 2000).figures({"m": mean})[0]["m"]
    assert figure.value == pytest.approx(values.mean())
    half = 1.96 * values.std() / 30
    assert figure.low == pytest.approx(values.mean() - half, abs=0.02)
    assert figure.high == pytest.approx(values.mean() + half, abs=0.02)
    assert figure.faces == 900


def test_faces_that_belong_together_are_drawn_together() -> None:
    values = np.repeat(RNG.normal(0, 1, 100), 9)
    mean = {"m": Statistic.mean(values, np.ones(900, bool))}
    alone = Resampler(np.arange(900)).figures(mean)[0]["m"]
    together = Resampler(np.repeat(np.arange(100), 9)).figures(mean)[0]["m"]
    assert together.high - together.low > 2.5 * (alone.high - alone.low)


def test_only_scored_faces_count_and_a_part_is_scored_alone() -> None:
    values, scored = np.array([1.0, 2.0, 99.0, 4.0]), np.array([1, 1, 0, 1], bool)
    mean = Statistic.mean(values, scored)
    part = mean.of(np.array([0, 1, 1, 1], bool))
    figures, _ = Resampler(np.arange(4), 100).figures({"all": mean, "part": part})
    assert figures["all"].value == pytest.approx(7 / 3)
    assert (figures["part"].value, figures["part"].faces) == (3.0, 2)


def test_what_has_no_face_has_no_figure() -> None:
    empty = Statistic.mean(np.zeros(3), np.zeros(3, bool))
    assert Resampler(np.arange(3), 100).figures({"none": empty})[0] == {}


def test_every_model_meets_the_same_draws_whatever_the_blocks(monkeypatch) -> None:
    mean = {"m": Statistic.mean(RNG.normal(0, 1, 50), np.ones(50, bool))}
    whole = Resampler(np.arange(50), 300).values(mean)["m"]
    monkeypatch.setattr("edgeage.evaluation.bootstrap._BLOCK_BYTES", 8 * 50 * 7)
    assert np.array_equal(Resampler(np.arange(50), 300).values(mean)["m"], whole)
    assert not np.array_equal(Resampler(np.arange(50), 300, seed=1).values(mean)["m"], whole)


@pytest.mark.parametrize(
    ("only_first", "only_second", "p"),
    [(0, 0, 1.0), (5, 5, 1.0), (10, 0, 2 / 1024), (1, 8, 2 * 10 / 512)],
)
def test_mcnemar_is_the_binomial_test_of_what_differs(only_first, only_second, p) -> None:
    first = np.array([1] * only_first + [0] * only_second + [1, 0] * 20, bool)
    second = np.array([0] * only_first + [1] * only_second + [1, 0] * 20, bool)
    assert mcnemar(first, second) == pytest.approx(min(p, 1.0))


def test_the_share_below_is_two_sided_and_never_nought() -> None:
    assert share_below(np.array([1.0] * 95 + [-1.0] * 5)) == pytest.approx(0.1)
    assert share_below(np.ones(1000)) == pytest.approx(0.002)
    assert share_below(np.zeros(10)) == 1.0


def test_a_statistic_keeps_what_it_is_made_of() -> None:
    mean = Statistic.mean(np.ones(2), np.ones(2, bool))
    with pytest.raises(dataclasses.FrozenInstanceError):
        mean.scored = np.zeros(2, bool)  # type: ignore[misc]
