"""What numbers say about a face."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeage.answers import decode, face_fields, probabilities
from edgeage.errors import DeviceError
from edgeage.inputspec import InputSpec
from edgeage.labels import AGE_GROUPS
from edgeage.manifest import Manifest
from edgeage.outputs import Output
from edgeage.runtime.backend import Answer

YEARS = Output("y", "age", "years", factor=100, offset=-1)
SINGLE_YEARS = Output("d", "age", "distribution")
MALE = Output("m", "gender", labels=("Male",))


def row(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


@pytest.mark.parametrize(
    ("value", "age", "group"),
    [
        pytest.param(0.336, 32.6, "30-39", id="usual"),
        pytest.param(0.404, 39.4, "30-39", id="nearer the younger"),
        pytest.param(0.406, 39.6, "40-49", id="nearer the older"),
        pytest.param(-0.2, 0, "0-9", id="below nought"),
        pytest.param(7, 120, "80-120", id="beyond all"),
    ],
)
def test_years(value, age, group) -> None:
    fields = decode(YEARS, row(value))
    assert fields == {"age": pytest.approx(age, abs=1e-4), "age_group": group}


def test_a_distribution_is_its_expectation_and_fills_the_groups() -> None:
    values = np.zeros(101, np.float32)
    values[[39, 40, 90]] = 0.5, 0.3, 0.2
    fields = decode(SINGLE_YEARS, values)
    assert fields["age"] == pytest.approx(0.5 * 39 + 0.3 * 40 + 0.2 * 90)
    assert (fields["age_group"], fields["age_group_probability"]) == ("30-39", pytest.approx(0.5))
    assert fields["age_probabilities"] == pytest.approx([0, 0, 0, 0.5, 0.3, 0, 0, 0, 0.2])


def test_a_distribution_over_steps_of_years() -> None:
    bins = Output("d", "age", "distribution", factor=5, offset=2.5)
    assert decode(bins, row(0, 0.5, 0.5))["age"] == pytest.approx((7.5 + 12.5) / 2)


def test_classes_have_their_own_labels_and_ages() -> None:
    output = Output("c", "age", labels=("0-2", "25-32"), group_ages=(1, 28))
    fields = decode(output, row(0.25, 0.75))
    assert fields["age"] == pytest.approx(0.25 * 1 + 0.75 * 28)
    assert (fields["age_group"], fields["age_probabilities"]) == ("25-32", (0.25, 0.75))


@pytest.mark.parametrize(
    ("labels", "gender"), [(("Female", "Male"), "Female"), (("Male", "Female"), "Male")]
)
def test_two_genders_in_the_networks_order(labels, gender) -> None:
    fields = decode(Output("g", "gender", labels=labels), row(0.75, 0.25))
    assert fields == {"gender": gender, "gender_probability": 0.75}


@pytest.mark.parametrize(
    ("logits", "value", "gender", "probability"),
    [
        (False, 0.9, "Male", 0.9),
        (False, 0.2, "Female", 0.8),
        (False, 1.0, "Male", 1.0),
        (False, 0.0, "Female", 1.0),
        (True, np.log(9), "Male", 0.9),
        (True, -1000, "Female", 1.0),
    ],
)
def test_one_gender(logits, value, gender, probability) -> None:
    output = Output("m", "gender", labels=("Male",), logits=logits)
    fields = decode(output, row(value))
    assert fields == {"gender": gender, "gender_probability": pytest.approx(probability)}


def test_logits_get_their_softmax_without_overflow() -> None:
    output = Output("g", "gender", labels=("Female", "Male"), logits=True)
    assert decode(output, row(1000, 1000 + np.log(3)))["gender_probability"] == pytest.approx(
        0.75, abs=1e-4
    )


@pytest.mark.parametrize("logits", [False, True])
def test_a_temperature_is_the_same_for_probabilities_as_for_their_logits(logits) -> None:
    output = Output("c", "age", labels=AGE_GROUPS, logits=logits, temperature=2.0)
    scores = np.linspace(-1, 3, 9)
    shares = np.exp(scores) / np.exp(scores).sum()
    wanted = np.exp(scores / 2) / np.exp(scores / 2).sum()
    found = probabilities(output, scores if logits else shares)
    np.testing.assert_allclose(found, wanted)


def test_a_temperature_cools_one_gender_too() -> None:
    output = Output("m", "gender", labels=("Male",), temperature=2.0)
    odds = np.sqrt(0.9 / 0.1)
    assert decode(output, row(0.9))["gender_probability"] == pytest.approx(odds / (1 + odds))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_no_number_is_no_answer(bad) -> None:
    with pytest.raises(DeviceError, match="output «y» answered .*expected numbers"):
        decode(YEARS, row(bad))


def test_one_network_may_answer_both_tasks() -> None:
    both = Manifest("both", InputSpec(), (YEARS, MALE))
    answer = Answer({"y": row(0.1, 0.5)[:, None], "m": row(0.9, 0.2)[:, None]}, ("CPU",) * 2)
    fields = face_fields([both], {"age": answer, "gender": answer}, 1)
    assert fields["age"] == pytest.approx(49)
    assert fields["gender"] == "Female"


@given(
    st.lists(st.floats(-50, 50, width=32), min_size=2, max_size=150),
    st.floats(0.05, 20),
)
def test_probabilities_are_a_share_each_and_keep_their_order(scores, temperature) -> None:
    output = Output("d", "age", "distribution", logits=True, temperature=temperature)
    found = probabilities(output, row(*scores))
    assert found.sum() == pytest.approx(1)
    assert (np.diff(found[np.argsort(scores)]) >= 0).all()
    assert 0 <= decode(output, row(*scores))["age"] <= 120


def test_an_interval_grows_with_the_spread_and_stays_within_a_life() -> None:
    groups = Output("c", "age", labels=AGE_GROUPS, interval=1.5)
    sure, unsure = np.eye(9)[3], (np.eye(9)[2] + np.eye(9)[4]) / 2
    told = [decode(groups, row(*values)) for values in (sure, unsure)]
    # Sure of 34.5, spread evenly over ten years; unsure between 24.5 and 44.5.
    for fields, spread in zip(told, (10 / 12**0.5, (100 + 100 / 12) ** 0.5), strict=True):
        half = 1.5 * spread
        assert fields["age_interval"] == pytest.approx((34.5 - half, 34.5 + half))
    years = Output("y", "age", "years", interval=10)
    assert decode(years, row(4))["age_interval"] == (0, 14)
    assert decode(years, row(115))["age_interval"] == (105, 120)
    assert "age_interval" not in decode(Output("y", "age", "years"), row(4))
