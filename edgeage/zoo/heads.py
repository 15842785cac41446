"""What a backbone's features are turned into: ages and genders, in the forms people train."""

from __future__ import annotations

from typing import Any

from edgeage.errors import UsageError, did_you_mean
from edgeage.labels import GENDERS
from edgeage.outputs import Output
from edgeage.zoo.backend import open_keras
from edgeage.zoo.layers import Expectation

__all__ = ["AGE_CLASSES", "GENERATIONS", "HEADS", "IDENTITY_AGES", "Head", "find_head"]

AGE_CLASSES = ("1-13", "14-23", "24-39", "40-55", "56-85")
"""The five age groups."""

YEARS = 101
"""Classes of an age's distribution: 0 to 100 years."""

GENERATIONS, IDENTITY_AGES = 6, 21
"""Generations of twenty years, and the years 0 to 20 within one."""

FEMALE_FIRST = tuple(reversed(GENDERS))

Head = tuple[list[Any], tuple[Output, ...]]
"""The tensors and what each means."""

layers = open_keras().layers


def years_head(features: Any) -> Head:
    """Return a gender of two classes and an age as the expectation over 101 years.

    Source:
        Rothe, Timofte, Van Gool, *DEX: Deep EXpectation of Apparent Age from a Single Image*,
        ICCV Workshops 2015.
    """
    age = layers.Dense(YEARS, activation="softmax", name="pred_age")(features)
    return [_gender(features), age], (_GENDER, Output("pred_age", "age", "distribution"))


def groups_head(features: Any) -> Head:
    """Return a gender of two classes and an age of five."""
    age = layers.Dense(len(AGE_CLASSES), activation="softmax", name="pred_age")(features)
    return [_gender(features), age], (_GENDER, Output("pred_age", "age", "classes", AGE_CLASSES))


def generation_head(features: Any) -> Head:
    """Return a gender, and an age put together from a generation and a year within it.

    The age is ``20 · E[generation] + E[year]``: the expectations under shares of six generations
    and of 21 years, 0 to 20. Both are learned through the age alone.
    """
    generation = layers.Dense(GENERATIONS, activation="softmax", name="generation")(features)
    identity = layers.Dense(IDENTITY_AGES, activation="softmax", name="identity")(features)
    starts = [(IDENTITY_AGES - 1) * number for number in range(GENERATIONS)]
    start = Expectation(starts, name="generation_start")(generation)
    year = Expectation(range(IDENTITY_AGES), name="identity_age")(identity)
    age = layers.Add(name="pred_age")([start, year])
    gender = layers.Dense(1, activation="sigmoid", name="pred_gender")(features)
    return [gender, age], (
        Output("pred_gender", "gender", "sigmoid", ("Male",)),
        Output("pred_age", "age", "years"),
    )


HEADS = {"years": years_head, "groups": groups_head, "generation": generation_head}
"""Heads by name."""

_GENDER = Output("pred_gender", "gender", "classes", FEMALE_FIRST)


def find_head(name: str) -> Any:
    """Return a head's builder.

    Raises:
        UsageError: for an unknown name.
    """
    if name not in HEADS:
        raise UsageError(
            f"unknown head «{name}»{did_you_mean(name, HEADS)}; expected one of "
            f"{', '.join(sorted(HEADS))}"
        )
    return HEADS[name]


def _gender(features: Any) -> Any:
    return layers.Dense(len(FEMALE_FIRST), activation="softmax", name="pred_gender")(features)
