"""Every figure against the same one counted face by face."""

from __future__ import annotations

import numpy as np
import pytest

from edgeage.evaluation.bootstrap import Resampler
from edgeage.evaluation.decoded import Ages, Decoded, Genders
from edgeage.evaluation.faces import Truth
from edgeage.evaluation.figures import CATALOGUE, slices, statistics
from edgeage.evaluation.protocols import ADIENCE_GROUPS, FIVE_GROUPS, fold_figures, group_of
from edgeage.labels import AGE_GROUPS

NAN = float("nan")


def truth(ages, genders=(), **told) -> Truth:
    n = len(ages)
    return Truth(
        np.array(ages, float),
        np.array(genders or [-1] * n, np.int64),
        told.get("races", ("",) * n),
        np.arange(n),
        told.get("persons", ("",) * n),
        told.get("folds", ("",) * n),
        np.array(told.get("apparent", [NAN] * n), float),
    )


def ages(years, groups=None, confidences=None, labels=AGE_GROUPS, intervals=None) -> Ages:
    groups = [min(int(y) // 10, 8) for y in years] if groups is None else groups
    return Ages(
        np.array(years, float),
        np.array(groups),
        None if confidences is None else np.array(confidences),
        labels,
        np.array(groups),
        None if intervals is None else np.array(intervals, float),
    )


def values(told: Truth, said: Decoded, **options) -> dict[str, float]:
    found = statistics(told, said, **options)
    figures, _ = Resampler(told.units, 100).figures(found)
    return {name: figure.value for name, figure in figures.items()}


def test_ages_counted_by_hand() -> None:
    said = ages([12, 33, 45, 81], confidences=[0.9, 0.8, 0.55, 1.0], intervals=[[9, 15]] * 4)
    found = values(truth([10, 28, 60, 80]), Decoded(said))
    assert found["age_mae"] == pytest.approx((2 + 5 + 15 + 1) / 4)
    assert found["age_bias"] == pytest.approx((2 + 5 - 15 + 1) / 4)
    assert found["age_cs5"] == 0.75
    assert found["age_group"] == 0.5
    assert found["age_one_off"] == 0.75
    assert found["age_balanced"] == 0.5
    assert found["interval_coverage"] == 0.25
    assert found["interval_width"] == 6
    # Bins 0.9 and 1.0 share one: right twice of two at 0.95; 0.8 and 0.55 are wrong.
    assert found["age_ece"] == pytest.approx((abs(1.9 - 2) + 0.8 + 0.55) / 4)


def test_class_balanced_recall_counts_each_class_once() -> None:
    said = ages([5] * 9 + [55])
    found = values(truth([5] * 8 + [25, 55]), Decoded(said))
    assert found["age_group"] == 0.9
    assert found["age_balanced"] == pytest.approx((1 + 0 + 1) / 3)


def test_five_groups_are_of_the_age_and_leave_out_what_none_holds() -> None:
    found = values(truth([0, 1, 13, 30, 90]), Decoded(ages([0, 1, 14.4, 41, 85])))
    assert found["age_group_5"] == pytest.approx(1 / 3)
    own = ages([30, 30], groups=[0, 2], labels=FIVE_GROUPS)
    assert values(truth([5, 30]), Decoded(own))["age_group_5"] == 1.0


def test_genders_and_adults() -> None:
    told = truth([5, 20, 30, 40], genders=[0, 0, 1, -1])
    said = Genders(np.array([1, 0, 1, 1]), np.array([0.6, 0.9, 0.95, 0.7]))
    found = values(told, Decoded(None, said))
    assert found["gender"] == pytest.approx(2 / 3)
    assert found["gender_adult"] == 1.0
    assert found["gender_balanced"] == 0.75
    assert found["gender_ece"] == pytest.approx((0.6 + abs(0.9 + 0.95 - 2)) / 3)


def test_what_is_not_told_is_not_scored() -> None:
    found = values(truth([NAN, NAN], genders=[0, 1]), Decoded(ages([3, 4])))
    assert found == {}
    assert values(truth([3, 4]), Decoded(None, Genders(np.zeros(2), np.ones(2)))) == {}


def test_apparent_age_and_persons() -> None:
    told = truth([10, 10, 20], apparent=[12, NAN, 26], persons=("a", "a", "b"))
    found = values(told, Decoded(ages([12, 14, 20])))
    assert found["apparent_mae"] == pytest.approx((0 + 6) / 2)
    assert found["age_mae"] == pytest.approx(2)
    assert found["person_mae"] == pytest.approx((3 + 0) / 2)


def test_adience_has_its_own_groups_and_no_years() -> None:
    told = truth([1, 28, 50, 45], folds=("0", "0", "1", "1"))
    found = statistics(told, Decoded(ages([3, 36, 47, 70])), adience=True)
    assert list(found) == ["adience_group", "adience_one_off"]
    # 3 lies between 0-2 and 4-6 and is the younger's; 45 is as near to 43 as to 48 but for a year.
    figures = fold_figures(found, told.folds, list(found))
    assert figures["adience_group"]["folds"] == {"0": 0.5, "1": 0.5}
    assert figures["adience_one_off"] == {"mean": 0.75, "sd": pytest.approx(0.35355), "folds": {
        "0": 1.0, "1": 0.5}}  # fmt: skip


@pytest.mark.parametrize(("age", "group"), [(2, 0), (3, 0), (13, 2), (24, 4), (57, 7), (110, 7)])
def test_an_age_between_groups_belongs_to_the_nearest(age, group) -> None:
    assert group_of(np.array([age]), ADIENCE_GROUPS).tolist() == [group]


def test_slices_are_by_race_gender_and_age() -> None:
    told = truth([3, 33, NAN], genders=[0, 1, -1], races=("asian", "white", ""))
    found = {(kind, name): chosen.tolist() for kind, name, chosen in slices(told)}
    assert found["race", "asian"] == [True, False, False]
    assert found["gender", "Female"] == [False, True, False]
    assert found["age_group", "0-9"] == [True, False, False]
    assert sum(map(sum, (found["age_group", name] for name in AGE_GROUPS))) == 2


def test_the_catalogue_names_every_figure() -> None:
    told = truth([5.0], genders=[0], apparent=[5], persons=("a",))
    said = Decoded(
        ages([5], confidences=[1.0], intervals=[[1, 9]]), Genders(np.zeros(1), np.ones(1))
    )
    made = {*statistics(told, said), *statistics(told, said, adience=True)}
    assert made == set(CATALOGUE) - {"gender_adult"}
