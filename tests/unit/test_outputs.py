"""What an output may mean, and how a manifest says it."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeage.errors import ModelError
from edgeage.labels import AGE_GROUPS, DEFAULT_GROUP_AGES, GENDERS
from edgeage.outputs import KINDS, Output, outputs_from_fields, outputs_to_fields


@pytest.mark.parametrize(
    ("fields", "kind", "size"),
    [
        pytest.param({"task": "age", "labels": ["0-2", "4-6"]}, "classes", 2, id="age groups"),
        pytest.param({"task": "age", "kind": "years"}, "years", 1, id="years"),
        pytest.param({"task": "age", "kind": "distribution"}, "distribution", None, id="DEX"),
        pytest.param({"task": "gender", "labels": ["Female", "Male"]}, "classes", 2, id="two"),
        pytest.param({"task": "gender", "labels": ["male"]}, "sigmoid", 1, id="one gender"),
    ],
)
def test_the_kind_and_the_number_of_values(fields: dict[str, Any], kind: str, size: int) -> None:
    output = Output.from_dict({"name": "out", **fields})
    assert (output.kind, output.size) == (kind, size)
    assert Output.from_dict(output.to_dict()) == output


def test_genders_keep_their_order_and_get_edgeages_spelling() -> None:
    assert Output("o", "gender", labels=("FEMALE", "male")).labels == ("Female", "Male")


@pytest.mark.parametrize(
    ("labels", "ages"),
    [
        pytest.param(AGE_GROUPS, DEFAULT_GROUP_AGES, id="edgeage's own"),
        pytest.param(("(0, 2)", "(4, 6)", "(60, 100)"), (1, 5, 80), id="Levi and Hassner's"),
        pytest.param(("0-2", "25 to 32"), (1, 28.5), id="plain"),
    ],
)
def test_labels_that_are_ranges_stand_for_their_middle(labels, ages) -> None:
    assert Output("o", "age", labels=labels).group_ages == tuple(ages)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        pytest.param({"task": "mood"}, "expected task «age» or «gender», got «mood»", id="task"),
        pytest.param({"task": "age"}, "expected a kind .* or labels of the age", id="no kind"),
        pytest.param({"task": "age", "kind": "year"}, "did you mean «years»", id="kind"),
        pytest.param({"task": "gender", "kind": "years"}, "got 'years'", id="a gender in years"),
        pytest.param({"task": "age", "lables": []}, "did you mean «labels»", id="field"),
        pytest.param({}, "expected a task of each output, got None", id="no task"),
        pytest.param({"task": "age", "kind": "years", "name": 3}, "expected a name", id="no name"),
        pytest.param({"task": "age", "labels": ["young", "old"]}, "2 group_ages, got 0", id="ages"),
        pytest.param({"task": "gender", "labels": ["F", "M"]}, "«Male» and «Female»", id="F, M"),
        pytest.param(
            {"task": "gender", "labels": ["Male", "male"]}, "«Male» and «Female»", id="twice"
        ),
        pytest.param(
            {"task": "gender", "labels": ["Female or Male", "Male or Female"]},
            "in the network's order",
            id="a template's choice",
        ),
        pytest.param({"task": "gender", "kind": "sigmoid"}, "the one gender", id="whose"),
        pytest.param(
            {"task": "age", "kind": "years", "labels": ["0-9"]}, "belong to classes", id="both"
        ),
        pytest.param({"task": "age", "kind": "years", "factor": "9"}, "as a number", id="factor"),
        pytest.param({"task": "age", "kind": "years", "factor": 0}, "a finite factor", id="zero"),
        pytest.param({"task": "age", "kind": "years", "offset": 1e999}, "finite offset", id="inf"),
        pytest.param(
            {"task": "age", "kind": "distribution", "temperature": -1},
            "temperature above 0",
            id="cold",
        ),
        pytest.param({"task": "age", "kind": "years", "logits": 1}, "true or false", id="logits"),
        pytest.param(
            {"task": "age", "kind": "years", "logits": True}, "logits does not belong", id="odds"
        ),
        pytest.param(
            {"task": "gender", "labels": ["Male"], "factor": 2}, "factor does not", id="scaled"
        ),
    ],
)
def test_what_does_not_go_together_is_refused(fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(ModelError, match=reason) as caught:
        Output.from_dict({"name": "out", **fields})
    assert "\n" not in str(caught.value)


def test_a_plain_classification_is_written_short_and_any_other_in_full() -> None:
    plain = Output("prob", "gender", "classes", GENDERS)
    short = outputs_to_fields((plain,), short=True)
    assert short == {
        "task": "gender",
        "labels": ["Male", "Female"],
        "group_ages": [],
        "output_name": "prob",
    }
    warm = dataclasses.replace(plain, temperature=2.0)
    for outputs, may_be_short in [((plain,), False), ((warm,), True)]:
        fields = outputs_to_fields(outputs, short=may_be_short)
        assert list(fields) == ["outputs"]
        assert outputs_from_fields(dict(fields)) == outputs
    assert outputs_from_fields(dict(short)) == (plain,)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, "expected outputs: "),
        ({"outputs": {}}, "expected outputs as a list"),
        ({"outputs": ["prob"]}, "expected an output as"),
        ({"outputs": [], "task": "age"}, "expected outputs or task, not both"),
    ],
)
def test_how_a_manifest_may_not_say_it(fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(ModelError, match=reason):
        outputs_from_fields(fields)


NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


@given(
    st.sampled_from([(task, kind) for task, kinds in KINDS.items() for kind in kinds]),
    NUMBERS.filter(bool),
    NUMBERS,
    st.floats(0.01, 100),
    st.booleans(),
)
def test_every_output_survives_its_fields(meaning, factor, offset, temperature, logits) -> None:
    labels = {
        ("age", "classes"): ("0-9", "10-99"),
        ("gender", "classes"): ("Female", "Male"),
        ("gender", "sigmoid"): ("Male",),
    }.get(meaning, ())
    scale = {"factor": factor, "offset": offset} if meaning[1] in ("years", "distribution") else {}
    shares = {"logits": logits, "temperature": temperature} if meaning[1] != "years" else {}
    output = Output("o", *meaning, labels, **scale, **shares)
    assert Output.from_dict(output.to_dict()) == output


@given(
    st.dictionaries(
        st.sampled_from([field.name for field in dataclasses.fields(Output)]),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text()),
    )
)
def test_whatever_stands_there_gives_an_output_or_a_reason(fields: dict[str, Any]) -> None:
    with contextlib.suppress(ModelError):
        output = Output.from_dict(fields)
        assert output.kind in KINDS[output.task]


def test_an_interval_is_of_an_age_and_is_kept() -> None:
    calibrated = Output("prob", "age", labels=("0-9", "10-99"), interval=1.2)
    assert outputs_from_fields(outputs_to_fields((calibrated,), short=True)) == (calibrated,)
    with pytest.raises(ModelError, match="interval of 0 or more, of an age, got 1.2"):
        Output("g", "gender", labels=("Male", "Female"), interval=1.2)
    with pytest.raises(ModelError, match="interval of 0 or more"):
        Output("y", "age", "years", interval=-1)
